import csv
import hashlib
import importlib.resources

import numpy as np
import pytest

from keras_resnetv2.data import CLASS_NAMES, cifar10_sample, load_arrays

SPLITS = {"train": 2560, "test": 500}
# Of the pixels, as compared with TFDS's CIFAR-10 when the sample was made.
SHA256 = {
    "train": "85dbf6777af1f0b51ef789c9dfe293e5c13a10846154a26e6eede76477197c6e",
    "test": "b130bd64837d7ea45dc3fbd2d32f1f70eda695648ee6ceacee1ee0a41dc4202a",
}


def table(split):
    folder = importlib.resources.files("keras_resnetv2.data") / "sample"
    text = (folder / f"{split}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_size_balance_and_pixels(split):
    data = load_arrays("cifar10_sample", split)
    assert data.images.shape == (SPLITS[split], 32, 32, 3)
    assert data.class_names == CLASS_NAMES["cifar10"]
    per_class = np.bincount(data.labels)
    assert per_class.tolist() == [cifar10_sample.PER_CLASS[split]] * 10
    digest = hashlib.sha256(data.images.tobytes()).hexdigest()
    assert digest == SHA256[split]


def test_the_first_images_are_the_official_files():
    data = load_arrays("cifar10_sample", "train")
    assert data.labels[:5].tolist() == [6, 9, 9, 4, 1]
    # The first pixel of data_batch_1.bin.
    assert data.images[0, 0, 0].tolist() == [59, 62, 63]


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_ids_are_in_order_and_of_the_split(split):
    ids = [row["id"] for row in table(split)]
    assert ids == sorted(set(ids))
    assert all(one.startswith(f"{split}_") for one in ids)


def test_splits_share_no_image():
    seen = [
        {image.tobytes() for image in load_arrays("cifar10_sample", s).images}
        for s in SPLITS
    ]
    assert not seen[0] & seen[1]


def test_the_sample_is_small():
    folder = importlib.resources.files("keras_resnetv2.data") / "sample"
    size = sum(len(file.read_bytes()) for file in folder.iterdir())
    assert size < 8_000_000


def test_sheets_come_back_as_they_were():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    sheet = cifar10_sample.to_sheet(images, 3)
    assert sheet.shape == (8, 12, 3)
    np.testing.assert_array_equal(sheet[:4, 4:8], images[1])
    np.testing.assert_array_equal(
        cifar10_sample.from_sheet(sheet, side=4), images
    )


def test_a_removed_sample_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.resources, "files", lambda name: tmp_path)
    with pytest.raises(FileNotFoundError, match="not in this installation"):
        load_arrays("cifar10_sample")
