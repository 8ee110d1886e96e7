"""All four oracles, with a formula in place of the trainings."""

import itertools
import json
import types

import pytest

kt = pytest.importorskip("keras_tuner")

from keras_tuner.src.tuners import bayesian  # noqa: E402

from keras_resnetv2.training import Experiment  # noqa: E402
from keras_resnetv2.tuning import (  # noqa: E402
    SearchSpace,
    oracles,
    trial_rows,
)
from keras_resnetv2.tuning.hyperparameters import TUNER_NAMES  # noqa: E402
from keras_resnetv2.tuning.oracles import (  # noqa: E402
    FAILURES_IN_A_ROW,
    TUNERS,
    make_oracle,
)
from keras_resnetv2.tuning.trials import (  # noqa: E402
    EPOCHS,
    OBJECTIVE,
    PREVIOUS_TRIAL,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:The optimal value found for dimension"  # scikit-learn's
)
BASE = Experiment("PreActResNet20", "fake", epochs=9)
SPACE = {
    "depth": [8, 14, 20],
    "width": [4, 8, 16],
    "shortcut": ["identity", "dropout"],
    "dropout_rate": [0.1, 0.5],
}
BUDGET = 150_000  # parameters; takes 3 of the 9 sizes out


def small_space(space=SPACE, **kwargs):
    return SearchSpace(BASE, space, search=(), **kwargs)


def test_the_names_are_those_of_the_flag():
    assert tuple(TUNERS) == TUNER_NAMES


@pytest.fixture(autouse=True)
def cheap_bayes(monkeypatch):
    """The Bayesian oracle fits once, and takes the best of random points."""
    oracle = bayesian.BayesianOptimizationOracle
    make = oracle._make_gpr

    def make_cheap(self):
        return make(self).set_params(n_restarts_optimizer=0)

    def minimize(function, x0, **kwargs):
        return types.SimpleNamespace(x=x0, fun=function(x0))

    optimize = types.SimpleNamespace(minimize=minimize)
    monkeypatch.setattr(oracle, "_make_gpr", make_cheap)
    monkeypatch.setattr(
        bayesian, "scipy", types.SimpleNamespace(optimize=optimize)
    )


def error_of(values):
    return (
        0.3
        + abs(values["depth"] - 14) / 100
        + abs(values["width"] - 12) / 100
        + values.get("dropout_rate", 0) / 10
    )


def fails(values):
    return values["width"] == 4 and values["depth"] == 14


def end(oracle, trial):
    values = trial.hyperparameters.values
    if fails(values):
        trial.status, trial.message = "FAILED", "NaN"
    else:
        oracle.update_trial(trial.trial_id, {OBJECTIVE: error_of(values)})
        trial.status = "COMPLETED"
    oracle.end_trial(trial)


def go_on(oracle, end=end):
    """Searches to the end; the ids of the trials that were run."""
    run = []
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        run.append(trial.trial_id)
        end(oracle, trial)
    assert trial.status == "STOPPED"
    return run


def values_of(oracle):
    return [trial.hyperparameters.values for trial in oracle.trials.values()]


@pytest.fixture
def saved(monkeypatch):
    """All that is saved, in its order."""
    texts = []

    def write(path, text):
        texts.append(text)
        path.write_text(text)

    monkeypatch.setattr(oracles, "write_atomically", write)
    return texts


@pytest.mark.parametrize(
    "tuner, max_trials",
    [("random", 8), ("grid", None), ("hyperband", None), ("bayesian", 16)],
)
def test_killed_after_any_save_no_trial_is_lost_or_run_again(
    tuner, max_trials, tmp_path, saved
):
    def make():
        space = small_space(max_parameters=BUDGET)
        return make_oracle(tuner, space, path, max_trials=max_trials)

    path = tmp_path / "oracle.json"
    whole = make()
    ids = go_on(whole)
    assert {t.status for t in whole.trials.values()} == {"COMPLETED", "FAILED"}
    for text in list(dict.fromkeys(saved)):
        path.write_text(text)
        before = {t["trial_id"]: t for t in json.loads(text)["trials"]}
        ended = [i for i, t in before.items() if t["status"] != "RUNNING"]
        resumed = make()
        run = go_on(resumed)
        assert sorted(ended + run) == sorted(resumed.trials)
        assert sorted(resumed.end_order) == sorted(resumed.trials)
        for i in ended:
            assert resumed.trials[i].get_state() == before[i]
        for i in before:
            values = before[i]["hyperparameters"]["values"]
            assert resumed.trials[i].hyperparameters.values == values
        if tuner in ("random", "grid"):
            assert values_of(resumed) == values_of(whole)
        if tuner != "hyperband":  # whose next round depends on what was drawn
            assert list(resumed.trials) == ids


@pytest.mark.parametrize("tuner", TUNERS)
def test_nothing_over_the_budget_is_tried(tuner, tmp_path):
    space = small_space(max_parameters=BUDGET)
    oracle = make_oracle(tuner, space, tmp_path / "s.json", max_trials=15)
    go_on(oracle)
    sizes = {
        space.complexity(values).parameters for values in values_of(oracle)
    }
    assert len(sizes) > 3 and max(sizes) <= BUDGET
    # Without it, some of the same search are larger.
    free = make_oracle(tuner, small_space(), tmp_path / "f.json", max_trials=15)
    go_on(free)
    assert any(space.excess(values) for values in values_of(free))


def test_a_grid_has_every_combination_within_the_budget_once(tmp_path):
    space = small_space(max_parameters=BUDGET)
    oracle = make_oracle("grid", space, tmp_path / "s.json")
    go_on(oracle)
    expected = {
        frozenset(space.values(values).items())
        for choice in itertools.product(*SPACE.values())
        if not space.excess(values := dict(zip(SPACE, choice)))
    }
    tried = [frozenset(values.items()) for values in values_of(oracle)]
    assert len(tried) == len(expected) < 27
    assert set(tried) == expected


def test_a_grid_does_not_wait_for_its_trials(tmp_path):
    oracle = make_oracle("grid", small_space(), tmp_path / "s.json")
    begun = [oracle.create_trial(f"tuner{i}") for i in range(5)]
    assert {trial.status for trial in begun} == {"RUNNING"}
    values = {tuple(t.hyperparameters.values.items()) for t in begun}
    assert len(values) == 5


@pytest.fixture
def proposed(monkeypatch):
    """What the Gaussian process proposes, before anything looks at it."""
    proposed = []
    oracle = bayesian.BayesianOptimizationOracle
    propose = oracle._vector_to_values

    def note(self, vector):
        proposed.append(propose(self, vector))
        return dict(proposed[-1])

    monkeypatch.setattr(oracle, "_vector_to_values", note)
    return proposed


def test_bayesian_proposes_and_never_repeats(tmp_path, proposed):
    space = small_space({"depth": [8, 14, 20], "width": [4, 8, 12, 16]})
    oracle = make_oracle("bayesian", space, tmp_path / "s.json", max_trials=11)
    go_on(oracle)
    tried = [tuple(sorted(values.items())) for values in values_of(oracle)]
    assert len(tried) == len(set(tried)) == 11
    # The process itself would have repeated some.
    proposals = [tuple(sorted(values.items())) for values in proposed]
    assert set(proposals) & set(tried)
    assert len(set(proposals)) < len(proposals)


def test_at_most_half_of_a_bayesian_search_is_random(tmp_path, proposed):
    oracle = make_oracle("bayesian", SearchSpace(BASE), tmp_path / "s.json")

    def succeed(oracle, trial):
        rate = trial.hyperparameters.values["learning_rate"]
        oracle.update_trial(trial.trial_id, {OBJECTIVE: rate})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    assert len(go_on(oracle, succeed)) == 20
    assert len(proposed) == 10


def test_hyperband_goes_on_with_the_best(tmp_path):
    space = small_space(SPACE | {"learning_rate": (0.01, 0.3)})
    oracle = make_oracle("hyperband", space, tmp_path / "s.json")
    go_on(oracle)
    continued = [v for v in values_of(oracle) if PREVIOUS_TRIAL in v]
    assert {v[EPOCHS] for v in continued} == {3, 9}
    for values in continued:
        previous = oracle.trials[values[PREVIOUS_TRIAL]]
        earlier = previous.hyperparameters.values
        assert previous.status == "COMPLETED"
        assert earlier[EPOCHS] < values[EPOCHS]
        assert space.values(earlier) == space.values(values)
        same_round = [
            trial.score
            for trial in oracle.trials.values()
            if trial.status == "COMPLETED"
            and trial.hyperparameters.values[EPOCHS] == earlier[EPOCHS]
            and trial.hyperparameters.values["tuner/bracket"]
            == earlier["tuner/bracket"]
        ]
        assert previous.score < max(same_round)
    ids = [values[PREVIOUS_TRIAL] for values in continued]
    assert len(ids) == len(set(ids))


def fail(oracle, trial):
    trial.status, trial.message = "FAILED", "out of memory"
    oracle.end_trial(trial)


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_whose_trials_all_fail_ends_and_can_go_on(tuner, tmp_path):
    def make():
        return make_oracle(
            tuner, small_space(), tmp_path / "s.json", max_trials=13
        )

    oracle = make()
    assert len(go_on(oracle, fail)) == FAILURES_IN_A_ROW
    assert oracle.given_up
    again = make()
    assert not again.given_up
    assert len(go_on(again)) == 13 - FAILURES_IN_A_ROW
    assert not again.given_up
    assert {t.message for t in again.trials.values()} >= {"out of memory", None}


def test_failures_between_successes_end_nothing(tmp_path):
    def succeed_at_times(oracle, trial):
        if int(trial.trial_id) % FAILURES_IN_A_ROW:
            fail(oracle, trial)
            return
        oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.5})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    space = small_space({"learning_rate": (0.01, 0.3)})
    oracle = make_oracle("random", space, tmp_path / "s.json", max_trials=25)
    assert len(go_on(oracle, succeed_at_times)) == 25


@pytest.mark.parametrize("tuner", TUNERS)
def test_more_trials_later(tuner, tmp_path):
    def make(max_trials):
        return make_oracle(
            tuner, small_space(), tmp_path / "s.json", max_trials=max_trials
        )

    before = make(4)
    assert len(go_on(before)) == 4
    assert go_on(make(4)) == []
    after = make(11)
    assert len(go_on(after)) == 7
    assert values_of(after)[:4] == values_of(before)
    rows = trial_rows(after.trials.values(), after.space)
    assert [row.trial for row in rows] == after.start_order


def test_seeds_differ_and_repeat(tmp_path):
    def search(name, seed):
        path = tmp_path / name
        oracle = make_oracle(
            "random", small_space(), path, max_trials=5, seed=seed
        )
        go_on(oracle)
        return values_of(oracle)

    assert search("a", 0) == search("b", 0) != search("c", 1)


def test_the_number_of_trials_without_a_word(tmp_path):
    space = small_space()
    numbers = {
        name: make_oracle(name, space, tmp_path / name).max_trials
        for name in TUNERS
    }
    assert numbers == {
        "random": 20,
        "bayesian": 20,
        "hyperband": None,
        "grid": None,
    }


@pytest.mark.parametrize(
    "tuner, max_trials, says",
    [
        ("annealing", None, "'annealing'.*'hyperband'"),
        ("random", 0, "max_trials .* at least 1; received 0"),
        ("grid", -3, "received -3"),
    ],
)
def test_bad_arguments(tuner, max_trials, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        make_oracle(
            tuner, small_space(), tmp_path / "s.json", max_trials=max_trials
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01",
        "[]",
        "null",
        "{}",
        '{"trials": 3}',
        '{"trials": [3]}',
        '{"trials": [{"trial_id": "0"}]}',
        '{"trials": []}',
    ],
)
@pytest.mark.parametrize("tuner", TUNERS)
def test_a_file_that_is_no_state(tuner, text, tmp_path):
    path = tmp_path / "oracle.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="oracle.json is not a search state"):
        make_oracle(tuner, small_space(), path)
    assert path.read_text() == text


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "oracle.json"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="UnicodeDecodeError"):
        make_oracle("random", small_space(), path)


@pytest.mark.parametrize("tuner", ["hyperband", "bayesian"])
def test_another_tuners_state(tuner, tmp_path):
    path = tmp_path / "oracle.json"
    go_on(make_oracle("random", small_space(), path, max_trials=2))
    with pytest.raises(ValueError, match="oracle.json is not a search state"):
        make_oracle(tuner, small_space(), path)


@pytest.mark.parametrize("workers", [1, 3])
def test_hyperband_halves_what_a_small_space_has(tmp_path, workers):
    # There are 4 networks for a first round of 9 trials.
    space = small_space({"depth": [8, 14], "width": [8, 16]})
    oracle = make_oracle("hyperband", space, tmp_path / "oracle.json")
    running, idle = [], 0
    while idle < workers:
        trial = oracle.create_trial(f"worker-{len(running)}")
        if trial.status == "RUNNING":
            running.append(trial)
            idle = 0
        else:
            idle += 1
        if running and (len(running) == workers or trial.status == "IDLE"):
            end(oracle, running.pop(0))
    rounds = [
        (values["tuner/round"], values[EPOCHS]) for values in values_of(oracle)
    ]
    assert rounds == [(0, 1)] * 4 + [(1, 3)] * 2 + [(2, 9)]
    best = min(values_of(oracle)[:4], key=error_of)
    assert values_of(oracle)[-1]["depth"] == best["depth"]
    assert values_of(oracle)[-1]["width"] == best["width"]
