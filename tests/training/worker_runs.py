"""Runs in a process of its own: worker_runs.py KIND DEVICES RESULTS [ONLY...].

KIND is "one" device, "mirrored" (one process with so many devices) or
"workers" (those of the environment, with so many devices each). All do the
same, and leave the comparison to test_workers.py. ONLY is a kind of batch
normalization, for one training, or "methods".
"""

import functools
import pathlib
import sys

import keras
import numpy as np
from small_training import UNIT, experiment, keep_variables, train_and_keep

from keras_resnetv2 import ResNetConfig, ResNetV2, data, training
from keras_resnetv2.training import devices, images, logs, loop
from keras_resnetv2.training.evaluation import predict_logits

KIND, DEVICES, PATH, *ONLY = sys.argv[1:]
DEVICES, PATH = int(DEVICES), pathlib.Path(PATH)
RESULTS = {}
ON_JAX = keras.backend.backend() == "jax"
# On JAX, --replicas makes the logical CPUs of workers, too.
REPLICAS = {"one": None, "mirrored": DEVICES, "workers": None}[KIND]
if ON_JAX and KIND == "workers":
    REPLICAS = 2 * DEVICES


def load(name, split, **kwargs):
    count = {"train": 180, "test": 70}[split]
    return data.load_arrays(name, split, **kwargs).take(count)


def several_logical_cpus():
    """TensorFlow gives a worker without a GPU one CPU; only here more."""
    import tensorflow as tf
    from tensorflow.python.distribute import collective_all_reduce_strategy

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * DEVICES,
    )
    extended = collective_all_reduce_strategy.CollectiveAllReduceExtended
    extended._initialize_local_devices = lambda self, resolver, worker: (
        tuple(f"{worker}/device:CPU:{i}" for i in range(DEVICES)),
        "CPU",
    )


def trainings():
    """Six steps each."""
    kinds = ("synchronized", "per_replica")
    for kind in [kind for kind in kinds if kind in (ONLY or kinds)]:
        train_and_keep(
            RESULTS,
            kind,
            experiment(
                epochs=2,
                batch_size=60,
                precision="float64",
                replicas=REPLICAS,
                options={**UNIT, "batch_normalization": kind},
            ),
            PATH / kind,
        )


def build(scope, optimizer=lambda: training.SGD(0.1), **options):
    keras.utils.set_random_seed(1)
    config = ResNetConfig(units_per_stage=(1, 1), widths=(4, 8), **options)
    with scope():
        model = ResNetV2(config, input_shape=(8, 8, 3))
        model.compile(
            optimizer=optimizer(),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    return model


def own_places(count, size):
    """On JAX, Keras takes what a worker gives as its part of each batch."""
    worker, workers = jax.process_index(), jax.process_count()
    batches = np.split(np.arange(count), range(size, count, size))
    parts = [np.split(batch, workers)[worker] for batch in batches]
    return np.concatenate(parts), size // workers


def keras_methods(scope):
    """`fit`, `evaluate` and `predict` on arrays, which Keras distributes."""
    random = np.random.default_rng(0)
    x = random.normal(1.0, 2.0, size=(70, 8, 8, 3))
    y = (np.arange(70) * 7 % 10).astype("int32")
    with training.precision("float64"):
        model = build(scope, batch_normalization="synchronized")
    options = {"batch_size": 16, "verbose": 0}
    if ON_JAX:
        ours, options["batch_size"] = own_places(56, 16)
        model.fit(x[ours], y[ours], shuffle=False, **options)
        RESULTS["methods/evaluate"] = np.array(
            model.evaluate(x[ours], y[ours], **options)
        )
    else:
        model.fit(x[:55], y[:55], shuffle=False, **options)
    keep_variables(RESULTS, "fit", model)
    for size in () if ON_JAX else (7, 16, 500):
        options["batch_size"] = size
        RESULTS[f"methods/evaluate {size}"] = np.array(
            model.evaluate(x, y, **options)
        )
        RESULTS[f"methods/predict {size}"] = model.predict(x, **options)
    pixels = data.ImageData(
        images=random.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8),
        labels=y,
        class_names=tuple("abcdefghij"),
    )
    as_is = data.Standardization(np.zeros(3), np.ones(3))
    for size in (3, 500):
        RESULTS[f"methods/logits {size}"] = predict_logits(
            model, pixels, as_is, size
        )


def overflow(scope):
    """Only the last replica's gradients overflow: no step, half the scale."""
    x = np.ones((16, 8, 8, 3), "float32")
    x[-4:] = np.inf
    with training.precision("mixed_float16"):
        model = build(
            scope,
            lambda: keras.optimizers.LossScaleOptimizer(
                training.SGD(0.1), initial_scale=1024.0
            ),
        )
    before = model.get_weights()
    model.fit(x, np.zeros(16, "int32"), batch_size=16, verbose=0)
    RESULTS["overflow/scale"] = np.array(model.optimizer.dynamic_scale.value)
    trained = {id(v) for v in model.trainable_variables}
    RESULTS["overflow/changes"] = np.array(
        [
            np.abs(keras.ops.convert_to_numpy(v) - old).max()
            for v, old in zip(model.weights, before)
            if id(v) in trained
        ]
    )


def refusals(scope):
    model = build(scope, batch_normalization="synchronized")
    for name in ("train_on_batch", "predict_on_batch", "predict"):
        try:
            getattr(model, name)(np.ones((4, 8, 8, 3), "float32"))
        except ValueError as error:
            RESULTS[f"refusals/{name}"] = np.array(str(error))


# Two of MirroredStrategy in one process get in each other's way.
loop.make_strategy = make_strategy = functools.cache(training.make_strategy)
images.load_arrays = load
logs.plot_curves = lambda *args, **kwargs: None
keras.config.set_floatx("float64")  # of the loss and the metrics
if ON_JAX:
    import jax
    from keras.src.backend.common import dtypes

    jax.config.update("jax_enable_x64", True)
    # Keras on JAX computes in float32 even where everything is float64.
    dtypes.BIT64_TO_BIT32_DTYPE.clear()
elif KIND == "workers" and DEVICES > 1:
    several_logical_cpus()
trainings()
if not ONLY or "methods" in ONLY:
    strategy = make_strategy(DEVICES if KIND == "mirrored" else REPLICAS)
    scope = functools.partial(devices.scope, strategy)
    with devices.scope_of_fit(strategy):
        keras_methods(scope)
        if ON_JAX and KIND == "workers":
            refusals(scope)
    if KIND == "workers" and not ON_JAX:
        keras.config.set_floatx("float32")
        overflow(scope)
        refusals(scope)
np.savez(PATH.with_suffix(".npz"), **RESULTS)
