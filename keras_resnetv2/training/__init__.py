"""Training: recipes and their pieces for notebooks, and the whole way.

`optimizer`, `schedule` and `compile` are what a notebook needs beside
`keras.Model.fit`; `train` does everything from an `Experiment`. The names are
in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
