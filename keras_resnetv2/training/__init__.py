"""Training: `train` for whole trainings, and the recipes' parts for notebooks.

`train` does everything from an `Experiment`. `optimizer`, `schedule` and
`compile` are what a notebook needs to call `keras.Model.fit`. The names are in
`__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
