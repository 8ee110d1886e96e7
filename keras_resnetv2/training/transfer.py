"""Fine-tuning: keeping a network's first stages as they are."""

import keras

from keras_resnetv2.models import layer_names
from keras_resnetv2.models.network_configs import config_of


def freeze(model: keras.Model, frozen_stages: int | None) -> None:
    """Freezes the stem and the first stages: mmdetection's `frozen_stages`.

    Frozen layers keep their weights and their moving statistics, normalise by
    these, and drop nothing. Call it before `compile`. It only freezes:
    `model.trainable = True` thaws everything.

    A stage is the layers called `stage{k}_...`. With full pre-activation it
    ends in the raw signal of its last addition: the BN and ReLU behind that
    belong to the next unit, or to the head, and stay trainable.

    Args:
        model: one of ours, or a functional model built on its output.
        frozen_stages: None freezes nothing, 0 the stem, k the stem and stages
            1 to k.

    Raises:
        ValueError: for a model without stages, or a number out of range.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20()
        >>> keras_resnetv2.training.freeze(model, 1)
        >>> model.trainable_variables[0].path
        'stage2_unit1_preact_bn/gamma'
    """
    if frozen_stages is None:
        return
    try:
        stages = len(config_of(model).widths)
    except ValueError as error:
        raise ValueError(
            f"{model.name} has no layers called stage1_..., so there is "
            "nothing to freeze by stages. If the network is a layer of it, "
            "freeze that: freeze(model.get_layer(...), frozen_stages)."
        ) from error
    if frozen_stages not in range(stages + 1):
        raise ValueError(
            f"frozen_stages must be None, 0 (the stem) or up to {stages} (the "
            f"stem and all stages of {model.name}); received {frozen_stages!r}."
        )
    stages = map(layer_names.stage, range(1, frozen_stages + 1))
    kept = tuple(f"{name}_" for name in (layer_names.STEM, *stages))
    for layer in model.layers:
        if layer.name.startswith(kept):
            layer.trainable = False
