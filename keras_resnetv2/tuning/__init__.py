"""Search for the best configuration with keras-tuner.

`ResNetV2HyperModel` is for keras-tuner's own tuners, in a notebook; `search`
(tools/tune.py) is the whole way. Needs the extra "tuner".
"""

from keras_resnetv2.tuning.hypermodel import ResNetV2HyperModel
from keras_resnetv2.tuning.hyperparameters import (
    HYPERPARAMETERS,
    Hyperparameter,
)
from keras_resnetv2.tuning.report import write_report
from keras_resnetv2.tuning.search import SearchResult, search
from keras_resnetv2.tuning.space import SearchSpace
from keras_resnetv2.tuning.text import parse_setting
from keras_resnetv2.tuning.trials import TrialRow, best, trial_rows

__all__ = [
    "HYPERPARAMETERS",
    "Hyperparameter",
    "ResNetV2HyperModel",
    "SearchResult",
    "SearchSpace",
    "TrialRow",
    "best",
    "parse_setting",
    "search",
    "trial_rows",
    "write_report",
]
