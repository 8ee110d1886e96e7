"""Datasets in memory and encoded, standardization, augmentation, batches.

Importing this imports neither TensorFlow nor TensorFlow Datasets nor Keras.
"""

from keras_resnetv2.data.augmentation import AUGMENTATIONS
from keras_resnetv2.data.batches import evaluation_batches, training_batches
from keras_resnetv2.data.datasets import (
    DATASETS,
    load_arrays,
    load_tf_data,
    open_images,
)
from keras_resnetv2.data.encoded_images import EncodedImages
from keras_resnetv2.data.hold_out import hold_out
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.predictions import CLASS_NAMES, decode_predictions
from keras_resnetv2.data.standardization import (
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    Standardization,
    preprocess_input,
)

__all__ = [
    "AUGMENTATIONS",
    "CLASS_NAMES",
    "DATASETS",
    "STANDARDIZATIONS",
    "STANDARDIZATION_KINDS",
    "EncodedImages",
    "ImageData",
    "Standardization",
    "decode_predictions",
    "evaluation_batches",
    "hold_out",
    "load_arrays",
    "load_tf_data",
    "open_images",
    "preprocess_input",
    "training_batches",
]
