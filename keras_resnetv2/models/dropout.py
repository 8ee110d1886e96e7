"""Dropout that draws anew on every replica."""

import keras


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` with two differences.

    - Under a `tf.distribute` strategy every replica draws a mask of its own. In
      Keras 3 the replicas hold copies of one seed and all draw the same.
    - Frozen (`trainable=False`) it drops nothing, as our BatchNormalization
      keeps its statistics: a frozen unit is the unit of the inference.

    Args:
        rate: fraction dropped, 0 <= rate <= 1; what stays is scaled by
            1 / (1 - rate).
        **kwargs: as for `keras.layers.Dropout`.
    """

    def call(self, inputs, training=False):
        """Drops in training; otherwise returns `inputs`, of any shape."""
        training = training and self.trainable
        replica = _replica()
        if not training or not self.rate or replica is None:
            return super().call(inputs, training=training)
        import tensorflow as tf

        # int32, the type of seeds that XLA takes.
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        shape = self.noise_shape or (None,) * len(inputs.shape)
        return tf.nn.experimental.stateless_dropout(
            inputs,
            self.rate,
            seed + tf.stack([replica, 0]),
            noise_shape=[
                tf.shape(inputs)[axis] if size is None else size
                for axis, size in enumerate(shape)
            ],
        )


def _replica():
    """The replica's number as a tensor; None if there are no several."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context.replica_id_in_sync_group
