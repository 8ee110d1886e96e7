"""A job in a process of its own, which ends with the one that began it.

The first line of its standard input is the job. Standard input ends with the
process that began it, and that stops a training after its step. What the job
came to goes as JSON into the pipe whose number is the argument: its "result",
or its "failure", a name in `processes.FAILURES`, with the "reason".
"""

import errno
import json
import os
import pathlib
import shutil
import signal
import sys
import threading

from keras_resnetv2._directories import locked
from keras_resnetv2._tensorflow_start import quiet_tensorflow
from keras_resnetv2.jobs.job import DescribeData, Evaluate, from_line
from keras_resnetv2.training.errors import DivergedError
from keras_resnetv2.training.experiment import Experiment

_LONGEST = 4000  # characters of a reason; a pipe holds more


def main() -> None:
    """Does the job, and says in the last line what went wrong."""
    quiet_tensorflow()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_stop_with_the_other, daemon=True).start()
    try:
        outcome = {"result": _do(from_line(line))}
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"error: {reason}", flush=True)
        outcome = {"failure": _failure(error), "reason": reason[:_LONGEST]}
    with open(int(sys.argv[1]), "w") as pipe:
        json.dump(outcome, pipe)
    sys.exit("failure" in outcome)


def _failure(error):
    if stops_all(error):
        return "stops_all"
    return "diverged" if isinstance(error, DivergedError) else "failed"


def stops_all(error: BaseException) -> bool:
    """Whether any other training would end in the same way.

    So it is where something is missing or cannot be written. A want of memory
    may be one network's own.

    Args:
        error: what was raised.
    """
    cause = error
    while cause is not None:
        if getattr(cause, "errno", None) == errno.ENOMEM:
            return False
        cause = cause.__cause__
    return isinstance(error, ImportError | OSError)


def _do(job):
    from keras_resnetv2 import training

    if isinstance(job, DescribeData):
        return describe_data(job.experiment, job.data_dir)
    # One whose beginner was killed may still write its checkpoint.
    with locked(pathlib.Path(job.workdir), wait=True):
        if isinstance(job, Evaluate):
            return training.evaluate(job.workdir, data_dir=job.data_dir)
        if job.begin_from is not None:
            begin_from(job.begin_from, job.workdir, job.experiment)
        training.train(
            job.experiment,
            job.workdir,
            data_dir=job.data_dir,
            checkpoint_steps=job.checkpoint_steps,
        )


def describe_data(
    experiment: Experiment, data_dir: str | os.PathLike | None
) -> dict:
    """What has to be known of the data before a training begins.

    Args:
        experiment: of which data.
        data_dir: where TensorFlow Datasets keeps its data.

    Returns:
        "classes" (how many), "input_shape" [H, W, C], and the numbers of
        "images" to train on, and of those "tested" on while training.
    """
    from keras_resnetv2.training.data_facts import shape_of
    from keras_resnetv2.training.images import load_training

    images, tested = load_training(experiment, data_dir)
    return {
        "classes": images.classes,
        "input_shape": shape_of(images, experiment.stream_size),
        "images": len(images),
        "tested": len(tested),
    }


def begin_from(
    previous: str | os.PathLike,
    workdir: str | os.PathLike,
    experiment: Experiment,
) -> None:
    """Lets a training go on from another one's last step, momentum and all.

    They are the same but for the number of epochs, to which the schedule is
    stretched.

    Args:
        previous: work directory of a training of fewer epochs.
        workdir: of the longer one; nothing is done where it has begun.
        experiment: its settings.
    """
    from keras_resnetv2.training.workdir import Workdir

    source, target = Workdir(previous), Workdir(workdir)
    if target.settings.exists():
        return
    shutil.rmtree(target.checkpoints, ignore_errors=True)
    shutil.copytree(source.checkpoints, target.checkpoints)
    shutil.copy(source.metrics, target.metrics)
    _, facts = source.read()
    # Last: without it the directory counts as not begun.
    target.write(experiment, facts, source.data_dir())


def _stop_with_the_other():
    # Not through sys.stdin, whose lock Python would wait for at its end.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
