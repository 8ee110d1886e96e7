"""Makes `keras.models.load_model` know our classes, whatever was imported.

Keras looks custom classes up in a registry that their modules fill. Ours are
imported lazily, so that `import keras_resnetv2` does not start a backend. A
user who imports both packages and loads a file must not notice.
"""

import importlib
import importlib.util
import sys

_MODULES = ("keras_resnetv2.models", "keras_resnetv2.training.optimizers")
_PACKAGES = ("keras_resnetv2.models", "keras_resnetv2.training")


def register() -> None:
    """Imports the modules that define classes for Keras to load."""
    for module in _MODULES:
        importlib.import_module(module)


def register_with_keras() -> None:
    """Registers now if Keras has been imported, else as soon as it is."""
    if "keras" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras:
    """A finder that lets the others find Keras, and registers behind it."""

    _searching = False

    def find_spec(self, name, path=None, target=None):
        if name != "keras" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching = False
        if spec is not None:
            run = spec.loader.exec_module

            def run_and_register(module):
                sys.meta_path.remove(self)
                run(module)
                # Where one of ours has asked for Keras, it is half imported
                # and goes on by itself; see keras_resnetv2.__getattr__.
                if not any(name in sys.modules for name in _PACKAGES):
                    register()

            spec.loader.exec_module = run_and_register
        return spec
