"""Cross entropy on integer labels, with or without label smoothing."""

import keras

from keras_resnetv2._checks import FRACTION, check_number


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross entropy against integer labels with label smoothing.

    The target is 1 - label_smoothing for the label, and label_smoothing / K for
    each of the K classes, the label's included. Keras smooths one-hot labels
    only.

    Reference: Szegedy et al., "Rethinking the Inception Architecture for
    Computer Vision", 2016, section 7.

    Args:
        label_smoothing: 0 <= label_smoothing < 1. Defaults to 0.1.
        from_logits: whether predictions are logits or (default) probabilities.
        **kwargs: arguments of `keras.losses.Loss`.

    Raises:
        ValueError: if label_smoothing is out of range.
    """

    def __init__(self, label_smoothing=0.1, from_logits=False, **kwargs):
        super().__init__(**kwargs)
        check_number("label_smoothing", label_smoothing, FRACTION)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        """Maps labels (batch,), predictions (batch, K) to losses (batch,)."""
        ops = keras.ops
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        return keras.losses.categorical_crossentropy(
            ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype),
            y_pred,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }


def crossentropy(
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    mixed_labels: bool = False,
) -> keras.losses.Loss:
    """Returns Keras's cross entropy, or `SmoothedCrossentropy`.

    Args:
        label_smoothing: 0 <= label_smoothing < 1.
        from_logits: whether predictions are logits or probabilities.
        mixed_labels: whether labels are (N, classes), as of mixup, and not
            integers.

    Raises:
        ValueError: if label_smoothing is out of range.
    """
    check_number("label_smoothing", label_smoothing, FRACTION)
    if mixed_labels:
        return keras.losses.CategoricalCrossentropy(
            from_logits, label_smoothing
        )
    if label_smoothing == 0:
        return keras.losses.SparseCategoricalCrossentropy(from_logits)
    return SmoothedCrossentropy(label_smoothing, from_logits)
