"""Trainings on folders of pictures."""

import json
import logging
import re

import numpy as np
import pytest
from PIL import Image
from small_training import experiment

from keras_resnetv2 import training
from keras_resnetv2.training import images


def write(folder, count=10):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def folder(tmp_path):
    for name in ("cat", "dog"):
        write(tmp_path / "data" / name)
    return tmp_path / "data"


def settings(folder, **changes):
    return experiment(
        **{"dataset": str(folder), "epochs": 1, "batch_size": 8, **changes}
    )


def test_a_work_directory_in_the_folder_is_no_class(folder, capsys, caplog):
    training.train(settings(folder), folder / "run")
    said = capsys.readouterr().out
    assert said.startswith(f"Reading the images of {folder}.\n")
    assert "Images: 2 classes, 16 to train on, 4 to test on." in said
    assert re.search(r"Network: \w+, [\d,]+ parameters, 2 steps, on", said)
    stored = json.loads((folder / "run" / "experiment.json").read_text())
    assert stored["data"]["folder_rule"] == 2
    write(folder / "run" / "pictures")
    again = training.train(settings(folder), folder / "run")
    assert len(again) == 1
    result = training.evaluate(folder / "run")
    assert result["images"] == 4
    assert "Images: 2 classes, 4 in test." in capsys.readouterr().out


def test_a_training_of_0_1_0_goes_on_by_its_rule(folder, caplog):
    run = folder.parent / "run"
    training.train(settings(folder), run)
    stored = json.loads((run / "experiment.json").read_text())
    del stored["data"]["folder_rule"]
    (run / "experiment.json").write_text(json.dumps(stored))
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    # By today's rule it would be a training image.
    write(folder / "cat" / "more")
    caplog.set_level(logging.WARNING, "absl")
    training.train(settings(folder), run)
    assert "began with version 0.1.0" in caplog.text
    stored = json.loads((run / "experiment.json").read_text())
    assert stored["data"]["folder_rule"] == 1
    assert training.evaluate(run)["images"] == 4


def test_one_class_is_refused(tmp_path):
    write(tmp_path / "data" / "only")
    with pytest.raises(ValueError, match="only one class, 'only': there is"):
        training.train(settings(tmp_path / "data"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_all_corrupt_files_are_named_before_the_training(folder, tmp_path):
    (folder / "cat" / "0.png").write_bytes(b"x")
    (folder / "dog" / "4.png").write_bytes(b"")  # a test image
    (folder / "dog" / "more").mkdir()
    (folder / "dog" / "more" / "0.png").write_bytes(b"")
    with pytest.raises(ValueError, match="3 files cannot be used") as error:
        training.train(settings(folder), tmp_path / "run", check_images=True)
    assert "cat/0.png" in str(error.value) and "dog/4.png" in str(error.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="2 files cannot be used"):
        images.check_image_files(settings(folder), folder_rule=1)
    with pytest.raises(ValueError, match="needs a folder of images; received"):
        training.train(settings("fake"), tmp_path / "run", check_images=True)


def test_the_limit_of_pixels_is_a_setting(folder, tmp_path):
    with pytest.raises(ValueError, match="8 x 8 pixels; the limit is 63"):
        training.train(settings(folder, pixel_limit=63), tmp_path / "run")
