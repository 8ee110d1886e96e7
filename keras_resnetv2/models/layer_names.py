"""The names of a network's layers, by place: `stage2_unit1_conv1`."""

import re

from keras_resnetv2._origin import CLASSIFIER as CLASSIFIER

PREPROCESSING = "preprocessing"
STEM = "stem"
HEAD = "head"

# Stage, unit and the layer's own name in it.
UNIT_LAYER = re.compile(r"stage(\d+)_unit(\d+)_(.+)")


def stage(number: int) -> str:
    """Prefix of the names of a stage's layers; stages count from 1."""
    return f"stage{number}"


def unit(stage_number: int, number: int) -> str:
    """Prefix of the names of a unit's layers; units count from 1 in a stage."""
    return f"{stage(stage_number)}_unit{number}"
