"""Backbones, that is, networks without classifier, and weights for them."""

from keras_resnetv2._origin import includes_preprocessing, origin_of
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
        weights: as for `ResNetV2`, of the same network with any number of
            classes; None does nothing.

    Raises:
        ValueError: if the file is missing, is not a weights file, or belongs
            to another network; or if the network's preprocessing differs from
            the published weights'. Nothing is loaded then.
        ImportError: if the file needs a package that is not installed.
        OSError: if published weights cannot be found or downloaded.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20(classes=3)
        >>> keras_resnetv2.load_backbone(model, "cifar10")
    """
    found = weights_lib.find(weights, config_of(model))
    if found is None:
        return
    origin = with_preprocessing(
        found.origin,
        includes_preprocessing(model) and origin_of(model).standardization,
        found.is_certain,
    )
    has_head = weights_lib.load(backbone(model), found)
    set_origin(model, weights_lib.fitted_origin(origin, model, has_head))


def backbone(model):
    """Returns a model of the same layers, up to the last activation."""
    config = config_of(model)
    end = feature_taps(config)[f"stride{config.strides}"]
    return ResNet(model.input, model.get_layer(end).output)
