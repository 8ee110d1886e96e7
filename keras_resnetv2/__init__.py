"""ResNet-v2 for Keras: "Identity Mappings in Deep Residual Networks".

Reference: He, Zhang, Ren, Sun, ECCV 2016 (arXiv:1603.05027).

Nothing heavy is imported until a name is used.
"""

import importlib
import sys
from typing import TYPE_CHECKING

from keras_resnetv2._backend import check_backend
from keras_resnetv2._registration import register, register_with_keras
from keras_resnetv2._version import __version__

check_backend()
register_with_keras()

if TYPE_CHECKING:
    from keras_resnetv2 import analysis, data, export, studies, training, tuning
    from keras_resnetv2.data import (
        decode_predictions,
        load_arrays,
        preprocess_input,
    )
    from keras_resnetv2.export import export_saved_model
    from keras_resnetv2.models.applications import (
        PreActResNet20,
        PreActResNet32,
        PreActResNet44,
        PreActResNet56,
        PreActResNet110,
        PreActResNet164,
        PreActResNet1001,
        PreActResNet1202,
        ResNet18V2,
        ResNet34V2,
        ResNet50V2,
        ResNet101V2,
        ResNet152V2,
        ResNet200V2,
    )
    from keras_resnetv2.models.backbones import load_backbone
    from keras_resnetv2.models.batch_normalization import BatchNormalization
    from keras_resnetv2.models.builder import ResNetV2, feature_taps
    from keras_resnetv2.models.complexity import Complexity, complexity
    from keras_resnetv2.models.configs import MODELS, ResNetConfig
    from keras_resnetv2.models.network import ResNet

_NAMES = {
    "keras_resnetv2.models.applications": (
        "PreActResNet20",
        "PreActResNet32",
        "PreActResNet44",
        "PreActResNet56",
        "PreActResNet110",
        "PreActResNet164",
        "PreActResNet1001",
        "PreActResNet1202",
        "ResNet18V2",
        "ResNet34V2",
        "ResNet50V2",
        "ResNet101V2",
        "ResNet152V2",
        "ResNet200V2",
    ),
    "keras_resnetv2.models.complexity": ("Complexity", "complexity"),
    "keras_resnetv2.models.configs": ("MODELS", "ResNetConfig"),
    "keras_resnetv2.models.network": ("ResNet",),
    "keras_resnetv2.models.builder": ("ResNetV2", "feature_taps"),
    "keras_resnetv2.models.backbones": ("load_backbone",),
    "keras_resnetv2.models.batch_normalization": ("BatchNormalization",),
    "keras_resnetv2.data": (
        "decode_predictions",
        "load_arrays",
        "preprocess_input",
    ),
    "keras_resnetv2.export": ("export_saved_model",),
}
_MODULE_OF = {name: module for module, row in _NAMES.items() for name in row}
_SUBPACKAGES = ("analysis", "data", "export", "studies", "training", "tuning")

__all__ = [
    "BatchNormalization",
    "Complexity",
    "MODELS",
    "PreActResNet20",
    "PreActResNet32",
    "PreActResNet44",
    "PreActResNet56",
    "PreActResNet110",
    "PreActResNet164",
    "PreActResNet1001",
    "PreActResNet1202",
    "ResNet",
    "ResNet18V2",
    "ResNet34V2",
    "ResNet50V2",
    "ResNet101V2",
    "ResNet152V2",
    "ResNet200V2",
    "ResNetConfig",
    "ResNetV2",
    "__version__",
    "analysis",
    "complexity",
    "data",
    "decode_predictions",
    "export",
    "export_saved_model",
    "feature_taps",
    "load_arrays",
    "load_backbone",
    "preprocess_input",
    "studies",
    "training",
    "tuning",
]


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        value = importlib.import_module(f"keras_resnetv2.{name}")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module 'keras_resnetv2' has no name {name!r}")
    globals()[name] = value
    if "keras" in sys.modules:
        register()
    return value


def __dir__():
    return sorted(__all__)
