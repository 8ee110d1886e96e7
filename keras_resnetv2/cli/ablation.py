"""Runs one of the paper's studies, or resumes it.

keras-resnetv2-ablation --study=quick --workdir=runs/quick --parallel=2
keras-resnetv2-ablation --study=table1 --list
"""

import sys

from absl import flags

from keras_resnetv2.cli import common
from keras_resnetv2.studies.paper import STUDIES
from keras_resnetv2.training.experiment import CHOICES

_STUDY = flags.DEFINE_enum(
    "study",
    None,
    list(STUDIES),
    "Which study is run.",
)
_EPOCHS = flags.DEFINE_integer(
    "epochs",
    None,
    "Passes over the training images, of every run; the schedule is scaled to "
    "it. Default: the study's (64,000 steps; quick: 10).",
)
_SEEDS = flags.DEFINE_integer(
    "seeds",
    None,
    "Runs of each row, with the seeds 0, 1, ... Default: the study's (5; "
    "resnet20: 3; quick: 1). The same command with more of them adds runs.",
)
_ROWS = flags.DEFINE_list(
    "rows",
    None,
    "Names of the rows to be run, which --list lists. Default: all.",
)
_LIST = flags.DEFINE_boolean("list", False, "List the study's rows, and end.")
_PARALLEL = common.define_parallel()
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    CHOICES["precision"],
    "Floating-point precision of every run.",
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
            "--workdir must be given: the directory of studies, for runs and "
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
            f"Crashed, and without a result: {', '.join(crashed)}. The same "
            "command tries them again; see "
            f"{common.WORKDIR.value}/logs."
        )
    report = common.as_called("keras-resnetv2-report")
    print(f"Done. Look at it with: {report} --workdir={common.WORKDIR.value}")


entry_point = common.entry_point(
    main,
    workdir="Directory of studies, new or begun: their runs and results.",
    required=["study"],
    resumes=True,
)
