"""Mixup and CutMix: each image of a batch is mixed with its neighbour.

Neighbours are images 0 and 1, 2 and 3, and so on. Batches are in random order,
so this is as random as any other pairing. Each image has its own draws. As in
augmentation.py, equal draws give equal images on every array module.
"""

import dataclasses
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_resnetv2._checks import NOT_NEGATIVE, check_number
from keras_resnetv2._text import brief

if TYPE_CHECKING:
    import tensorflow as tf


class MixDraws(NamedTuple):
    """The random draws for a batch.

    Attributes:
        share: float32, (N,): an image's own share.
        center: float32, (N, 2): row and column of the middle of the rectangle,
            0 to 1.
        cut: bool, (N,): whether it is CutMix, not mixup.
    """

    share: Any
    center: Any
    cut: Any


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How images and labels are mixed.

    The shares have a beta distribution. Mixup adds the two images, weighted by
    their shares, of which the larger one is an image's own: otherwise both
    images often become the same one. CutMix replaces a rectangle, which has the
    neighbour's share of the area before it is clipped to the image. If both are
    on, each image is mixed by either with probability one half. Labels are
    mixed like the images.

    Reference: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018;
    Yun et al., "CutMix", 2019. There, a batch has one share; here, each image.

    Attributes:
        mixup: alpha of mixup's beta distribution; 0 is off.
        cutmix: alpha of CutMix's; 0 is off.

    Raises:
        ValueError: if one is negative.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    __repr__ = brief

    def __post_init__(self):
        check_number("mixup", self.mixup, NOT_NEGATIVE)
        check_number("cutmix", self.cutmix, NOT_NEGATIVE)

    def __bool__(self) -> bool:
        """Whether anything is mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def check_batch_size(self, batch_size: int) -> None:
        """Checks that a batch has images to mix.

        Raises:
            ValueError: if images are mixed, and a batch has only one.
        """
        if self and batch_size == 1:
            raise ValueError(
                f"mixup={self.mixup} and cutmix={self.cutmix} mix the images "
                "of a batch; received batch_size=1. Use at least 2, or 0 for "
                "both."
            )

    def draw(self, rng: np.random.Generator, count: int) -> MixDraws:
        """Draws the mixing of a batch in NumPy.

        Args:
            rng: the random number generator.
            count: the number of images.
        """
        cut = rng.random(count) < self._cut_probability
        alphas = np.where(cut, self.cutmix, self.mixup)
        share = rng.beta(alphas, alphas)
        share = np.where(cut, share, np.maximum(share, 1 - share))
        return MixDraws(
            share=share.astype("float32"),
            center=rng.random((count, 2), dtype=np.float32),
            cut=cut,
        )

    def draw_tf(self, seed: "tf.Tensor", count: int) -> MixDraws:
        """Draws the mixing of a batch in TensorFlow.

        Args:
            seed: integer, (2,); the same seed always gives the same draws.
            count: the number of images.

        Returns:
            Tensors like the arrays of `draw`, but with other random numbers.
        """
        import tensorflow as tf

        seeds = tf.random.split(seed, 3)
        uniform = tf.random.stateless_uniform((count,), seeds[0])
        cut = uniform < self._cut_probability
        alphas = tf.constant([self.mixup, self.cutmix], tf.float64)
        alphas = tf.gather(alphas, tf.cast(cut, tf.int32))
        # X / (X + Y) of two gamma variables has the beta distribution.
        gammas = tf.random.stateless_gamma(
            (2, count), seeds[1], alphas, dtype=tf.float64
        )
        share = tf.math.divide_no_nan(gammas[0], tf.reduce_sum(gammas, axis=0))
        share = tf.where(cut, share, tf.maximum(share, 1 - share))
        return MixDraws(
            share=tf.cast(share, tf.float32),
            center=tf.random.stateless_uniform((count, 2), seeds[2]),
            cut=cut,
        )

    @property
    def _cut_probability(self):
        if self.mixup and self.cutmix:
            return 0.5
        return 1.0 if self.cutmix else 0.0


def apply(
    xp: ModuleType, images: Any, labels: Any, classes: int, draws: MixDraws
) -> tuple[Any, Any]:
    """Mixes a batch.

    Args:
        xp: NumPy, `tf.experimental.numpy` or `keras.ops`.
        images: float32, (N, height, width, channels), of static shape.
        labels: integers, (N,).
        classes: K, the number of classes.
        draws: see `Mixing.draw`.

    Returns:
        Images of the same shape, and float32 labels (N, K) whose rows sum to 1.
    """
    count, height, width, _ = images.shape
    # An image that is left over is its own neighbour.
    neighbours = np.minimum(np.arange(count) ^ 1, count - 1).astype("int32")
    others = xp.take(images, neighbours, axis=0)
    rows = _inside(xp, draws.share, draws.center[:, 0], height)
    columns = _inside(xp, draws.share, draws.center[:, 1], width)
    inside = xp.logical_and(rows[:, :, None], columns[:, None, :])
    inside = xp.logical_and(inside, draws.cut[:, None, None])
    area = xp.sum(xp.reshape(_as_float(xp, inside), (count, -1)), axis=1)
    share = xp.where(draws.cut, 1.0 - area / (height * width), draws.share)
    share = xp.reshape(share, (count, 1))
    weight = xp.where(draws.cut, 1.0, draws.share)[:, None, None, None]
    mixed = weight * images + (1.0 - weight) * others
    mixed = xp.where(inside[..., None], others, mixed)
    known = xp.arange(classes, dtype="int32") == xp.reshape(labels, (-1, 1))
    known = _as_float(xp, known)
    return mixed, share * known + (1.0 - share) * xp.take(
        known, neighbours, axis=0
    )


def _as_float(xp, flags):
    return xp.where(flags, np.float32(1), np.float32(0))


def _inside(xp, share, center, length):
    """Returns which of `length` places each rectangle covers: (N, length)."""
    half = 0.5 * length * xp.sqrt(1.0 - share)
    places = xp.arange(length, dtype="float32") + 0.5
    return xp.abs(places - (length * center)[:, None]) < half[:, None]
