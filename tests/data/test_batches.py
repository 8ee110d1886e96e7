import itertools

import numpy as np
import pytest

from keras_resnetv2.data import (
    ImageData,
    Part,
    Standardization,
    batches,
    evaluation_batches,
    training_batches,
)

COUNT = 50
# Standardizing with these changes nothing.
PLAIN = Standardization([0, 0, 0], [1, 1, 1])


@pytest.fixture(params=["numpy", "tensorflow"])
def framework(request):
    if request.param == "tensorflow":
        pytest.importorskip("tensorflow")
    return request.param


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return ImageData(
        rng.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8),
        np.arange(COUNT, dtype=np.int32),
        tuple(f"class {i}" for i in range(COUNT)),
    )


def stream(data, framework, **options):
    options = {"batch_size": 16, "standardization": PLAIN, **options}
    found = training_batches(data, framework=framework, **options)
    return [tuple(np.asarray(part) for part in batch) for batch in found]


def labels(found):
    return np.concatenate([batch_labels for _, batch_labels in found])


def assert_same(one, other):
    assert len(one) == len(other)
    for left, right in zip(itertools.chain(*one), itertools.chain(*other)):
        np.testing.assert_array_equal(left, right)


def test_shapes_and_types(data, framework):
    found = stream(data, framework, steps=7)
    assert len(found) == 7
    for images, batch_labels in found:
        assert images.shape == (16, 8, 8, 3)
        assert images.dtype == np.float32
        assert batch_labels.shape == (16,)
        assert batch_labels.dtype == np.int32


def test_every_image_once_an_epoch(data, framework):
    # 25 steps of 16 are 8 epochs of 50, whose borders cut batches in two.
    order = labels(stream(data, framework, steps=25)).reshape(8, COUNT)
    np.testing.assert_array_equal(np.sort(order), [np.arange(COUNT)] * 8)
    assert len({tuple(epoch) for epoch in order}) == 8


def test_a_batch_may_be_the_whole_data(data, framework):
    found = stream(data, framework, steps=3, batch_size=COUNT)
    for _, batch_labels in found:
        assert sorted(batch_labels) == list(range(COUNT))


def test_images_keep_their_labels(data, framework):
    found = stream(data, framework, steps=4, augmentation="none")
    for images, batch_labels in found:
        np.testing.assert_array_equal(images, data.images[batch_labels])


def test_images_are_standardized_then_padded(data, framework):
    own = Standardization.from_images(data.images)
    plain = stream(
        data, framework, steps=4, standardization=own, augmentation="none"
    )
    for images, batch_labels in plain:
        np.testing.assert_array_equal(images, own(data.images[batch_labels]))
    # A border of exact zeros only comes from padding after standardizing.
    moved = stream(data, framework, steps=4, standardization=own)
    rows = [(images[:, 0] == 0).all((1, 2)) for images, _ in moved]
    assert 0.1 < np.mean(rows) < 0.6


def test_augmentation_differs_from_step_to_step(data, framework):
    one = data.take(1)
    found = stream(one, framework, steps=40, batch_size=1)
    assert len({images.tobytes() for images, _ in found}) > 8


@pytest.mark.parametrize(
    "options",
    [
        {"augmentation": "none"},
        {},
        {"rand_augment": 9, "mixup": 0.2, "cutmix": 1.0},
    ],
    ids=["none", "crop_flip", "modern"],
)
def test_a_later_start_goes_on_to_the_bit(data, framework, options):
    options = {"steps": 40, "seed": 3, **options}
    whole = stream(data, framework, **options)
    # 0; within an epoch; the first step of one; the step across a border.
    for first_step in (0, 5, 25, 28, 40):
        rest = stream(data, framework, first_step=first_step, **options)
        assert_same(rest, whole[first_step:])


def joined(parts, replicas):
    """Whole batches: the processes take turns, piece by piece."""
    batches = [
        [next(parts[piece % len(parts)]) for piece in range(replicas)]
        for _ in range(6)
    ]
    assert not any(list(part) for part in parts)  # there are no more
    return [tuple(map(np.concatenate, zip(*pieces))) for pieces in batches]


@pytest.mark.parametrize("processes, replicas", [(2, 2), (2, 4)])
def test_parts_make_the_batches_of_one_process(
    data, framework, processes, replicas
):
    if framework != "tensorflow" and processes != replicas:
        pytest.skip("makes one element of a part")
    parts = [Part(p, processes, replicas) for p in range(processes)]
    for modern in ({}, {"rand_augment": 9, "mixup": 0.2, "cutmix": 1.0}):
        options = {"first_step": 2, "steps": 8, "seed": 3, **modern}
        whole = stream(data, framework, **options)
        found = [
            iter(stream(data, framework, part=p, **options)) for p in parts
        ]
        assert_same(joined(found, replicas), whole)
    # 48 + 2 images; the rest of the last batch is the first images again.
    options = {
        "batch_size": 9 * replicas,
        "standardization": PLAIN,
        "framework": framework,
    }
    found = [iter(evaluation_batches(data, part=p, **options)) for p in parts]
    whole = np.concatenate([b for (b,) in evaluation_batches(data, **options)])
    pieces = [
        next(found[piece % processes])[0]
        for _ in range(len(whole) // (9 * replicas))
        for piece in range(replicas)
    ]
    assert not any(list(part) for part in found)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"framework": "numpy", "part": Part(0, 2, 4)}, "as many replicas"),
        ({"framework": "tensorflow"}, "batch_size=16.*multiple of 3"),
        (
            {"framework": "tensorflow", "part": Part(0, 2, 3)},
            "replicas a multiple of processes",
        ),
        (
            {"framework": "numpy", "part": Part(2, 2, 2)},
            "process must be from 0 to processes - 1",
        ),
        (
            {"framework": "numpy", "part": Part(0, 1, 0)},
            "replicas a multiple of processes",
        ),
        (
            {"framework": "tensorflow", "mixup": 0.2, "batch_size": 15},
            "batch_size=15.*odd number. Choose a multiple of 6",
        ),
    ],
)
def test_bad_parts(data, options, message):
    with pytest.raises(ValueError, match=message):
        stream(data, steps=1, **{"part": Part(0, 3, 3), **options})


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 2**63},
        {"seed": 0.5},
        {"steps": "9"},
        {"steps": 2.5},
        {"first_step": None},
        {"batch_size": "16"},
    ],
    ids=str,
)
def test_bad_numbers(data, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        stream(data, "numpy", **{"steps": 6, **options})


def test_more_steps_do_not_change_the_first(data, framework):
    assert_same(
        stream(data, framework, steps=5),
        stream(data, framework, steps=50)[:5],
    )


def test_mixed_batches_are_mixed_with_their_neighbours(data, framework):
    plain = stream(data, framework, steps=4)
    for way in ("mixup", "cutmix"):
        mixed = stream(data, framework, steps=4, **{way: 1.0})
        for (images, own), (both, shares) in zip(plain, mixed):
            assert shares.shape == (16, COUNT) and shares.dtype == np.float32
            np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
            for i, row in enumerate(shares):
                assert set(np.flatnonzero(row)) <= {own[i], own[i ^ 1]}
            if way == "cutmix":
                known = (both == images) | (both == images[np.arange(16) ^ 1])
                assert known.all()
            else:
                share = shares[np.arange(16), own][:, None, None, None]
                expected = share * images
                expected += (1 - share) * images[np.arange(16) ^ 1]
                np.testing.assert_allclose(both, expected, rtol=0, atol=1e-3)
        first = [
            shares[:, own].max() for (_, own), (_, shares) in zip(plain, mixed)
        ]
        assert len(set(first)) == 4


def test_rand_augment_comes_before_standardization(data, framework):
    options = {"steps": 4, "augmentation": "none", "rand_augment": 9}
    plain = stream(data, framework, **options)
    for images, batch_labels in plain:
        assert images.min() >= 0 and images.max() <= 255
        np.testing.assert_array_equal(images, np.round(images))
        same = (images == data.images[batch_labels]).all(axis=(1, 2, 3))
        assert 0 <= same.mean() < 0.5
    own = Standardization.from_images(data.images)
    found = stream(data, framework, standardization=own, **options)
    for (images, _), (standardized, _) in zip(plain, found):
        np.testing.assert_array_equal(standardized, own(images))


def test_a_single_image_cannot_be_mixed(data):
    with pytest.raises(ValueError, match="batch_size=1. Use at least 2"):
        stream(data, "numpy", steps=1, batch_size=1, mixup=0.2)


@pytest.mark.parametrize("magnitude", [-1, 31, 1.5])
def test_a_magnitude_out_of_range(data, magnitude):
    with pytest.raises(ValueError, match="rand_augment.*0 .off. to 30"):
        stream(data, "numpy", steps=1, rand_augment=magnitude)


def test_the_seed_decides(data, framework):
    first = stream(data, framework, steps=4, seed=1)
    assert_same(first, stream(data, framework, steps=4, seed=1))
    other = stream(data, framework, steps=4, seed=2)
    assert not np.array_equal(labels(first), labels(other))


def test_the_order_is_a_good_shuffle(framework):
    """Neighbours, and the same place in the next epoch, are independent."""
    count = 4096
    data = ImageData(
        np.zeros((count, 1, 1, 3), np.uint8),
        np.arange(count, dtype=np.int32),
        tuple(map(str, range(count))),
    )
    steps = 8 * count // 64
    order = labels(stream(data, framework, steps=steps, batch_size=64))
    epochs = order.reshape(8, count)
    pairs = [
        (epochs[:, :-lag].ravel(), epochs[:, lag:].ravel())
        for lag in (1, 2, 4, 64)
    ]
    pairs.append((epochs[:-1].ravel(), epochs[1:].ravel()))
    pairs.append((epochs.ravel(), np.tile(np.arange(count), 8)))
    for one, other in pairs:
        score = np.corrcoef(one, other)[0, 1] * np.sqrt(len(one))
        assert abs(score) < 4.5
    # Sixteen equal classes in turn: their numbers in a batch must vary as
    # much as chance makes them, no less.
    counts = (order.reshape(-1, 64, 1) * 16 // count == np.arange(16)).sum(1)
    expected = 64 * 15 / 256 * (count - 64) / (count - 1)
    np.testing.assert_allclose(counts.var(), expected, rtol=0.06)


def test_tensorflow_says_shape_and_number(data):
    tf = pytest.importorskip("tensorflow")
    found = training_batches(
        data, batch_size=16, standardization=PLAIN, first_step=3, steps=9
    )
    assert found.cardinality() == 6
    assert found.element_spec == (
        tf.TensorSpec((16, 8, 8, 3), tf.float32),
        tf.TensorSpec((16,), tf.int32),
    )
    policy = found.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF
    assert not found.options().autotune.enabled
    found = evaluation_batches(data, batch_size=16, standardization=PLAIN)
    assert found.cardinality() == 4
    assert not found.options().autotune.enabled


def test_no_stream_waits_for_autotunings_thread(data):
    pytest.importorskip("tensorflow")
    from keras_resnetv2.data import tensorflow_stream

    assert not tensorflow_stream.as_dataset(data).options().autotune.enabled


def test_tensorflow_keeps_the_images_out_of_the_graph():
    tf = pytest.importorskip("tensorflow")
    data = ImageData(
        np.zeros((256, 64, 64, 3), np.uint8), np.zeros(256, np.int32), ("a",)
    )
    found = training_batches(data, batch_size=2, standardization=PLAIN, steps=1)
    graph = tf.function(lambda: found.reduce(0, lambda n, _: n + 1))
    size = graph.get_concrete_function().graph.as_graph_def().ByteSize()
    assert size < 1_000_000 < data.images.nbytes


@pytest.mark.parametrize("batch_size", [1, 16, 25, 50, 64, 130])
def test_evaluation_is_in_order_and_full(data, framework, batch_size):
    own = Standardization.from_images(data.images, "per_pixel_mean")
    found = evaluation_batches(
        data,
        batch_size=batch_size,
        standardization=own,
        framework=framework,
    )
    parts = [np.asarray(images) for (images,) in found]
    assert all(part.shape == (batch_size, 8, 8, 3) for part in parts)
    assert len(parts) == -(-COUNT // batch_size)
    together = np.concatenate(parts)
    np.testing.assert_array_equal(together[:COUNT], own(data.images))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 51}, "50 images.*at most 50"),
        ({"batch_size": 0}, "batch_size must be .* at least 1"),
        ({"augmentation": "flip"}, "received 'flip'; expected one of"),
        ({"framework": "torch"}, "'tensorflow', 'numpy', 'device'"),
        ({"first_step": 5}, "first_step=5 and steps=4"),
        ({"first_step": -1}, "first_step must be.*received -1"),
        ({"seed": -1}, "seed"),
        ({"standardization": "mnist"}, "standardization must be one of"),
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
def test_refuses(data, framework, options, message):
    options = {
        "framework": framework,
        "batch_size": 16,
        "standardization": PLAIN,
        "steps": 4,
        **options,
    }
    # At the call, not at the first batch.
    with pytest.raises(ValueError, match=message):
        training_batches(data, **options)


def test_evaluation_refuses(data, framework):
    with pytest.raises(ValueError, match="batch_size"):
        evaluation_batches(
            data, batch_size=0, standardization=PLAIN, framework=framework
        )
    with pytest.raises(ValueError, match="do not fit"):
        evaluation_batches(
            data,
            batch_size=2,
            standardization=Standardization([0], [1]),
            framework=framework,
        )


def test_every_framework_is_tested():
    # test_device_stream.py compares "device" with "numpy".
    assert set(batches.FRAMEWORKS) == {"numpy", "tensorflow", "device"}
