"""keras-tuner's oracles, which choose the trials, with safe state and budgets.

keras-tuner writes its state to several files in turn. A search that is killed
in between forgets or repeats a trial. Here the state is one file, written
atomically when a trial begins and when it ends.
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

# So many failures in a row mean that every trial fails.
FAILURES_IN_A_ROW = 10
_DRAWS = 10_000
# Key of a Hyperband bracket: the number of networks drawn for it.
_DRAWN = "drawn"
_SEEDS_APART = 1_000_003


@contextlib.contextmanager
def locked(oracle: keras_tuner.Oracle) -> Iterator[None]:
    """Holds keras-tuner's lock of an oracle; reentrant within a thread.

    `keras_tuner.synchronized` does not release its lock when the wrapped
    function raises. Inside this context it does not touch the lock.
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
    """Mixin for the subclasses of keras-tuner's oracles.

    Attributes:
        space: the `SearchSpace`.
        on_end: called with each trial that has ended.
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
        LOCKS[self]  # creates the lock now: two threads might create two
        self.space = space
        self.on_end: Callable[[Trial], None] = lambda trial: None
        self._path = path
        self._holds = 0
        self._ended_before = 0

    def populate_space(self, trial_id):
        """Returns values for a new trial, within the budget and untried."""
        if self.given_up:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    @property
    def given_up(self) -> bool:
        """Whether the last trials, since this process began, all failed."""
        last = self.end_order[self._ended_before :][-FAILURES_IN_A_ROW:]
        return len(last) == FAILURES_IN_A_ROW and all(
            self.trials[trial_id].status == "FAILED" for trial_id in last
        )

    def _check_consecutive_failures(self):
        """Does nothing, see `given_up`: raising would leave a lock held."""

    def _random_values(self):
        for _ in range(_DRAWS):
            values = super()._random_values()
            if values is None or not self.space.excess(values):
                return values
        return None

    def create_trial(self, tuner_id):
        """See keras-tuner."""
        with locked(self), self._saved_once():
            return super().create_trial(tuner_id)

    def update_trial(self, trial_id, metrics, step=0):
        """See keras-tuner; updates after a trial's end are ignored."""
        with locked(self):
            if trial_id in self.end_order:
                return self.trials[trial_id]
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial):
        """See keras-tuner; if a trial ends twice, the first end counts.

        This happens if a worker was taken for dead by mistake.
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
        """Gives a lost worker's trial, if it has one, to the next worker."""
        with locked(self), self._saved_once():
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None:
                self._retry_queue.append(trial.trial_id)

    @contextlib.contextmanager
    def _saved_once(self):
        """Delays saving until the end of the block."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self.save()

    def save(self) -> None:
        """Writes the state atomically."""
        if self._holds:
            return
        state = self.get_state()
        state["trials"] = [t.get_state() for t in self.trials.values()]
        write_atomically(self._path, json.dumps(state) + "\n")

    def _save_trial(self, trial):
        """Does nothing: `save` writes the trials."""

    def reload(self) -> None:
        """Resumes from the saved state.

        Interrupted trials are still ongoing: see `requeue`.

        Raises:
            ValueError: if `save` cannot have written the file.
        """
        try:
            state = json.loads(self._path.read_text())
            trials = map(Trial.from_state, state["trials"])
            self.trials = {trial.trial_id: trial for trial in trials}
            self.set_state(state)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._path} is not a search state of this version of the "
                f"package ({type(error).__name__}: {error}). Give another "
                "--workdir."
            ) from error
        self._ended_before = len(self.end_order)


class RandomSearch(_SearchOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws every trial at random."""


class Hyperband(_SearchOracle, keras_tuner.oracles.HyperbandOracle):
    """Draws many short trials at random, and trains the best ones further.

    If the space has fewer networks than the first round needs, keras-tuner
    ends the search. This class continues with proportionally smaller rounds.

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
    """Fits a Gaussian process to the errors, and tries its optimum."""

    def populate_space(self, trial_id):
        """Returns the process's proposal, or random values if it is no use."""
        response = super().populate_space(trial_id)
        values = response["values"]
        if values and (self._duplicate(values) or self.space.excess(values)):
            return self._random_populate_space()
        return response


class GridSearch(_SearchOracle, keras_tuner.oracles.GridSearchOracle):
    """Tries all combinations.

    A range without steps gets ten values, and the base's own.
    """

    def populate_space(self, trial_id):
        """Returns the combination after the last one that was begun.

        keras-tuner waits for the end of that trial, because it may declare new
        hyper-parameters. Here all are declared, so workers need not wait.
        """
        self._populate_next = self.start_order[-1:]
        return super().populate_space(trial_id)

    def set_state(self, state):
        """Restores also the position in the grid, which keras-tuner forgets."""
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
# Default number of trials for methods that do not end by themselves.
_MAX_TRIALS = {"random": 20, "bayesian": 20}


def check_tuner(tuner: str, max_trials: int | None) -> None:
    """Checks the arguments of `make_oracle`.

    Raises:
        ImportError: if a package that the tuner needs is missing.
        ValueError: if the tuner is unknown, or the number is invalid.
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
    """Makes an oracle, and restores its state if there is a file.

    Args:
        tuner: a name in `TUNERS`.
        space: the search space. Its base's epochs are those of a trial; with
            Hyperband, of the longest trial.
        path: file of its state; None if another process (the chief) has it.
        max_trials: number of trials after which the search ends; None: 20 with
            "random" and "bayesian", else all trials of the method.
        seed: seed of the random draws.

    Returns:
        A `keras_tuner.Oracle`.

    Raises:
        ValueError: if the tuner is unknown, or a number is invalid.
    """
    check_tuner(tuner, max_trials)
    max_trials = max_trials or _MAX_TRIALS.get(tuner)
    options = {}
    if tuner == "hyperband":
        options["max_epochs"] = space.base.epochs
    if tuner == "bayesian":
        # keras-tuner's default, three per dimension, may exceed max_trials.
        random = min(3 * len(space.searched), max_trials // 2)
        options["num_initial_points"] = max(random, 1)
    # keras-tuner increases the seed with every draw, and takes 0 for no seed.
    oracle = TUNERS[tuner](space, path, seed=1 + seed * _SEEDS_APART, **options)
    oracle.max_trials = max_trials
    if path is not None and path.exists():
        oracle.reload()
    return oracle
