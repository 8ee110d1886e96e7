"""The batches of batches.py as tf.data."""

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from keras_resnetv2._autotuning import without_autotuning
from keras_resnetv2._processes import available_cores
from keras_resnetv2._standardization import Standardization
from keras_resnetv2.data import crops, mixing, rand_augment
from keras_resnetv2.data.batches import (
    EvaluationStream,
    TrainingStream,
    places_of,
)
from keras_resnetv2.data.crop_pixels import (
    cut_tf,
    decode_and_cut_tf,
    no_pixels_tf,
)
from keras_resnetv2.data.decoding import is_png, png_sides
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.orientation import Turn, turn_of_tf

# Parallel calls of `map`: one per core that this process may use.
PARALLEL = available_cores()
# Batches prepared ahead of the one in use.
_AHEAD = 2
# A part of the seed for each use of random numbers in a step.
_MIXING, _RAND_AUGMENT = 1, 2


def as_dataset(data: ImageData) -> tf.data.Dataset:
    """Returns the images one at a time, in order.

    Args:
        data: the images.

    Returns:
        Elements of a uint8 image (height, width, 3) and an int32 label.
    """
    return without_autotuning(
        tf.data.Dataset.from_tensor_slices(
            (to_host(data.images), to_host(data.labels))
        )
    )


def training(stream: TrainingStream) -> tf.data.Dataset:
    """Makes the stream's batches.

    A batch of images in memory is made by one vectorized call. Encoded images
    are decoded in parallel.

    Args:
        stream: from `batches.training_batches`.

    Returns:
        float32 images and their labels, with static shapes and known length.
    """
    is_in_memory = isinstance(stream.data, ImageData)
    batches = _from_memory(stream) if is_in_memory else _from_files(stream)
    if stream.mixing:
        batches = _map_steps(_mixed, stream, batches)
    steps = stream.steps - stream.first_step
    return finish(*_for_each_replica(batches, stream, steps))


def evaluation(stream: EvaluationStream) -> tf.data.Dataset:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Returns:
        Tuples of one element, the float32 images, with static shapes and known
        length.
    """
    is_in_memory = isinstance(stream.data, ImageData)
    make = _in_order_from_memory if is_in_memory else _in_order_from_files
    return finish(*_for_each_replica(make(stream), stream, stream.steps))


def _ours(stream, values, axis=0):
    """Returns the values, one for each image of a batch, of those to make."""
    if stream.part is None:
        return values
    return tf.nest.map_structure(
        lambda value: tf.gather(value, places_of(stream), axis=axis), values
    )


def _for_each_replica(batches, stream, steps):
    """Returns one element for each of this process's replicas, and how many."""
    if stream.part is None:
        return batches, steps
    replicas, images = stream.part.places(stream.batch_size).shape
    if replicas > 1:
        batches = batches.rebatch(images, drop_remainder=True)
    return batches, steps * replicas


def _from_memory(stream):
    images = to_host(stream.data.images)
    labels = to_host(stream.data.labels)
    augmentation = stream.augmentation

    def make_batch(step, chosen):
        chosen = _ours(stream, chosen)
        batch = _standardized(stream, step, tf.gather(images, chosen))
        seed = tf.stack([tf.constant(stream.seed, tf.int64), step])
        draws = augmentation.draw_tf(seed, stream.batch_size, batch.shape)
        batch = augmentation.apply(tnp, batch, _ours(stream, draws))
        return batch, tf.gather(labels, chosen)

    steps = tf.data.Dataset.range(stream.first_step, stream.steps)
    return tf.data.Dataset.zip(steps, _choices(stream)).map(
        make_batch, num_parallel_calls=PARALLEL
    )


def _standardized(stream, step, pixels):
    if stream.rand_augment:
        seed = _seed(stream, step, _RAND_AUGMENT)
        draws = rand_augment.draw_tf(seed, stream.batch_size)
        draws = _ours(stream, draws, axis=1)
        pixels = rand_augment.apply(tnp, pixels, stream.rand_augment, draws)
    return standardize(pixels, stream.standardization)


def _mixed(stream, step, images, labels):
    draws = stream.mixing.draw_tf(
        _seed(stream, step, _MIXING), stream.batch_size
    )
    draws = _ours(stream, draws)
    return mixing.apply(tnp, images, labels, stream.data.classes, draws)


def _seed(stream, step, use):
    """Returns a seed of its own: augmentation has that of seed and step."""
    seed = tf.stack([tf.constant(stream.seed, tf.int64), step])
    return tf.random.fold_in(seed, tf.constant(use, tf.int64))


def _map_steps(function, stream, batches):
    """Maps batches by a function of the stream, the step and the batch."""

    @tf.autograph.experimental.do_not_convert
    def run(step, batch):
        return function(stream, step, *batch)

    steps = tf.data.Dataset.range(stream.first_step, stream.steps)
    return tf.data.Dataset.zip(steps, batches).map(
        run, num_parallel_calls=PARALLEL
    )


def _in_order_from_memory(stream):
    images = to_host(stream.data.images)

    def make_batch(step):
        place = step * stream.batch_size + places_of(stream)
        chosen = tf.gather(images, place % len(stream.data))
        return (standardize(chosen, stream.standardization),)

    return tf.data.Dataset.range(stream.steps).map(
        make_batch, num_parallel_calls=PARALLEL
    )


def _from_files(stream):
    source = stream.data.tf_source()
    first, end = (
        step * stream.batch_size for step in (stream.first_step, stream.steps)
    )
    images = _images(
        stream,
        source,
        tf.data.Dataset.range(first, end),
        epochs(stream).flat_map(
            lambda seed, passed: source.keys(seed).skip(passed)
        ),
        stream.augmentation.crop,
        stream.seed,
        standardized=not stream.rand_augment,
    )
    batches = _batch(images, stream)
    if not stream.rand_augment:
        return batches
    return _map_steps(
        lambda stream, step, pixels, labels: (
            _standardized(stream, step, pixels),
            labels,
        ),
        stream,
        batches,
    )


def _in_order_from_files(stream):
    source = stream.data.tf_source()
    images = _images(
        stream,
        source,
        tf.data.Dataset.range(stream.steps * stream.batch_size),
        source.keys(None).repeat(),
        crops.center(stream.resize),
        seed=0,
    )
    return _batch(images.map(lambda image, label: (image,)), stream)


def _images(stream, source, positions, keys, rule, seed, standardized=True):
    """Streams images and labels, one at a time, in order."""

    # There is nothing to convert, and AutoGraph would take seconds to find out.
    @tf.autograph.experimental.do_not_convert
    def make_image(position, key):
        encoded, label = source.read(key)
        draws = tf.random.stateless_uniform(
            (rule.draws,),
            tf.stack([tf.constant(seed, tf.int64), position]),
            dtype=tf.float64,
        )

        def choose(height, width):
            return rule.choose(tnp, draws, height, width, stream.image_size)

        image = _decode(source, encoded, key, choose, stream.image_size)
        if standardized:
            image = standardize(image, stream.standardization)
        return position, image, label

    places = tf.data.Dataset.zip(positions, keys)
    if stream.part is not None:
        is_ours = np.isin(np.arange(stream.batch_size), places_of(stream))
        places = places.filter(
            lambda position, key: tf.gather(
                is_ours, position % stream.batch_size
            )
        )
    images = places.map(
        make_image,
        num_parallel_calls=PARALLEL,
        deterministic=True,
    )
    if source.refuse is not None:
        images = _refuse_unreadable(images, places, source.refuse)
    return images.map(lambda position, image, label: (image, label))


def _refuse_unreadable(images, places, refuse):
    """Stops at an image that cannot be read, with the reason.

    An error inside `map` does not identify its element. So unreadable images
    are skipped, and the first unexpected position shows which one is missing.
    """

    @tf.autograph.experimental.do_not_convert
    def check(place, found):
        position, key = place
        tf.cond(
            found[0] == position,
            lambda: True,
            lambda: tf.numpy_function(refuse, [key], tf.bool),
        )
        return found

    after = tf.data.Dataset.from_tensors(
        tf.nest.map_structure(
            lambda spec: tf.fill(spec.shape, tf.cast(-1, spec.dtype)),
            images.element_spec,
        )
    )
    readable = images.ignore_errors().concatenate(after)
    return tf.data.Dataset.zip(places, readable).map(check)


def _decode(source, encoded, key, choose, size):
    """Decodes JPEG and PNG with TensorFlow, other formats with the source.

    TensorFlow supports other formats less well than Pillow does.
    """
    turn = turn_of_tf(encoded) if source.upright else None
    if source.read_pixels is None:
        return decode_and_cut_tf(encoded, choose, size, turn)

    def as_the_source_does():
        pixels = tf.numpy_function(source.read_pixels, [key], tf.uint8)
        return tf.ensure_shape(pixels, (None, None, 3))

    is_ours = _is_for_tensorflow(encoded, source.pixel_limit)
    is_jpeg = is_ours & tf.io.is_jpeg(encoded)
    pixels = tf.case(
        [
            (is_jpeg, no_pixels_tf),
            (is_ours, lambda: tf.io.decode_png(encoded, channels=3)),
        ],
        default=as_the_source_does,
    )
    if turn is not None:
        # The source's pixels are already upright.
        turn = Turn(*(flag & is_ours for flag in turn))
    return cut_tf(encoded, is_jpeg, pixels, choose, size, turn)


def _is_for_tensorflow(encoded, pixel_limit):
    """Returns whether it is a JPEG or PNG within the pixel limit."""
    sides = tf.case(
        [
            (
                tf.io.is_jpeg(encoded),
                lambda: tf.io.extract_jpeg_shape(encoded)[:2],
            ),
            (is_png(encoded), lambda: png_sides(encoded)),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )
    pixels = tf.reduce_prod(tf.cast(sides, tf.int64))
    return (pixels > 0) & (pixels <= pixel_limit)


def _batch(images, stream):
    return images.batch(
        len(places_of(stream)),
        drop_remainder=True,
        num_parallel_calls=PARALLEL,
        deterministic=True,
    )


def _choices(stream: TrainingStream) -> tf.data.Dataset:
    """Streams the indices of each batch's images: int32, (batch_size,)."""
    count = len(stream.data)
    return (
        epochs(stream)
        .map(lambda seed, passed: permutation(count, seed)[passed:])
        .prefetch(1)
        .flat_map(tf.data.Dataset.from_tensor_slices)
        .batch(stream.batch_size, drop_remainder=True)
    )


def epochs(stream: TrainingStream) -> tf.data.Dataset:
    """Streams the epochs of a training, beginning with that of its first step.

    Args:
        stream: from `batches.training_batches`.

    Returns:
        The seed of the epoch's order, int64, (2,), and how many of its images
        to skip, int64. The second number of these seeds is negative. In the
        seeds of augmentation it is a step or position, 0 or larger.
    """
    count = len(stream.data)
    first, start = divmod(stream.first_step * stream.batch_size, count)
    last = stream.steps * stream.batch_size // count

    def describe(epoch):
        seed = tf.stack([tf.constant(stream.seed, tf.int64), -1 - epoch])
        return seed, tf.where(epoch == first, tf.constant(start, tf.int64), 0)

    return tf.data.Dataset.range(first, last + 1).map(describe)


def permutation(count: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns the numbers 0 to `count - 1` in a random order.

    tf.random.experimental.index_shuffle would need no memory, but neighbours
    in its order are correlated.

    Args:
        count: how many numbers.
        seed: integer, (2,).

    Returns:
        int32, (count,).
    """
    keys = tf.random.stateless_uniform(
        (count,), seed, minval=None, maxval=None, dtype=tf.int64
    )
    return tf.argsort(keys, direction="DESCENDING")


def to_host(array) -> tf.Tensor:
    """Copies an array into host memory, because tf.data cannot use a GPU's.

    A tensor made outside a dataset's functions is passed to them directly. It
    never becomes part of a graph, which is limited to 2 GB.

    Args:
        array: anything that converts to a tensor.

    Returns:
        The tensor.
    """
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(array)


def standardize(
    images: tf.Tensor, standardization: Standardization
) -> tf.Tensor:
    """Standardizes images inside a dataset's function.

    Args:
        images: (..., height, width, channels), values 0 to 255. The last three
            dimensions are static.
        standardization: a standardization of matching shape.

    Returns:
        float32, the same shape.
    """
    # Broadcast to the whole image first: twice as fast as a last axis of 3.
    shape = images.shape[-3:]
    mean = np.broadcast_to(standardization.mean, shape)
    std = np.broadcast_to(standardization.std, shape)
    return (tf.cast(images, tf.float32) - mean) / std


def finish(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Sets the options that all streams share.

    Args:
        batches: the stream.
        count: how many batches it has.

    Returns:
        The same batches in the same order, prefetched.
    """
    options = tf.data.Options()
    options.deterministic = True
    # Whoever splits a stream among workers says so by its part.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    batches = batches.apply(tf.data.experimental.assert_cardinality(count))
    batches = batches.with_options(options).prefetch(_AHEAD)
    return without_autotuning(batches)
