"""Search for the best configuration with keras-tuner.

`search` (keras-resnetv2-tune) does a whole search. `ResNetV2HyperModel` is for
keras-tuner's own tuners in a notebook. Both need the extra "tuner".
"""

import lazy_loader

from keras_resnetv2._requirements import check_installed

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    try:
        return _find(name)
    except ModuleNotFoundError:
        check_installed("A search")
        raise
