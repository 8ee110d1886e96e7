"""The batches of batches.py, made on the device of Keras's backend.

The images are copied to the device once, as bytes. NumPy chooses the images of
each batch and draws their augmentation, a few kB per step. So the batches equal
those of numpy_stream.py (XLA's division may differ in the last bit), and a
training can resume on another kind of machine.
"""

from collections.abc import Iterator

import keras

from keras_resnetv2.data import mixing, numpy_stream, rand_augment
from keras_resnetv2.data.batches import EvaluationStream, TrainingStream


def training(stream: TrainingStream) -> Iterator[tuple]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.training_batches`.

    Yields:
        float32 images and their labels, tensors of Keras's backend.
    """

    @_compiled
    def make_batch(
        images, labels, mean, std, chosen, draws, rand_draws, mix_draws
    ):
        batch = keras.ops.take(images, chosen, axis=0)
        if stream.rand_augment:
            batch = rand_augment.apply(
                keras.ops, batch, stream.rand_augment, rand_draws
            )
        batch = _standardize(batch, mean, std)
        batch = stream.augmentation.apply(keras.ops, batch, draws)
        labels = keras.ops.take(labels, chosen, axis=0)
        if not stream.mixing:
            return batch, labels
        classes = stream.data.classes
        return mixing.apply(keras.ops, batch, labels, classes, mix_draws)

    resident = _on_device(stream, stream.data.images, stream.data.labels)
    for step, chosen in numpy_stream.choices(stream):
        draws = keras.tree.map_structure(
            keras.ops.convert_to_tensor,
            (
                numpy_stream.draw(stream, step),
                numpy_stream.draw_rand_augment(stream, step),
                numpy_stream.draw_mixing(stream, step),
            ),
        )
        yield make_batch(*resident, chosen.astype("int32"), *draws)


def evaluation(stream: EvaluationStream) -> Iterator[tuple]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Yields:
        A tuple of one element, the float32 images, tensors of Keras's backend.
    """

    @_compiled
    def make_batch(images, mean, std, chosen):
        return _standardize(keras.ops.take(images, chosen, axis=0), mean, std)

    resident = _on_device(stream, stream.data.images)
    for _, chosen in numpy_stream.in_order(stream):
        yield (make_batch(*resident, chosen.astype("int32")),)


def _on_device(stream, *arrays):
    standardization = stream.standardization
    return [
        keras.ops.convert_to_tensor(array)
        for array in (*arrays, standardization.mean, standardization.std)
    ]


def _standardize(images, mean, std):
    return (keras.ops.cast(images, "float32") - mean) / std


def _compiled(function):
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)
