"""What a network begins with, as a table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stem:
    """A convolution, BN and ReLU, and for large images a max-pool.

    Attributes:
        input_size: default height and width of the images in pixels.
        kernel_size: of the convolution.
        conv_strides: of the convolution.
        pooled: whether a 3x3 max-pool of stride 2 follows.
    """

    input_size: int
    kernel_size: int
    conv_strides: int
    pooled: bool

    @property
    def strides(self) -> int:
        """Input pixels per pixel of the stem's map, along one side."""
        return self.conv_strides * (2 if self.pooled else 1)


STEMS = {
    "cifar": Stem(32, kernel_size=3, conv_strides=1, pooled=False),
    "imagenet": Stem(224, kernel_size=7, conv_strides=2, pooled=True),
}
