import numpy as np
import pytest
from processes import run_python

from keras_resnetv2.data import (
    DATASETS,
    datasets,
    load_arrays,
    load_tf_data,
    resizing,
)


def test_importing_the_data_wing_is_light():
    code = (
        "import sys, keras_resnetv2.data\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'keras', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    run_python(code, fresh=True)


def test_numpy_batches_import_no_tensorflow():
    code = (
        "import sys\n"
        "from keras_resnetv2 import data as d\n"
        "images = d.load_arrays('fake')\n"
        "batches = d.training_batches(images, batch_size=8, steps=2,\n"
        "    standardization='cifar10', framework='numpy')\n"
        "assert len(list(batches)) == 2\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    run_python(code, fresh=True)


@pytest.mark.parametrize("split, count", [("train", 512), ("test", 128)])
def test_fake_is_always_the_same(split, count):
    one, other = (load_arrays("fake", split) for _ in range(2))
    assert one.images.shape == (count, 32, 32, 3)
    assert one.classes == 10
    assert len(np.unique(one.labels)) == 10
    np.testing.assert_array_equal(one.images, other.images)


def test_fake_can_be_learnt_and_is_not_one_image_a_class():
    train, test = (load_arrays("fake", split) for split in ("train", "test"))
    tints = train.images.mean((1, 2))
    means = [tints[train.labels == c].mean(0) for c in range(10)]
    distances = test.images.mean((1, 2))[:, None] - np.stack(means)
    guesses = (distances**2).sum(-1).argmin(1)
    assert (guesses == test.labels).mean() > 0.9
    first, second = np.flatnonzero(train.labels == 0)[:2]
    assert (train.images[first] != train.images[second]).mean() > 0.9


@pytest.mark.parametrize("name", ["fake", "cifar10_sample"])
def test_image_size(name):
    data = load_arrays(name, "test", image_size=24)
    assert data.image_shape == (24, 24, 3)
    assert len(data) == len(load_arrays(name, "test"))


def test_resizing_keeps_the_picture():
    small = load_arrays("cifar10_sample", "test", image_size=16).images
    large = load_arrays("cifar10_sample", "test").images
    blocks = large.reshape(-1, 16, 2, 16, 2, 3).mean((2, 4))
    np.testing.assert_allclose(small.mean((1, 2)), blocks.mean((1, 2)), atol=3)
    scores = np.corrcoef(small.ravel(), blocks.ravel())
    assert scores[0, 1] > 0.98


def test_tf_data_holds_the_same():
    tf = pytest.importorskip("tensorflow")
    data = load_arrays("cifar10_sample", "test", image_size=16)
    found = load_tf_data("cifar10_sample", "test", image_size=16)
    assert found.element_spec == (
        tf.TensorSpec((16, 16, 3), tf.uint8),
        tf.TensorSpec((), tf.int32),
    )
    assert found.cardinality() == len(data)
    images, labels = next(iter(found.batch(len(data))))
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(labels, data.labels)


@pytest.mark.parametrize("split", ["validation", "Train", ""])
def test_unknown_split(split):
    with pytest.raises(ValueError, match="'train', 'test'"):
        load_arrays("fake", split)


def test_bad_image_size():
    with pytest.raises(ValueError, match="received 0"):
        load_arrays("fake", image_size=0)


@pytest.mark.parametrize("name", ["cifar11", "no/such/folder", "a b", ""])
def test_unknown_name_lists_the_known(name):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError) as caught:
        load_arrays(name)
    for known in DATASETS:
        assert known in str(caught.value)


def test_a_known_name_wins_over_a_folder(tmp_path, monkeypatch):
    (tmp_path / "fake").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load_arrays("fake")) == 512


def test_memory_limit(monkeypatch):
    monkeypatch.setattr(resizing, "MEMORY_LIMIT", 500 * 8 * 8 * 3 - 1)
    with pytest.raises(ValueError, match="GiB"):
        load_arrays("cifar10_sample", "test", image_size=8)
    monkeypatch.setattr(resizing, "MEMORY_LIMIT", 500 * 8 * 8 * 3)
    load_arrays("cifar10_sample", "test", image_size=8)


def test_every_name_has_a_loader():
    assert set(datasets.DATASETS) == {
        "cifar10",
        "cifar100",
        "cifar10_sample",
        "fake",
    }
