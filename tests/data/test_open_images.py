import sys

import numpy as np
import pytest
from processes import run_python

from keras_resnetv2.data import EncodedImages, load_arrays, open_images

TRAIN, TEST = 30, 11


@pytest.mark.parametrize("split, count", [("train", TRAIN), ("test", TEST)])
def test_a_folder(image_folder, split, count):
    data = open_images(image_folder, split)
    arrays = load_arrays(image_folder, split, image_size=8)
    assert isinstance(data, EncodedImages)
    assert len(data) == count
    assert data.class_names == arrays.class_names
    assert data.classes == TRAIN
    assert data.labels.dtype == np.int32
    np.testing.assert_array_equal(data.labels, arrays.labels)


def test_imagenet_has_its_thousand_classes(imagenet_dir):
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    assert isinstance(data, EncodedImages)
    assert len(data) == TRAIN
    assert data.classes == 1000
    assert data.class_names[0] == "n01440764"
    assert data.labels.dtype == np.int32
    assert sorted(data.labels) == list(range(TRAIN))
    shards = list(imagenet_dir.rglob("*-train.tfrecord-*"))
    assert len(shards) == 4


def test_testing_takes_validation_where_test_has_no_labels(imagenet_dir):
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("imagenet2012", data_dir=imagenet_dir)
    assert set(builder.info.splits) == {"train", "validation", "test"}
    data = open_images("imagenet2012", "test", data_dir=imagenet_dir)
    assert data.split == "validation"
    assert len(data) == TEST
    # The first of TFDS's list of them.
    validation = builder.as_dataset(split="validation")
    expected = [row["label"] for row in tfds.as_numpy(validation)]
    assert sorted(data.labels) == sorted(expected)
    assert len(set(data.labels)) > 5
    arrays = load_arrays(
        "imagenet2012", "test", data_dir=imagenet_dir, image_size=8
    )
    assert sorted(arrays.labels) == sorted(expected)


def test_labels_do_not_decode(imagenet_dir, monkeypatch):
    tf = pytest.importorskip("tensorflow")

    def refuse(*args, **options):
        raise AssertionError("decoded")

    for name in ("decode_image", "decode_jpeg"):
        monkeypatch.setattr(tf.io, name, refuse)
        monkeypatch.setattr(tf.image, name, refuse)
    data = open_images("imagenet2012", data_dir=imagenet_dir)
    assert len(data.labels) == TRAIN
    assert data.labels is data.labels


@pytest.mark.parametrize("split", ["validation", "Train", ""])
def test_unknown_split(image_folder, split):
    with pytest.raises(ValueError, match="'train', 'test'"):
        open_images(image_folder, split)


@pytest.mark.parametrize("name", ["fake", "cifar10_sample"])
def test_arrays_are_no_files(name):
    with pytest.raises(ValueError, match="load_arrays"):
        open_images(name)


@pytest.mark.parametrize("name", ["cifar11", "no/such/folder", ""])
def test_unknown_name(name):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="Unknown dataset.*'cifar10'.*folder"):
        open_images(name)


def test_not_prepared(tmp_path):
    with pytest.raises(FileNotFoundError, match="download=False"):
        open_images("imagenet2012", data_dir=tmp_path, download=False)


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no folders"):
        open_images(tmp_path)


def test_other_file_formats_are_refused(imagenet_dir, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(
        tfds.core.DatasetInfo,
        "file_format",
        tfds.core.FileFormat.RIEGELI,
    )
    monkeypatch.setattr(
        "keras_resnetv2.data.tfds_splits._has_labels", lambda *args: True
    )
    with pytest.raises(ValueError, match="riegeli.*file_format='tfrecord'"):
        open_images("imagenet2012", data_dir=imagenet_dir)


def test_tfds_needs_tensorflow(imagenet_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="imagenet2012.*image folder"):
        open_images("imagenet2012", data_dir=imagenet_dir)


def test_a_folder_needs_no_tensorflow(image_folder):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "from keras_resnetv2 import data as d\n"
        f"images = d.open_images({str(image_folder)!r})\n"
        "options = dict(batch_size=8, image_size=24, framework='numpy',\n"
        "    standardization='imagenet')\n"
        "for augmentation in ('scale', 'scale_aspect_ratio', 'none'):\n"
        "    batches = d.training_batches(images, steps=2,\n"
        "        augmentation=augmentation, **options)\n"
        "    assert len(list(batches)) == 2\n"
        "assert len(list(d.evaluation_batches(images, **options))) == 4\n"
        "assert 'keras' not in sys.modules"
    )
    run_python(code, backend="jax")
