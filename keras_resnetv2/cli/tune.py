r"""Searches for the best configuration, or resumes an interrupted search.

keras-resnetv2-tune --dataset=cifar10 --tuner=hyperband \
  --workdir=runs/search --search=depth,width,learning_rate \
  --max_parameters=500000

A flag of the experiment or of the network fixes a hyper-parameter, so it is
not searched. Some defaults differ from those listed below:
--model={model} --epochs={epochs} --held_out={held_out}.
"""

import itertools

from absl import flags

from keras_resnetv2.cli import common, experiment_flags
from keras_resnetv2.cli.option_flags import given
from keras_resnetv2.tuning.hyperparameters import (
    HELD_OUT,
    HYPERPARAMETERS,
    SEARCHED,
    TRIAL_EPOCHS,
    TUNER_NAMES,
)

_MODEL = "PreActResNet20"
__doc__ = __doc__.format(model=_MODEL, epochs=TRIAL_EPOCHS, held_out=HELD_OUT)

_TUNER = flags.DEFINE_enum(
    "tuner", "random", TUNER_NAMES, "Method that chooses the trials."
)
_MAX_TRIALS = flags.DEFINE_integer(
    "max_trials",
    None,
    "Number of trials. Default: 20 with random and bayesian, else all trials "
    "of the method. The same command with a larger number continues the "
    "search.",
)
_SPACE = flags.DEFINE_multi_string(
    "space",
    [],
    "A hyper-parameter with its range (depth=20..110), choices "
    "(batch_size=64,128) or fixed value (width=16). May be repeated.",
)
_SEARCH = flags.DEFINE_list(
    "search",
    None,
    "Names of further hyper-parameters to search. The others keep their "
    f"values. Default: {', '.join(SEARCHED)}. Also possible: "
    f"{', '.join(name for name in HYPERPARAMETERS if name not in SEARCHED)}.",
)
_MAX_PARAMETERS = flags.DEFINE_integer(
    "max_parameters",
    None,
    "Largest number of trainable parameters of a network. Default: no limit.",
)
_MAX_FLOPS = flags.DEFINE_integer(
    "max_flops",
    None,
    "Largest number of multiply-adds per image of a network. Default: no "
    "limit.",
)
_PARALLEL = common.define_parallel()


def main(argv):
    """Runs the search that the flags describe."""
    from keras_resnetv2 import tuning

    base = experiment_flags.read_experiment(model=_MODEL)
    fixed = given(itertools.chain(*experiment_flags.GROUPS.values()))
    # None: fixed at the base's value
    space = {name: None for name in tuning.HYPERPARAMETERS if name in fixed}
    for name, values in map(tuning.parse_setting, _SPACE.value):
        if name in space:
            raise ValueError(
                f"{name} is given twice: by --space={name}=... and by another "
                f"--space or by --{name}. Give one of them."
            )
        space[name] = values
    found = tuning.search(
        base,
        common.WORKDIR.value,
        tuner=_TUNER.value,
        max_trials=_MAX_TRIALS.value,
        space=space,
        search=_SEARCH.value,
        max_parameters=_MAX_PARAMETERS.value,
        max_flops=_MAX_FLOPS.value,
        data_dir=common.DATA_DIR.value,
        parallel=_PARALLEL.value,
    )
    if found is None:
        return  # a worker; the chief prints the result
    train = common.as_called("keras-resnetv2-train")
    test = "not tested"
    if found.test:
        test = f"test error {found.test['error']:.2%} (of this trial only)"
    print(
        f"Best: trial {found.best.trial}, held-out error "
        f"{found.best.error:.2%}, {test}. Train it in full: {train} "
        f"--config={common.WORKDIR.value}/best.json --workdir=..."
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the search: a new one, or one to resume.",
    required=["workdir"],
    groups=experiment_flags.GROUPS,
    resumes=True,
)
