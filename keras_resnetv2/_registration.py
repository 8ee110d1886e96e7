"""Registers this package's classes, so that `load_model` finds them.

Keras looks up custom classes in a registry that their modules fill. This
package imports its modules lazily, so that `import keras_resnetv2` does not
start a backend. `keras.models.load_model` must work in spite of it.
"""

import importlib
import sys
from collections.abc import Callable

from keras_resnetv2._import_hook import ImportHook

_PACKAGE = "keras_resnetv2"
_MODULES = (
    "models.batch_normalization",
    "models.layers",
    "models.network",
    "training.losses",
    "training.optimizers",
)


def register_with_keras(before_keras: Callable[[], None]) -> None:
    """Registers the classes now, or as soon as Keras is imported.

    Args:
        before_keras: called just before Keras is imported.
    """
    if sys.modules.get("keras"):
        _register()
    else:
        _AfterKeras(before_keras).install()


def _register():
    for module in _MODULES:
        importlib.import_module(f"{_PACKAGE}.{module}")


class _AfterKeras(ImportHook):
    """Registers the classes after the import of Keras.

    A module of this package that imports Keras is itself only half imported.
    So this waits until the outermost module is complete.
    """

    def __init__(self, before_keras):
        self._before_keras = before_keras
        self._running = 0

    def wraps(self, name):
        return name == "keras" or name.startswith(f"{_PACKAGE}.")

    def run(self, run, module):
        if module.__name__ == "keras":
            self._before_keras()
        self._running += 1
        try:
            run(module)
        finally:  # also if one of these modules failed after Keras
            self._running -= 1
            if (
                not self._running
                and sys.modules.get("keras")
                and self in sys.meta_path
            ):
                self.remove()
                _register()
