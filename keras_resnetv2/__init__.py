"""ResNet-v2 for Keras: "Identity Mappings in Deep Residual Networks".

Reference: He, Zhang, Ren, Sun, ECCV 2016 (arXiv:1603.05027).

Nothing heavy is imported until a name is used. The names are in `__init__.pyi`.
"""

import sys

import lazy_loader

from keras_resnetv2._backend import check_backend
from keras_resnetv2._registration import register, register_with_keras

check_backend()
register_with_keras()

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str):
    value = _load(name)
    if "keras" in sys.modules:
        register()
    return value
