"""Makes an experiment from flags and a settings file."""

import dataclasses
from dataclasses import MISSING

from absl import flags

from keras_resnetv2.cli.option_flags import NETWORK_OPTIONS, define, given
from keras_resnetv2.training.experiment import Experiment, without_recipe
from keras_resnetv2.training.settings_file import read_settings

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    "JSON file with an Experiment's fields, or a work directory's "
    "experiment.json. Other flags replace single values.",
)


_FIELD_FLAGS = [
    define(field, None if field.default is MISSING else field.default)
    for field in dataclasses.fields(Experiment)
    if field.name != "options"
]
# Titles in --help.
GROUPS = {
    "Flags of the experiment": [_CONFIG, *_FIELD_FLAGS],
    "Flags of the network; defaults are the model's": NETWORK_OPTIONS,
}
_NEEDED = ("model", "dataset")


def read_experiment(**defaults) -> Experiment:
    """Makes an experiment from --config, if given, and the other flags.

    Args:
        **defaults: defaults of fields.

    Raises:
        ValueError: if model or dataset is missing, or a value does not fit.
    """
    from_file = _CONFIG.value is not None
    fields = read_settings(_CONFIG.value) if from_file else {}
    from_flags = given(_FIELD_FLAGS)
    if "recipe" in from_flags:
        fields = without_recipe(fields)
    fields = {**defaults, **fields, **from_flags}
    fields["options"] = {**fields.get("options", {}), **given(NETWORK_OPTIONS)}
    missing = [f"--{name}" for name in _NEEDED if name not in fields]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} must be given, or a --config file with "
            "model and dataset."
        )
    return Experiment(**fields)
