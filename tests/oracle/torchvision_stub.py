"""Stand in for torchvision, which has no build beside a CPU-only PyTorch here.

Call install() before `import timm` / `import pytorchcv`; any attribute of any
torchvision module is an empty class.
"""

import sys
import types


class _Stub(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "InterpolationMode":
            import enum

            value = enum.Enum(
                name,
                "NEAREST BILINEAR BICUBIC BOX HAMMING LANCZOS NEAREST_EXACT",
            )
        else:
            value = type(name, (), {})
        setattr(self, name, value)
        return value


def install():
    """Put the stand-in into sys.modules, once."""
    for name in (
        "",
        ".datasets",
        ".ops",
        ".ops.misc",
        ".transforms",
        ".transforms.functional",
    ):
        full = f"torchvision{name}"
        if full not in sys.modules:
            sys.modules[full] = module = _Stub(full)
            if name:
                parent, _, leaf = full.rpartition(".")
                setattr(sys.modules[parent], leaf, module)
