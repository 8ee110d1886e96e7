"""SGD as Caffe and torch do it: weight decay inside the momentum."""

import keras

from keras_resnetv2._checks import check_choice

# name -> whether the learning rate is inside the velocity
MOMENTUM_FORMS = {"caffe": True, "torch": False}


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class SGD(keras.optimizers.SGD):
    """Momentum SGD with coupled weight decay, in Caffe's or torch's form.

    With g = gradient + weight_decay * w, m the momentum and lr the rate:

        caffe:  v = m v + lr g;  w -= v       (Nesterov: w -= m v + lr g)
        torch:  v = m v + g;     w -= lr v    (Nesterov: w -= lr (m v + g))

    The two agree while lr is constant and part where it changes. Keras's own
    `SGD(weight_decay=)` is decoupled (it shrinks w outside the momentum), which
    is neither. Weight decay acts on every trainable variable, as in both,
    less those named to `exclude_from_weight_decay`.

    Reference: Caffe's SGDSolver; torch.optim.SGD; He et al., 2016, section 5.

    Args:
        learning_rate: a float or a schedule.
        momentum: m. Defaults to 0.9.
        nesterov: whether to look ahead. Defaults to False.
        weight_decay: the factor on w itself (an L2 penalty of half of it).
            Defaults to 0.
        momentum_form: "caffe" or "torch".
        **kwargs: as for `keras.optimizers.SGD`.

    Raises:
        ValueError: for an unknown form or a negative weight decay.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.0,
        momentum_form="caffe",
        **kwargs,
    ):
        check_choice("momentum_form", momentum_form, MOMENTUM_FORMS)
        weight_decay = weight_decay or 0.0
        if weight_decay < 0:
            raise ValueError(
                f"weight_decay must not be negative; received {weight_decay}."
            )
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            **kwargs,
        )
        self.coupled_weight_decay = weight_decay
        self.momentum_form = momentum_form

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable and its velocity."""
        ops = keras.ops
        gradient = ops.cast(gradient, variable.dtype)
        if self.coupled_weight_decay and self._use_weight_decay(variable):
            decay = ops.cast(self.coupled_weight_decay, variable.dtype)
            gradient = ops.add(gradient, ops.multiply(variable, decay))
        if not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        if keras.backend.backend() == "tensorflow":
            self._fused_update(variable, velocity, gradient, rate)
        else:
            self._update(variable, velocity, gradient, rate)

    def _fused_update(self, variable, velocity, gradient, rate):
        """One operation a variable: a fifth off ResNet-1001's whole graph."""
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

    def _update(self, variable, velocity, gradient, rate):
        ops = keras.ops
        rate_inside = MOMENTUM_FORMS[self.momentum_form]
        step = ops.multiply(gradient, rate) if rate_inside else gradient
        new = ops.add(ops.multiply(velocity, self.momentum), step)
        self.assign(velocity, new)
        if self.nesterov:
            new = ops.add(ops.multiply(new, self.momentum), step)
        self.assign_sub(
            variable, new if rate_inside else ops.multiply(new, rate)
        )

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "weight_decay": self.coupled_weight_decay,
            "momentum_form": self.momentum_form,
        }
