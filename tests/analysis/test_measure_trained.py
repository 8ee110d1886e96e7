import numpy as np
import pytest
from picture_files import picture
from small_training import cut_fake, experiment

from keras_resnetv2 import ResNetConfig, ResNetV2, analysis, data, training
from keras_resnetv2._origin import Origin
from keras_resnetv2.analysis import propagation as trained_lib
from keras_resnetv2.models.network import set_origin


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        cut_fake(patch)
        training.train(
            experiment(epochs=1, precision="mixed_bfloat16"), workdir
        )
    return workdir


def test_a_trained_network_is_measured_in_float32_on_its_images(
    trained, monkeypatch
):
    load = cut_fake(monkeypatch)
    measured = analysis.measure_trained(trained, images=3)
    assert measured.samples == 3 and measured.training

    model, _, facts, *_ = training.load_trained(trained, "float32")
    test = load("fake", "test")
    spread = [0, 34, 69]  # of 70, as even as can be
    expected = analysis.measure(
        model, facts.standardization(test.images[spread]), test.labels[spread]
    )
    assert measured == expected
    assert max(row.numpy_difference for row in measured.rows) < 1e-5

    everything = analysis.measure_trained(trained)
    assert everything.samples == 64

    moving = analysis.measure_trained(trained, images=3, training=False)
    assert moving.rows[0].gradient != measured.rows[0].gradient
    other = analysis.measure_trained(trained, images=3, split="train")
    assert other.rows[0].signal != measured.rows[0].signal


def test_of_a_folder_every_class_is_measured(tmp_path, monkeypatch, capsys):
    for split, count in (("train", 4), ("test", 3)):
        for name in ("cat", "dog"):
            directory = tmp_path / "pictures" / split / name
            directory.mkdir(parents=True)
            for i in range(count):
                picture(seed=i + len(name)).save(directory / f"{i}.png")
    options = {"units_per_stage": (1, 1), "widths": (4, 8)}
    run = training.Experiment(
        "ResNet18V2",
        str(tmp_path / "pictures"),
        options=options,
        recipe="imagenet",
        image_size=32,
        epochs=1,
        batch_size=4,
    )
    training.train(run, tmp_path / "run")
    seen = {}

    def keep(model, images, labels, *, training):
        seen.update(images=images, labels=labels)

    monkeypatch.setattr(trained_lib, "measure", keep)
    capsys.readouterr()
    analysis.measure_trained(tmp_path / "run", images=2)
    images_line, network_line, *_ = capsys.readouterr().out.splitlines()
    assert images_line == "Images: 2 classes, 2 of test."
    assert network_line.startswith("Network: ResNet18V2, ")
    assert seen["labels"].tolist() == [0, 1]

    trained = training.load_trained(tmp_path / "run")
    everything = data.evaluation_batches(
        data.open_images(run.dataset, "test"),
        batch_size=6,
        standardization=trained.facts.standardization,
        image_size=32,
        resize=trained.resize,
    )
    (images,) = next(iter(everything))
    np.testing.assert_array_equal(seen["images"], np.asarray(images)[[0, 5]])


@pytest.mark.parametrize("images", [0, 71, 2.5])
def test_images_that_are_not_there_are_refused(trained, monkeypatch, images):
    cut_fake(monkeypatch)
    with pytest.raises(ValueError, match=rf"1\.\.70.*received {images}"):
        analysis.measure_trained(trained, images=images)


@pytest.mark.parametrize("include_preprocessing", [False, True])
def test_a_network_is_measured_on_a_dataset(include_preprocessing):
    standardization = data.STANDARDIZATIONS["imagenet"]
    test = data.load_arrays("fake", "test", image_size=8)
    network = ResNetV2(
        ResNetConfig(units_per_stage=(1,), widths=(4,)),
        input_shape=(8, 8, 3),
        include_preprocessing=include_preprocessing and standardization,
    )
    # Its outputs are in another order.
    names = test.class_names[::-1]
    set_origin(network, Origin(None, standardization, names))
    measured = analysis.measure_trained(network, dataset="fake", images=3)
    some = [0, 64, 127]
    images = data.preprocess_input(test.images[some], network)
    assert measured == analysis.measure(network, images, 9 - test.labels[some])
    with pytest.raises(ValueError, match="received dataset=None"):
        analysis.measure_trained(network)
