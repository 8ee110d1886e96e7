"""The names of a network's layers by position: `stage2_unit1_conv1`."""

import re

from keras_resnetv2._origin import CLASSIFIER as CLASSIFIER
from keras_resnetv2._origin import STEM as STEM

PREPROCESSING = "preprocessing"
HEAD = "head"

# Stage, unit, and the layer's name within the unit.
UNIT_LAYER = re.compile(r"stage(\d+)_unit(\d+)_(.+)")


def stage(number: int) -> str:
    """Returns the prefix of a stage's layer names; stages count from 1."""
    return f"stage{number}"


def unit(stage_number: int, number: int) -> str:
    """Returns the prefix of a unit's layer names; units count from 1."""
    return f"{stage(stage_number)}_unit{number}"
