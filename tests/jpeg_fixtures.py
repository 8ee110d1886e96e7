"""Real JPEGs, as files in a folder and as TFDS's imagenet2012."""

import io
import tarfile

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

TRAIN, TEST = 30, 11


@pytest.fixture(scope="session")
def photograph():
    """A photograph: an RGB Pillow image 512 pixels wide and 600 high."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.fixture(scope="session")
def jpegs(photograph):
    """JPEGs cut from the photograph, all different, of many sizes."""
    rng = np.random.default_rng(0)

    def jpeg():
        width, height = rng.integers(40, 160, 2)
        left, top = rng.integers(0, (512 - width, 600 - height))
        part = photograph.crop((left, top, left + width, top + height))
        file = io.BytesIO()
        part.save(file, "JPEG", quality=90)
        return file.getvalue()

    return {
        "train": [jpeg() for _ in range(TRAIN)],
        "test": [jpeg() for _ in range(TEST)],
    }


@pytest.fixture(scope="session")
def image_folder(jpegs, tmp_path_factory):
    """The JPEGs as a folder; training image `i` is alone in class `i`."""
    root = tmp_path_factory.mktemp("folder")
    for split, files in jpegs.items():
        for i, file in enumerate(files):
            folder = root / split / f"class_{i:02}"
            folder.mkdir(parents=True)
            (folder / "image.JPEG").write_bytes(file)
    return root


@pytest.fixture(scope="session")
def imagenet_dir(jpegs, tmp_path_factory):
    """The JPEGs as TFDS's imagenet2012; training labels as in the folder."""
    pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds.disable_progress_bar()
    manual, data_dir = (tmp_path_factory.mktemp(x) for x in ("tars", "tfds"))
    builder = tfds.builder("imagenet2012", data_dir=data_dir)
    synsets = builder.info.features["label"].names
    train = {
        f"{synset}.tar": tar({f"{synset}_1.JPEG": file})
        for synset, file in zip(synsets, jpegs["train"])
    }
    # ILSVRC labels its validation images, not its test images.
    others = {f"{i:08}.JPEG": file for i, file in enumerate(jpegs["test"])}
    for split, files in (("train", train), ("val", others), ("test", others)):
        (manual / f"ILSVRC2012_img_{split}.tar").write_bytes(tar(files))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=manual, num_shards=4
        )
    )
    return data_dir


def tar(files):
    """Packs a dictionary of bytes by file name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()
