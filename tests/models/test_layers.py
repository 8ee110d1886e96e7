import keras
import numpy as np
from processes import run_python

from keras_resnetv2.models.layers import Dropout, PaddingShortcut


def masks(layer, steps=3):
    ones = np.ones((8, 4), "float32")
    return [np.array(layer(ones, training=True)) for _ in range(steps)]


def test_on_one_device_it_is_keras():
    ours, keras_own = (
        masks(Dropout(0.5, seed=7)),
        masks(keras.layers.Dropout(0.5, seed=7)),
    )
    np.testing.assert_array_equal(ours, keras_own)
    assert np.ptp(ours) == 2


def test_frozen_it_drops_nothing():
    layer = Dropout(0.5)
    layer.trainable = False
    np.testing.assert_array_equal(masks(layer), np.ones((3, 8, 4)))


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
from keras_resnetv2 import training
from keras_resnetv2.models.layers import Dropout, PaddingShortcut

strategy = training.make_strategy(2)

@tf.function
def draw(layer, shape):
    ones = tf.ones(shape)
    return strategy.run(lambda: layer(ones, training=True))

def masks(make, shape):
    with strategy.scope():
        layer = make()
    for _ in range(2):
        first, second = strategy.experimental_local_results(draw(layer, shape))
        yield first.numpy(), second.numpy()

# The reason for our own: Keras's draws the same on both.
for first, second in masks(lambda: keras.layers.Dropout(0.5), (32, 4)):
    np.testing.assert_array_equal(first, second)
seen = []
for first, second in masks(lambda: Dropout(0.75), (32, 4)):
    seen += [first, second]
    assert set(np.unique([first, second])) == {0.0, 4.0}
assert len({mask.tobytes() for mask in seen}) == 4
whole = lambda: Dropout(0.5, noise_shape=(None, 1, 1, 1))
for first, second in masks(whole, (32, 2, 2, 3)):
    assert not np.array_equal(first, second)
    for mask in (first, second):
        per_image = mask.reshape(32, -1)
        assert np.ptp(per_image, axis=1).max() == 0
        assert np.ptp(per_image) == 2
print("differ")
"""


def test_every_replica_draws_its_own():
    printed = run_python(TWO_REPLICAS)
    assert printed.split()[-1] == "differ"


def test_option_a_keeps_its_data_format():
    """As a loaded network's convolutions do."""
    x = np.arange(2 * 4 * 6 * 3, dtype="float32").reshape(2, 4, 6, 3)
    keras.config.set_image_data_format("channels_first")
    try:
        y = np.array(PaddingShortcut(5, 2)(x))
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(y[..., :3], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., 3:], 0.0)
