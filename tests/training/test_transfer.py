import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_resnetv2 import ResNetConfig, ResNetV2, training

FROZEN = {
    None: (),
    0: ("stem_",),
    1: ("stem_", "stage1_"),
    2: ("stem_", "stage1_", "stage2_"),
}


def tiny(**kwargs):
    config = ResNetConfig(
        units_per_stage=(1, 2),
        widths=(4, 8),
        dimension_change="projection",
        stochastic_depth=0.5,
    )
    return ResNetV2(config, input_shape=(8, 8, 3), **kwargs)


def values(model):
    return {v.path: np.array(v) for v in model.variables}


@pytest.mark.parametrize("frozen_stages", FROZEN)
def test_what_is_frozen_does_not_move(frozen_stages):
    model = tiny()
    training.freeze(model, frozen_stages)
    training.compile(model, total_steps=6, backbone_learning_rate=0.05)
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(16, 8, 8, 3)).astype("float32")
    before = values(model)
    model.fit(x, np.arange(16) % 10, batch_size=8, epochs=3, verbose=0)
    frozen = FROZEN[frozen_stages]
    for path, value in values(model).items():
        if "seed_generator" in path:
            continue
        same = np.array_equal(value, before[path])
        assert same == path.startswith(frozen), path


def test_frozen_stages_run_in_inference_mode():
    model = tiny()
    training.freeze(model, 2)
    ends = [model.get_layer(n).output for n in ("stage2_unit2_out", "head_bn")]
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(16, 8, 8, 3))
    tap = keras.Model(model.input, ends)
    frozen, head = (np.array(t) for t in tap(x, training=False))
    in_training, moving_head = (np.array(t) for t in tap(x, training=True))
    np.testing.assert_allclose(in_training, frozen, atol=1e-6)
    assert np.abs(moving_head - head).max() > 0.1


def test_a_model_on_top_of_ours():
    features = tiny(include_top=False, pooling="avg")
    outputs = keras.layers.Dense(3, name="predictions")(features.output)
    model = keras.Model(features.input, outputs)
    training.freeze(model, 1)
    paths = [v.path for v in model.trainable_variables]
    assert paths[0] == "stage2_unit1_preact_bn/gamma"
    assert paths[-1] == "predictions/bias"


@pytest.mark.parametrize("frozen_stages", [-1, 3, "1"])
def test_out_of_range_names_the_range(frozen_stages):
    says = f"up to 2 .*received {frozen_stages!r}"
    with pytest.raises(ValueError, match=says):
        training.freeze(tiny(), frozen_stages)


def test_a_model_without_stages():
    model = keras.Sequential([tiny(name="inner")], name="outer")
    with pytest.raises(ValueError, match="outer has no layers.*get_layer"):
        training.freeze(model, 1)


@pytest.mark.multiprocess
def test_the_same_on_jax():
    """These tests and the optimizer's: JAX takes the update not fused."""
    pytest.importorskip("jax")
    here = pathlib.Path(__file__)
    tests = [str(here), str(here.with_name("test_optimizers.py"))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *tests, "-k"]
        + ["not_move or inference_mode or factors"],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout, done.stdout
