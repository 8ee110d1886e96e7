"""The hyper-parameters, their values, and the search methods.

keras-tuner is not imported, so --help is quick.
"""

import dataclasses
import json
from collections.abc import Mapping

from keras_resnetv2.data import AUGMENTATIONS
from keras_resnetv2.models.configs import CHOICES
from keras_resnetv2.models.specs import shortcuts_with
from keras_resnetv2.training.experiment import CHOICES as SETTINGS
from keras_resnetv2.training.experiment import Experiment

# keras-tuner's methods; `oracles.TUNERS` implements them.
TUNER_NAMES = ("random", "hyperband", "bayesian", "grid")
# Defaults of a search, where an experiment has others.
TRIAL_EPOCHS = 10
HELD_OUT = 0.1


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """How a hyper-parameter is searched.

    Attributes:
        values: a list of choices, or a range (low, high), both inclusive.
        step: step between the values of a range; None: any number.
        sampling: scale of a range, "linear" or "log".
        needs: (another hyper-parameter, its values). With other values of it,
            this one has no effect and is not searched.
        on_request: whether it is searched only if it is named.
    """

    values: list | tuple
    step: int | None = None
    sampling: str = "linear"
    needs: tuple[str, tuple[str, ...]] | None = None
    on_request: bool = False

    @property
    def is_range(self) -> bool:
        """Whether `values` is a range."""
        return isinstance(self.values, tuple)

    def __contains__(self, value) -> bool:
        """Returns whether a search can choose this value."""
        if not self.is_range:
            return value in self.values
        low, high = self.values
        if value is None or not low <= value <= high:
            return False
        return self.step is None or (value - low) % self.step == 0


def _needing(option):
    """Returns the shortcuts with an option, as `Hyperparameter.needs`."""
    return ("shortcut", shortcuts_with(option))


# Each comes after the one that it needs.
HYPERPARAMETERS = {
    "unit": Hyperparameter(["basic", "bottleneck"]),
    "depth": Hyperparameter(
        (20, 56), step=6, needs=("unit", ("basic", "single"))
    ),
    "bottleneck_depth": Hyperparameter(
        (29, 83), step=9, needs=("unit", ("bottleneck",))
    ),
    "width": Hyperparameter((16, 64), step=8),
    "activation_order": Hyperparameter(list(CHOICES["activation_order"])),
    "shortcut": Hyperparameter(list(CHOICES["shortcut"])),
    "shortcut_scale": Hyperparameter(
        (0.25, 1.0), needs=_needing("shortcut_scale")
    ),
    "residual_scale": Hyperparameter(
        (0.25, 1.0), needs=_needing("residual_scale")
    ),
    "gate_bias": Hyperparameter((-10.0, 0.0), needs=_needing("gate_bias")),
    "dropout_rate": Hyperparameter((0.1, 0.5), needs=_needing("dropout_rate")),
    "dimension_change": Hyperparameter(
        list(CHOICES["dimension_change"]),
        # "conv" replaces it.
        needs=(
            "shortcut",
            tuple(n for n in CHOICES["shortcut"] if n != "conv"),
        ),
    ),
    "learning_rate": Hyperparameter((0.01, 0.3), sampling="log"),
    "weight_decay": Hyperparameter((1e-5, 1e-3), sampling="log"),
    "batch_size": Hyperparameter([64, 128, 256]),
    "augmentation": Hyperparameter(["crop_flip", "none"]),
    "label_smoothing": Hyperparameter((0.0, 0.2)),
    "schedule": Hyperparameter(list(SETTINGS["schedule"]), on_request=True),
    "ema": Hyperparameter([0.0, 0.99, 0.999, 0.9999], on_request=True),
    "rand_augment": Hyperparameter((0, 15), step=1, on_request=True),
    "mixup": Hyperparameter((0.0, 1.0), on_request=True),
    "cutmix": Hyperparameter((0.0, 1.0), on_request=True),
}
SEARCHED = tuple(
    name for name, row in HYPERPARAMETERS.items() if not row.on_request
)


def resolve(name: str, space: Mapping, base: Experiment):
    """Returns how a hyper-parameter is searched, or its fixed value.

    Args:
        name: a key of `HYPERPARAMETERS`.
        space: the user's choices by name, see `SearchSpace`.
        base: decides which augmentations are possible.

    Returns:
        A `Hyperparameter`, or the fixed value.

    Raises:
        ValueError: if the choices or the range are invalid.
    """
    row = HYPERPARAMETERS[name]
    if name == "augmentation" and name not in space:
        encoded = base.is_encoded
        values = [n for n, a in AUGMENTATIONS.items() if a.in_memory != encoded]
        return dataclasses.replace(row, values=values)
    if name not in space:
        return row
    given = space[name]
    if not isinstance(given, list | tuple):
        return given
    if isinstance(given, tuple):
        _check_range(name, row, given)
    elif not given or None in given:
        raise ValueError(
            f"{name}={given!r} is not a list of choices: give at least one "
            "value, and no None."
        )
    if row.is_range and row.step is None:  # floats may be given as integers
        given = type(given)(float(v) if _is_number(v) else v for v in given)
    if isinstance(given, list):
        given = list(dict.fromkeys(given))
    return dataclasses.replace(row, values=given)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_range(name, row, given):
    if not row.is_range:
        raise ValueError(
            f"{name}={given!r} is a range, but {name} needs a list of choices. "
            "Give one."
        )
    if (
        len(given) != 2
        or not all(map(_is_number, given))
        or given[0] >= given[1]
    ):
        raise ValueError(
            f"{name}={given!r} is not a range. Give two numbers (low, high), "
            "or a list of choices."
        )
    low, high = given
    if row.sampling == "log" and low <= 0:
        raise ValueError(
            f"{name}={given!r} is drawn on a logarithmic scale: its low end "
            "must be larger than 0. Give another range, or a list of choices."
        )
    if name == "width" and (high - low) % row.step:
        last = high - (high - low) % row.step
        raise ValueError(
            f"{name}={given!r}: steps of {row.step} from {low} lead to {last} "
            f"and {last + row.step}, but not to {high}. Give one of these as "
            "the high end, or a list of choices."
        )


def parse_setting(text: str) -> tuple[str, object]:
    """Reads "name=values".

    Args:
        text: "depth=20..110" (a range), "batch_size=64,128" (choices),
            "shortcut=identity" (fixed), "dimension_change=null" (fixed at
            the base's value).

    Returns:
        The name, and its value as `SearchSpace` takes it.

    Raises:
        ValueError: if the text has another form.

    Example:
        >>> parse_setting("depth=20..110")
        ('depth', (20, 110))
        >>> parse_setting("shortcut=identity,conv")
        ('shortcut', ['identity', 'conv'])
        >>> parse_setting("learning_rate=0.05")
        ('learning_rate', 0.05)
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    low, dots, high = values.partition("..")
    parts = [part.strip() for part in values.split(",")]
    if (
        not (name and equals and all(parts))
        or (dots and not (low and high))
        or set("[]()") & set(values)
    ):
        raise ValueError(
            f"--space={text!r} must have the form name=low..high, "
            "name=value,value or name=value."
        )
    if dots:
        return name, (_value(low), _value(high))
    if len(parts) > 1:
        return name, [_value(part) for part in parts]
    return name, _value(values.strip())


def _value(text):
    for read in (json.loads, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text
