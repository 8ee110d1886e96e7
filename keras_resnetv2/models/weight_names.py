"""The names of the same weights in other projects, as tables."""

from collections.abc import Mapping, Set
from typing import NamedTuple

import numpy as np

from keras_resnetv2.models import layer_names

# What a unit's layers are called after the unit's own prefix.
_KERAS_UNIT = {
    "conv1": "1_conv",
    "conv1_bn": "1_bn",
    "conv2": "2_conv",
    "conv2_bn": "2_bn",
    "conv3": "3_conv",
    "shortcut_projection": "0_conv",
}
_KERAS_ENDS = {
    "stem_conv": "conv1_conv",
    "head_bn": "post_bn",
    "predictions": "predictions",
}
_PYTORCHCV_ENDS = {
    "stem_conv": "features.init_block.conv",
    "stem_bn": "features.init_block.bn",
    "head_bn": "features.post_activ.bn",
    "predictions": "output",
}
TORCH_WEIGHTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class Names(NamedTuple):
    """How a project calls the layers and weights of its networks.

    Attributes:
        reference: name of its architecture in `REFERENCES`.
        stems: the names in `STEMS` that these names are for.
        unit: prefix of a unit's layers; `stage` and `unit` count from 1,
            `stage0` and `unit0` from 0, `block` is `stage` + 1.
        in_unit: our names within a unit -> theirs.
        outside: our names of the other layers -> theirs.
        is_torch: whether weights have PyTorch's names and order of axes, or
            Keras's.
        head_is_convolution: whether the classifier is a 1x1 convolution.
    """

    reference: str
    stems: tuple[str, ...]
    unit: str
    in_unit: Mapping[str, str]
    outside: Mapping[str, str]
    is_torch: bool
    head_is_convolution: bool = False

    def of(self, layer: str, weight: str) -> str | None:
        """Returns their name of a weight; None if they have no such layer."""
        if match := layer_names.UNIT_LAYER.fullmatch(layer):
            stage, unit = int(match[1]), int(match[2])
            prefix = self.unit.format(
                stage=stage,
                unit=unit,
                stage0=stage - 1,
                unit0=unit - 1,
                block=stage + 1,
            )
            role = self.in_unit.get(match[3])
            theirs = role and prefix + role
        else:
            theirs = self.outside.get(layer)
        if theirs is None:
            return None
        if self.is_torch:
            return f"{theirs}.{TORCH_WEIGHTS.get(weight, weight)}"
        return f"{theirs}/{weight}"


NAMES = (
    Names(
        "keras_hub",
        ("imagenet",),
        "stack{stage0}_block{unit0}_",
        {"preact_bn": "pre_activation_bn", **_KERAS_UNIT},
        _KERAS_ENDS,
        False,
    ),
    Names(
        "keras_applications",
        ("imagenet",),
        "conv{block}_block{unit}_",
        {"preact_bn": "preact_bn", **_KERAS_UNIT},
        _KERAS_ENDS,
        False,
    ),
    Names(
        "timm",
        ("imagenet", "imagenet_deep", "imagenet_tiered"),
        "stages.{stage0}.blocks.{unit0}.",
        {
            "preact_bn": "norm1",
            "conv1": "conv1",
            "conv1_bn": "norm2",
            "conv2": "conv2",
            "conv2_bn": "norm3",
            "conv3": "conv3",
            "shortcut_projection": "downsample.conv",
        },
        {
            "stem_conv": "stem.conv",
            "stem_conv1": "stem.conv1",
            "stem_conv1_bn": "stem.norm1",
            "stem_conv2": "stem.conv2",
            "stem_conv2_bn": "stem.norm2",
            "stem_conv3": "stem.conv3",
            "head_bn": "norm",
            "predictions": "head.fc",
        },
        True,
        True,
    ),
    *(
        Names(
            "pytorchcv",
            (stem,),
            "features.stage{stage}.unit{unit}.",
            {
                "preact_bn": "body.conv1.bn",
                "conv1": "body.conv1.conv",
                "conv1_bn": "body.conv2.bn",
                "conv2": "body.conv2.conv",
                "conv2_bn": "body.conv3.bn",
                "conv3": "body.conv3.conv",
                "shortcut_projection": "identity_conv",
            },
            outside,
            True,
        )
        for stem, outside in {
            "imagenet": _PYTORCHCV_ENDS,
            # Without batch normalization the block is the convolution.
            "cifar": {**_PYTORCHCV_ENDS, "stem_conv": "features.init_block"},
        }.items()
    ),
)


def find_names(reference: str, stem: str) -> Names | None:
    """Returns a project's names; None for the paper's, which are our own."""
    rows = (row for row in NAMES if row.reference == reference)
    return next((row for row in rows if stem in row.stems), None)


def recognize(names: Set[str]) -> Names | None:
    """Returns the project whose names these are; None if it is none.

    Args:
        names: names of weights.
    """
    first = f"{layer_names.unit(1, 1)}_preact_bn"
    for row in NAMES:
        stems = (row.of(stem, "kernel") for stem in ("stem_conv", "stem_conv1"))
        # Others have names like these, but no pre-activation or no statistics.
        is_theirs = row.of(first, "moving_mean") in names
        if is_theirs and not names.isdisjoint(stems):
            return row
    return None


def to_ours(value: np.ndarray, rank: int) -> np.ndarray:
    """Turns a PyTorch weight's axes into Keras's order.

    Args:
        value: a kernel (out, in, height, width), a matrix (out, in), or a
            vector.
        rank: rank of our weight. Of a classifier it is 2, even if theirs is a
            1x1 convolution.
    """
    if rank == 2 and value.ndim == 4 and value.shape[2:] == (1, 1):
        value = value[:, :, 0, 0]
    return value.transpose((2, 3, 1, 0)) if value.ndim == 4 else value.T


def to_theirs(value: np.ndarray, is_convolution: bool) -> np.ndarray:
    """The inverse of `to_ours`.

    Args:
        value: our weight.
        is_convolution: whether their weight is a convolution's kernel.
    """
    if is_convolution and value.ndim == 2:
        value = value[None, None]
    return value.transpose((3, 2, 0, 1)) if value.ndim == 4 else value.T
