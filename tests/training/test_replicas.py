"""Several replicas give one device's results, or say why not.

The runs are in replica_runs.py: in a process of their own, as devices are set
up only once. All bounds are relative to a tensor's largest value.
"""

import pathlib

import numpy as np
import pytest
from processes import run_python

SCRIPT = pathlib.Path(__file__).with_name("replica_runs.py")


@pytest.fixture(
    scope="module",
    params=[2, pytest.param(4, marks=pytest.mark.multiprocess)],
)
def results(request, tmp_path_factory):
    pytest.importorskip("tensorflow")
    path = tmp_path_factory.mktemp("replicas") / "results.npz"
    run_python(SCRIPT.read_text(), request.param, path)
    return dict(np.load(path))


def assert_alike(results, name, bound, least):
    """Compares all of "one/{name}..." with "many/{name}..."."""
    names = [key for key in results if key.startswith(f"one/{name}/")]
    assert len(names) >= least, names
    for key in names:
        one, many = results[key], results[key.replace("one/", "many/", 1)]
        scale = max(np.abs(one).max(), 1e-300)
        np.testing.assert_allclose(
            many / scale, one / scale, rtol=0, atol=bound, err_msg=key
        )


# 27 weights and statistics, 17 velocities where there are any, the
# iterations, the learning rate where it is no schedule, loss and accuracy.
@pytest.mark.parametrize(
    ("name", "bound", "least"),
    [
        ("float64", 1e-12, 47),
        ("float32", 2e-5, 47),
        ("uneven batches", 1e-12, 48),
        ("use_ema, steps_per_execution", 1e-12, 48),
    ],
)
def test_synchronized_as_one_device(results, name, bound, least):
    assert_alike(results, name, bound, least)


@pytest.mark.parametrize("images", [16, 15])
def test_per_replica_gradients_are_the_mean_over_the_shards(results, images):
    assert_alike(results, f"per-replica gradients {images}", 1e-12, 17)


def test_one_replica_overflows_all_skip_the_step(results):
    assert results["overflow/scale"] == 512.0
    changes = [v for k, v in results.items() if k.startswith("overflow/change")]
    assert len(changes) == 17
    assert all(np.all(change == 0) for change in changes)


def test_evaluate_and_predict_take_every_image_once(results):
    assert_alike(results, "testing", 1e-6, 6)


def test_inputs_may_be_several_a_dict_ragged_or_sparse(results):
    assert_alike(results, "inputs", 1e-6, 15)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clipnorm", "clipnorm=1.0.*each replica's.*Omit it"),
        ("global_clipnorm", "global_clipnorm=2.0"),
        ("clipvalue", "clipvalue=3.0"),
        ("gradient_accumulation_steps", "_steps=4.*larger batch_size"),
        ("ema_overwrite_frequency", "_frequency=5.*Set it to None"),
        ("clipnorm inside loss scaling", "clipnorm=6.0"),
        ("reduction", "reduction='sum'.*Use \"sum_over_batch_size\""),
        ("train_on_batch", "not split.*Call fit"),
        ("predict_on_batch", "not split.*Call fit, evaluate or predict"),
        ("empty shard", r"without images.*: received shards of \[1, .*0\]"),
    ],
)
def test_refused(results, name, message):
    assert f"refusal/{name}" in results, "not refused"
    with pytest.raises(ValueError, match=message):
        raise ValueError(str(results[f"refusal/{name}"]))
