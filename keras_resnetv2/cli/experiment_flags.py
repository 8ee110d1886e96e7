"""Makes an experiment from flags and a settings file."""

import dataclasses
from dataclasses import MISSING

from absl import flags

from keras_resnetv2._options import kind_of, names_of, sentence
from keras_resnetv2.models.configs import SIZE_FIELDS, ResNetConfig
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.settings_file import read_settings

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    "JSON file with an Experiment's fields, or a work directory's "
    "experiment.json. Other flags replace single values.",
)


def _define(field, default):
    """Defines a flag with the field's name and type."""
    kind, names = kind_of(field), names_of(field)
    if names:
        return flags.DEFINE_enum(field.name, default, names, sentence(field))
    define = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }[kind]
    return define(field.name, default, sentence(field))


_FIELD_FLAGS = [
    _define(field, None if field.default is MISSING else field.default)
    for field in dataclasses.fields(Experiment)
    if field.name != "options"
]
# Without a flag, the model's value is used.
_OPTION_FLAGS = [
    _define(field, None)
    for field in dataclasses.fields(ResNetConfig)
    if field.name not in SIZE_FIELDS
]
# Titles in --help.
GROUPS = {
    "Flags of the experiment": [_CONFIG, *_FIELD_FLAGS],
    "Flags of the network; defaults are the model's": _OPTION_FLAGS,
}
_NEEDED = ("model", "dataset")


def read_experiment(**defaults) -> Experiment:
    """Makes an experiment from --config, if given, and the other flags.

    Args:
        **defaults: defaults of fields.

    Raises:
        ValueError: if model or data set is missing, or a value does not fit.
    """
    from_file = _CONFIG.value is not None
    fields = read_settings(_CONFIG.value) if from_file else {}
    fields = {**defaults, **fields, **_given(_FIELD_FLAGS)}
    fields["options"] = {**fields.get("options", {}), **_given(_OPTION_FLAGS)}
    missing = [f"--{name}" for name in _NEEDED if name not in fields]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} must be given, or a --config file with "
            "model and dataset."
        )
    return Experiment(**fields)


def _given(some):
    """Returns the values of the flags on the command line, by name."""
    return {flag.name: flag.value for flag in some if flag.present}


def is_given(name: str) -> bool:
    """Returns whether an experiment's flag is on the command line."""
    return name in _given(_FIELD_FLAGS + _OPTION_FLAGS)
