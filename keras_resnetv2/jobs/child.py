"""Does a job in a child process, which ends with its parent.

The first line of standard input is the job. When the parent ends, standard
input closes, and the training stops after its current step. The outcome is
written as JSON to the pipe given as the argument: its "result", or its
"failure" (a name in `parent.FAILURES`) and the "reason".
"""

import errno
import json
import math
import os
import pathlib
import shutil
import signal
import sys
import threading

from keras_resnetv2._directories import locked
from keras_resnetv2._tensorflow_start import quiet_tensorflow
from keras_resnetv2._text import one_line
from keras_resnetv2.jobs.job import DescribeData, Evaluate, from_line
from keras_resnetv2.training.errors import DivergedError
from keras_resnetv2.training.experiment import Experiment

_LONGEST = 4000  # characters of a reason; fits into a pipe


def main() -> None:
    """Does the job. If it fails, the last line printed is the reason."""
    quiet_tensorflow()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_stop_with_the_other, daemon=True).start()
    try:
        outcome = {"result": _do(from_line(line))}
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
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
    """Returns whether any other training would fail in the same way.

    That is so if something is missing or cannot be written. Running out of
    memory may be due to one network.

    Args:
        error: the exception raised.
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
    # A child whose parent was killed may still be writing its checkpoint.
    with locked(pathlib.Path(job.workdir), wait=math.inf):
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
    """Returns the facts about the data that are needed before a training.

    Args:
        experiment: the settings, which name the data.
        data_dir: where TensorFlow Datasets keeps its data.

    Returns:
        The number of "classes", the "input_shape" [H, W, C], the number of
        training "images", and the number of images "tested" during training.
    """
    from keras_resnetv2.training.data_facts import shape_of
    from keras_resnetv2.training.images import load_training

    images, tested = load_training(experiment, data_dir)
    return {
        "classes": images.classes,
        "input_shape": shape_of(images, experiment.encoded_size),
        "images": len(images),
        "tested": len(tested),
    }


def begin_from(
    previous: str | os.PathLike,
    workdir: str | os.PathLike,
    experiment: Experiment,
) -> None:
    """Makes a training continue from the last step of another, with momentum.

    The two differ only in the number of epochs, to which the schedule is
    stretched.

    Args:
        previous: work directory of a training with fewer epochs.
        workdir: work directory of the longer one. If it has already begun,
            nothing is done.
        experiment: settings of the longer one.
    """
    from keras_resnetv2.training.workdir import Workdir

    source, target = Workdir(previous), Workdir(workdir)
    if target.settings.exists():
        return
    shutil.rmtree(target.checkpoints, ignore_errors=True)
    shutil.copytree(source.checkpoints, target.checkpoints)
    shutil.copy(source.metrics, target.metrics)
    _, facts = source.read()
    # Written last: without it, the training counts as not begun.
    target.write(experiment, facts, source.data_dir())


def _stop_with_the_other():
    # Not through sys.stdin: Python would wait for its lock at exit.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
