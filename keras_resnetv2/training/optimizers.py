"""SGD like Caffe's and torch's, with weight decay inside the momentum."""

import keras

from keras_resnetv2._checks import (
    NOT_NEGATIVE,
    check_choice,
    check_learning_rate,
    check_number,
)

MOMENTUM_FORMS = ("caffe", "torch")


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class SGD(keras.optimizers.SGD):
    """Momentum SGD with coupled weight decay, in Caffe's or torch's form.

    With g = gradient + weight_decay * w, m the momentum and lr the rate::

        caffe:  v = m v + lr g;  w -= v       (Nesterov: w -= m v + lr g)
        torch:  v = m v + g;     w -= lr v    (Nesterov: w -= lr (m v + g))

    The two forms differ only when lr changes. Keras's own `SGD(weight_decay=)`
    differs from both: it is decoupled, that is, it shrinks w outside the
    momentum. Weight decay acts on every trainable variable, as in Caffe and
    torch, except those given to `exclude_from_weight_decay`.

    With `use_ema`, the average over the weights begins short, or it would
    remember the initial weights: its momentum is the smaller one of
    `ema_momentum` and (1 + step) / (10 + step).

    Reference: Caffe's SGDSolver; torch.optim.SGD; He et al., 2016, section 5;
    tf.train.ExponentialMovingAverage, `num_updates`.

    Args:
        learning_rate: a float or a schedule.
        momentum: m. Defaults to 0.9.
        nesterov: whether to look ahead. Defaults to False.
        weight_decay: the factor on w itself (an L2 penalty of half of it).
            Defaults to 0.
        momentum_form: "caffe" or "torch".
        learning_rate_factors: start of a layer's name -> factor on its learning
            rate: `{"stage1_": 0.1, "predictions": 10.0}`. If several fit, the
            longest counts. "" fits every layer. If none fits, the factor is 1.
            Layers of an inner model count, too.
        **kwargs: arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: if the form is unknown, the weight decay negative, or a
            factor not above 0; on building, if a name fits no variable.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.0,
        momentum_form="caffe",
        learning_rate_factors=None,
        **kwargs,
    ):
        check_choice("momentum_form", momentum_form, MOMENTUM_FORMS)
        weight_decay = weight_decay or 0.0
        check_number("weight_decay", weight_decay, NOT_NEGATIVE)
        learning_rate_factors = dict(learning_rate_factors or {})
        for name, factor in learning_rate_factors.items():
            check_learning_rate(f"learning_rate_factors[{name!r}]", factor)
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            **kwargs,
        )
        self.coupled_weight_decay = weight_decay
        self.momentum_form = momentum_form
        self.learning_rate_factors = learning_rate_factors

    def __repr__(self) -> str:
        """Shows the settings, without the learning rate."""
        return (
            f"SGD(momentum={self.momentum}, nesterov={self.nesterov}, "
            f"weight_decay={self.coupled_weight_decay}, "
            f"momentum_form={self.momentum_form!r})"
        )

    def build(self, variables):
        """Makes the velocities, and finds each variable's factor."""
        if self.built:
            return
        super().build(variables)
        if self.learning_rate_factors:
            # By index: TensorFlow's update gets variables without a path.
            self._factors = _factor_of_each(
                self.learning_rate_factors, [v.path for v in variables]
            )

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable and its velocity."""
        ops = keras.ops
        gradient = ops.cast(gradient, variable.dtype)
        if self.coupled_weight_decay and self._use_weight_decay(variable):
            decay = ops.cast(self.coupled_weight_decay, variable.dtype)
            gradient = ops.add(gradient, ops.multiply(variable, decay))
        if self.learning_rate_factors:
            factor = self._factors[self._get_variable_index(variable)]
            learning_rate = ops.multiply(learning_rate, factor)
        fused = keras.backend.backend() == "tensorflow"
        # Keras's own form is Caffe's, with the signs of TensorFlow's operation:
        # the velocity is stored negative.
        if not self.momentum or (self.momentum_form == "caffe" and not fused):
            super().update_step(gradient, variable, learning_rate)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        if fused:
            self._fused_update(variable, velocity, gradient, rate)
            return
        new = ops.add(ops.multiply(velocity, self.momentum), gradient)
        self.assign(velocity, new)
        if self.nesterov:
            new = ops.add(ops.multiply(new, self.momentum), gradient)
        self.assign_add(variable, ops.multiply(new, -rate))

    def _fused_update(self, variable, velocity, gradient, rate):
        """Uses one operation per variable: saves 20% of ResNet-1001's graph."""
        import tensorflow as tf

        apply = {
            "caffe": tf.raw_ops.ResourceApplyKerasMomentum,
            "torch": tf.raw_ops.ResourceApplyMomentum,
        }[self.momentum_form]
        apply(
            var=variable.handle,
            accum=velocity.handle,
            lr=rate,
            grad=gradient,
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Skips Keras's reduction on a single device.

        There it would only register a custom gradient with TensorFlow, which
        then keeps the whole graph in memory.
        """
        if self._distribution_strategy.num_replicas_in_sync == 1:
            return grads_and_vars
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def _update_model_variables_moving_average(self, trainable_variables):
        longest = self.ema_momentum
        step = keras.ops.cast(self.iterations, "float32")
        self.ema_momentum = keras.ops.minimum(longest, (1 + step) / (10 + step))
        try:
            super()._update_model_variables_moving_average(trainable_variables)
        finally:
            self.ema_momentum = longest

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "weight_decay": self.coupled_weight_decay,
            "momentum_form": self.momentum_form,
            "learning_rate_factors": dict(self.learning_rate_factors),
        }


def _factor_of_each(factors, paths):
    """Returns one factor per path: names of layers and variable, with "/"."""
    fitting = [
        [name for name in factors if f"/{name}" in f"/{path}"] for path in paths
    ]
    idle = set(factors).difference(*fitting)
    if idle:
        raise ValueError(
            f"learning_rate_factors: no trainable layer's name starts with "
            f"{min(idle)!r}. Correct or remove it; the variables are "
            f"{', '.join(paths[:3])}, ... {paths[-1]}."
        )
    return [factors[max(names, key=len)] if names else 1.0 for names in fitting]
