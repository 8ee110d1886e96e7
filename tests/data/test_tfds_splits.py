import numpy as np
import pytest
from etils import epath

from keras_resnetv2.data import load_arrays, tfds_splits
from keras_resnetv2.data.resizing import resize_and_crop

tfds = pytest.importorskip("tensorflow_datasets")

RNG = np.random.default_rng(0)
ALIKE = {
    "train": RNG.integers(0, 256, (30, 12, 8, 3), dtype=np.uint8),
    "test": RNG.integers(0, 256, (9, 12, 8, 3), dtype=np.uint8),
}
GREY = {"train": [image[..., :1] for image in ALIKE["train"]]}
MIXED = {
    "train": [RNG.integers(0, 256, (9, 9, 3), dtype=np.uint8)] * 2,
    "validation": [
        RNG.integers(0, 256, (20 + i, 40, 3), dtype=np.uint8) for i in range(5)
    ],
}


class _Tiny(tfds.core.GeneratorBasedBuilder):
    """Images out of the tables above, labelled by their place."""

    VERSION = tfds.core.Version("1.0.0")
    # A test module is no package, in which TFDS would look for metadata.
    pkg_dir_path = epath.Path(__file__).parent
    SHAPE = (None, None, 3)
    SUPERVISED = ("image", "label")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=self.SHAPE, encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(names=["x", "y"]),
                }
            ),
            supervised_keys=self.SUPERVISED,
        )

    def _split_generators(self, dl_manager):
        if self.URL:
            dl_manager.download(self.URL)
        return {
            split: self._generate_examples(images)
            for split, images in self.IMAGES.items()
        }

    def _generate_examples(self, images):
        for i, image in enumerate(images):
            yield i, {"image": image, "label": i % 2}

    URL = None
    IMAGES = {}


class TinyAlike(_Tiny):
    SHAPE = (12, 8, 3)
    IMAGES = ALIKE


class TinyGrey(_Tiny):
    SHAPE = (12, 8, 1)
    IMAGES = GREY


class TinyMixed(_Tiny):
    IMAGES = MIXED


class TinyTransparent(_Tiny):
    SHAPE = (12, 8, 4)
    IMAGES = {"train": [np.zeros((12, 8, 4), np.uint8)]}


class TinyUnlabelled(_Tiny):
    SUPERVISED = None
    IMAGES = MIXED


class TinyElsewhere(_Tiny):
    # Reserved for examples that must not resolve (RFC 2606).
    URL = "https://nowhere.invalid/images.zip"
    IMAGES = MIXED


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(autouse=True)
def quiet():
    tfds.disable_progress_bar()


def as_set(images):
    return sorted(image.tobytes() for image in images)


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_of_one_size(data_dir, split):
    data = load_arrays("tiny_alike", split, data_dir=data_dir)
    assert data.image_shape == (12, 8, 3)
    assert data.class_names == ("x", "y")
    # TFDS shuffles when it prepares; labels stay with their images.
    assert as_set(data.images) == as_set(ALIKE[split])
    place = {image.tobytes(): i for i, image in enumerate(ALIKE[split])}
    expected = [place[image.tobytes()] % 2 for image in data.images]
    assert data.labels.tolist() == expected


def test_the_order_is_always_the_same(data_dir):
    one, other = (
        load_arrays("tiny_alike", "train", data_dir=data_dir) for _ in range(2)
    )
    np.testing.assert_array_equal(one.images, other.images)


def test_batches_smaller_than_the_data(data_dir, monkeypatch):
    whole = load_arrays("tiny_alike", "train", data_dir=data_dir)
    monkeypatch.setattr(tfds_splits, "_BATCH", 7)
    parts = load_arrays("tiny_alike", "train", data_dir=data_dir)
    np.testing.assert_array_equal(parts.images, whole.images)
    np.testing.assert_array_equal(parts.labels, whole.labels)


def test_resized_as_folders_are(data_dir):
    whole = load_arrays("tiny_alike", "train", data_dir=data_dir)
    small = load_arrays("tiny_alike", "train", data_dir=data_dir, image_size=6)
    expected = [resize_and_crop(image, 6) for image in whole.images]
    np.testing.assert_array_equal(small.images, expected)
    np.testing.assert_array_equal(small.labels, whole.labels)


def test_grey_images_get_three_channels(data_dir):
    data = load_arrays("tiny_grey", "train", data_dir=data_dir)
    expected = [image.repeat(3, -1) for image in GREY["train"]]
    assert as_set(data.images) == as_set(expected)


def test_mixed_sizes_and_validation_as_test(data_dir):
    with pytest.raises(ValueError, match="differ in size.*image_size"):
        load_arrays("tiny_mixed", "test", data_dir=data_dir)
    data = load_arrays("tiny_mixed", "test", data_dir=data_dir, image_size=10)
    expected = [resize_and_crop(image, 10) for image in MIXED["validation"]]
    assert as_set(data.images) == as_set(expected)
    # Alike after all: needs no size.
    train = load_arrays("tiny_mixed", "train", data_dir=data_dir)
    assert train.image_shape == (9, 9, 3)


def test_a_missing_split_is_named(data_dir):
    with pytest.raises(ValueError, match="no test or validation.*train"):
        load_arrays("tiny_grey", "test", data_dir=data_dir)


@pytest.mark.parametrize("name", ["tiny_unlabelled", "tiny_transparent"])
def test_datasets_without_labels_or_with_an_alpha_are_refused(data_dir, name):
    with pytest.raises(ValueError, match="not a dataset of 8-bit images"):
        load_arrays(name, data_dir=data_dir)


def test_no_download(tmp_path):
    with pytest.raises(FileNotFoundError, match="download=False") as caught:
        load_arrays("cifar10", data_dir=tmp_path, download=False)
    assert "keras-resnetv2-prepare-cifar10" in str(caught.value)


def test_no_network_is_said_at_once(tmp_path, monkeypatch):
    asked = []

    def no_answer(url):
        asked.append(url)
        return False

    monkeypatch.setattr(tfds_splits, "_answers", no_answer)
    with pytest.raises(FileNotFoundError, match="no answer from") as caught:
        load_arrays("cifar10", data_dir=tmp_path)
    assert "keras-resnetv2-prepare-cifar10" in str(caught.value)
    assert len(asked) == 1
    assert not (tmp_path / "cifar10").exists()


def test_an_unreachable_host_does_not_answer():
    assert not tfds_splits._answers(TinyElsewhere.URL)


def test_what_tfds_says_is_passed_on(tmp_path, monkeypatch):
    # Needs files that the user has to fetch by hand, and no network.
    monkeypatch.setattr(tfds_splits, "_answers", lambda url: False)
    with pytest.raises(FileNotFoundError) as caught:
        load_arrays("imagenet2012", data_dir=tmp_path, image_size=32)
    assert "ILSVRC2012_img_train.tar" in str(caught.value)
    assert len(str(caught.value)) < 1000
    # Where they are, TFDS is asked.
    folder = tmp_path / "downloads" / "manual"
    folder.mkdir(parents=True)
    for split in ("train", "val"):
        (folder / f"ILSVRC2012_img_{split}.tar").touch()
    with pytest.raises(FileNotFoundError, match="TFDS could not prepare it"):
        load_arrays("imagenet2012", data_dir=tmp_path, image_size=32)
