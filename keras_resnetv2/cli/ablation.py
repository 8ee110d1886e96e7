"""Runs one of the paper's studies, or resumes it.

keras-resnetv2-ablation --study=quick --workdir=runs/quick --parallel=2
keras-resnetv2-ablation --study=table1 --list
"""

import sys

from absl import flags

from keras_resnetv2.cli import common
from keras_resnetv2.studies.paper import STUDIES
from keras_resnetv2.training.experiment import CHOICES


def _defaults(setting):
    values = {name: getattr(study, setting) for name, study in STUDIES.items()}
    return ", ".join(f"{name}: {v}" for name, v in values.items() if v)


_STUDY = flags.DEFINE_enum(
    "study",
    None,
    list(STUDIES),
    "Study to run.",
)
_EPOCHS = flags.DEFINE_integer(
    "epochs",
    None,
    "Passes over the training images in each run; the schedule is scaled to "
    f"them. Default: the study's ({_defaults('epochs')}; else the recipe's "
    "64,000 steps).",
)
_SEEDS = flags.DEFINE_integer(
    "seeds",
    None,
    "Number of runs of each row, with the seeds 0, 1, ... Default: the study's "
    f"({_defaults('seeds')}). The same command with a larger number adds runs.",
)
_ROWS = flags.DEFINE_list(
    "rows",
    None,
    "Names of the rows to run; --list shows them. Default: all.",
)
_LIST = flags.DEFINE_boolean("list", False, "List the study's rows, and exit.")
_PARALLEL = common.define_parallel()
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    CHOICES["precision"],
    "Floating-point precision of all runs.",
)
_CHECKPOINT_STEPS = common.define_checkpoint_steps()


def main(argv):
    """Runs the study that the flags describe."""
    from keras_resnetv2 import studies

    study = STUDIES[_STUDY.value]
    if _LIST.value:
        for row in study.rows:
            print(f"{row.name}: {row.label}")
        return
    if common.WORKDIR.value is None:
        raise ValueError(
            "--workdir must be given: a directory for the studies' runs and "
            "results."
        )
    crashed = studies.run_study(
        studies.Plan(
            study,
            epochs=_EPOCHS.value,
            precision=_PRECISION.value,
            seeds=study.seeds if _SEEDS.value is None else _SEEDS.value,
        ),
        common.WORKDIR.value,
        rows=_ROWS.value,
        parallel=_PARALLEL.value,
        data_dir=common.DATA_DIR.value,
        checkpoint_steps=_CHECKPOINT_STEPS.value,
    )
    if crashed:
        sys.exit(
            f"Runs that crashed: {', '.join(crashed)}. The same command tries "
            f"them again. Their logs are in {common.WORKDIR.value}/logs."
        )
    report = common.as_called("keras-resnetv2-report")
    print(f"Done. For a report: {report} --workdir={common.WORKDIR.value}")


entry_point = common.entry_point(
    main,
    workdir="Directory of studies: a new one, or one to resume.",
    required=["study"],
    resumes=True,
)
