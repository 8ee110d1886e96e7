"""Batch normalization with TensorFlow's fused op, in step on all replicas."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
from keras.src.backend.common.stateless_scope import in_stateless_scope

if TYPE_CHECKING:
    import tensorflow as tf

BATCH_NORMALIZATIONS = ("per_replica", "synchronized")

_FUSED_DTYPES = ("float32", "bfloat16", "float16")


class _Later(threading.local):
    """What a replica's thread updates at the end of `averaged_at_once`.

    Attributes:
        updates: id of a variable -> the variable, and its value before the
            replicas average it. None outside of that context.
    """

    updates = None


_LATER = _Later()


def _on_tensorflow():
    return keras.backend.backend() == "tensorflow"


@contextlib.contextmanager
def averaged_at_once() -> Iterator[None]:
    """Context at whose end replicas average all moving statistics.

    They do so in one message. Otherwise they send one for each statistic of
    each layer: 218 in a step of ResNet-110.
    """
    replica = replica_of_several()
    if replica is None or _LATER.updates is not None:
        yield
        return
    import tensorflow as tf

    _LATER.updates = {}
    try:
        yield
        updates = _LATER.updates
    finally:
        _LATER.updates = None
    if updates:
        variables, values = zip(*updates.values())
        means = replica.all_reduce(tf.distribute.ReduceOp.MEAN, list(values))
        replica.merge_call(_assign_all, args=(variables, means))


def replica_of_several() -> "tf.distribute.ReplicaContext | None":
    """Returns this replica's context; None if it is not one of several."""
    if not _on_tensorflow():
        return None
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    several = replica is not None and replica.num_replicas_in_sync > 1
    return replica if several else None


def _assign_all(strategy, variables, values):
    for variable, value in zip(variables, values):
        strategy.extended.update(variable, _assign, args=(value,))


def _assign(variable, value):
    return variable.assign(value)


def _update(variable, value):
    """Updates a moving statistic; within `averaged_at_once`, at its end."""
    if _LATER.updates is None or in_stateless_scope():
        variable.assign(value)
    else:
        _LATER.updates[id(variable)] = variable.value, value


def _current(variable):
    """Returns a moving statistic, also where a shared layer has updated it."""
    updates = _LATER.updates or {}
    return updates.get(id(variable), (variable, variable.value))[1]


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster and with torch's statistics.

    It has the same weights and outputs, with three differences:

    - On TensorFlow, a channels-last (batch, H, W, C) input in float32, bfloat16
      or float16 uses the fused op, in training and in inference. All other
      cases (JAX, PyTorch, float64, masks, other ranks, `synchronized=True`)
      use Keras's operations.
    - The moving variance is unbiased, N/(N-1), as in Caffe, torch and
      TensorFlow's fused op. In Keras 3 it is biased.
    - Under a `tf.distribute` strategy, every replica normalizes with its own
      batch. The moving statistics are averaged over the replicas at every
      step, so all replicas save and export the same numbers. In Keras 3 they
      drift apart, and the first replica's are saved.

    Reference: Ioffe and Szegedy, 2015; He et al., 2016 (statistics per GPU).

    Args:
        axis: the channels' axis. Defaults to the last.
        momentum: weight of the old moving statistics; 0.9 is 0.1 in torch.
        epsilon: added to the variance. Defaults to 1e-5.
        center: whether to add beta.
        scale: whether to multiply by gamma.
        synchronized: whether to use the statistics of all replicas. On JAX and
            PyTorch it changes nothing: there, a layer sees the whole batch.
        network_config: the network's `ResNetConfig` as JSON, in its first
            batch normalization: saving, loading and cloning keep layers.
        network_origin: the network's `Origin`, in the same layer.
        **kwargs: arguments of `keras.layers.BatchNormalization`.

    Raises:
        ValueError: for `renorm=True`, which has no unbiased counterpart.
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.9,
        epsilon=1e-5,
        center=True,
        scale=True,
        *,
        synchronized=False,
        network_config=None,
        network_origin=None,
        **kwargs,
    ):
        if kwargs.get("renorm"):
            raise ValueError(
                "keras_resnetv2's BatchNormalization does not support batch "
                "renormalization; received renorm=True. Use "
                "keras.layers.BatchNormalization for it."
            )
        super().__init__(
            axis=axis,
            momentum=momentum,
            epsilon=epsilon,
            center=center,
            scale=scale,
            # Keras refuses it on other backends, which need nothing for it.
            synchronized=synchronized and _on_tensorflow(),
            **kwargs,
        )
        self.synchronized = synchronized
        self.network_config = network_config
        self.network_origin = network_origin

    def get_config(self):
        """Returns the constructor's arguments."""
        config = super().get_config()
        for name in ("network_config", "network_origin"):
            if (text := getattr(self, name)) is not None:
                config[name] = text
        return config

    def add_weight(self, *args, trainable=True, aggregation="none", **kwargs):
        """See Keras; averages the moving statistics over the replicas."""
        return super().add_weight(
            *args,
            trainable=trainable,
            aggregation=aggregation if trainable else "mean",
            **kwargs,
        )

    def call(self, inputs, training=None, mask=None):
        """Normalizes; in training also updates the moving statistics."""
        training = bool(training) and self.trainable
        if mask is None and self._fused_applies(inputs):
            return self._fused(inputs, training)
        if not training:
            return super().call(inputs, training=False, mask=mask)
        return self._unfused_training(inputs, mask)

    def _fused_applies(self, inputs) -> bool:
        return (
            _on_tensorflow()
            and not self.synchronized
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in _FUSED_DTYPES
        )

    def _fused(self, inputs, training):
        import tensorflow as tf

        # The op takes float32 statistics and parameters for every input type.
        channels = (inputs.shape[-1],)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=(
                tf.cast(self.gamma.value, tf.float32)
                if self.scale
                else tf.ones(channels)
            ),
            offset=(
                tf.cast(self.beta.value, tf.float32)
                if self.center
                else tf.zeros(channels)
            ),
            mean=tf.cast(_current(self.moving_mean), tf.float32),
            variance=tf.cast(_current(self.moving_variance), tf.float32),
            epsilon=self.epsilon,
            is_training=training,
            exponential_avg_factor=1.0 - self.momentum if training else 1.0,
        )
        if training:  # the op returned the new moving averages
            _update(self.moving_mean, mean)
            _update(self.moving_variance, variance)
        return outputs

    def _unfused_training(self, inputs, mask):
        ops = keras.ops
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        inputs = ops.cast(inputs, dtype)
        mean, variance = self._moments(inputs, mask)
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            axis=self.axis,
            offset=ops.cast(self.beta, dtype) if self.center else None,
            scale=ops.cast(self.gamma, dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        count = self._count(inputs, mask)
        unbiased = variance * (count / ops.maximum(count - 1.0, 1.0))
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, unbiased),
        ):
            value = ops.cast(value, moving.dtype)
            before = _current(moving)
            _update(
                moving, before * self.momentum + value * (1.0 - self.momentum)
            )
        return ops.cast(outputs, self.compute_dtype)

    def _moments(self, inputs, mask):
        if mask is None and not _on_tensorflow():
            return keras.ops.moments(inputs, axes=self._reduction_axes)
        return super()._moments(inputs, mask)

    def _count(self, inputs, mask):
        """Returns the number of values in a channel's statistics."""
        ops = keras.ops
        if mask is not None:
            ones = ops.broadcast_to(ops.expand_dims(mask, -1), inputs.shape)
            return ops.sum(ops.cast(ones, inputs.dtype)) / inputs.shape[-1]
        shape = ops.shape(inputs)
        count = ops.cast(1, inputs.dtype)
        for axis in self._reduction_axes:
            count = count * ops.cast(shape[axis], inputs.dtype)
        if self.synchronized and (replica := replica_of_several()):
            import tensorflow as tf

            count = replica.all_reduce(tf.distribute.ReduceOp.SUM, count)
        return count
