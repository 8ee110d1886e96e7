"""Folders as people have them: what is taken, and what is said of the rest."""

import logging

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import image_folder, load_arrays, open_images
from keras_resnetv2.data.image_folder import list_images


def write(folder, count=6, suffix=".png", **options):
    """That many images, each of its own pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}{suffix}", **options)


@pytest.fixture
def said(caplog):
    """What has been logged."""
    image_folder._warn.cache_clear()
    caplog.set_level(logging.WARNING, "absl")
    return lambda: "\n".join(caplog.messages)


@pytest.fixture
def classes(tmp_path):
    for name in ("cat", "dog"):
        write(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "file, kind",
    [
        ("experiment.json", "the work directory of a training"),
        ("search.json", "the work directory of a search"),
        ("study-table1.json", "the work directory of a study"),
        ("models.config", "the directory of an export"),
        ("saved_model.pb", "an export"),
    ],
)
@pytest.mark.parametrize("place", ["run", "cat/run", "cat/deep/er/run"])
def test_what_this_package_wrote_is_no_data(classes, said, file, kind, place):
    before = list_images(classes, "train")
    ours = classes / place
    write(ours / "plots")
    write(ours)
    (ours / file).write_text("{}")
    after = list_images(classes, "train")
    assert after.paths == before.paths
    assert after.class_names == ("cat", "dog")
    assert f"{ours} is left out: it is {kind}." in said()
    with pytest.raises(ValueError, match=f"is {kind}, not a folder of images"):
        list_images(ours, "train")


def test_an_unlabelled_test_folder_is_passed_over(tmp_path, said):
    for split in ("train", "val"):
        write(tmp_path / split / "cat")
        write(tmp_path / split / "dog")
    write(tmp_path / "test")
    listing = list_images(tmp_path, "test")
    assert len(listing.paths) == 12 and "/val/" in listing.paths[0]
    assert f"{tmp_path / 'test'} is not used: it has no folders of" in said()


def test_folders_without_images_are_no_classes(tmp_path):
    for split in ("train", "val"):
        write(tmp_path / split / "cat")
        write(tmp_path / split / "dog")
    notes = tmp_path / "test" / "annotations"
    notes.mkdir(parents=True)
    (notes / "a.xml").write_text("<xml>")
    assert "/val/" in list_images(tmp_path, "test").paths[0]


def test_one_of_two_test_folders_is_taken(tmp_path, said):
    for split, count in (("train", 2), ("test", 3), ("val", 4)):
        write(tmp_path / split / "cat", count)
        write(tmp_path / split / "dog", count)
    write(tmp_path / "extra" / "cat")
    assert len(list_images(tmp_path, "test").paths) == 6
    assert f"{tmp_path / 'val'} is not used: {tmp_path / 'test'} has" in said()
    assert f"{tmp_path / 'extra'} is not used: {tmp_path / 'train'}" in said()


@pytest.mark.parametrize("name", ["train", "test", "val"])
def test_a_class_may_be_called_as_a_split(tmp_path, name):
    for folder in ("bus", "car", name):
        write(tmp_path / folder, 10)
    train = list_images(tmp_path, "train")
    assert train.class_names == tuple(sorted(["bus", "car", name]))
    assert len(train.paths) == 24


def test_splits_without_folders_of_classes_are_refused(tmp_path):
    write(tmp_path / "train")
    write(tmp_path / "test")
    with pytest.raises(FileNotFoundError, match="train has no folders of cla"):
        list_images(tmp_path, "train")


def test_folders_of_a_class_belong_to_it(classes):
    write(classes / "cat" / "more" / "and more", 10)
    (classes / "cat" / "back").symlink_to(classes / "cat")
    listing = list_images(classes, "train")
    assert len(listing.paths) + len(list_images(classes, "test").paths) == 22
    assert len(set(listing.paths)) == len(listing.paths)


@pytest.mark.parametrize(
    "suffix, kind",
    [
        (".gif", "GIF"),
        (".tif", "TIFF"),
        (".TIFF", "TIFF"),
        (".jpe", "JPEG"),
        (".JFIF", "JPEG"),
        ("", "PNG"),
        (".jpg_large", "JPEG"),
        (".webp", "WEBP"),
    ],
)
def test_all_that_is_an_image_is_taken(classes, suffix, kind):
    write(classes / "dog", 5, suffix or ".", format=kind)
    if not suffix:
        for path in (classes / "dog").glob("*."):
            path.rename(path.with_name(path.stem))
    counts = np.bincount(list_images(classes, "train").labels)
    assert counts.tolist() == [5, 9]


def test_what_is_left_out_is_said_with_the_reason(classes, said):
    folder = classes / "cat"
    for i in range(7):
        (folder / f"{i}.txt").write_text("text")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (folder / "empty").touch()
    (folder / ".DS_Store").write_text("hidden")
    Image.new("RGB", (8, 8)).save(folder / "old.pcx")
    list_images(classes, "train")
    list_images(classes, "train")
    lines = said().splitlines()
    assert len(lines) == 4  # each once
    assert any("7 files are left out (not a picture)" in x for x in lines)
    assert any("cat/4.txt and 2 more" in line for line in lines)
    assert any("HEIC is not supported; save it as JPEG" in x for x in lines)
    assert any("1 file is left out (empty): cat/empty" in x for x in lines)
    assert any("PCX is not supported" in line for line in lines)


def test_a_class_that_loses_all_its_images_is_an_error(classes, said):
    write(classes / "emu", 3, ".pcx")
    with pytest.raises(FileNotFoundError, match=r"no train images.*'emu'"):
        list_images(classes, "train")
    assert "emu/0.pcx" in said()


@pytest.mark.parametrize(
    "count, test", [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1)]
)
def test_few_images_are_shared_out(tmp_path, said, count, test):
    for name in ("cat", "dog"):
        write(tmp_path / name, count)
    write(tmp_path / "emu", 10)
    train, tested = (list_images(tmp_path, s) for s in ("train", "test"))
    assert len(tested.paths) == 2 * test + 2
    assert len(train.paths) == 2 * (count - test) + 8
    assert ("the last one is a test image" in said()) == (1 < count < 5)
    assert ("--held_out" in said()) == (1 < count < 5)


def test_0_1_0_s_rule_is_kept(tmp_path):
    write(tmp_path / "cat", 4)
    write(tmp_path / "cat" / "more")
    write(tmp_path / "cat", 3, ".gif")
    write(tmp_path / "dog", 5)
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", 1)
    (tmp_path / "run" / "experiment.json").touch()
    train = list_images(tmp_path, "train", rule=1)
    assert train.class_names == ("cat", "dog", "run")
    assert np.bincount(train.labels).tolist() == [4, 4, 1]
    test = list_images(tmp_path, "test", rule=1)
    assert test.labels.tolist() == [1]


TURNED = Image.Exif()
TURNED[0x0112] = 6


def test_0_1_0_s_rule_turns_nothing(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        picture = Image.new("RGB", (8, 6), (9, 9, 9))
        picture.save(tmp_path / name / "a.png", exif=TURNED)
    assert load_arrays(tmp_path).image_shape == (8, 6, 3)
    assert load_arrays(tmp_path, folder_rule=1).image_shape == (6, 8, 3)
    assert open_images(tmp_path).read(0).shape == (8, 6, 3)
    assert open_images(tmp_path, folder_rule=1).read(0).shape == (6, 8, 3)


def test_a_large_image_is_named_with_the_flag(classes):
    Image.new("RGB", (60, 50)).save(classes / "cat" / "0.png")
    message = r"cat/0.png has 60 x 50 pixels; the limit is 2,999.*--pixel_limit"
    with pytest.raises(ValueError, match=message):
        load_arrays(classes, image_size=8, pixel_limit=2999)
    images = open_images(classes, pixel_limit=2999)
    with pytest.raises(ValueError, match=message):
        images.read(0)
    assert load_arrays(classes, image_size=8, pixel_limit=3000)


def test_more_pixels_than_pillow_takes_by_itself(classes):
    before = Image.MAX_IMAGE_PIXELS
    large = Image.new("1", (14_000, 13_000))
    large.save(classes / "cat" / "0.png")
    images = open_images(classes)
    assert images.read(0).shape == (13_000, 14_000, 3)
    assert Image.MAX_IMAGE_PIXELS == before


def test_all_corrupt_files_are_named(classes):
    (classes / "cat" / "0.png").write_bytes(b"x")
    (classes / "dog" / "2.png").write_bytes(b"")
    errors = [str(error) for error in open_images(classes).unreadable()]
    assert len(errors) == 2
    assert "cat/0.png cannot be read" in errors[0] and "dog/2" in errors[1]
