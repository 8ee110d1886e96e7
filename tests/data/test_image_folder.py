import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import load_arrays


def write(path, color=(1, 2, 3), size=(8, 8)):
    """Writes an image of one colour; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def flat(tmp_path):
    """root/CLASS/*.png with 10 and 6 images, each of its own colour."""
    for name, count, red in (("dog", 6, 100), ("cat", 10, 0)):
        for i in range(count):
            write(tmp_path / name / f"{i:02}.png", (red + i, 5, 9))
    return tmp_path


def reds(data):
    return data.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("test_name", ["test", "val", "valid", "validation"])
def test_split_folders(tmp_path, test_name):
    write(tmp_path / "train" / "b" / "x.png", (10, 0, 0))
    write(tmp_path / "train" / "a" / "x.PNG", (20, 0, 0))
    write(tmp_path / test_name / "b" / "x.bmp", (30, 0, 0))
    train = load_arrays(str(tmp_path), "train")
    assert train.class_names == ("a", "b")
    assert reds(train) == [20, 10]
    assert train.labels.tolist() == [0, 1]
    test = load_arrays(tmp_path, "test")
    assert reds(test) == [30]
    assert test.labels.tolist() == [1]
    assert test.class_names == ("a", "b")


def test_every_fifth_image_of_a_flat_folder_is_for_testing(flat):
    train, test = (load_arrays(flat, split) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("cat", "dog")
    assert reds(test) == [4, 9, 104]
    assert test.labels.tolist() == [0, 0, 1]
    assert reds(train) == [0, 1, 2, 3, 5, 6, 7, 8, 100, 101, 102, 103, 105]
    assert np.bincount(train.labels).tolist() == [8, 5]


def test_other_files_are_passed_over(flat):
    (flat / ".hidden").mkdir()
    (flat / "README.txt").write_text("images")
    (flat / "cat" / "notes.txt").write_text("images")
    write(flat / "cat" / ".thumbnail.png")
    assert len(load_arrays(flat, "train")) == 13


def test_grey_palette_and_transparent_images_become_rgb(tmp_path):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    Image.new("L", (4, 4), 7).save(folder / "1.png")
    Image.new("RGBA", (4, 4), (7, 7, 7, 100)).save(folder / "2.png")
    Image.new("RGB", (4, 4), (7, 7, 7)).quantize().save(folder / "3.png")
    assert (load_arrays(tmp_path).images == 7).all()


def test_shorter_side_and_centre(tmp_path):
    # Left, middle and right thirds red, green and blue: the centre is green.
    wide = np.zeros((10, 30, 3), np.uint8)
    for third in range(3):
        wide[:, third * 10 : third * 10 + 10, third] = 200
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(wide).save(folder / "wide.png")
    Image.fromarray(wide.swapaxes(0, 1)).save(folder / "tall.png")
    Image.fromarray(wide.repeat(2, 0).repeat(2, 1)).save(folder / "z.png")
    images = load_arrays(tmp_path, image_size=10).images
    assert images.shape == (3, 10, 10, 3)
    np.testing.assert_array_equal(images[0], wide[:, 10:20].swapaxes(0, 1))
    np.testing.assert_array_equal(images[1], wide[:, 10:20])
    # Scaled to half, bilinear: exact but for the borders of the colours.
    np.testing.assert_array_equal(images[2][:, 1:-1], images[1][:, 1:-1])


def test_scaling_down_is_antialiased(tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(stripes).save(folder / "x.png")
    small = load_arrays(tmp_path, image_size=8).images.astype(int)
    assert np.abs(small - 127.5).max() < 12


def test_different_sizes_need_an_image_size(tmp_path):
    write(tmp_path / "train" / "a" / "1.png", size=(8, 8))
    write(tmp_path / "train" / "a" / "2.png", size=(8, 9))
    with pytest.raises(ValueError, match="2.png.*differ in size.*image_size"):
        load_arrays(tmp_path)
    assert load_arrays(tmp_path, image_size=8).image_shape == (8, 8, 3)


@pytest.mark.parametrize("content", [b"not an image", b""])
def test_a_broken_file_is_named(flat, content):
    (flat / "cat" / "00.png").write_bytes(content)
    with pytest.raises(ValueError, match="00.png.*cannot be read"):
        load_arrays(flat)


def test_a_cut_off_file_is_named(flat):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    broken = flat / "cat" / "00.png"
    Image.fromarray(noise).save(broken)
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(ValueError, match="00.png.*cannot be read"):
        load_arrays(flat, image_size=8)


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no folders"):
        load_arrays(tmp_path)


def test_a_class_without_training_images(flat):
    (flat / "emu").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no train images.*'emu'"):
        load_arrays(flat)


def test_no_test_folder(tmp_path):
    write(tmp_path / "train" / "a" / "x.png")
    with pytest.raises(FileNotFoundError, match="no test images.*--held_out"):
        load_arrays(tmp_path, "test")


def test_a_test_class_that_training_lacks(tmp_path):
    write(tmp_path / "train" / "a" / "x.png")
    write(tmp_path / "test" / "b" / "x.png")
    with pytest.raises(ValueError, match="'b'"):
        load_arrays(tmp_path, "test")


def test_sixteen_bit_pixels_are_scaled(tmp_path):
    ramp = np.linspace(0, 2**16 - 1, 64).astype(np.uint16).reshape(8, 8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(ramp).save(tmp_path / name / "ramp.png")
    data = load_arrays(tmp_path, "train")
    for channel in range(3):
        np.testing.assert_array_equal(data.images[0, ..., channel], ramp >> 8)
