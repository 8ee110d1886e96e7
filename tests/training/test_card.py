"""What a training tells the card of its network."""

import dataclasses
import json
import shlex

import numpy as np
from small_training import epoch_row, experiment

from keras_resnetv2 import from_pretrained, load_trained, save_pretrained
from keras_resnetv2.data import STANDARDIZATIONS
from keras_resnetv2.training import (
    DataFacts,
    Experiment,
    build_model,
    checkpoints,
    logs,
)
from keras_resnetv2.training.experiment import training_command
from keras_resnetv2.training.workdir import Workdir

FACTS = DataFacts(("cat", "dog"), (8, 8, 3), STANDARDIZATIONS["cifar10"], 200)
OPTIONS = {"depth": None, "units_per_stage": (1,), "widths": (2,)}


def write(path, **settings):
    """Writes the work directory of a training that has done 12 steps."""
    workdir = Workdir(path)
    own = experiment(**{"options": OPTIONS, **settings})
    workdir.write(own, FACTS)
    checkpoints.save(build_model(own, FACTS), workdir.checkpoints, 12, {})
    rows = [epoch_row(e, step=4 * e, test_error=1 / 2**e) for e in (1, 2, 3)]
    logs.write_rows(workdir.metrics, rows)
    return path


def test_it_knows_data_recipe_error_and_command(tmp_path):
    trained = load_trained(write(tmp_path / "run"))
    assert trained.test_error == 0.125
    path = save_pretrained(trained, tmp_path / "net")
    again = from_pretrained(path)
    for one, other in zip(again.get_weights(), trained.model.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert again.origin == trained.model.origin
    text = (path / "README.md").read_text()
    for known in (
        "| Source of the weights | fake |",
        "| Data | fake: 200 training images, 8 x 8 pixels, 2 classes |",
        "| Recipe | paper, 12 of 12 steps, float32, seed 0 |",
        "| Test error | 12.50 % |",
        f"    {training_command(trained.experiment)}",
    ):
        assert f"\n{known}\n" in text
    assert "datasets:" not in text  # the hub has none of that name


def test_the_error_is_that_of_these_weights(tmp_path):
    """From an evaluation of the last step; else from the training."""
    write(tmp_path)
    evaluation = tmp_path / "evaluation.json"
    for step, expected in ((12, 0.25), (8, 0.125)):
        evaluation.write_text(json.dumps({"step": step, "error": 0.25}))
        assert load_trained(tmp_path).test_error == expected
    assert load_trained(tmp_path, dtype="mixed_bfloat16").test_error is None
    assert load_trained(tmp_path, image_size=9).test_error is None
    evaluation.write_text("{")
    (tmp_path / "metrics.csv").unlink()
    assert load_trained(tmp_path).test_error is None


def test_a_held_out_error_is_no_test_error(tmp_path):
    trained = load_trained(write(tmp_path, held_out=0.5))
    assert trained.test_error is None


def test_data_sets_of_the_hub(tmp_path):
    trained = load_trained(write(tmp_path / "run"))
    of_cifar = dataclasses.replace(trained.experiment, dataset="cifar100")
    trained = trained._replace(experiment=of_cifar)
    path = save_pretrained(trained, tmp_path / "net")
    text = (path / "README.md").read_text()
    assert 'datasets:\n- "uoft-cs/cifar100"\n' in text


def test_the_command_shows_no_path_of_this_machine(tmp_path):
    own = experiment(
        dataset=str(tmp_path / "my pictures"),
        initial_weights=str(tmp_path / "old"),
        options={"shortcut": "conv"},
    )
    (tmp_path / "my pictures").mkdir()
    command = training_command(own)
    assert str(tmp_path) not in command
    assert shlex.split(command)[2] == "--dataset=my pictures"
    assert "--initial_weights=old" in command


def test_a_size_has_no_flag():
    command = training_command(experiment(options=OPTIONS, seed=3))
    *echo, settings, _, _, _, train, config = shlex.split(command)
    assert [*echo, train, config] == [
        "echo",
        "keras-resnetv2-train",
        "--config=settings.json",
    ]
    assert Experiment(**json.loads(settings)) == experiment(
        options=OPTIONS, seed=3
    )
