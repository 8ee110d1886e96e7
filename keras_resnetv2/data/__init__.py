"""Datasets in memory and encoded, standardization, augmentation, batches.

Importing this package does not import TensorFlow, TensorFlow Datasets or Keras.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
