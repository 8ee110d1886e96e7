r"""Searches for the best configuration, or goes on where it was cut off.

keras-resnetv2-tune --dataset=cifar10 --tuner=hyperband \
  --workdir=runs/search --search=depth,width,learning_rate \
  --max_parameters=500000

The flags of the experiment and of the network say what is not searched; one
that is given is fixed. Defaults other than those they name:
--model=PreActResNet20 --epochs=10 --held_out=0.1.
"""

from absl import flags

from keras_resnetv2.cli import common, experiment_flags
from keras_resnetv2.tuning.hyperparameters import HYPERPARAMETERS, TUNER_NAMES

_TUNER = flags.DEFINE_enum(
    "tuner", "random", TUNER_NAMES, "How trials are chosen."
)
_MAX_TRIALS = flags.DEFINE_integer(
    "max_trials",
    None,
    "The search ends after so many trials. Default: 20 with random and "
    "bayesian, else all that the method has. The same command with more of "
    "them goes on.",
)
_SPACE = flags.DEFINE_multi_string(
    "space",
    [],
    "A setting and what is searched of it, depth=20..110 or "
    "batch_size=64,128, or what it is fixed at, width=16. May be repeated.",
)
_SEARCH = flags.DEFINE_list(
    "search",
    None,
    "Names of all that is searched beside --space. Default: everything, that "
    f"is {', '.join(HYPERPARAMETERS)}.",
)
_MAX_PARAMETERS = flags.DEFINE_integer(
    "max_parameters",
    None,
    "No network of more trainable parameters is tried. Default: no limit.",
)
_MAX_FLOPS = flags.DEFINE_integer(
    "max_flops",
    None,
    "No network of more multiply-adds an image is tried. Default: no limit.",
)
_PARALLEL = common.define_parallel()


def main(argv):
    """Runs the search that the flags describe."""
    from keras_resnetv2 import tuning

    base = experiment_flags.read_experiment(model="PreActResNet20")
    given = filter(experiment_flags.is_given, tuning.HYPERPARAMETERS)
    space = dict.fromkeys(given)  # None: fixed at the base's own
    for name, values in map(tuning.parse_setting, _SPACE.value):
        if name in space:
            raise ValueError(
                f"{name} is given twice, by --space={name}=... and by another "
                "--space or a flag of its own. Give one of them."
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
        return  # a worker; the chief tells
    train = common.as_called("keras-resnetv2-train")
    test = "not tested"
    if found.test:
        test = f"test error {found.test['error']:.2%} (read for it alone)"
    print(
        f"Best: trial {found.best.trial}, held-out error "
        f"{found.best.error:.2%}, {test}. Train it in full: {train} "
        f"--config={common.WORKDIR.value}/best.json --workdir=..."
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the search, new or begun: its trials and results.",
    required=["workdir"],
    groups=experiment_flags.GROUPS,
    resumes=True,
)
