import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import (
    ImageData,
    evaluation_batches,
    hold_out,
    load_arrays,
    open_images,
    training_batches,
)


def numbered(labels):
    """Images without pixels to speak of, numbered in their first two."""
    numbers = np.arange(len(labels))
    pixels = np.stack([numbers % 256, numbers // 256, 0 * numbers], -1)
    images = pixels.astype(np.uint8)[:, None, None]
    names = [str(i) for i in range(max(labels) + 1)]
    return ImageData(images, np.array(labels, np.int32), names)


def numbers(data):
    return data.images[:, 0, 0].astype(int) @ [1, 256, 0]


def test_cifar10s_tenth_is_500_of_each_class():
    data = numbered(np.repeat(range(10), 5000))
    rest, held_out = hold_out(data, 0.1)
    assert list(np.bincount(held_out.labels)) == [500] * 10
    assert list(np.bincount(rest.labels)) == [4500] * 10
    for part in (rest, held_out):
        assert (np.diff(numbers(part)) > 0).all()  # the order is kept
        np.testing.assert_array_equal(part.labels, numbers(part) // 5000)
        assert part.class_names == data.class_names
    both = np.concatenate([numbers(rest), numbers(held_out)])
    np.testing.assert_array_equal(np.sort(both), range(50_000))
    # At random: as many of a class's first half as of its second.
    assert 200 < (numbers(held_out) % 5000 < 2500)[:500].sum() < 300


def test_every_class_gives_its_share():
    rest, held_out = hold_out(numbered([0] * 3 + [2] * 40 + [1] * 17), 0.25)
    assert list(np.bincount(held_out.labels)) == [1, 4, 10]
    assert list(np.bincount(rest.labels)) == [2, 13, 30]


def test_the_cut_is_always_the_same():
    data = numbered([0, 1] * 10)
    np.random.seed(1)
    _, one = hold_out(data, 0.3)
    np.random.seed(2)
    _, other = hold_out(data, 0.3)
    # In any process, and with any version of NumPy.
    assert list(numbers(one)) == list(numbers(other)) == [3, 4, 7, 8, 11, 16]


@pytest.fixture
def folder(tmp_path):
    """10 pictures of class a, 20 of b: each a grey of its own."""
    for name, greys in {"a": range(10), "b": range(100, 120)}.items():
        (tmp_path / "train" / name).mkdir(parents=True)
        for grey in greys:
            path = tmp_path / "train" / name / f"{grey:03}.png"
            Image.new("L", (8, 8), grey).save(path)
    return tmp_path


PLAIN = {"batch_size": 6, "image_size": 8, "framework": "numpy"}


def greys(data):
    batches = evaluation_batches(data, standardization="imagenet", **PLAIN)
    pixels = np.concatenate([images[:, 0, 0, 0] for (images,) in batches])
    return np.round(pixels * 58.395 + 123.675)[: len(data)]


def test_a_folders_parts_are_those_of_its_arrays(folder):
    whole = hold_out(open_images(folder), 0.2)
    arrays = hold_out(load_arrays(folder), 0.2)
    assert [len(part) for part in whole] == [24, 6]
    for part, expected in zip(whole, arrays):
        np.testing.assert_array_equal(part.labels, expected.labels)
        np.testing.assert_array_equal(greys(part), expected.images[:, 0, 0, 0])
        assert part.class_names == ("a", "b")
    again = hold_out(whole[0], 0.25)
    assert list(np.bincount(again[1].labels)) == [2, 4]


def labels(data, framework, **options):
    batches = training_batches(
        data,
        standardization="imagenet",
        augmentation="scale",
        **{**PLAIN, "framework": framework, **options},
    )
    return np.concatenate([np.asarray(labels) for _, labels in batches])


def test_tfds_gives_its_last_records(imagenet_dir):
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    rest, held_out = hold_out(data, 0.3)
    assert (len(rest), len(held_out)) == (21, 9)
    # As TFDS itself slices, whose order of one shard after another is not
    # that of evaluation.
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("imagenet2012", data_dir=imagenet_dir)
    for part, split in ((rest, "train[:21]"), (held_out, "train[21:]")):
        sliced = tfds.as_numpy(builder.as_dataset(split=split))
        assert sorted(part.labels) == sorted(row["label"] for row in sliced)
        assert len(part.labels) == len(part)
    assert sorted([*rest.labels, *held_out.labels]) == list(range(30))
    again = hold_out(rest, 1 / 3)
    assert [len(part) for part in again] == [14, 7]
    both = np.concatenate([part.labels for part in again])
    np.testing.assert_array_equal(np.sort(both), np.sort(rest.labels))


def test_tfds_trains_on_the_rest_in_random_order_and_resumes(imagenet_dir):
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    rest, _ = hold_out(data, 0.2)  # 24 images: 4 steps an epoch
    order = labels(rest, "tensorflow", steps=8)
    epochs = order.reshape(2, 24)
    np.testing.assert_array_equal(np.sort(epochs), [np.sort(rest.labels)] * 2)
    assert list(epochs[0]) != list(epochs[1])
    for first_step in (2, 5):
        later = labels(rest, "tensorflow", steps=8, first_step=first_step)
        np.testing.assert_array_equal(later, order[6 * first_step :])


def test_tfds_unshuffled_is_refused(imagenet_dir, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    monkeypatch.setattr(tfds.core.DatasetInfo, "disable_shuffling", True)
    with pytest.raises(ValueError, match="has not shuffled 'imagenet2012'"):
        hold_out(data, 0.2)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match="larger than 0 and smaller than 1"):
        hold_out(numbered([0, 1]), fraction)


@pytest.mark.parametrize(
    "fraction, says", [(0.1, "2 to train on and 0 to"), (0.9, "0 to train on")]
)
def test_no_part_may_be_empty(fraction, says):
    with pytest.raises(ValueError, match=says):
        hold_out(numbered([0, 1]), fraction)


def test_no_part_of_tfds_may_be_empty(imagenet_dir):
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    with pytest.raises(ValueError, match="30 to train on and 0 to test on"):
        hold_out(data, 0.01)
