"""The jobs that a child process can do, as one line of JSON."""

import dataclasses
import json
import typing

from keras_resnetv2.training.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Train:
    """Trains, or resumes an interrupted training.

    Attributes:
        workdir: the training's work directory.
        experiment: its settings.
        data_dir: where TensorFlow Datasets keeps its data.
        begin_from: work directory of a shorter training. This training
            continues from its last step.
        checkpoint_steps: steps between checkpoints; None for one per epoch.
    """

    workdir: str
    experiment: Experiment
    data_dir: str | None = None
    begin_from: str | None = None
    checkpoint_steps: int | None = None

    @property
    def replicas(self) -> int | None:
        """Number of devices it needs; None for one."""
        return self.experiment.replicas


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Tests a trained network; the result is that of `training.evaluate`.

    Attributes:
        workdir: the training's work directory.
        data_dir: where TensorFlow Datasets keeps its data.
    """

    workdir: str
    data_dir: str | None = None
    replicas: typing.ClassVar[None] = None


@dataclasses.dataclass(frozen=True)
class DescribeData:
    """Finds the facts about the data; see `child.describe_data`.

    This is a separate process because the backend may take all of a GPU's
    memory to read a dataset.

    Attributes:
        experiment: the settings, which name the data.
        data_dir: where TensorFlow Datasets keeps its data.
    """

    experiment: Experiment
    data_dir: str | None = None
    replicas: typing.ClassVar[None] = None


Job = Train | Evaluate | DescribeData
_KINDS = {kind.__name__: kind for kind in typing.get_args(Job)}


def to_line(job: Job) -> str:
    """Returns a job as one line of JSON."""
    fields = dataclasses.asdict(job)
    return json.dumps({"kind": type(job).__name__, **fields}) + "\n"


def from_line(line: str | bytes) -> Job:
    """The inverse of `to_line`."""
    fields = json.loads(line)
    kind = _KINDS[fields.pop("kind")]
    if "experiment" in fields:
        fields["experiment"] = Experiment(**fields["experiment"])
    return kind(**fields)
