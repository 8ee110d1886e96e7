"""Backbones, that is, networks without classifier, and weights for them."""

from keras_resnetv2._origin import includes_preprocessing, origin_of
from keras_resnetv2.models import published
from keras_resnetv2.models import weights as weights_lib
from keras_resnetv2.models.builder import feature_taps, with_preprocessing
from keras_resnetv2.models.network import ResNet, set_origin
from keras_resnetv2.models.network_configs import config_of


def load_backbone(model, weights) -> None:
    """Loads weights into all layers except the classifier.

    The model changes in place. Its `model.origin` becomes that of the weights,
    without class names, because the classifier is not loaded.

    Args:
        model: a network of this package, with or without its top.
        weights: "cifar10" (published weights) or the path of a `.weights.h5`
            file of the same network, with any number of classes; None does
            nothing.

    Raises:
        ValueError: if the file is missing, is not a weights file, or belongs
            to another network; if more than one published file fits; or if the
            network's preprocessing differs from the published weights'.
        OSError: if published weights cannot be found or downloaded.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20(classes=3)
        >>> keras_resnetv2.load_backbone(model, "cifar10")
    """
    if weights is None:
        return
    if published.is_tag(weights):
        path = weights_lib.path_of(_row_of(model, weights))
    else:
        path = weights_lib.check(weights, config_of(model))
    origin = with_preprocessing(
        weights_lib.origin(weights, include_top=False),
        includes_preprocessing(model) and origin_of(model).standardization,
    )
    weights_lib.load(backbone(model), path)
    set_origin(model, origin)


def backbone(model):
    """Returns a model of the same layers, up to the last activation."""
    config = config_of(model)
    end = feature_taps(config)[f"stride{config.strides}"]
    return ResNet(model.input, model.get_layer(end).output)


def _row_of(model, tag):
    rows = [row for row in published.PUBLISHED if row.tag == tag]
    config = config_of(model)
    fitting = [
        row for row in rows if not published.differences(row.config, config)
    ]
    if not fitting:
        raise ValueError(
            f"weights={tag!r} are not published for {model.name}, only for "
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
