"""Training and testing on several replicas with one device's results."""

import functools
import itertools

import keras

from keras_resnetv2.models.replica_checks import (
    check_compiled,
    check_shards,
    check_shared_out,
)


def replicas_of(model: keras.Model) -> int:
    """The number of replicas that a model trains on; 1 without a strategy."""
    if keras.backend.backend() != "tensorflow":
        return 1
    return model.distribute_strategy.num_replicas_in_sync


class ReplicatedModel(keras.Model):
    """A `keras.Model` whose results do not depend on the number of replicas.

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

    def make_train_function(self, force=False):
        """As Keras's, one checked batch at a time."""
        replicas = replicas_of(self)
        if replicas > 1:
            check_compiled(self, replicas)
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
        """As Keras's; a replica without an image predicts for a blank one."""
        if replicas_of(self) == 1:
            return super().predict_step(*args)
        import tensorflow as tf

        (images, *_) = keras.utils.unpack_x_y_sample_weight(args[0])
        count = tf.shape(images)[0]
        blank = [[0, tf.cast(count == 0, tf.int32)], [0, 0], [0, 0], [0, 0]]
        outputs = super().predict_step((tf.pad(images, blank),))
        return keras.tree.map_structure(lambda out: out[:count], outputs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras adds the shards up to learn their shape, and they may differ.
        if iterator is not None and replicas_of(self) > 1:
            _, _, batches = next(iter(iterator))
            data_batch = _first_shard(next(batches), self.distribute_strategy)
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)


def _batch_by_batch(train_function, strategy):
    """Hands a train function plain Python's iterator of checked batches."""

    def checked(batches):
        for batch in batches:
            check_shards(batch, strategy)
            yield batch

    def function(iterator):
        batches = checked(iterator)
        first = next(batches)  # where there is none, Keras ends the epoch
        return train_function(itertools.chain([first], batches))

    return function


def _shared_out(predict_function, replicas):
    def function(batches):
        for batch in batches:
            check_shared_out(batch, replicas)
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
