"""A dataset of TensorFlow Datasets (TFDS) as encoded images."""

import functools
import os

import numpy as np

from keras_resnetv2.data.encoded_images import EncodedImages, TFSource
from keras_resnetv2.data.optional_imports import import_tfds
from keras_resnetv2.data.tfds_builders import find_split

# Records an epoch's order is shuffled through: 0.9 GB of ImageNet's.
SHUFFLE_BUFFER = 8192
# Shards that are read at a time, and records in turn from each.
_SHARDS, _TURN = 16, 16
_LABELS_BATCH = 1024


class TFDSImages(EncodedImages):
    """One split of a dataset of labelled images in TFRecord files.

    A training epoch reads the shards in a random order, `_SHARDS` at a time
    by turns, through a buffer of `SHUFFLE_BUFFER` records that are drawn at
    random: not every permutation can come, but TFDS has shuffled the images
    over the shards already. Each epoch begins with filling the buffer.

    Records have no index: a training that begins inside an epoch reads what
    comes before it once more, without decoding it. That takes as long as the
    disk needs for those bytes: at 1.2 GB/s 10,000 images a second, a minute
    for half an epoch of ImageNet.

    Args:
        name: TFDS's name of the dataset, such as "imagenet2012".
        split: "train" or "test"; a dataset whose "test" is missing or has no
            labels (as ImageNet's) gives its "validation".
        data_dir: TFDS's folder of datasets; `None` means TFDS's own default.
        download: Whether to download and prepare a dataset that is not there.

    Raises:
        FileNotFoundError: If it is not prepared and cannot be.
        ImportError: If TensorFlow or TFDS is not installed.
        UnknownDatasetError: If TFDS has no dataset of that name.
        ValueError: If it is not one of labelled images in TFRecord files.
    """

    def __init__(
        self,
        name: str,
        split: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        download: bool = True,
    ):
        self._split = find_split(name, split, data_dir, download)
        self.class_names = self._split.class_names
        info = self._split.builder.info
        if info.file_format.value != "tfrecord":
            raise ValueError(
                f"{info.name!r} was prepared as {info.file_format.value}; "
                f"only 'tfrecord' can be streamed. Prepare it with TFDS's "
                f"file_format='tfrecord', or use an image folder."
            )
        self._files = [str(path) for path in info.splits[self.split].filepaths]

    @property
    def split(self) -> str:
        """The split's name in TFDS."""
        return self._split.name

    def __len__(self) -> int:
        """Returns the number of images."""
        return self._split.count

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """int32, (N,): in evaluation order.

        The first time, this reads all records, without decoding the images.
        """
        source = self.tf_source()
        labels = source.keys(None).map(lambda record: source.read(record)[1])
        return np.concatenate(
            list(labels.batch(_LABELS_BATCH).as_numpy_iterator())
        )

    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the records: a key is a record.

        Returns:
            Functions over tensors in host memory.
        """
        import tensorflow as tf

        from keras_resnetv2.data import tensorflow_stream

        tfds = import_tfds()
        files = tensorflow_stream.to_host(self._files)
        features = self._split.builder.info.features
        image_key, label_key = self._split.image_key, self._split.label_key
        encoded = {image_key: tfds.decode.SkipDecoding()}

        def keys(seed):
            if seed is None:
                return _records(files)
            for_files, for_records = tf.unstack(tf.random.split(seed, 2))
            order = tensorflow_stream.permutation(len(self._files), for_files)
            return _shuffle(_records(tf.gather(files, order)), for_records)

        def read(record):
            parts = features.deserialize_example(record, decoders=encoded)
            return parts[image_key], tf.cast(parts[label_key], tf.int32)

        return TFSource(keys, read)


def _records(files):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(files).interleave(
        tf.data.TFRecordDataset,
        cycle_length=_SHARDS,
        block_length=_TURN,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _shuffle(records, seed):
    """Shuffles as `Dataset.shuffle`, which would mix in the global seed."""
    import tensorflow as tf

    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(records),
        buffer_size=SHUFFLE_BUFFER,
        seed=seed[0],
        seed2=seed[1],
        output_types=[tf.string],
        output_shapes=[()],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled, records.element_spec)
