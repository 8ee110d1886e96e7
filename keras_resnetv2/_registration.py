"""Makes `keras.models.load_model` know our classes, whatever was imported.

Keras looks custom classes up in a registry that their modules fill. Ours are
imported lazily, so that `import keras_resnetv2` does not start a backend. A
user who imports both packages and loads a file must not notice.
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
    """Registers now if Keras has been imported, else as soon as it is.

    Args:
        before_keras: called when Keras is about to be imported.
    """
    if sys.modules.get("keras"):
        _register()
    else:
        _AfterKeras(before_keras).install()


def _register():
    for module in _MODULES:
        importlib.import_module(f"{_PACKAGE}.{module}")


class _AfterKeras(ImportHook):
    """Registers once Keras is there.

    Where one of our modules asked for Keras, it is half imported itself: then
    it is not before the outermost one is whole.
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
        finally:  # also where one of ours has failed behind Keras
            self._running -= 1
            if (
                not self._running
                and sys.modules.get("keras")
                and self in sys.meta_path
            ):
                self.remove()
                _register()
