"""Training from another training's weights."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from small_training import cut_fake, experiment

from keras_resnetv2 import (
    PreActResNet20,
    ResNetConfig,
    ResNetV2,
    data,
    save_pretrained,
    training,
)
from keras_resnetv2._origin import Origin, origin_of
from keras_resnetv2.models import sharing
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.training.fine_tuning import (
    initial_standardization,
    load_initial_weights,
)

SOURCE = experiment(options={"depth": 8, "widths": (4, 8, 8)}, epochs=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_fake(monkeypatch)
        training.train(SOURCE, workdir)
    return workdir


@pytest.fixture
def folder(tmp_path):
    """Three of the ten classes of `fake`, as a folder of pictures."""
    root = tmp_path / "pictures"
    for split in ("train", "test"):
        images = data.load_arrays("fake", split)
        chosen = np.flatnonzero(images.labels < 3)[:36]
        for i in chosen:
            place = root / split / images.class_names[images.labels[i]]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[i]).save(place / f"{i}.png")
    return root


def fine_tuning(folder, source, **changes):
    settings = {
        "dataset": str(folder),
        "batch_size": 12,
        "epochs": 3,
        "initial_weights": str(source),
        "frozen_stages": 1,
        "learning_rate": 0.05,
        "backbone_learning_rate": 0.005,
    }
    return dataclasses.replace(SOURCE, **{**settings, **changes})


def weights_of(workdir):
    model = training.load_trained(workdir).model
    return {v.path: np.array(v) for v in model.weights}


@pytest.mark.parametrize("as_file", [False, True])
def test_backbone_is_taken_over_and_its_frozen_part_kept(
    tmp_path, small_fake, source, folder, as_file
):
    before = weights_of(source)
    weights = source
    if as_file:
        weights = tmp_path / "net.weights.h5"
        training.load_trained(source).model.save_weights(weights)
    run = fine_tuning(folder, weights)
    rows = training.train(run, tmp_path / "tuned")
    assert [row.step for row in rows] == [3, 6, 9]
    after = weights_of(tmp_path / "tuned")
    assert after["predictions/kernel"].shape[-1] == 3
    kept = [p for p in before if p.startswith(("stem_", "stage1_"))]
    assert any("moving_mean" in path for path in kept)
    for path in kept:
        np.testing.assert_array_equal(after[path], before[path])
    moved = [p for p in before if p.startswith(("stage2_", "stage3_"))]
    assert all((after[path] != before[path]).any() for path in moved)
    # Nearer to where it came from than to a fresh net of the same size.
    path = "stage3_unit1_conv2/kernel"
    change = np.linalg.norm(after[path] - before[path])
    assert change < 0.2 * np.linalg.norm(before[path])

    used, of_source = (
        training.load_trained(workdir).facts.standardization
        for workdir in (tmp_path / "tuned", source)
    )
    assert (used == of_source) == (not as_file)

    # A resumed run goes on from its checkpoint, not from the source.
    (tmp_path / "tuned" / "checkpoints" / "step-000000009.npz").unlink()
    training.train(run, tmp_path / "tuned")
    for path, value in weights_of(tmp_path / "tuned").items():
        np.testing.assert_array_equal(value, after[path])


@pytest.mark.parametrize(
    "options",
    [
        {"activation_order": "original"},
        {"shortcut": "conv"},
        {"widths": (8, 16, 32)},
    ],
)
def test_weights_of_another_network(tmp_path, source, folder, options):
    options = {**SOURCE.options, **options}
    run = fine_tuning(folder, source, options=options)
    with pytest.raises(ValueError, match="checkpoint of another network"):
        training.train(run, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_weights_of_a_deeper_network(tmp_path, small_fake, folder):
    """It has the same layers, and more."""
    options = {**SOURCE.options, "depth": 14}
    deeper = dataclasses.replace(SOURCE, options=options, epochs=1)
    training.train(deeper, tmp_path / "source")
    run = fine_tuning(folder, tmp_path / "source")
    with pytest.raises(ValueError, match="checkpoint of another network"):
        training.train(run, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_published_weights_come_with_their_standardization(tmp_path, folder):
    run = fine_tuning(folder, "cifar10", options={}, epochs=1)
    assert run.initial_weights == "cifar10"
    training.train(run, tmp_path / "tuned")
    model, _, facts, *_ = training.load_trained(tmp_path / "tuned")
    assert facts.standardization == data.STANDARDIZATIONS["cifar10"]
    published = PreActResNet20(weights="cifar10")
    for name, same in (("stage1_unit3_conv2", 1), ("stage3_unit3_conv2", 0)):
        own, theirs = (
            net.get_layer(name).get_weights()[0] for net in (model, published)
        )
        assert np.array_equal(own, theirs) == same
        np.testing.assert_allclose(own, theirs, atol=0.1)


def test_published_weights_of_another_network(folder):
    with pytest.raises(ValueError, match=r"units_per_stage: \(1, 1, 1\), publ"):
        fine_tuning(folder, "cifar10")


@pytest.mark.parametrize("source", ["folder", "hf://me/net"])
def test_a_shared_network(source, tmp_path, monkeypatch):
    """Its classes and its input size differ."""
    origin = Origin("mine", data.STANDARDIZATIONS["imagenet"], ("a", "b"))
    config = dataclasses.replace(experiment().config(), classes=2)
    shared = ResNetV2(config, input_shape=(16, 16, 3))
    set_origin(shared, origin)
    path = save_pretrained(shared, tmp_path / "folder")
    monkeypatch.setattr(sharing.hub, "download", lambda *address: path)
    monkeypatch.chdir(tmp_path)
    run = experiment(initial_weights=source)
    assert run.initial_weights in (source, str(path))
    assert initial_standardization(run) == origin.standardization
    model = ResNetV2(run.config())
    load_initial_weights(model, run.initial_weights)
    for layer in shared.layers[:-1]:
        for own, theirs in zip(
            model.get_layer(layer.name).weights, layer.weights, strict=True
        ):
            np.testing.assert_array_equal(own, theirs)
    assert origin_of(model) == Origin()

    deeper = {**run.options, "units_per_stage": (2,)}
    deeper = experiment(initial_weights=source, options=deeper)
    with pytest.raises(ValueError, match=r"units_per_stage: \(2,\)"):
        initial_standardization(deeper)


def test_no_weights(tmp_path, folder):
    nothing = (tmp_path / "nothing.weights.h5", tmp_path / "net.keras", folder)
    for path in nothing:
        run = fine_tuning(folder, path)
        with pytest.raises(ValueError, match="neither.*work directory nor"):
            training.train(run, tmp_path / "tuned")
    with pytest.raises(ValueError, match="freeze random weights"):
        dataclasses.replace(run, initial_weights=None)
    assert not (tmp_path / "tuned").exists()


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
