"""The paper's equations, measured on a network."""

import importlib

from keras_resnetv2.analysis.propagation import measure
from keras_resnetv2.analysis.propagation_plot import PANELS, plot_propagation
from keras_resnetv2.analysis.rows import Propagation, UnitRow
from keras_resnetv2.analysis.trained import measure_trained

__all__ = [
    "PANELS",
    "Propagation",
    "UnitRow",
    "measure",
    "measure_trained",
    "plot_propagation",
]


def __getattr__(name: str):
    if name == "ablation":  # 0.1.0's name of keras_resnetv2.studies
        return importlib.import_module("keras_resnetv2.analysis.ablation")
    raise AttributeError(f"module {__name__!r} has no name {name!r}")
