"""What mypy says of code that uses the package; `make lint` runs it.

A line that it must refuse has the error in a comment.
"""

import keras_resnetv2
from keras_resnetv2 import ResNetConfig, ResNetV2
from keras_resnetv2.models.applications import PreActResNet110

version: str = keras_resnetv2.__version__
keras_resnetv2.PreActResNet20()
keras_resnetv2.PreActResNet20(True, None, classes=100, shortcut="conv")
keras_resnetv2.ResNet50V2(
    include_top=False,
    input_shape=(None, None, 3),
    bottleneck_stride="conv2",
    dimension_change=None,
)
PreActResNet110(activation_order="original", stochastic_depth=0.5)
ResNetV2(ResNetConfig(depth=26, unit="single", gate_bias=None))
keras_resnetv2.MODELS["PreActResNet20"].units[0].bit_length()
keras_resnetv2.training.compile
keras_resnetv2.export_saved_model

keras_resnetv2.PreActResNet21()  # type: ignore[attr-defined]
keras_resnetv2.PreActResNet20(shortcut="identify")  # type: ignore[arg-type]
keras_resnetv2.PreActResNet20(shortcuts="conv")  # type: ignore[call-arg]
keras_resnetv2.PreActResNet20(depth=26)  # type: ignore[call-arg]
ResNetConfig(depth=26, stem="cifar10")  # type: ignore[arg-type]
