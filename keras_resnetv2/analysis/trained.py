"""The measurement of a trained network, from its work directory alone."""

import os

import numpy as np

from keras_resnetv2.analysis.propagation import measure
from keras_resnetv2.analysis.rows import Propagation
from keras_resnetv2.training.images import images_to_test, load_split
from keras_resnetv2.training.plain_errors import plain_errors
from keras_resnetv2.training.trained import load_trained
from keras_resnetv2.training.workdir import Workdir


def measure_trained(
    workdir: str | os.PathLike,
    *,
    images: int | None = None,
    split: str = "test",
    data_dir: str | os.PathLike | None = None,
    training: bool = True,
) -> Propagation:
    """Measures the last checkpoint of a training, in float32.

    Args:
        workdir: the training's directory.
        images: how many, evenly spread over the split (of a data set that
            TFDS streams, the first). Defaults to 64, or 8 above 64 pixels.
        split: "test", "train" or "held_out".
        data_dir: where TensorFlow Datasets keeps its data; None for where the
            training found it.
        training: see `measure`.

    Returns:
        A `Propagation`.

    Raises:
        ValueError: if the directory does not fit, or the split has not that
            many images.
    """
    model, experiment, facts, _ = load_trained(workdir, "float32")
    data = load_split(
        experiment, split, data_dir=data_dir or Workdir(workdir).data_dir()
    )
    if images is None:
        images = min(len(data), 64 if facts.image_shape[0] <= 64 else 8)
    if not (isinstance(images, int) and 1 <= images <= len(data)):
        raise ValueError(
            f"images must lie in 1..{len(data)}, the {split} images there "
            f"are; received {images}."
        )
    if hasattr(data, "select"):  # a folder's are sorted by class
        chosen = np.zeros(len(data), bool)
        chosen[np.linspace(0, len(data) - 1, images).round().astype(int)] = True
        data = data.select(chosen)
    batches = images_to_test(
        data,
        facts.standardization,
        batch_size=images,
        image_size=facts.image_shape[0],
    )
    with plain_errors():
        (batch,) = next(iter(batches))
    return measure(
        model,
        np.asarray(batch),
        data.labels[:images],
        training=training,
    )
