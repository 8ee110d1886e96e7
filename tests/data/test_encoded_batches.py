import io
import itertools
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import (
    AUGMENTATIONS,
    STANDARDIZATIONS,
    Part,
    Standardization,
    crops,
    evaluation_batches,
    load_arrays,
    open_images,
    tfds_images,
    training_batches,
)
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.image_folder import read_image

TRAIN, TEST = 30, 11
SIZE = 24
PLAIN = Standardization([0, 0, 0], [1, 1, 1])
FRAMEWORKS = ("tensorflow", "numpy")
# NumPy's stream of TFDS is TensorFlow's: one test of its own says so.
WAYS = (("folder", "tensorflow"), ("folder", "numpy"), ("tfds", "tensorflow"))
both_frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)
RANDOM = ("scale", "scale_aspect_ratio")


def open_source(source, split, request):
    if source == "folder":
        return open_images(request.getfixturevalue("image_folder"), split)
    data_dir = request.getfixturevalue("imagenet_dir")
    return open_images("imagenet2012", split, data_dir=data_dir)


@pytest.fixture(params=WAYS, ids="-".join)
def way(request):
    return request.param


@pytest.fixture
def data(way, request):
    return open_source(way[0], "train", request)


@pytest.fixture
def test_data(way, request):
    return open_source(way[0], "test", request)


@pytest.fixture
def framework(way):
    return way[1]


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    """As with ImageNet, the buffer holds less than an epoch."""
    monkeypatch.setattr(tfds_images, "SHUFFLE_BUFFER", 8)


def stream(data, framework, **options):
    options = {
        "batch_size": 8,
        "standardization": PLAIN,
        "augmentation": "none",
        "image_size": SIZE,
        **options,
    }
    found = training_batches(data, framework=framework, **options)
    return [tuple(np.asarray(part) for part in batch) for batch in found]


def evaluate(data, framework, **options):
    options = {
        "batch_size": 4,
        "standardization": PLAIN,
        "image_size": SIZE,
        **options,
    }
    found = evaluation_batches(data, framework=framework, **options)
    return [np.asarray(images) for (images,) in found]


def labels(found):
    return np.concatenate([batch_labels for _, batch_labels in found])


def assert_same(one, other):
    assert len(one) == len(other)
    for left, right in zip(itertools.chain(*one), itertools.chain(*other)):
        np.testing.assert_array_equal(left, right)


def centre(file, size=SIZE, resize=None):
    image = read_image(io.BytesIO(file))
    rule = crops.center(resize)
    crop = rule.choose(np, None, *map(float, image.shape[:2]), size)
    return cut(image, crop, size)


def test_every_image_once_an_epoch(data, framework):
    # 15 steps of 8 are 4 epochs of 30, whose borders cut batches in two.
    order = labels(stream(data, framework, steps=15)).reshape(4, TRAIN)
    np.testing.assert_array_equal(np.sort(order), [np.arange(TRAIN)] * 4)
    assert len({tuple(epoch) for epoch in order}) == 4


def test_images_keep_their_labels(data, framework, jpegs):
    own = STANDARDIZATIONS["imagenet"]
    for images, batch_labels in stream(
        data, framework, steps=4, standardization="imagenet"
    ):
        assert images.shape == (8, SIZE, SIZE, 3)
        assert images.dtype == np.float32
        assert batch_labels.dtype == np.int32
        for image, label in zip(images, batch_labels):
            pixels = image * own.std + own.mean
            expected = centre(jpegs["train"][label])
            np.testing.assert_allclose(pixels, expected, atol=1.01)


@pytest.mark.parametrize("source", ["folder", "tfds"])
@pytest.mark.parametrize("replicas", [2, 4])
def test_two_parts_make_the_batches_of_one_process(source, replicas, request):
    data = open_source(source, "train", request)
    options = {"first_step": 3, "steps": 9, "augmentation": "scale"}
    parts = [
        iter(stream(data, "tensorflow", part=Part(p, 2, replicas), **options))
        for p in range(2)
    ]
    for whole in stream(data, "tensorflow", **options):
        pieces = [next(parts[piece % 2]) for piece in range(replicas)]
        assert_same([tuple(map(np.concatenate, zip(*pieces)))], [whole])
    assert not any(list(part) for part in parts)


def test_a_process_decodes_only_its_part(image_folder, tmp_path):
    shutil.copytree(image_folder, tmp_path, dirs_exist_ok=True)
    data = open_images(str(tmp_path), "test")
    # The third of a batch of four: of the second process.
    pathlib.Path(data.paths[2]).write_bytes(b"no picture")
    whole = evaluate(open_images(str(image_folder), "test"), "tensorflow")
    part = evaluate(data, "tensorflow", part=Part(0, 2, 2))
    np.testing.assert_array_equal(
        np.concatenate(part), np.concatenate([batch[:2] for batch in whole])
    )
    with pytest.raises(Exception, match="cannot be read"):
        evaluate(data, "tensorflow", part=Part(1, 2, 2))


# Within an epoch; across a border; the first step of an epoch.
@pytest.mark.parametrize(
    "options",
    [
        {"augmentation": "scale"},
        {
            "augmentation": "scale_aspect_ratio",
            "rand_augment": 9,
            "mixup": 0.2,
            "cutmix": 1.0,
        },
    ],
    ids=["scale", "modern"],
)
def test_a_later_start_goes_on_to_the_bit(data, framework, options):
    options = {"steps": 17, "seed": 3, **options}
    whole = stream(data, framework, **options)
    for first_step in (2, 3, 15):
        rest = stream(data, framework, first_step=first_step, **options)
        assert_same(rest, whole[first_step:])


def test_rand_augment_changes_the_crop(data, framework):
    options = {"steps": 2, "augmentation": "none", "standardization": PLAIN}
    plain = stream(data, framework, **options)
    found = stream(data, framework, rand_augment=9, **options)
    for (crops_, own), (images, same) in zip(plain, found, strict=True):
        np.testing.assert_array_equal(own, same)
        np.testing.assert_array_equal(images, np.round(images))
        assert images.min() >= 0 and images.max() <= 255
        changed = np.abs(images - crops_).max(axis=(1, 2, 3)) > 1
        assert 0.5 < changed.mean()


@pytest.mark.parametrize("augmentation", RANDOM)
def test_the_seed_alone_decides(data, framework, augmentation):
    tf = pytest.importorskip("tensorflow")
    options = {"steps": 4, "augmentation": augmentation}
    tf.random.set_seed(1)
    first = stream(data, framework, seed=1, **options)
    tf.random.set_seed(2)
    assert_same(first, stream(data, framework, seed=1, **options))
    other = stream(data, framework, seed=2, **options)
    assert not np.array_equal(labels(first), labels(other))


@pytest.mark.parametrize("augmentation", RANDOM)
def test_numpy_streams_tfds_as_tensorflow_does(request, augmentation):
    data = open_source("tfds", "train", request)
    options = {"steps": 5, "first_step": 3, "augmentation": augmentation}
    one, other = (stream(data, name, **options) for name in FRAMEWORKS)
    assert_same(one, other)
    one, other = (evaluate(data, name) for name in FRAMEWORKS)
    assert_same([one], [other])


def test_tfrecords_are_shuffled_over_the_shards(request):
    data = open_source("tfds", "train", request)
    order = labels(stream(data, "tensorflow", batch_size=30, steps=40))
    epochs = order.reshape(40, TRAIN)
    # Were all 30 places alike, the deviation would be 8.7.
    assert np.argsort(epochs).std(0).min() > 4


@pytest.mark.parametrize("augmentation", RANDOM)
def test_each_time_another_crop(data, framework, augmentation, jpegs):
    found = stream(data, framework, steps=30, augmentation=augmentation)
    images = np.concatenate([images for images, _ in found])
    of_one = images[labels(found) == 7]
    assert len(of_one) == 8
    assert len({image.tobytes() for image in of_one}) == 8
    # No black border, no value beyond the image's own.
    source = read_image(io.BytesIO(jpegs["train"][7]))
    assert of_one.min() >= source.min() and of_one.max() <= source.max()


@pytest.mark.parametrize("augmentation", RANDOM)
def test_crops_are_the_rules(request, augmentation, image_folder):
    """NumPy's stream by hand: the numbers of (seed, position)."""
    data = open_source("folder", "train", request)
    options = {"steps": 9, "first_step": 4, "seed": 5}
    found = stream(data, "numpy", augmentation=augmentation, **options)
    rule = AUGMENTATIONS[augmentation].crop
    position = 4 * 8
    for images, batch_labels in found:
        for image, label in zip(images, batch_labels):
            sequence = np.random.SeedSequence(5, spawn_key=(1, position))
            draws = np.random.default_rng(sequence).random(rule.draws)
            path = image_folder / "train" / f"class_{label:02}" / "image.JPEG"
            source = read_image(path)
            sides = map(float, source.shape[:2])
            crop = rule.choose(np, draws, *sides, SIZE)
            np.testing.assert_array_equal(image, cut(source, crop, SIZE))
            position += 1


def test_evaluation_is_in_order_and_full(test_data, framework):
    others = np.concatenate(evaluate(test_data, framework, batch_size=3))
    for batch_size in (1, 4, 16):
        found = evaluate(test_data, framework, batch_size=batch_size)
        assert all(part.shape == (batch_size, SIZE, SIZE, 3) for part in found)
        assert len(found) == -(-TEST // batch_size)
        images = np.concatenate(found)
        # A batch beyond the end goes on from the beginning.
        rest = images[: len(images) - TEST]
        np.testing.assert_array_equal(images[TEST:], rest)
        np.testing.assert_array_equal(images[:TEST], others[:TEST])


def test_evaluation_has_the_order_of_labels(data, framework, jpegs):
    found = np.concatenate(evaluate(data, framework))[:TRAIN]
    assert data.labels.dtype == np.int32
    assert sorted(data.labels) == list(range(TRAIN))
    for image, label in zip(found, data.labels):
        expected = centre(jpegs["train"][label])
        np.testing.assert_allclose(image, expected, atol=1.01)


@both_frameworks
@pytest.mark.parametrize(
    "size, resize, shorter", [(224, None, 256), (320, 320, 320)]
)
def test_evaluation_crops(request, framework, jpegs, size, resize, shorter):
    data = open_source("folder", "test", request)
    (found,) = evaluate(
        data, framework, batch_size=TEST, image_size=size, resize=resize
    )
    for image, file in zip(found, jpegs["test"]):
        expected = centre(file, size, shorter)
        np.testing.assert_allclose(image, expected, atol=1.01)


@both_frameworks
def test_the_centre_is_what_load_arrays_has(request, framework):
    folder = request.getfixturevalue("image_folder")
    arrays = load_arrays(folder, "test", image_size=32)
    data = open_images(folder, "test")
    found = evaluate(data, framework, batch_size=TEST, image_size=32, resize=32)
    np.testing.assert_array_equal(data.labels, arrays.labels)
    close = np.abs(found[0] - arrays.images) <= 2.01
    assert close.mean() > 0.999


@pytest.mark.parametrize("source", ["folder", "tfds"])
def test_tensorflow_says_shape_and_number(source, request):
    tf = pytest.importorskip("tensorflow")
    data = open_source(source, "train", request)
    options = {"batch_size": 8, "standardization": PLAIN, "image_size": SIZE}
    found = training_batches(
        data, augmentation="scale", first_step=3, steps=9, **options
    )
    assert found.cardinality() == 6
    assert found.element_spec == (
        tf.TensorSpec((8, SIZE, SIZE, 3), tf.float32),
        tf.TensorSpec((8,), tf.int32),
    )
    policy = found.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF
    assert not found.options().autotune.enabled
    found = evaluation_batches(data, **options)
    assert found.cardinality() == 4
    assert not found.options().autotune.enabled
    assert found.element_spec == (
        tf.TensorSpec((8, SIZE, SIZE, 3), tf.float32),
    )


@both_frameworks
def test_grey_and_cmyk_and_png_named_jpeg(tmp_path, framework, photograph):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    part = photograph.crop((100, 100, 180, 160))
    part.convert("L").save(folder / "1.JPEG", "JPEG")
    part.convert("CMYK").save(folder / "2.JPEG", "JPEG")
    part.save(folder / "3.JPEG", "PNG")
    part.convert("L").save(folder / "4.png")
    part.save(folder / "5.webp", lossless=True)
    (found,) = evaluate(open_images(tmp_path), framework, batch_size=5)
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    for image, file in zip(found, files):
        np.testing.assert_allclose(image, centre(file), atol=1.01)
    assert np.ptp(found[0], axis=-1).max() == 0


@both_frameworks
@pytest.mark.parametrize(
    "broken, place",
    [("cut", 0), ("text", 5), ("empty", TEST - 1), ("gone", TEST - 1)],
)
def test_a_broken_file_is_named(
    image_folder, tmp_path, framework, broken, place
):
    for split in ("train", "test"):
        shutil.copytree(image_folder / split, tmp_path / split)
    data = open_images(tmp_path, "test")
    path = tmp_path / "test" / f"class_{place:02}" / "image.JPEG"
    content = path.read_bytes()
    contents = {"cut": content[:-400], "empty": b"", "text": b"no image"}
    path.unlink()
    if broken in contents:
        path.write_bytes(contents[broken])
    error = ValueError
    if framework == "tensorflow":
        error = pytest.importorskip("tensorflow").errors.InvalidArgumentError
    with pytest.raises(error, match=f"class_{place:02}.*cannot be read"):
        evaluate(data, framework, batch_size=TEST)
    with pytest.raises(error, match=f"class_{place:02}.*cannot be read"):
        stream(data, framework, steps=2, augmentation="scale")


def test_numpy_stops_its_threads_with_the_reader(request):
    data = open_source("folder", "train", request)
    batches = training_batches(
        data,
        batch_size=8,
        standardization=PLAIN,
        augmentation="scale",
        image_size=SIZE,
        steps=10**6,
        framework="numpy",
    )
    next(batches)
    batches.close()
    assert next(batches, None) is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image_size": None}, "need an image_size"),
        ({"image_size": 0}, "image_size must be.*received 0"),
        ({"image_size": "24"}, "image_size must be.*received '24'"),
        (
            {"augmentation": "crop_flip"},
            "'none', 'scale', 'scale_aspect_ratio'.*load_arrays",
        ),
        ({"augmentation": "flip"}, "Unknown augmentation: received 'flip'"),
        ({"batch_size": 31}, "30 images.*at most 30"),
        ({"framework": "torch"}, "'tensorflow', 'numpy', 'device'"),
        (
            {
                "standardization": Standardization(
                    np.zeros((32, 32, 3)), np.ones((32, 32, 3))
                )
            },
            "do not fit",
        ),
    ],
)
def test_refuses(request, options, message):
    data = open_source("folder", "train", request)
    options = {
        "batch_size": 8,
        "standardization": PLAIN,
        "augmentation": "scale",
        "image_size": SIZE,
        "steps": 4,
        **options,
    }
    with pytest.raises(ValueError, match=message):
        training_batches(data, **options)


def test_evaluation_refuses(request):
    data = open_source("folder", "test", request)
    options = {"batch_size": 2, "standardization": PLAIN}
    with pytest.raises(ValueError, match="need an image_size"):
        evaluation_batches(data, **options)
    with pytest.raises(ValueError, match="resize must be.*received '24'"):
        evaluation_batches(data, image_size=24, resize="24", **options)
    with pytest.raises(ValueError, match="at least image_size=24; received 23"):
        evaluation_batches(data, image_size=24, resize=23, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"augmentation": "scale"}, "'crop_flip', 'none'.*open_images"),
        ({"image_size": 32}, r"\(32, 32\).*load_arrays"),
    ],
)
def test_images_in_memory_refuse(options, message):
    data = load_arrays("fake")
    with pytest.raises(ValueError, match=message):
        training_batches(
            data, batch_size=2, standardization=PLAIN, steps=1, **options
        )


def test_evaluation_of_images_in_memory_refuses():
    data = load_arrays("fake")
    with pytest.raises(ValueError, match="resize=40.*open_images"):
        evaluation_batches(data, batch_size=2, standardization=PLAIN, resize=40)


def test_every_augmentation_says_what_it_takes():
    takes = {
        name: (row.in_memory, row.encoded)
        for name, row in AUGMENTATIONS.items()
    }
    assert takes == {
        "crop_flip": (True, False),
        "scale": (False, True),
        "scale_aspect_ratio": (False, True),
        "none": (True, True),
    }


@both_frameworks
def test_a_per_pixel_standardization_of_the_right_size(request, framework):
    data = open_source("folder", "test", request)
    rng = np.random.default_rng(0)
    mean = rng.uniform(0, 255, (SIZE, SIZE, 3))
    own = Standardization(mean, np.ones_like(mean))
    plain, found = (
        evaluate(data, framework, batch_size=TEST, standardization=which)[0]
        for which in (PLAIN, own)
    )
    np.testing.assert_allclose(found, plain - own.mean, atol=1e-3)


def test_exif_orientation_is_ignored_alike(tmp_path, photograph):
    """As ImageNet's usual readers do."""
    pytest.importorskip("tensorflow")
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph.crop((0, 0, 90, 60)).save(folder / "x.jpg", exif=exif)
    one, other = (
        evaluate(open_images(tmp_path), framework, batch_size=1)[0]
        for framework in FRAMEWORKS
    )
    np.testing.assert_allclose(one, other, atol=1.01)
