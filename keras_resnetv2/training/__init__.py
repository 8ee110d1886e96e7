"""Training: recipes and their pieces for notebooks, and the whole way.

`optimizer`, `schedule` and `compile` are what a notebook needs beside
`keras.Model.fit`; `train` does everything from an `Experiment`.
"""

from keras_resnetv2.training.divergence import DivergedError
from keras_resnetv2.training.experiment import (
    DataFacts,
    Experiment,
    build_model,
)
from keras_resnetv2.training.loop import train
from keras_resnetv2.training.optimizers import SGD
from keras_resnetv2.training.recipes import (
    RECIPES,
    Recipe,
    compile,
    optimizer,
    schedule,
)
from keras_resnetv2.training.settings_file import read_settings
from keras_resnetv2.training.strategy import make_strategy, precision
from keras_resnetv2.training.trained import evaluate, load_trained
from keras_resnetv2.training.transfer import freeze

__all__ = [
    "DataFacts",
    "DivergedError",
    "Experiment",
    "RECIPES",
    "Recipe",
    "SGD",
    "build_model",
    "compile",
    "evaluate",
    "freeze",
    "load_trained",
    "make_strategy",
    "optimizer",
    "precision",
    "read_settings",
    "schedule",
    "train",
]
