"""`ResNet`: the class of all our models."""

import contextlib
import functools
import itertools
import sys

import keras

from keras_resnetv2._origin import Origin, origin_of
from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.network_configs import config_of

_HDF5 = (".h5", ".hdf5")


def set_origin(model: keras.Model, origin: Origin) -> None:
    """Makes a network carry what it was trained on.

    Args:
        model: one of ours.
        origin: replaces what it carries.
    """
    for layer in model.layers:
        if getattr(layer, "network_config", None):
            layer.network_origin = origin.to_json()


def replicas_of(model: keras.Model) -> int:
    """The number of replicas that a model trains on; 1 without a strategy."""
    if keras.backend.backend() != "tensorflow":
        return 1
    return model.distribute_strategy.num_replicas_in_sync


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class ResNet(keras.Model):
    """A functional `keras.Model` of any depth, for any number of replicas.

    Building, cloning and loading PreActResNet1202 go through this constructor;
    it keeps them from a RecursionError. To cut a sub-model out of a very deep
    net, use it as well: `ResNet(net.input, net.get_layer(name).output)`.

    Under a `tf.distribute` strategy over more than one replica, `fit`,
    `evaluate` and `predict` give what one device gives for the same batches,
    or raise a ValueError. Where Keras's own do not:

    - A batch that does not divide among the replicas: every image has the
      same weight in the gradient, and in testing some replicas may get none.
      (In training each needs one. Per-replica batch normalization averages
      its moving statistics over the replicas, whatever their shards.)
    - `steps_per_execution`: steps are run one by one, as if it were 1.
    - Loss scaling: a step is skipped where any replica's gradients overflow.
    - Gradient clipping, gradient accumulation, `ema_overwrite_frequency`,
      losses that are no mean, `train_on_batch`, `predict_on_batch`: refused.

    On one device, and on JAX and PyTorch, nothing differs from `keras.Model`.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        with _deep_recursion():
            super().__init__(inputs, outputs, name=name, **kwargs)

    @property
    def config(self) -> ResNetConfig:
        """The config of the network, or of the one that it is built on.

        Raises:
            ValueError: for a model that does not begin with one of ours.
        """
        return config_of(self)

    @property
    def origin(self) -> Origin:
        """What the network was trained on (statistics, classes, weights).

        Keras's `load_weights`, `set_weights` and `clone_model` leave it as it
        is, though a clone has random weights.
        """
        return origin_of(self)

    def save(self, filepath, *args, **kwargs):
        """As Keras's, but for its legacy HDF5 format, which is refused.

        Raises:
            ValueError: for a path that ends in .h5 or .hdf5.
        """
        if str(filepath).endswith(_HDF5) or "save_format" in kwargs:
            raise ValueError(
                "A network is saved in Keras's own format: give a path that "
                f"ends in .keras; received {str(filepath)!r}. (Keras cannot "
                "load the legacy HDF5 file of a class of its users by "
                'itself.) For the weights alone: save_weights("m.weights.h5").'
            )
        super().save(filepath, *args, **kwargs)

    def make_train_function(self, force=False):
        """As Keras's, one checked batch at a time."""
        replicas = replicas_of(self)
        if replicas > 1:
            _check_compiled(self, replicas)
        is_new = self.train_function is None or force
        super().make_train_function(force=force)
        if replicas > 1 and is_new:
            if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
                _share_overflows(self.optimizer)
            self.train_function = _batch_by_batch(
                self.train_function, self.distribute_strategy
            )

    def make_predict_function(self, force=False):
        """As Keras's, refusing a batch that is not shared out."""
        is_new = self.predict_function is None or force
        super().make_predict_function(force=force)
        replicas = replicas_of(self)
        if replicas > 1 and is_new:
            self.predict_function = _shared_out(self.predict_function, replicas)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """As Keras's, its gradient in proportion to the shard's images."""
        loss = super().compute_loss(
            x, y, y_pred, sample_weight, training=training
        )
        if not training or replicas_of(self) == 1:
            return loss
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        if replica is None:  # Keras only asks for the shape
            return loss
        images = tf.cast(tf.shape(keras.tree.flatten(x)[0])[0], loss.dtype)
        mean = replica.all_reduce(tf.distribute.ReduceOp.MEAN, images)
        # The value stays: Keras weights it itself in what `fit` reports.
        weighted = loss * (images / mean)
        return weighted + tf.stop_gradient(loss - weighted)

    def test_step(self, *args):
        """As Keras's; a replica without an image leaves the metrics alone."""
        step = functools.partial(super().test_step, *args)
        if replicas_of(self) == 1:
            return step()
        import tensorflow as tf

        images = keras.tree.flatten(args[0])[0]
        if images.shape[0]:
            return step()
        return tf.cond(tf.shape(images)[0] > 0, step, self.get_metrics_result)

    def predict_step(self, *args):
        """As Keras's; a replica without an element predicts for a blank one."""
        if replicas_of(self) == 1:
            return super().predict_step(*args)
        import tensorflow as tf

        (inputs, *_) = keras.utils.unpack_x_y_sample_weight(args[0])
        count = tf.shape(keras.tree.flatten(inputs)[0])[0]
        blank = [0, tf.cast(count == 0, tf.int32)]

        def with_blank(values):
            if isinstance(values, tf.SparseTensor):
                return values  # TensorFlow makes no empty shard of one
            if isinstance(values, tf.RaggedTensor):
                splits = tf.pad(values.row_splits, [blank])
                return tf.RaggedTensor.from_row_splits(values.values, splits)
            return tf.pad(values, [blank, *[[0, 0]] * (len(values.shape) - 1)])

        inputs = keras.tree.map_structure(with_blank, inputs)
        outputs = super().predict_step((inputs,))
        return keras.tree.map_structure(lambda out: out[:count], outputs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras adds the shards up to learn their shape, and they may differ.
        if iterator is not None and replicas_of(self) > 1:
            _, _, batches = next(iter(iterator))
            data_batch = _first_shard(next(batches), self.distribute_strategy)
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)


@contextlib.contextmanager
def _deep_recursion():
    """Lets Keras walk a graph of thousands of nodes, which it does recursively.

    From Python 3.11 on pure Python calls take no C stack, so that this is safe.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _batch_by_batch(train_function, strategy):
    """Hands a train function plain Python's iterator of checked batches."""

    def checked(batches):
        for batch in batches:
            _check_shards(batch, strategy)
            yield batch

    def function(iterator):
        batches = checked(iterator)
        first = next(batches)  # where there is none, Keras ends the epoch
        return train_function(itertools.chain([first], batches))

    return function


def _shared_out(predict_function, replicas):
    def function(batches):
        for batch in batches:
            _check_shared_out(batch, replicas)
        return predict_function(batches)

    return function


def _share_overflows(optimizer):
    """Makes every replica skip the step where one replica's gradients overflow.

    Keras asks the first replica only: where another one's overflow, all get
    its infinities.
    """
    import tensorflow as tf

    check = functools.partial(type(optimizer).check_finite, optimizer)

    def check_finite(gradients):
        replica = tf.distribute.get_replica_context()
        overflows = tf.cast(tf.logical_not(check(gradients)), tf.float32)
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, overflows) == 0

    optimizer.check_finite = check_finite


def _first_shard(batch, strategy):
    return keras.tree.map_structure(
        lambda values: strategy.experimental_local_results(values)[0], batch
    )


# What several replicas cannot do as one device does: Keras 3 takes all of it
# there, and computes something else or breaks.
_CLIPPING = (
    "Keras clips every replica's own gradients before it adds them up. Leave "
    "it out"
)
# An optimizer's option -> what is wrong with it there, and what to do.
_OPTIMIZER_OPTIONS = {
    "clipnorm": _CLIPPING,
    "global_clipnorm": _CLIPPING,
    "clipvalue": _CLIPPING,
    "gradient_accumulation_steps": (
        "Keras cannot update replicas under a condition. Take a larger "
        "batch_size, which the replicas share"
    ),
    "ema_overwrite_frequency": (
        "Keras cannot update replicas under a condition. Leave it None: with "
        "use_ema=True the weights take their averages at the end of fit"
    ),
}
_MEANS = ("sum_over_batch_size", "mean")


def _check_compiled(model: keras.Model, replicas: int) -> None:
    """Refuses options whose result depends on the number of replicas.

    Args:
        model: compiled.
        replicas: how many, at least 2.

    Raises:
        ValueError: names the option, what it does there and what to do.
    """
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for option, reason in _OPTIMIZER_OPTIONS.items():
        value = getattr(optimizer, option, None)
        if value:
            raise ValueError(
                f"{optimizer.name} has {option}={value}, which {replicas} "
                f"replicas do not do as one device does: {reason}, or train "
                "on one device."
            )
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", "mean")
        if reduction not in _MEANS:
            raise ValueError(
                f"The loss {loss.name} has reduction={reduction!r}, which "
                f"{replicas} replicas cannot put together from their shards "
                'of a batch. Use "sum_over_batch_size", or train on one '
                "device."
            )


def _check_shared_out(batch, replicas: int) -> None:
    """Refuses a batch that every replica would get the whole of.

    Args:
        batch: what the replicas would get.
        replicas: how many, at least 2.

    Raises:
        ValueError: says what to call instead.
    """
    import tensorflow as tf

    if not isinstance(
        keras.tree.flatten(batch)[0], tf.distribute.DistributedValues
    ):
        raise ValueError(
            f"Received a batch that is not shared out among the {replicas} "
            "replicas: each of them would take all of it. Call fit, evaluate "
            "or predict in place of train_on_batch or predict_on_batch; they "
            "share it out."
        )


def _check_shards(batch, strategy) -> None:
    """Refuses a training batch of which a replica gets no image.

    Args:
        batch: shared out.
        strategy: over more than one replica.

    Raises:
        ValueError: says how the batch was shared out and what to do.
    """
    _check_shared_out(batch, strategy.num_replicas_in_sync)
    shards = strategy.experimental_local_results(keras.tree.flatten(batch)[0])
    images = [int(shard.shape[0]) for shard in shards]
    if not all(images):
        raise ValueError(
            f"A batch of {sum(images)} images leaves a replica without any: "
            f"received shards of {images}, and batch normalization needs "
            "images. Drop the last, incomplete batch (in tf.data: "
            "batch(..., drop_remainder=True)), or choose a batch_size that "
            "divides the number of images."
        )
