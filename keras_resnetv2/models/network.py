"""`ResNet`: the class of all models of this package."""

import contextlib
import functools
import itertools
import sys

import keras

from keras_resnetv2._autotuning import PromptStrategy
from keras_resnetv2._origin import Origin, origin_of
from keras_resnetv2.models import first_step
from keras_resnetv2.models import remat as remat_lib
from keras_resnetv2.models.batch_normalization import averaged_at_once
from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.network_configs import config_of

_HDF5 = (".h5", ".hdf5")


def set_origin(model: keras.Model, origin: Origin) -> None:
    """Stores in a network what it was trained on.

    Args:
        model: a network of this package.
        origin: replaces its origin.
    """
    for layer in model.layers:
        if getattr(layer, "network_config", None):
            layer.network_origin = origin.to_text()


def replicas_of(model: keras.Model) -> int:
    """Returns a model's replicas under `tf.distribute`; 1 on other backends."""
    if keras.backend.backend() != "tensorflow":
        return 1
    return model.distribute_strategy.num_replicas_in_sync


def local_replicas_of(model: keras.Model) -> int:
    """Returns how many of a model's replicas are in this process."""
    if replicas_of(model) == 1:
        return 1
    return len(model.distribute_strategy.extended.worker_devices)


def strategy_of(model: keras.Model):
    """Returns what spreads a model over several devices; None on one.

    On TensorFlow it is the model's strategy, on JAX the distribution that is
    set in Keras.
    """
    if keras.backend.backend() == "jax":
        return keras.distribution.distribution()
    return model.distribute_strategy if replicas_of(model) > 1 else None


def replicas_in(strategy) -> int:
    """Returns a strategy's number of replicas on all processes; 1 for None."""
    if strategy is None:
        return 1
    if keras.backend.backend() == "jax":
        return strategy.device_mesh.devices.size
    return strategy.num_replicas_in_sync


def is_spread(strategy) -> bool:
    """Returns whether a strategy has replicas in other processes."""
    if strategy is None:
        return False
    if keras.backend.backend() == "jax":
        import jax

        return jax.process_count() > 1
    replicas = strategy.num_replicas_in_sync
    return replicas > 1 and len(strategy.extended.worker_devices) < replicas


def _is_on_several_workers(model):
    return is_spread(strategy_of(model))


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class ResNet(keras.Model):
    """A functional `keras.Model` of any depth, for any number of replicas.

    Its constructor prevents a RecursionError when very deep networks such as
    PreActResNet1202 are built, cloned or loaded. Use it also for a sub-model
    of one: `ResNet(net.input, net.get_layer(name).output)`.

    Under a `tf.distribute` strategy with more than one replica, `fit`,
    `evaluate` and `predict` give the same results as one device for the same
    batches, or raise a ValueError. This differs from Keras:

    - If the replicas get unequal parts of a batch, every image still has the
      same weight in the gradient. In testing, replicas may get no image; in
      training each needs one. Per-replica batch normalization averages its
      moving statistics over the replicas, whatever the sizes of their parts.
    - `steps_per_execution` is ignored: steps run one by one.
    - With loss scaling, all replicas skip a step if one's gradients overflow.
    - Gradient clipping, gradient accumulation, `ema_overwrite_frequency`,
      losses that are not means, `train_on_batch` and `predict_on_batch` are
      refused.

    On one device, and on JAX and PyTorch, it is the same as `keras.Model`. Only
    tf.data's autotuning is off: with it, a call may take up to twice as long.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        with _deep_recursion():
            super().__init__(inputs, outputs, name=name, **kwargs)
        self._remat = "none"

    def call(self, inputs, training=None, mask=None, **kwargs):
        """See Keras; in training, keeps only what `remat` keeps."""
        if not training:
            return super().call(inputs, training=training, mask=mask, **kwargs)
        if self.remat == "none":
            with averaged_at_once():
                return super().call(inputs, training=True, mask=mask, **kwargs)
        if mask is not None or kwargs:
            raise ValueError(
                f"With remat={self.remat!r} a network takes no mask and no "
                f"further arguments; received mask={mask}, {kwargs}. Use "
                'remat="none".'
            )
        outputs = remat_lib.call_in_segments(
            self, self._standardize_inputs(inputs), self.remat
        )
        if len(outputs) == 1 and not isinstance(self._outputs_struct, dict):
            return outputs[0]  # like Keras
        return keras.tree.pack_sequence_as(self._outputs_struct, outputs)

    @classmethod
    def from_config(cls, config, *args, **kwargs):
        """See Keras."""
        with first_step.quick_variables():
            return super().from_config(config, *args, **kwargs)

    @property
    def config(self) -> ResNetConfig:
        """The config of the network, or of the network that it is built on.

        Raises:
            ValueError: if it is not built on a network of this package.
        """
        return config_of(self)

    @property
    def origin(self) -> Origin:
        """What the network was trained on (statistics, classes, weights).

        Keras's `load_weights`, `set_weights` and `clone_model` do not change
        it, even though a clone has random weights.
        """
        return origin_of(self)

    @property
    def remat(self) -> str:
        """What a training step keeps for the backward pass.

        "none": all activations; "unit": only the units' inputs; "stage": only
        the stages' inputs. The step computes the rest again, so it needs less
        memory and more time. Its results are the same up to rounding. Usually
        "unit" needs the least memory. Files, clones and networks that are built
        on this one do not take over the setting. Second derivatives need
        "none".

        Reference: Chen et al., "Training Deep Nets with Sublinear Memory Cost",
        2016.

        Raises:
            ValueError: if set to another value, on PyTorch, or for a network
                with other layers in its units.
        """
        return self._remat

    @remat.setter
    def remat(self, value: str) -> None:
        remat_lib.check_remat(value)
        if value != "none":
            remat_lib.check_segments(self, value)
        self._remat = value
        self.train_function = None

    def save(self, filepath, *args, **kwargs):
        """Saves like Keras; refuses the legacy HDF5 format.

        Raises:
            ValueError: for a path that ends in .h5 or .hdf5.
        """
        if str(filepath).endswith(_HDF5) or "save_format" in kwargs:
            raise ValueError(
                "Networks are saved in Keras's own format: give a path that "
                f"ends in .keras; received {str(filepath)!r}. (Keras cannot "
                "load legacy HDF5 files of custom classes without help.) To "
                'save only the weights, call save_weights("m.weights.h5").'
            )
        super().save(filepath, *args, **kwargs)

    @property
    def distribute_strategy(self):
        """See Keras; its calls end with their last batch."""
        strategy = super().distribute_strategy
        # Keras looks at the class of a strategy of several workers.
        return strategy if is_spread(strategy) else PromptStrategy(strategy)

    def train_on_batch(self, *args, **kwargs):
        """See Keras; refused on several workers."""
        _check_one_process(self, "train_on_batch")
        return super().train_on_batch(*args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """See Keras; refuses an array on several workers of JAX.

        There, what a worker gives is its own part of each batch. With the same
        array on all workers, Keras would return each image several times.
        """
        on_jax = keras.backend.backend() == "jax"
        if on_jax and hasattr(x, "shape") and _is_on_several_workers(self):
            raise ValueError(
                "On several workers of JAX, predict does not divide an array "
                f"among them; received one of shape {tuple(x.shape)}. Predict "
                "in one process, or call training.evaluate."
            )
        return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, *args, **kwargs):
        """See Keras; refused on several workers."""
        _check_one_process(self, "predict_on_batch")
        return super().predict_on_batch(*args, **kwargs)

    def _make_function(self, step_function, **kwargs):
        # On several workers, Keras averages logs along an axis, and theirs
        # have none.
        if replicas_of(self) > 1 and _is_on_several_workers(self):
            step_function = _with_an_axis(step_function)
        return super()._make_function(step_function, **kwargs)

    def make_train_function(self, force=False):
        """See Keras; checks and trains one batch at a time."""
        replicas = replicas_of(self)
        if replicas > 1:
            _check_compiled(self, replicas)
        is_new = self.train_function is None or force
        if is_new:
            first_step.build_optimizer(self)
        super().make_train_function(force=force)
        if is_new:
            self.train_function = first_step.in_one_function(
                self, self.train_step, self.train_function
            )
        if replicas > 1 and is_new:
            if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
                _share_overflows(self.optimizer)
            self.train_function = _batch_by_batch(
                self.train_function, self.distribute_strategy
            )

    def make_test_function(self, force=False):
        """See Keras; traces a step once."""
        is_new = self.test_function is None or force
        super().make_test_function(force=force)
        if is_new:
            self.test_function = first_step.in_one_function(
                self, self.test_step, self.test_function
            )

    def make_predict_function(self, force=False):
        """See Keras; refuses batches that are not split among replicas."""
        is_new = self.predict_function is None or force
        super().make_predict_function(force=force)
        replicas = local_replicas_of(self)
        if replicas > 1 and is_new:
            self.predict_function = _shared_out(self.predict_function, replicas)
        if replicas_of(self) == 1 and is_new and _is_on_several_workers(self):
            self.predict_function = _gathered(self.predict_function)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """See Keras; scales the gradient with the shard's number of images."""
        loss = super().compute_loss(
            x, y, y_pred, sample_weight, training=training
        )
        if not training or replicas_of(self) == 1:
            return loss
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        if replica is None:  # Keras only needs the shape
            return loss
        images = tf.cast(tf.shape(keras.tree.flatten(x)[0])[0], loss.dtype)
        mean = replica.all_reduce(tf.distribute.ReduceOp.MEAN, images)
        # The value stays the same: for reports, Keras itself weights it.
        weighted = loss * (images / mean)
        return weighted + tf.stop_gradient(loss - weighted)

    def test_step(self, *args):
        """See Keras; a replica without images does not change the metrics."""
        step = functools.partial(super().test_step, *args)
        if replicas_of(self) == 1:
            return step()
        import tensorflow as tf

        images = keras.tree.flatten(args[0])[0]
        if images.shape[0]:
            return step()
        return tf.cond(tf.shape(images)[0] > 0, step, self.get_metrics_result)

    def predict_step(self, *args):
        """See Keras; a replica without elements predicts for a blank one."""
        if replicas_of(self) == 1:
            return super().predict_step(*args)
        import tensorflow as tf

        (inputs, *_) = keras.utils.unpack_x_y_sample_weight(args[0])
        count = tf.shape(keras.tree.flatten(inputs)[0])[0]
        blank = [0, tf.cast(count == 0, tf.int32)]

        def with_blank(values):
            if isinstance(values, tf.SparseTensor):
                return values  # TensorFlow makes no empty shards of these
            if isinstance(values, tf.RaggedTensor):
                splits = tf.pad(values.row_splits, [blank])
                return tf.RaggedTensor.from_row_splits(values.values, splits)
            return tf.pad(values, [blank, *[[0, 0]] * (len(values.shape) - 1)])

        inputs = keras.tree.map_structure(with_blank, inputs)
        outputs = super().predict_step((inputs,))
        return keras.tree.map_structure(lambda out: out[:count], outputs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras adds the shards to find their shape, but their sizes may differ.
        if iterator is not None and replicas_of(self) > 1:
            _, _, batches = next(iter(iterator))
            data_batch = _first_shard(next(batches), self.distribute_strategy)
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)


@contextlib.contextmanager
def _deep_recursion():
    """Allows Keras's recursion over graphs of thousands of nodes.

    This is safe since Python 3.11: pure Python calls do not use the C stack.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _with_an_axis(step_function):
    def step(*args):
        return keras.tree.map_structure(
            lambda value: keras.ops.reshape(value, (1,)), step_function(*args)
        )

    return step


def _batch_by_batch(train_function, strategy):
    """Gives a train function a Python iterator of checked batches."""

    def checked(batches):
        for batch in batches:
            _check_shards(batch, strategy)
            yield batch

    def function(iterator):
        batches = checked(iterator)
        first = next(batches)  # if there is none, Keras ends the epoch
        return train_function(itertools.chain([first], batches))

    return function


def _shared_out(predict_function, replicas):
    def function(batches):
        for batch in batches:
            _check_shared_out(batch, replicas)
        return predict_function(batches)

    return function


def _gathered(predict_function):
    """Gives each process of JAX the outputs of all; Keras cannot read them."""
    from jax.experimental.multihost_utils import process_allgather

    def function(state, batches):
        outputs, state = predict_function(state, batches)
        return process_allgather(outputs, tiled=True), state

    return function


def _share_overflows(optimizer):
    """Makes all replicas skip a step if one replica's gradients overflow.

    Keras checks only the first replica. If another one's gradients overflow,
    all replicas get its infinities.
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


# Options with which several replicas differ from one device. Keras 3 accepts
# them, and computes something else or fails.
_CLIPPING = "Keras clips each replica's gradients before it adds them. Omit it"
# An optimizer's option -> the problem, and what to do.
_OPTIMIZER_OPTIONS = {
    "clipnorm": _CLIPPING,
    "global_clipnorm": _CLIPPING,
    "clipvalue": _CLIPPING,
    "gradient_accumulation_steps": (
        "Keras cannot update replicas under a condition. Use a larger "
        "batch_size, which is split among the replicas"
    ),
    "ema_overwrite_frequency": (
        "Keras cannot update replicas under a condition. Set it to None: with "
        "use_ema=True the weights become their averages at the end of fit"
    ),
}
_MEANS = ("sum_over_batch_size", "mean")


def unscaled(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.Optimizer:
    """Returns an optimizer without Keras's loss scaling around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _check_compiled(model: keras.Model, replicas: int) -> None:
    """Checks for options with results that depend on the number of replicas.

    Args:
        model: a compiled model.
        replicas: number of replicas, at least 2.

    Raises:
        ValueError: if there is one; names it, the problem and what to do.
    """
    optimizer = unscaled(model.optimizer)
    for option, reason in _OPTIMIZER_OPTIONS.items():
        value = getattr(optimizer, option, None)
        if value:
            raise ValueError(
                f"{optimizer.name} has {option}={value}, which does not work "
                f"on {replicas} replicas as on one device: {reason}, or train "
                "on one device."
            )
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", "mean")
        if reduction not in _MEANS:
            raise ValueError(
                f"The loss {loss.name} has reduction={reduction!r}, which "
                f"{replicas} replicas cannot combine from their parts of a "
                'batch. Use "sum_over_batch_size", or train on one device.'
            )


def _check_one_process(model: keras.Model, method: str) -> None:
    """Checks that a model is not spread over several workers.

    Args:
        model: any model.
        method: what was called.

    Raises:
        ValueError: if it is; says what to call instead.
    """
    if _is_on_several_workers(model):
        raise ValueError(
            f"{method} does not split a batch among workers. On TensorFlow, "
            "fit, evaluate and predict do; on JAX, call training.train."
        )


def _check_shared_out(batch, replicas: int) -> None:
    """Checks that a batch is split among the replicas.

    Args:
        batch: the replicas' input.
        replicas: number of replicas, at least 2.

    Raises:
        ValueError: if it is not; says what to call instead.
    """
    import tensorflow as tf

    if not isinstance(
        keras.tree.flatten(batch)[0], tf.distribute.DistributedValues
    ):
        raise ValueError(
            f"Received a batch that is not split among the {replicas} "
            "replicas: each of them would process all of it. Call fit, "
            "evaluate or predict, which split it, instead of train_on_batch or "
            "predict_on_batch."
        )


def _check_shards(batch, strategy) -> None:
    """Checks that every replica gets an image of a training batch.

    Args:
        batch: a batch that is split among the replicas.
        strategy: strategy with more than one replica.

    Raises:
        ValueError: if one gets none; says how it was split and what to do.
    """
    if len(strategy.extended.worker_devices) > 1:
        _check_shared_out(batch, strategy.num_replicas_in_sync)
    shards = strategy.experimental_local_results(keras.tree.flatten(batch)[0])
    images = [int(shard.shape[0]) for shard in shards]
    if not all(images):
        raise ValueError(
            f"A batch of {sum(images)} images leaves a replica without images, "
            f"which batch normalization needs: received shards of {images}. "
            "Drop the last, incomplete batch (in tf.data: "
            "batch(..., drop_remainder=True)), or choose a batch_size that "
            "divides the number of images."
        )
