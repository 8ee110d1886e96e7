"""The chief's answers to its workers."""

import functools

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial, TrialStatus

from keras_resnetv2.tuning.distributed import messages
from keras_resnetv2.tuning.distributed.oracle_state import give_back
from keras_resnetv2.tuning.distributed.roster import Roster
from keras_resnetv2.tuning.oracles import locked

_LONGEST = 2000  # characters of an error's text; gRPC takes 8 KiB


def _guarded(method):
    """The method under the oracle's lock; what it raises goes to the worker."""

    @functools.wraps(method)
    def answer(self, request, context):
        try:
            with locked(self.oracle):
                return method(self, request, context)
        except Exception as error:
            logging.exception("A worker's %s failed.", method.__name__)
            self.error = error
            said = f"{type(error).__name__}: {error}"
        context.abort(grpc.StatusCode.INTERNAL, said[:_LONGEST])

    return answer


class ChiefServicer(OracleServicer):
    """keras-tuner's, with an eye on who is there and on what has ended.

    Args:
        oracle: the search's.
        roster: takes note of the workers.

    Attributes:
        done: whether the search is done: nothing to hand out, nothing ongoing.
        error: the last that the oracle raised, or None.
    """

    def __init__(self, oracle: Oracle, roster: Roster):
        super().__init__(oracle)
        self.roster = roster
        self.done = False
        self.error: Exception | None = None

    GetSpace = _guarded(OracleServicer.GetSpace)
    UpdateSpace = _guarded(OracleServicer.UpdateSpace)
    GetTrial = _guarded(OracleServicer.GetTrial)
    _best_trials = _guarded(OracleServicer.GetBestTrials)

    def GetBestTrials(self, request, context):
        """The best trials; a question for none of them is a heartbeat."""
        if request.num_trials:
            return self._best_trials(request, context)
        # Not under the lock, which a fit of the oracle's may hold for long.
        said = messages.unpack(context.invocation_metadata())
        if messages.WORKER in said:
            self.roster.hear_beat(
                said[messages.WORKER], said.get(messages.TRIAL, "")
            )
        return protos.get_service().GetBestTrialsResponse()

    @_guarded
    def CreateTrial(self, request, context):
        """A trial, or the word to wait or to end."""
        self.roster.hear(request.tuner_id)
        give_back(self.oracle, self.roster.running())
        trial = self.oracle.create_trial(request.tuner_id)
        status = trial.status
        if status == TrialStatus.STOPPED and self.oracle.ongoing_trials:
            # Should another worker die, this one does its trial.
            trial.status = TrialStatus.IDLE
        elif status == TrialStatus.STOPPED:
            self.done = True
            self.roster.dismiss(request.tuner_id)
        elif status == TrialStatus.RUNNING:
            # An oracle that draws at random may find another trial after all.
            self.done = False
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    @_guarded
    def UpdateTrial(self, request, context):
        """Keeps metrics, unless the trial has ended."""
        if request.trial_id not in self.oracle.end_order:
            return super().UpdateTrial(request, context)
        trial = self.oracle.get_trial(request.trial_id)
        return protos.get_service().UpdateTrialResponse(trial=trial.to_proto())

    @_guarded
    def EndTrial(self, request, context):
        """Keeps the first result of a trial, whoever it comes from."""
        trial = Trial.from_proto(request.trial)
        if trial.trial_id not in self.oracle.end_order:
            if trial.trial_id in self.oracle._retry_queue:
                self.oracle._retry_queue.remove(trial.trial_id)
            said = messages.unpack(context.invocation_metadata())
            trial.message = said.get(messages.ERROR)
            self.oracle.end_trial(trial)
        return protos.get_service().EndTrialResponse()
