import keras
import numpy as np
import pytest

from keras_resnetv2.data import mixing
from keras_resnetv2.data.mixing import MixDraws, Mixing

COUNT, SIDE, CLASSES = 6, 8, 4
LABELS = np.array([0, 1, 2, 2, 3, 0], "int32")


def images(count=COUNT):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, SIDE, SIDE, 3), "float32")


def draws(share, cut, center=(0.5, 0.5)):
    count = len(share)
    return MixDraws(
        np.asarray(share, "float32"),
        np.tile(np.asarray(center, "float32"), (count, 1)),
        np.full(count, cut),
    )


def one_hot(labels):
    return np.eye(CLASSES, dtype="float32")[labels]


def test_mixup_adds_neighbours():
    share = np.float32([1, 0.75, 0.5, 0, 0.25, 1])
    given = images()
    mixed, labels = mixing.apply(
        np, given, LABELS, CLASSES, draws(share, cut=False)
    )
    other = [1, 0, 3, 2, 5, 4]
    for got, values in ((mixed, given), (labels, one_hot(LABELS))):
        own = share.reshape(-1, *[1] * (values.ndim - 1))
        expected = own * values + (1 - own) * values[other]
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
        assert got.dtype == np.float32
    np.testing.assert_array_equal(mixed[0], given[0])


def test_cutmix_puts_in_a_rectangle():
    # A quarter of the area: 4 of the 8 rows and columns.
    given = images()
    mixed, labels = mixing.apply(
        np, given, LABELS, CLASSES, draws([0.75] * COUNT, cut=True)
    )
    expected = given.copy()
    expected[:, 2:6, 2:6] = given[[1, 0, 3, 2, 5, 4], 2:6, 2:6]
    np.testing.assert_array_equal(mixed, expected)
    np.testing.assert_allclose(labels[0], [0.75, 0.25, 0, 0])


def test_cutmix_counts_the_area_within_the_image():
    given = images()
    mixed, labels = mixing.apply(
        np,
        given,
        LABELS,
        CLASSES,
        draws([0.75] * COUNT, cut=True, center=(0, 1)),
    )
    expected = given.copy()
    expected[:, :2, 6:] = given[[1, 0, 3, 2, 5, 4], :2, 6:]
    np.testing.assert_array_equal(mixed, expected)
    np.testing.assert_allclose(labels[0], [1 - 4 / 64, 4 / 64, 0, 0])


def test_an_image_left_over_stays():
    given = images(3)
    mixed, labels = mixing.apply(
        np, given, LABELS[:3], CLASSES, draws([0.5] * 3, cut=False)
    )
    np.testing.assert_array_equal(mixed[2], given[2])
    np.testing.assert_array_equal(labels[2], one_hot(LABELS)[2])


@pytest.mark.parametrize("module", ["tensorflow", "keras"])
def test_array_modules_agree(module):
    if module == "tensorflow":
        xp = pytest.importorskip("tensorflow").experimental.numpy
    else:
        xp = keras.ops
    drawn = Mixing(0.4, 1.0).draw(np.random.default_rng(1), COUNT)
    assert drawn.cut.any() and not drawn.cut.all()
    arrays = images(), LABELS
    expected = mixing.apply(np, *arrays, CLASSES, drawn)
    convert = keras.ops.convert_to_tensor
    found = mixing.apply(
        xp, *map(convert, arrays), CLASSES, MixDraws(*map(convert, drawn))
    )
    for here, there in zip(found, expected):
        np.testing.assert_allclose(here, there, rtol=0, atol=1e-6)
        assert keras.backend.standardize_dtype(here.dtype) == "float32"


def in_numpy(mix):
    return mix.draw(np.random.default_rng(0), 20_000)


def in_tensorflow(mix):
    tf = pytest.importorskip("tensorflow")
    drawn = mix.draw_tf(tf.constant([0, 1], tf.int64), 20_000)
    return MixDraws(*(np.asarray(part) for part in drawn))


@pytest.mark.parametrize("draw", [in_numpy, in_tensorflow])
def test_shares_have_the_beta_distribution(draw):
    drawn = draw(Mixing(mixup=0.2, cutmix=1))
    assert drawn.cut.mean() == pytest.approx(0.5, abs=0.02)
    for cut, alpha in ((False, 0.2), (True, 1.0)):
        share = drawn.share[drawn.cut == cut]
        if not cut:  # only the larger share of each pair is drawn
            assert share.min() >= 0.5
            share = np.concatenate([share, 1 - share])
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    assert drawn.center.min() >= 0 and drawn.center.max() <= 1
    assert drawn.center.std(axis=0) == pytest.approx(12**-0.5, rel=0.05)
    assert not draw(Mixing(mixup=0.2)).cut.any()
    assert draw(Mixing(cutmix=1.0)).cut.all()


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_negative_alpha(name):
    with pytest.raises(ValueError, match=f"{name}.*at least 0.*-1"):
        Mixing(**{name: -1})
