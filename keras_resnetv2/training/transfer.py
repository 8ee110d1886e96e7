"""Fine-tuning: keeping a network's first stages as they are."""

import re

import keras


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
    places = {layer: _place(layer.name) for layer in model.layers}
    stages = max((place or 0 for place in places.values()), default=0)
    if not stages:
        raise ValueError(
            f"{model.name} has no layers called stage1_..., so there is "
            "nothing to freeze by stages. If the network is a layer of it, "
            "freeze that: freeze(model.get_layer(...), frozen_stages)."
        )
    if frozen_stages not in range(stages + 1):
        raise ValueError(
            f"frozen_stages must be None, 0 (the stem) or up to {stages} (the "
            f"stem and all stages of {model.name}); received {frozen_stages!r}."
        )
    for layer, place in places.items():
        if place is not None and place <= frozen_stages:
            layer.trainable = False


def _place(name):
    """A layer's stage; 0 in the stem, None in neither."""
    match = re.match(r"stem_|stage(\d+)_", name)
    return match and int(match[1] or 0)
