"""All of a network but its classifier, and trained weights for it."""

import random
import re

from keras_resnetv2.models import published, weight_files
from keras_resnetv2.models import weights as weights_lib
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.dropout import Dropout
from keras_resnetv2.models.network import ResNet

_OURS = re.compile(r"(stem|stage\d+_unit\d+|head)_")


def load_backbone(model, weights) -> None:
    """Loads a network's weights into all layers but the classifier.

    Args:
        model: one of ours, with its top or without.
        weights: "cifar10" (published ones) or the path of a `.weights.h5` file
            of the same network, with any number of classes; None leaves the
            model as it is.

    Raises:
        ValueError: if there is no such file, it is no weights file, or that of
            another network, or several published ones fit.
        OSError: if the published file is not to be had.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20(classes=3)
        >>> keras_resnetv2.load_backbone(model, "cifar10")
    """
    if published.is_tag(weights):
        weights = weight_files.path_of(_row_of(model, weights))
    weights_lib.check(weights)
    weights_lib.load(backbone(model), weights)


def backbone(model):
    """A model of the same layers without the classifier, if it has one."""
    if all(layer.name != "predictions" for layer in model.layers):
        return model
    return ResNet(model.input, model.get_layer("predictions").input)


def _row_of(model, tag):
    rows = [row for row in published.PUBLISHED if row.tag == tag]
    mine = _anatomy(model)
    fitting = [row for row in rows if _anatomy_of(row) == mine]
    if not fitting:
        raise ValueError(
            f"weights={tag!r} are not published for {model.name}, but for "
            f"{', '.join(row.label for row in rows)}, with any classes. Build "
            "one of these, or give the path of a .weights.h5 file."
        )
    if len(fitting) > 1:
        raise ValueError(
            f"weights={tag!r} are published several times for {model.name}: "
            f"{', '.join(row.label for row in fitting)}. Give the path of a "
            ".weights.h5 file."
        )
    return fitting[0]


def _anatomy_of(row):
    # Initial weights nobody sees: what is drawn later must not depend on them.
    state = random.getstate()
    try:
        return _anatomy(ResNetV2(row.config, include_top=False))
    finally:
        random.setstate(state)


def _anatomy(model):
    """Our layers and what they compute, less what training alone does."""
    return {
        layer.name: (
            type(layer).__name__,
            *(getattr(layer, key, None) for key in ("filters", "strides")),
            *(getattr(layer, key, None) for key in ("scale", "offset")),
        )
        for layer in model.layers
        if _OURS.match(layer.name) and not isinstance(layer, Dropout)
    }
