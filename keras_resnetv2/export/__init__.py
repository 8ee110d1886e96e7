"""Export of trained networks for serving."""

from keras_resnetv2.export.saved_model import export_saved_model

__all__ = ["export_saved_model"]
