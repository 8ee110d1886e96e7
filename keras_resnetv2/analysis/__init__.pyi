from .propagation import measure as measure
from .propagation import measure_trained as measure_trained
from .propagation_plot import PANELS as PANELS
from .propagation_plot import plot_propagation as plot_propagation
from .rows import Propagation as Propagation
from .rows import UnitRow as UnitRow
