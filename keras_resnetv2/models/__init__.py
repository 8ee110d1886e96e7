"""The networks. Importing any part registers all its classes with Keras."""

from keras_resnetv2.models import batch_normalization, builder, layers

__all__ = ["batch_normalization", "builder", "layers"]
