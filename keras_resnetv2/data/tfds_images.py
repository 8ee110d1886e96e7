"""A dataset of TensorFlow Datasets (TFDS) as encoded images."""

import functools

import numpy as np

from keras_resnetv2._autotuning import without_autotuning
from keras_resnetv2.data.image_data import EncodedImages, TFSource
from keras_resnetv2.data.tfds_splits import LabelledSplit

# Size of the shuffle buffer in records: 0.9 GB for ImageNet.
SHUFFLE_BUFFER = 8192
# Number of shards read at a time, and of records read from each in turn.
_SHARDS, _TURN = 16, 16
_LABELS_BATCH = 1024


class TFDSImages(EncodedImages):
    """One split of a dataset of labelled images in TFRecord files.

    A training epoch reads the shards in a random order, `_SHARDS` at a time.
    Their records go through a shuffle buffer of `SHUFFLE_BUFFER` records. Not
    every permutation is possible, but TFDS has already shuffled the images over
    the shards. Each epoch begins by filling the buffer.

    Records have no index: a training that resumes within an epoch reads the
    epoch's earlier records again, without decoding them. This takes as long as
    the disk needs: at 1.2 GB/s 10,000 images per second, a minute for half an
    epoch of ImageNet.

    Args:
        split: from `tfds_splits.find_split`.
        places: the indices of the records to use, with step 1; `None`: all.

    Raises:
        ValueError: if the dataset is not stored in TFRecord files.
    """

    def __init__(self, split: LabelledSplit, places: range | None = None):
        self._split = split
        self._places = range(split.count) if places is None else places
        self.class_names = split.class_names
        info = split.builder.info
        if info.file_format.value != "tfrecord":
            raise ValueError(
                f"{info.name!r} was prepared as {info.file_format.value}, but "
                f"only 'tfrecord' can be streamed. Prepare it with TFDS's "
                f"file_format='tfrecord', or use an image folder."
            )
        part = f"{split.name}[{self._places.start}:{self._places.stop}]"
        self._shards = [
            (shard.filename, shard.skip, shard.take)
            for shard in info.splits[part].file_instructions
        ]

    @property
    def name(self) -> str:
        """The dataset's name in TFDS."""
        return self._split.builder.name

    @property
    def split(self) -> str:
        """The split's name in TFDS."""
        return self._split.name

    @property
    def shuffled(self) -> bool:
        """Whether TFDS shuffled the records when it prepared them."""
        return not self._split.builder.info.disable_shuffling

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._places)

    def slice(self, start: int, stop: int) -> "TFDSImages":
        """Returns a range of the images, in the order of the files.

        Args:
            start: index of the first image, from 0.
            stop: index after the last image.

        Returns:
            These images, with the same class names.
        """
        return TFDSImages(self._split, self._places[start:stop])

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """int32, (N,): in evaluation order.

        The first access reads all records, without decoding the images.
        """
        source = self.tf_source()
        labels = source.keys(None).map(lambda record: source.read(record)[1])
        batches = without_autotuning(labels.batch(_LABELS_BATCH))
        return np.concatenate(list(batches.as_numpy_iterator()))

    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the records: a key is a record.

        Returns:
            Functions over tensors in host memory.
        """
        import tensorflow as tf
        import tensorflow_datasets as tfds

        from keras_resnetv2.data import tensorflow_stream

        shards = [
            tensorflow_stream.to_host(np.array(part))
            for part in zip(*self._shards)
        ]
        features = self._split.builder.info.features
        image_key, label_key = self._split.image_key, self._split.label_key
        encoded = {image_key: tfds.decode.SkipDecoding()}

        def keys(seed):
            if seed is None:
                return _records(shards)
            for_files, for_records = tf.unstack(tf.random.split(seed, 2))
            order = tensorflow_stream.permutation(len(self._shards), for_files)
            shuffled = [tf.gather(part, order) for part in shards]
            return _shuffle(_records(shuffled), for_records)

        def read(record):
            parts = features.deserialize_example(record, decoders=encoded)
            return parts[image_key], tf.cast(parts[label_key], tf.int32)

        # Turning them upright would make them differ from TFDS's images.
        return TFSource(keys, read, upright=False)


def _records(shards):
    """Reads shards, given as file names, records to skip and to take."""
    import tensorflow as tf

    from keras_resnetv2.data import tensorflow_stream

    def read(file, skip, take):
        records = tf.data.TFRecordDataset(file)
        return records.skip(skip).take(take)

    return tf.data.Dataset.from_tensor_slices(tuple(shards)).interleave(
        read,
        cycle_length=_SHARDS,
        block_length=_TURN,
        num_parallel_calls=tensorflow_stream.PARALLEL,
        deterministic=True,
    )


def _shuffle(records, seed):
    """Shuffles like `Dataset.shuffle`, but without the global seed."""
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
