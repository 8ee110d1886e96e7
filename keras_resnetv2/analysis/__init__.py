"""The paper's equations, measured on a network, and its experiments."""

from keras_resnetv2.analysis import ablation
from keras_resnetv2.analysis.propagation import measure
from keras_resnetv2.analysis.propagation_plot import PANELS, plot_propagation
from keras_resnetv2.analysis.rows import Propagation, UnitRow
from keras_resnetv2.analysis.trained import measure_trained

__all__ = [
    "PANELS",
    "Propagation",
    "UnitRow",
    "ablation",
    "measure",
    "measure_trained",
    "plot_propagation",
]
