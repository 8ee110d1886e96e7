"""Code of ours around the import of other modules."""

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType


class ImportHook:
    """A finder that lets the others find, and wraps how some modules run."""

    _searching = False

    def install(self) -> None:
        """Wraps imports from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wraps no more."""
        sys.meta_path.remove(self)

    def wraps(self, name: str) -> bool:
        """Whether the module of this name is wrapped."""
        raise NotImplementedError

    def run(
        self, run: Callable[[ModuleType], None], module: ModuleType
    ) -> None:
        """Runs a module that is imported.

        Args:
            run: what runs it.
            module: it.
        """
        raise NotImplementedError

    def find_spec(self, name, path=None, target=None):
        """As the finders behind it find, the loader wrapped."""
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
