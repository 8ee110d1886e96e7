"""Published architectures as data: where they differ from the paper's."""

import dataclasses
import math

import numpy as np

from keras_resnetv2._standardization import STANDARDIZATIONS, Standardization
from keras_resnetv2.models.activations import STEM


@dataclasses.dataclass(frozen=True)
class Reference:
    """One published architecture. The defaults are the paper's.

    Attributes:
        name: its name in `REFERENCES`.
        source: where its code is.
        stems: the names in `STEMS` that it has.
        after_stem: the operations between the stem's last convolution and the
            max-pool or the first unit.
        pool_padding: value around the map of the stem's max-pool.
        first_unit_preactivated: whether the network's first unit has its own
            pre-activation; otherwise it uses the stem's.
        strided_unit: the unit that halves the map: the "first" of a stage, or
            the "last" of the stage before.
        bottleneck_strides: the values of `bottleneck_stride` that its networks
            have, the default first.
        dimension_change: the default of `dimension_change`; None for the
            paper's choice.
        strided_shortcut: the shortcut of a unit that halves the map and keeps
            the channels; None for `dimension_change`.
        biased: the convolutions with a bias: the "stem", the "last" of a unit,
            the "shortcut".
        epsilon: added to the variance in batch normalization.
        momentum: weight of the old moving statistics.
        input_size: height and width in pixels that its published weights are
            for; None for the stem's.
        standardization: of the images, for its published weights.
    """

    name: str
    source: str
    stems: tuple[str, ...]
    after_stem: tuple[str, ...] = STEM
    pool_padding: float = 0.0
    first_unit_preactivated: bool = False
    strided_unit: str = "first"
    bottleneck_strides: tuple[str, ...] = ("conv1", "conv2")
    dimension_change: str | None = None
    strided_shortcut: str | None = None
    biased: tuple[str, ...] = ()
    epsilon: float = 1e-5
    momentum: float = 0.9
    input_size: int | None = None
    standardization: Standardization | None = None


REFERENCES = (
    Reference(
        "paper",
        "He et al., 2016; KaimingHe/resnet-1k-layers",
        stems=("cifar", "imagenet", "imagenet_deep", "imagenet_tiered"),
    ),
    Reference(
        "keras_applications",
        "keras/src/applications/resnet.py, stack_residual_blocks_v2",
        stems=("imagenet",),
        after_stem=(),
        first_unit_preactivated=True,
        strided_unit="last",
        bottleneck_strides=("conv2",),
        strided_shortcut="padding",  # without new channels: subsampling
        biased=("stem", "last", "shortcut"),
        epsilon=1.001e-5,
        momentum=0.99,
        input_size=299,
        standardization=STANDARDIZATIONS["inception"],
    ),
    Reference(
        "keras_hub",
        "keras_hub/src/models/resnet/resnet_backbone.py",
        stems=("imagenet",),
        after_stem=(),
        pool_padding=-math.inf,
        first_unit_preactivated=True,
        bottleneck_strides=("conv2",),
        standardization=STANDARDIZATIONS["inception"],
    ),
    Reference(
        "timm",
        "timm/models/resnetv2.py, the networks with BatchNormAct2d",
        stems=("imagenet",),
        after_stem=(),
        pool_padding=-math.inf,
        first_unit_preactivated=True,
        bottleneck_strides=("conv2",),
        standardization=STANDARDIZATIONS["inception"],
    ),
    Reference(
        "timm",
        "timm/models/resnetv2.py, avg_down=True",
        stems=("imagenet_deep", "imagenet_tiered"),
        after_stem=(),
        pool_padding=-math.inf,
        first_unit_preactivated=True,
        bottleneck_strides=("conv2",),
        dimension_change="pooled_projection",
        standardization=STANDARDIZATIONS["inception"],
    ),
    Reference(
        "pytorchcv",
        "pytorchcv/models/preresnet.py",
        stems=("imagenet",),
        first_unit_preactivated=True,
        standardization=STANDARDIZATIONS["imagenet"],
    ),
    Reference(
        "pytorchcv",
        "pytorchcv/models/preresnet_cifar.py",
        stems=("cifar",),
        after_stem=(),
        first_unit_preactivated=True,
        bottleneck_strides=("conv2",),
        dimension_change="projection",
        # Of CIFAR-10; also for its networks for CIFAR-100 and SVHN.
        standardization=Standardization(
            mean=np.multiply([0.4914, 0.4822, 0.4465], 255),
            std=np.multiply([0.2023, 0.1994, 0.2010], 255),
        ),
    ),
)


def find_reference(name: str, stem: str) -> Reference:
    """Returns the traits of a published architecture.

    Args:
        name: name of the architecture.
        stem: a name in `STEMS`.

    Raises:
        ValueError: if it has no networks with this stem.
    """
    rows = [row for row in REFERENCES if row.name == name]
    for row in rows:
        if stem in row.stems:
            return row
    stems = [repr(stem) for row in rows for stem in row.stems]
    raise ValueError(
        f"reference={name!r} has no networks with stem={stem!r}, only with "
        f"{' or '.join(stems)}. Choose another model, or another reference."
    )
