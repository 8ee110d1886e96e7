"""The batches of batches.py as tf.data, of encoded images."""

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from keras_resnetv2.data import crops, tensorflow_stream
from keras_resnetv2.data.batches import EvaluationStream, TrainingStream
from keras_resnetv2.data.crop_pixels import decode_and_cut_tf


def training(stream: TrainingStream) -> tf.data.Dataset:
    """Makes the stream's batches; images are decoded in parallel.

    Args:
        stream: from `batches.training_batches`.

    Returns:
        float32 images and int32 labels, of static shape and known number.
    """
    source = stream.data.tf_source()
    first, end = (
        step * stream.batch_size for step in (stream.first_step, stream.steps)
    )
    images = _images(
        stream,
        source,
        tf.data.Dataset.range(first, end),
        tensorflow_stream.epochs(stream).flat_map(
            lambda seed, passed: source.keys(seed).skip(passed)
        ),
        stream.augmentation.crop,
        stream.seed,
    )
    return _finish(images, stream, stream.steps - stream.first_step)


def evaluation(stream: EvaluationStream) -> tf.data.Dataset:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Returns:
        float32 images alone in a tuple, of static shape and known number.
    """
    source = stream.data.tf_source()
    images = _images(
        stream,
        source,
        tf.data.Dataset.range(stream.steps * stream.batch_size),
        source.keys(None).repeat(),
        crops.center(stream.resize),
        seed=0,
    )
    images = images.map(lambda image, label: (image,))
    return _finish(images, stream, stream.steps)


def _images(stream, source, positions, keys, rule, seed):
    """Streams standardized images and labels, one at a time, in order."""

    def make_image(position, key):
        encoded, label = source.read(key)
        draws = tf.random.stateless_uniform(
            (rule.draws,),
            tf.stack([tf.constant(seed, tf.int64), position]),
            dtype=tf.float64,
        )
        image = decode_and_cut_tf(
            encoded,
            lambda height, width: rule.choose(
                tnp, draws, height, width, stream.image_size
            ),
            stream.image_size,
        )
        image = tensorflow_stream.standardize(image, stream.standardization)
        return position, image, label

    places = tf.data.Dataset.zip(positions, keys)
    images = places.map(
        make_image,
        num_parallel_calls=tensorflow_stream.PARALLEL,
        deterministic=True,
    )
    if source.name is not None:
        images = _name_unreadable(images, places, source.name)
    return images.map(lambda position, image, label: (image, label))


def _name_unreadable(images, places, name):
    """Stops at an image that cannot be read, with its file's name.

    An error inside `map` does not say which element it came from. So those
    images are left out, and then the first position that is not where it
    should be tells.
    """

    def check(place, found):
        position, key = place
        message = tf.strings.join(
            [name(key), "cannot be read as an image; repair or remove it."], " "
        )
        tf.debugging.Assert(found[0] == position, [message])
        return found

    after = tf.data.Dataset.from_tensors(
        tf.nest.map_structure(
            lambda spec: tf.fill(spec.shape, tf.cast(-1, spec.dtype)),
            images.element_spec,
        )
    )
    readable = images.ignore_errors(log_warning=True).concatenate(after)
    return tf.data.Dataset.zip(places, readable).map(check)


def _finish(images, stream, steps):
    batches = images.batch(
        stream.batch_size,
        drop_remainder=True,
        num_parallel_calls=tensorflow_stream.PARALLEL,
        deterministic=True,
    )
    return tensorflow_stream.finish(batches, steps)
