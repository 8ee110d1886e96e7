"""keras-tuner's oracles, which choose the trials, made to last and to fit.

keras-tuner writes its state in several files, one after the other: a search
that is killed between two of them forgets a trial, or repeats one. Here all
of it is one file, written whole after each trial's beginning and end.
"""

import contextlib
import json
import math
import pathlib
import threading
from collections.abc import Callable, Iterator

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine.oracle import LOCKS, THREADS

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2._files import write_atomically
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.tuning.space import SearchSpace
from keras_resnetv2.tuning.trials import OBJECTIVE

# Where the fault is no trial's, all of them fail.
FAILURES_IN_A_ROW = 10
_DRAWS = 10_000
# Of a bracket of Hyperband's: how many networks there were for it.
_DRAWN = "drawn"
_SEEDS_APART = 1_000_003


@contextlib.contextmanager
def locked(oracle: keras_tuner.Oracle) -> Iterator[None]:
    """Holds keras-tuner's lock of an oracle, in one thread as often as needed.

    `keras_tuner.synchronized` does not give its lock back when what it wraps
    raises; inside this, it leaves the lock alone.
    """
    thread = threading.current_thread().name
    if THREADS[oracle] == thread:
        yield
        return
    with LOCKS[oracle]:
        THREADS[oracle] = thread
        try:
            yield
        finally:
            THREADS[oracle] = None


class _SearchOracle:
    """What our oracles add to keras-tuner's, of which they are subclasses.

    Attributes:
        space: the `SearchSpace`.
        on_end: called with a trial that has ended.
    """

    def __init__(self, space: SearchSpace, path: pathlib.Path | None, **kwargs):
        hyperparameters = keras_tuner.HyperParameters()
        space.declare(hyperparameters)
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "min"),
            hyperparameters=hyperparameters,
            **kwargs,
        )
        self.verbose = 0
        LOCKS[self]  # else two threads may each make one
        self.space = space
        self.on_end: Callable[[Trial], None] = lambda trial: None
        self._path = path
        self._holds = 0
        self._ended_before = 0

    def populate_space(self, trial_id):
        """Values for a new trial, within the budget and not tried yet."""
        if self.given_up:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    @property
    def given_up(self) -> bool:
        """Whether the last trials of this session have all failed."""
        last = self.end_order[self._ended_before :][-FAILURES_IN_A_ROW:]
        return len(last) == FAILURES_IN_A_ROW and all(
            self.trials[trial_id].status == "FAILED" for trial_id in last
        )

    def _check_consecutive_failures(self):
        """`given_up` ends the search: a raise would leave a lock locked."""

    def _random_values(self):
        for _ in range(_DRAWS):
            values = super()._random_values()
            if values is None or not self.space.excess(values):
                return values
        return None

    def create_trial(self, tuner_id):
        """As keras-tuner's."""
        with locked(self), self._saved_once():
            return super().create_trial(tuner_id)

    def update_trial(self, trial_id, metrics, step=0):
        """As keras-tuner's; what comes after a trial's end does not count."""
        with locked(self):
            if trial_id in self.end_order:
                return self.trials[trial_id]
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial):
        """As keras-tuner's; of a trial that ends twice, the first end counts.

        Its worker may have been thought dead, and live.
        """
        with locked(self):
            if trial.trial_id in self.end_order:
                return
            if trial.trial_id in self._retry_queue:
                self._retry_queue.remove(trial.trial_id)
            with self._saved_once():
                super().end_trial(trial)
            self.on_end(self.trials[trial.trial_id])

    def requeue(self, tuner_id: str) -> None:
        """Gives the trial of a worker that is gone, if any, to the next one."""
        with locked(self), self._saved_once():
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None:
                self._retry_queue.append(trial.trial_id)

    @contextlib.contextmanager
    def _saved_once(self):
        """Holds what is saved inside back until all of it is done."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self.save()

    def save(self) -> None:
        """Writes the state, whole or not at all."""
        if self._holds:
            return
        state = self.get_state()
        state["trials"] = [t.get_state() for t in self.trials.values()]
        write_atomically(self._path, json.dumps(state) + "\n")

    def _save_trial(self, trial):
        """`save` has written it, or will."""

    def reload(self) -> None:
        """Goes on from what was saved.

        Trials that were cut off are ongoing still: see `requeue`.

        Raises:
            ValueError: if the file is not what `save` writes.
        """
        try:
            state = json.loads(self._path.read_text())
            trials = map(Trial.from_state, state["trials"])
            self.trials = {trial.trial_id: trial for trial in trials}
            self.set_state(state)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._path} is not the state of a search by this version "
                f"of the package ({type(error).__name__}: {error}). Give "
                "another --workdir."
            ) from error
        self._ended_before = len(self.end_order)


class RandomSearch(_SearchOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws every trial at random."""


class Hyperband(_SearchOracle, keras_tuner.oracles.HyperbandOracle):
    """Draws many short trials at random; the best are trained further.

    Where the space has fewer networks than the first round shall have,
    keras-tuner ends the search there; here the later rounds follow, with as
    much fewer.

    Reference: Li et al., "Hyperband", JMLR 18, 2018.
    """

    def _random_trial(self, trial_id, bracket):
        response = super()._random_trial(trial_id, bracket)
        if response["status"] == "STOPPED" and _DRAWN not in bracket:
            bracket[_DRAWN] = len(bracket["rounds"][0])
            return self.populate_space(trial_id)
        return response

    def _get_size(self, bracket_num, round_num):
        size = super()._get_size(bracket_num, round_num)
        for bracket in self._brackets:
            if bracket["bracket_num"] == bracket_num and _DRAWN in bracket:
                drawn = bracket[_DRAWN] / self.factor**round_num
                return min(size, math.ceil(drawn))
        return size


class Bayesian(_SearchOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Fits a Gaussian process to the trials' errors, and tries its optimum."""

    def populate_space(self, trial_id):
        """The process's proposal, or random values where it is of no use."""
        response = super().populate_space(trial_id)
        values = response["values"]
        if values and (self._duplicate(values) or self.space.excess(values)):
            return self._random_populate_space()
        return response


class GridSearch(_SearchOracle, keras_tuner.oracles.GridSearchOracle):
    """Tries all combinations.

    Of a range without steps: ten values, and the base's own.
    """

    def populate_space(self, trial_id):
        """The combination after the last one that was begun.

        keras-tuner waits for that one's end, for what it may declare; here all
        is declared, and several workers need not wait for each other.
        """
        self._populate_next = self.start_order[-1:]
        return super().populate_space(trial_id)

    def set_state(self, state):
        """As keras-tuner's, which forgets how far it has come."""
        super().set_state(state)
        for trial_id in self.start_order:
            self._ordered_ids.insert(trial_id)

    def _get_next_combination(self, values):
        values = super()._get_next_combination(values)
        while values is not None and self.space.excess(values):
            values = super()._get_next_combination(values)
        return values


TUNERS = {
    "random": RandomSearch,
    "hyperband": Hyperband,
    "bayesian": Bayesian,
    "grid": GridSearch,
}
# The trials of those that would not end by themselves.
_MAX_TRIALS = {"random": 20, "bayesian": 20}


def check_tuner(tuner: str, max_trials: int | None) -> None:
    """Refuses what `make_oracle` cannot make.

    Raises:
        ImportError: if a package of the tuner's is missing.
        ValueError: for an unknown tuner or a number that does not fit.
    """
    check_choice("tuner", tuner, TUNERS)
    if tuner == "bayesian":
        check_installed("A Bayesian search")
    if max_trials is not None:
        check_count("max_trials", max_trials)


def make_oracle(
    tuner: str,
    space: SearchSpace,
    path: pathlib.Path | None,
    *,
    max_trials: int | None = None,
    seed: int = 0,
):
    """Makes an oracle, going on from its file where there is one.

    Args:
        tuner: a name in `TUNERS`.
        space: what is searched; its base's epochs are those of a trial, with
            Hyperband of the longest.
        path: of its state; None where it is another process's (the chief's).
        max_trials: after which the search ends; None: 20 with "random" and
            "bayesian", else all that the method has.
        seed: of what is drawn.

    Returns:
        A `keras_tuner.Oracle`.

    Raises:
        ValueError: for an unknown tuner or a number that does not fit.
    """
    check_tuner(tuner, max_trials)
    max_trials = max_trials or _MAX_TRIALS.get(tuner)
    options = {}
    if tuner == "hyperband":
        options["max_epochs"] = space.base.epochs
    if tuner == "bayesian":
        # keras-tuner's three a dimension would be all there are, and more.
        random = min(3 * len(space.searched), max_trials // 2)
        options["num_initial_points"] = max(random, 1)
    # keras-tuner counts the seed up with every draw, and takes 0 for none.
    oracle = TUNERS[tuner](space, path, seed=1 + seed * _SEEDS_APART, **options)
    oracle.max_trials = max_trials
    if path is not None and path.exists():
        oracle.reload()
    return oracle
