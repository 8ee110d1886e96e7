"""Two logical CPUs; a process of its own, as devices are set up only once."""

import pytest
from processes import run_python

from keras_resnetv2 import training

TWO_REPLICAS = """
import keras, numpy as np
from keras_resnetv2 import ResNet, ResNetConfig, ResNetV2, training
from keras_resnetv2.models.batch_normalization import BatchNormalization
from keras_resnetv2.export import export_saved_model, self_check
from keras_resnetv2.data import Standardization
import tensorflow as tf

strategy = training.make_strategy(2)
assert strategy.num_replicas_in_sync == 2
config = ResNetConfig(units_per_stage=(1, 1), widths=(4, 8))

def build():
    keras.utils.set_random_seed(1)
    model = ResNetV2(config, input_shape=(8, 8, 3))
    training.compile(
        model, "paper", total_steps=100, backbone_learning_rate=0.05)
    return model

rng = np.random.default_rng(0)
x = rng.normal(1.0, 2.0, size=(3 * 16, 8, 8, 3)).astype("float32")
x[8:16] += 3.0  # the second replica's first shard differs
y = np.arange(len(x)) % 10
with strategy.scope():
    model = build()
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF)
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)

# One step first: the stem's statistics are the mean over the two shards'.
single = build()
before = keras.Model(single.input, single.get_layer("stem_conv").output)
shards = [np.array(before(x[:8])), np.array(before(x[8:16]))]
messages = []
Replica = tf.distribute.ReplicaContext
all_reduce = Replica.all_reduce
Replica.all_reduce = lambda replica, op, value, *options: (
    messages.append(len(tf.nest.flatten(value)))
    or all_reduce(replica, op, value, *options))
model.fit(batches.take(1).with_options(options), verbose=0)
Replica.all_reduce = all_reduce
# Each replica sends its ten statistics at once, when a step is traced.
assert messages.count(10) == 2, messages
stem = model.get_layer("stem_bn")
mean = np.mean([s.mean((0, 1, 2)) for s in shards], axis=0)
variance = np.mean([s.var((0, 1, 2), ddof=0) * (512 / 511) for s in shards], 0)
np.testing.assert_allclose(np.array(stem.moving_mean), 0.1 * mean, atol=1e-5)
np.testing.assert_allclose(
    np.array(stem.moving_variance), 0.9 + 0.1 * variance, rtol=1e-4)

# A layer that is used twice updates its statistics twice.
with strategy.scope():
    images = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    shared = BatchNormalization()
    twice = ResNet(images, keras.ops.add(*map(shared, images)))
    twice.compile("sgd", "mse")
pair = x[:16], x[16:32]
twice.fit(pair, pair[0], batch_size=16, shuffle=False, verbose=0)
first, second = (images.mean((0, 1, 2)) for images in pair)
np.testing.assert_allclose(
    np.array(shared.moving_mean), 0.09 * first + 0.1 * second, rtol=1e-4)

model.fit(batches.with_options(options), epochs=2, verbose=0)
seen = 0
for variable in model.variables:
    copies = [v.numpy() for v in strategy.experimental_local_results(
        variable.value)]
    assert len(copies) == 2
    np.testing.assert_array_equal(*copies, err_msg=variable.path)
    seen += "moving" in variable.path
assert seen == 10, seen
# What is saved, exported and predicted is the same.
import sys
model.save(sys.argv[1] + "/m.keras")
loaded = keras.models.load_model(sys.argv[1] + "/m.keras", compile=False)
predicted = model.predict(x, verbose=0, batch_size=16)
np.testing.assert_allclose(loaded.predict(x, verbose=0), predicted, atol=1e-6)
self_check.check = lambda *args: None  # ours is below
with strategy.scope():
    path = export_saved_model(model, sys.argv[1] + "/served",
        standardization=Standardization(np.zeros(3, "float32"),
                                        np.ones(3, "float32")))
served = tf.saved_model.load(str(path))
answer = served.signatures["serving_default"](images=tf.constant(x))
np.testing.assert_allclose(answer["probabilities"], predicted, atol=1e-6)
print("agree")
"""


def test_two_replicas_agree_on_moving_statistics(tmp_path):
    pytest.importorskip("tensorflow")
    printed = run_python(TWO_REPLICAS, tmp_path)
    assert printed.split()[-1] == "agree"


def test_one_device_needs_no_strategy():
    assert training.make_strategy(1) is None


def test_bad_replicas():
    with pytest.raises(ValueError, match="at least 1; received 0"):
        training.make_strategy(0)


def test_precision_is_restored():
    import keras

    with training.precision("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="'half'.*'mixed_float16'"):
        with training.precision("half"):
            pass
