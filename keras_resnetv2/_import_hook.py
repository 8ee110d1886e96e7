"""Runs code around the import of other modules."""

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType


class ImportHook:
    """A finder that uses the other finders, and wraps how modules run."""

    _searching = False

    def install(self) -> None:
        """Starts to wrap imports."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stops wrapping imports."""
        sys.meta_path.remove(self)

    def wraps(self, name: str) -> bool:
        """Returns whether the module of this name is wrapped."""
        raise NotImplementedError

    def run(
        self, run: Callable[[ModuleType], None], module: ModuleType
    ) -> None:
        """Runs an imported module.

        Args:
            run: function that runs the module.
            module: the module.
        """
        raise NotImplementedError

    def find_spec(self, name, path=None, target=None):
        """Returns the spec of the other finders, with a wrapped loader."""
        if self._searching or not self.wraps(name):
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self.run(run, module)
        return spec
