"""Training on encoded images: a real imagenet2012 directory, a folder."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from processes import run_python

from keras_resnetv2 import data, training
from keras_resnetv2.training import (
    Experiment,
    classes,
    errors,
    evaluation,
    logs,
)

# 30 training images, 8 a step: 4 steps an epoch.
OPTIONS = {"units_per_stage": (1,), "widths": (4,), "classes": 1000}


def experiment(**kwargs):
    return Experiment(
        **{
            "model": "ResNet18V2",
            "dataset": "imagenet2012",
            "options": {**OPTIONS, "stochastic_depth": 0.2},
            "recipe": "imagenet",
            "image_size": 48,
            "epochs": 3,
            "batch_size": 8,
            "label_smoothing": 0.1,
            **kwargs,
        }
    )


@pytest.fixture(autouse=True, scope="module")
def no_plots():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(logs, "plot_curves", lambda *args, **kwargs: None)
        monkeypatch.setattr(classes, "_plot_confusion", lambda *args: None)
        yield


@pytest.fixture(scope="module")
def trained_on_folder(image_folder, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    run = experiment(
        dataset=str(image_folder),
        augmentation="scale_aspect_ratio",
        options=OPTIONS,
        epochs=1,
    )
    training.train(run, workdir)
    return workdir


class Cut(Exception):
    pass


# 0.1 for 256 images, scaled to 8. Divided by 10 at each third; or along half a
# cosine, at the steps 3, 7 and 11 of 12.
RATES = {
    "imagenet": [0.1 / 32 / 10**i for i in range(3)],
    "modern_imagenet": [
        0.1 / 64 * (1 + np.cos(np.pi * step / 12)) for step in (3, 7, 11)
    ],
}


@pytest.fixture(scope="module")
def trained(imagenet_dir, tmp_path_factory):
    """Of a recipe: the work directory and its rows."""

    @functools.cache
    def of(recipe):
        workdir = tmp_path_factory.mktemp("imagenet")
        return workdir, training.train(
            experiment(recipe=recipe), workdir, imagenet_dir
        )

    return of


def test_imagenet_resumes_to_the_bit(
    trained, tmp_path, imagenet_dir, monkeypatch
):
    workdir, whole = trained("modern_imagenet")
    run = experiment(recipe="modern_imagenet")

    def cut(loss, step):
        if step == 7:
            raise Cut

    monkeypatch.setattr(errors, "check_loss", cut)
    with pytest.raises(Cut):
        training.train(run, tmp_path, imagenet_dir, 3)
    monkeypatch.undo()
    resumed = training.train(run, tmp_path, imagenet_dir)
    assert [row.test_loss for row in resumed] == [r.test_loss for r in whole]
    first, second = (
        training.load_trained(path) for path in (workdir, tmp_path)
    )
    for here, there in zip(
        first.model.get_weights(), second.model.get_weights()
    ):
        np.testing.assert_array_equal(here, there)
    assert first.facts.standardization == data.STANDARDIZATIONS["imagenet"]


@pytest.mark.parametrize("recipe", RATES)
def test_imagenet_trains_and_evaluates_at_two_sizes(trained, recipe):
    workdir, whole = trained(recipe)
    assert [row.step for row in whole] == [4, 8, 12]
    rates = [row.learning_rate for row in whole]
    np.testing.assert_allclose(rates, RATES[recipe], rtol=1e-5)
    result = training.evaluate(workdir)
    assert result["images"] == 11  # ILSVRC's validation images
    assert result["image_size"] == 48
    np.testing.assert_allclose(result["loss"], whole[-1].test_loss, rtol=1e-5)
    larger = training.evaluate(workdir, image_size=64, resize=64)
    assert larger["image_size"] == 64
    assert abs(larger["loss"] - result["loss"]) > 1e-4
    for suffix, told in (("", result), ("-image_size=64-resize=64", larger)):
        stored = workdir / f"evaluation{suffix}.json"
        assert json.loads(stored.read_text()) == told


@pytest.mark.parametrize("size, resize", [(48, None), (64, 64)])
def test_evaluation_is_resize_crop_standardize(
    trained_on_folder, image_folder, size, resize
):
    trained = training.load_trained(trained_on_folder, image_size=size)
    test = data.open_images(image_folder, "test")
    ours = evaluation.predict_logits(
        trained.model, test, trained.facts.standardization, resize=resize
    )
    shorter = resize or round(size * 256 / 224)
    crops = []
    for path in sorted((image_folder / "test").glob("*/*.JPEG")):
        with Image.open(path) as image:
            scale = shorter / min(image.size)
            image = image.resize(
                [round(side * scale) for side in image.size],
                Image.Resampling.BILINEAR,
            )
        left, top = ((side - size) // 2 for side in image.size)
        crops.append(np.array(image)[top : top + size, left : left + size])
    by_hand = trained.model.predict(
        data.preprocess_input(np.stack(crops), "imagenet"), verbose=0
    )
    spread = by_hand.std(axis=0).max()
    # Pillow and TensorFlow round pixels differently.
    assert np.abs(ours - by_hand).max() < 0.1 * spread


def test_an_export_sees_what_the_evaluation_sees(
    trained_on_folder, tmp_path, image_folder, monkeypatch
):
    tf = pytest.importorskip("tensorflow")
    from keras_resnetv2.export import export_saved_model, self_check

    trained = training.load_trained(trained_on_folder)
    test = data.open_images(image_folder, "test")
    logits = evaluation.predict_logits(
        trained.model, test, trained.facts.standardization
    )
    monkeypatch.setattr(self_check, "check", lambda *args: None)
    version = export_saved_model(
        trained.model,
        tmp_path / "served",
        standardization=trained.facts.standardization,
        resize=trained.resize,
    )
    paths = sorted((image_folder / "test").glob("*/*.JPEG"))
    answer = tf.saved_model.load(str(version)).signatures["image_bytes"](
        image_bytes=tf.constant([path.read_bytes() for path in paths])
    )
    assert answer["valid"].numpy().all()
    np.testing.assert_allclose(
        answer["probabilities"], tf.nn.softmax(logits), rtol=1e-4
    )


def test_encoded_images_are_not_measured(tmp_path, image_folder):
    run = experiment(
        dataset=str(image_folder), standardization="per_pixel_mean"
    )
    with pytest.raises(ValueError, match="measured on images in memory"):
        training.train(run, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="cifar10_sample.*load_arrays"):
        training.train(experiment(dataset="cifar10_sample"), tmp_path / "run")


def test_unreadable_file_is_named(tmp_path, image_folder):
    folder = tmp_path / "folder"
    shutil.copytree(image_folder, folder)
    spoilt = folder / "test" / "class_04" / "image.JPEG"
    spoilt.write_bytes(spoilt.read_bytes()[:200])
    run = experiment(dataset=str(folder), epochs=1)
    with pytest.raises(ValueError, match=f"{spoilt} cannot be read as an"):
        training.train(run, tmp_path / "run")


@pytest.mark.multiprocess
def test_folder_trains_without_tensorflow(tmp_path, image_folder):
    pytest.importorskip("jax")
    settings = dataclasses.asdict(
        experiment(dataset=str(image_folder), epochs=2)
    )
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from keras_resnetv2 import training as t\n"
        "from keras_resnetv2.training import logs\n"
        "logs.plot_curves = lambda *args, **kwargs: None\n"
        f"e = t.Experiment(**{settings!r})\n"
        f"rows = t.train(e, {str(tmp_path)!r})\n"
        f"print(rows[-1].test_loss, t.evaluate({str(tmp_path)!r})['loss'])\n"
    )
    printed = run_python(code, backend="jax")
    trained, evaluated = map(float, printed.split()[-2:])
    np.testing.assert_allclose(evaluated, trained, rtol=1e-5)
    # On TensorFlow, with TensorFlow's decoder.
    loss = training.evaluate(tmp_path)["loss"]
    np.testing.assert_allclose(loss, trained, rtol=0.02)
