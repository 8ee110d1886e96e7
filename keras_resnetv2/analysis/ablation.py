"""The name that `keras_resnetv2.studies` had in 0.1.0."""

import warnings

from keras_resnetv2.studies import *  # noqa: F403
from keras_resnetv2.studies import __all__ as __all__

warnings.warn(
    "keras_resnetv2.analysis.ablation has moved: import "
    "keras_resnetv2.studies.",
    DeprecationWarning,
    stacklevel=2,
)
