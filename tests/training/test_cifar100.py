"""CIFAR-100 from the authors' archive, in its format, to published weights."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from small_training import experiment

from keras_resnetv2 import (
    PreActResNet20,
    data,
    list_models,
    load_arrays,
    preprocess_input,
    training,
)
from keras_resnetv2.data import CLASS_NAMES, decode_predictions, tfds_splits
from keras_resnetv2.models import downloads, published
from keras_resnetv2.training import publishing

tfds = pytest.importorskip("tensorflow_datasets")

ARCHIVE = "cifar-100-binary.tar.gz"
COARSE = [f"group_{i}" for i in range(20)]
COUNTS = {"train": 200, "test": 100}


def make_records(split):
    """Images of all classes: coarse label, fine label, R, G and B planes."""
    rng = np.random.default_rng(COUNTS[split])
    fine = rng.permutation(COUNTS[split]) % 100
    pixels = rng.integers(0, 256, (len(fine), 3 * 32 * 32))
    rows = np.column_stack([fine // 5, fine, pixels])
    return rows.astype(np.uint8)


RECORDS = {split: make_records(split) for split in COUNTS}
MEMBERS = {
    "train.bin": RECORDS["train"].tobytes(),
    "test.bin": RECORDS["test"].tobytes(),
    "fine_label_names.txt": "\n".join([*CLASS_NAMES["cifar100"], ""]).encode(),
    "coarse_label_names.txt": "\n".join([*COARSE, ""]).encode(),
}


def put_archive(data_dir):
    """Writes an archive of few images to where TFDS looks for it."""
    folder = data_dir / "downloads" / "manual"
    folder.mkdir(parents=True)
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(f"cifar-100-binary/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder / ARCHIVE


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    tfds.disable_progress_bar()
    monkeypatch.setattr(tfds_splits, "_answers", lambda url: False)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A TFDS folder with the small archive, which passes for the official."""
    folder = tmp_path_factory.mktemp("tfds")
    content = put_archive(folder).read_bytes()
    builder = type(tfds.builder("cifar100", data_dir=folder))
    (url,) = builder.url_infos
    small = type(builder.url_infos[url])(
        size=len(content),
        checksum=hashlib.sha256(content).hexdigest(),
        filename=ARCHIVE,
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(builder.url_infos, url, small)
        yield folder


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_archive_is_read_without_a_network(data_dir, split):
    found = load_arrays("cifar100", split, data_dir=data_dir)
    assert found.class_names == CLASS_NAMES["cifar100"]
    rows = RECORDS[split]
    images = rows[:, 2:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels = {image.tobytes(): row[1] for image, row in zip(images, rows)}
    assert len(found) == len(labels) == COUNTS[split]
    for image, label in zip(found.images, found.labels):
        assert labels[image.tobytes()] == label


def test_without_an_archive_the_error_says_where_to_put_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_arrays("cifar100", data_dir=tmp_path)
    says = str(caught.value)
    assert "no answer from www.cs.toronto.edu" in says
    assert says.endswith(
        f"Or put into {tmp_path / 'downloads' / 'manual'}: {ARCHIVE} "
        f"(https://www.cs.toronto.edu/~kriz/{ARCHIVE})."
    )


def test_another_archive_of_that_name_is_refused(tmp_path):
    archive = put_archive(tmp_path)
    # In the same second, gzip would write the archive of the fixture again.
    archive.write_bytes(archive.read_bytes() + b"another")
    with pytest.raises(FileNotFoundError, match="wrong checksum"):
        load_arrays("cifar100", data_dir=tmp_path)
    assert not (tmp_path / "cifar100" / "3.0.2").exists()


def test_from_a_training_to_weights_by_their_tag(
    data_dir, tmp_path, monkeypatch
):
    run = experiment(
        dataset="cifar100",
        model="PreActResNet20",
        options={},
        epochs=1,
        batch_size=100,
        standardization="cifar100",
    )
    training.train(run, tmp_path / "run", data_dir=data_dir)
    folder = tmp_path / "files"
    row = publishing.publish(tmp_path / "run", folder, data_dir)
    assert (row.tag, row.config.classes) == ("cifar100", 100)
    monkeypatch.setattr(published, "PUBLISHED", (row,))
    monkeypatch.setattr(downloads, "_BUNDLED", folder)
    assert "PreActResNet20" in list_models(weights="cifar100")
    model = PreActResNet20(weights="cifar100")
    test = data.load_arrays("cifar100", "test", data_dir=data_dir)
    scores = model.predict(preprocess_input(test.images, model), verbose=0)
    assert np.mean(scores.argmax(1) != test.labels) == row.test_error
    for best, label in zip(
        decode_predictions(scores, 1, model), scores.argmax(1)
    ):
        assert best[0][:2] == (label, CLASS_NAMES["cifar100"][label])
