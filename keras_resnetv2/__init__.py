"""ResNet-v2 for Keras: "Identity Mappings in Deep Residual Networks".

Reference: He, Zhang, Ren, Sun, ECCV 2016 (arXiv:1603.05027).

Modules are imported when a name is first used. The names are in `__init__.pyi`.
"""

import lazy_loader

from keras_resnetv2._registration import register_with_keras
from keras_resnetv2._requirements import check_backend

# Checked later, when Keras is imported: --help needs no backend.
register_with_keras(before_keras=check_backend)

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
