"""What a process of its own can be asked to do, as one line of JSON."""

import dataclasses
import json
import typing

from keras_resnetv2.training.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Train:
    """Trains, or goes on where the training was cut off.

    Attributes:
        workdir: of the training.
        experiment: its settings.
        data_dir: where TensorFlow Datasets keeps its data.
        begin_from: work directory of a shorter training, from whose last step
            this one goes on.
        checkpoint_steps: steps between checkpoints; None for one an epoch.
    """

    workdir: str
    experiment: Experiment
    data_dir: str | None = None
    begin_from: str | None = None
    checkpoint_steps: int | None = None

    @property
    def replicas(self) -> int | None:
        """Number of devices that it needs; None for one."""
        return self.experiment.replicas


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Tests a trained network; the result is that of `training.evaluate`.

    Attributes:
        workdir: of the training.
        data_dir: where TensorFlow Datasets keeps its data.
    """

    workdir: str
    data_dir: str | None = None
    replicas: typing.ClassVar[None] = None


@dataclasses.dataclass(frozen=True)
class DescribeData:
    """Finds out what has to be known of the data; see `child.describe_data`.

    In a process of its own, as the backend may take all of a GPU's memory to
    read a data set.

    Attributes:
        experiment: of which data.
        data_dir: where TensorFlow Datasets keeps its data.
    """

    experiment: Experiment
    data_dir: str | None = None
    replicas: typing.ClassVar[None] = None


Job = Train | Evaluate | DescribeData
_KINDS = {kind.__name__: kind for kind in typing.get_args(Job)}


def to_line(job: Job) -> str:
    """A job as one line of JSON."""
    fields = dataclasses.asdict(job)
    return json.dumps({"kind": type(job).__name__, **fields}) + "\n"


def from_line(line: str | bytes) -> Job:
    """The inverse of `to_line`."""
    fields = json.loads(line)
    kind = _KINDS[fields.pop("kind")]
    if "experiment" in fields:
        fields["experiment"] = Experiment(**fields["experiment"])
    return kind(**fields)
