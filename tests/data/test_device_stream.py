"""Batches made on the device are NumPy's, on every backend."""

import pytest
from processes import run_python

# 60 images in batches of 16 cross epochs at steps 3, 7 and 11.
COMPARE = """
import numpy as np
from keras_resnetv2 import data

images = data.load_arrays("cifar10_sample").take(60)
def batches(framework, kind, options):
    standardization = data.Standardization.from_images(images.images, kind)
    return data.training_batches(
        images, batch_size=16, standardization=standardization, seed=5,
        **options, first_step=2, steps=13,
        framework=framework), data.evaluation_batches(
        images, batch_size=16, standardization=standardization,
        framework=framework)

seen = 0
for kind in ("per_channel", "per_pixel_mean"):
    for options in ({}, {"augmentation": "none"},
                    {"rand_augment": 9, "mixup": 0.2, "cutmix": 1.0}):
        near = 1e-6 if options.get("mixup") else 0
        for ours, numpys in zip(batches("device", kind, options),
                                batches("numpy", kind, options)):
            for mine, other in zip(ours, numpys, strict=True):
                assert len(mine) == len(other)
                for a, b in zip(mine, other):
                    a = np.asarray(a)
                    assert a.dtype == b.dtype, (a.dtype, b.dtype)
                    # XLA multiplies with the reciprocal of the deviation.
                    np.testing.assert_allclose(a, b, rtol=3e-7, atol=near)
                    seen += 1
assert seen == 6 * (11 * 2 + 4), seen
print("equal")
"""


@pytest.mark.parametrize(
    "backend",
    ["jax", "tensorflow", pytest.param("torch", marks=pytest.mark.parity)],
)
def test_same_batches_as_numpy(backend):
    pytest.importorskip(backend)
    printed = run_python(COMPARE, backend=backend)
    assert printed.split()[-1] == "equal"
