"""What keras-tuner's oracle does not do itself with its trials.

It keeps a trial for the worker that got it, whatever becomes of the worker.
"""

from collections.abc import Mapping

from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import TrialStatus

from keras_resnetv2.tuning.oracles import locked


def take_back(oracle: Oracle, worker: str) -> str | None:
    """Queues a dead worker's trial for another one.

    Args:
        oracle: the search's.
        worker: the tuner id.

    Returns:
        The trial's id; None if it had none.
    """
    with locked(oracle):
        oracle.tuner_ids.discard(worker)
        trial = oracle.ongoing_trials.pop(worker, None)
        if trial is None or trial.trial_id in oracle.end_order:
            return None
        oracle._retry_queue.append(trial.trial_id)
        oracle.save()
        return trial.trial_id


def give_back(oracle: Oracle, running: Mapping[str, str]) -> None:
    """Leaves queued trials to the workers that are at them all the same.

    Such workers were thought dead, or the chief was started again.

    Args:
        oracle: the search's.
        running: of each worker, the id of the trial it is at.
    """
    with locked(oracle):
        for worker, trial_id in running.items():
            if (
                trial_id in oracle._retry_queue
                and worker not in oracle.ongoing_trials
            ):
                oracle._retry_queue.remove(trial_id)
                trial = oracle.trials[trial_id]
                trial.status = TrialStatus.RUNNING
                oracle.ongoing_trials[worker] = trial
                oracle.save()
