"""Runs in a process of its own: python replica_runs.py REPLICAS RESULTS.npz.

Does everything twice, on one device ("one/...") and under a MirroredStrategy
over logical CPUs ("many/..."), and leaves the comparison to test_replicas.py.
"""

import contextlib
import sys

import keras
import numpy as np

from keras_resnetv2 import ResNet, ResNetConfig, ResNetV2, training
from keras_resnetv2.data import ImageData, Standardization
from keras_resnetv2.training.evaluation import predict_logits

SGD = keras.optimizers.SGD
REPLICAS = int(sys.argv[1])
STRATEGY = training.make_strategy(REPLICAS)
SCOPES = {"one": contextlib.nullcontext, "many": STRATEGY.scope}
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(1.0, 2.0, size=(80, 8, 8, 3))
X[8:16] += 3.0  # the shards of a batch differ
Y = (np.arange(80) * 7 % 10).astype("int32")
RESULTS = {}
PAPER = {"recipe": "paper", "total_steps": 100, "weight_decay": 0.01}


def build(where, normalization="synchronized", options=dict):
    """The same small network, on one device or on many.

    `options` makes those of compile, as the optimizer belongs to the scope.
    """
    keras.utils.set_random_seed(1)
    config = ResNetConfig(
        units_per_stage=(1, 1),
        widths=(4, 8),
        batch_normalization=normalization,
    )
    with SCOPES[where]():
        model = ResNetV2(config, input_shape=(8, 8, 3))
        if options is PAPER:
            training.compile(model, **PAPER)
        else:
            defaults = {
                "optimizer": SGD(0.1),
                "loss": "sparse_categorical_crossentropy",
            }
            model.compile(metrics=["accuracy"], **{**defaults, **options()})
    return model


def fit(model, images, batch_size, **options):
    x = X[:images].astype(keras.config.floatx())
    return model.fit(
        x,
        Y[:images],
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
        **options,
    )


@contextlib.contextmanager
def precision(name):
    before = keras.config.floatx()
    keras.config.set_floatx(name)  # of the loss and the metrics
    with training.precision(name):
        yield
    keras.config.set_floatx(before)


def keep(prefix, model):
    """Keeps all variables of a model and its optimizer."""
    variables = [*model.variables, *model.optimizer.variables]
    for i, variable in enumerate(variables):
        value = np.array(variable.value, dtype="float64")
        RESULTS[f"{prefix}/{i} {variable.name}"] = value


# name -> precision, images, batch size, fit's options, compile's options
FITS = {
    "float64": ("float64", 80, 16, {}, PAPER),
    "float32": ("float32", 80, 16, {}, PAPER),
    "uneven batches": (
        "float64",
        52,
        15,
        {"class_weight": {label: 1.0 + label for label in range(10)}},
        lambda: {"optimizer": training.SGD(0.1)},
    ),
    "use_ema, steps_per_execution": (
        "float64",
        48,
        16,
        {},
        lambda: {
            "optimizer": SGD(0.1, use_ema=True, ema_momentum=0.5),
            "steps_per_execution": 2,
        },
    ),
}


def fits():
    for name, (dtype, images, batch_size, options, compiling) in FITS.items():
        for where in SCOPES:
            with precision(dtype):
                model = build(where, options=compiling)
                if where == "many" and name == "uneven batches":
                    model.remat = "unit"
                history = fit(model, images, batch_size, **options).history
            keep(f"{where}/{name}", model)
            for metric, values in history.items():
                RESULTS[f"{where}/{name}/{metric}"] = np.array(values)


def per_replica_gradients(images):
    """From a step of size 1, and by hand: shard by shard on one device."""
    import tensorflow as tf

    with precision("float64"):
        many = build("many", "per_replica", lambda: {"optimizer": SGD(1.0)})
        one = build("one", "per_replica")
        fit(many, images, batch_size=images)
        gradients = []
        for shard in np.array_split(np.arange(images), REPLICAS):
            with tf.GradientTape() as tape:
                losses = keras.losses.sparse_categorical_crossentropy(
                    Y[shard], one(X[shard], training=True)
                )
                loss = keras.ops.sum(losses) / images
            variables = [v.value for v in one.trainable_variables]
            gradients.append(tape.gradient(loss, variables))
        start = build("one", "per_replica").trainable_variables
    for before, after, by_hand in zip(
        start, many.trainable_variables, zip(*gradients)
    ):
        name = f"per-replica gradients {images}/{before.path}"
        RESULTS[f"one/{name}"] = np.sum(by_hand, axis=0)
        RESULTS[f"many/{name}"] = np.array(before) - np.array(after.value)


def overflow():
    """Only the last replica's gradients overflow: no step, half the scale."""
    x = X[:16].astype("float32")
    x[-16 // REPLICAS :] = np.inf
    with training.precision("mixed_float16"):
        model = build(
            "many",
            "per_replica",
            lambda: {
                "optimizer": keras.optimizers.LossScaleOptimizer(
                    SGD(0.1), initial_scale=1024.0
                )
            },
        )
        before = [np.array(v.value) for v in model.trainable_variables]
        model.fit(x, Y[:16], batch_size=16, shuffle=False, verbose=0)
    RESULTS["overflow/scale"] = np.array(model.optimizer.dynamic_scale.value)
    for old, new in zip(before, model.trainable_variables):
        RESULTS[f"overflow/change {new.path}"] = np.array(new.value) - old


def testing():
    x = X[:64].astype("float32")
    data = ImageData(
        images=RANDOM.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8),
        labels=Y[:70],
        class_names=tuple("abcdefghij"),
    )
    as_is = Standardization(np.zeros(3, "float32"), np.ones(3, "float32"))
    for where in SCOPES:
        model = build(where, "per_replica")
        for batch_size in (7, 500):  # 64 = 9 * 7 + 1: an empty shard
            of_batch = f"{where}/testing/{batch_size}"
            RESULTS[f"{of_batch}/evaluate"] = np.array(
                model.evaluate(x, Y[:64], batch_size=batch_size, verbose=0)
            )
            RESULTS[f"{of_batch}/predict"] = model.predict(
                x, batch_size=batch_size, verbose=0
            )
        for batch_size in (3, 500):  # 70 = 23 * 3 + 1
            RESULTS[f"{where}/testing/{batch_size}/logits"] = predict_logits(
                model, data, as_is, batch_size
            )


def other_inputs():
    """Fit, evaluate and predict with inputs that are no images alone."""
    import tensorflow as tf

    image = keras.Input((8, 8, 3), name="image")
    vector = keras.Input((4,), name="vector")
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    both = keras.layers.Concatenate()([pooled, vector])
    arrays = {
        "image": X[:64].astype("float32"),
        "vector": RANDOM.normal(size=(64, 4)).astype("float32"),
    }
    words = keras.Input((None,), name="words", ragged=True)
    total = keras.layers.Lambda(
        lambda words: tf.reduce_sum(words, axis=1)[:, None], output_shape=(1,)
    )(words)
    ragged = tf.RaggedTensor.from_row_lengths(
        arrays["vector"][:32, 0], [0, 1] * 32
    )
    sparse = keras.Input((4,), name="sparse", sparse=True)
    kinds = {
        "a dict": (dict(image=image, vector=vector), both, arrays),
        "ragged": (
            [vector, words],
            keras.layers.Concatenate()([vector, total]),
            [arrays["vector"], ragged],
        ),
        "sparse": (
            sparse,
            keras.ops.matmul(sparse, np.eye(4, dtype="float32")),
            tf.sparse.from_dense(arrays["vector"]),
        ),
    }
    for name, (inputs, features, x) in kinds.items():
        for where in SCOPES:
            keras.utils.set_random_seed(1)
            with SCOPES[where]():
                outputs = keras.layers.Dense(10, "softmax")(features)
                model = ResNet(inputs, {"a": outputs, "b": features})
                model.compile(
                    optimizer=SGD(0.1),
                    loss={"a": "sparse_categorical_crossentropy", "b": None},
                )
            # 64 = 9 * 7 + 1; TensorFlow makes no empty shard of sparse ones.
            batch_size = 16 if name == "sparse" else 7
            options = {"batch_size": batch_size, "verbose": 0}
            for part, values in model.predict(x, **options).items():
                RESULTS[f"{where}/inputs/{name}/{part}"] = values
            labels = {"a": Y[:64], "b": Y[:64]}
            RESULTS[f"{where}/inputs/{name}/evaluate"] = np.array(
                model.evaluate(x, labels, **options)
            )
            model.fit(x, labels, batch_size=16, shuffle=False, verbose=0)
            for i, weight in enumerate(model.get_weights()):
                RESULTS[f"{where}/inputs/{name}/weight {i}"] = weight


# name -> what to do with a model, how to compile it
REFUSALS = {
    **{
        option: (
            lambda model: fit(model, 16, 16),
            lambda option=option, value=value: {
                "optimizer": SGD(0.1, **{option: value})
            },
        )
        for option, value in {
            "clipnorm": 1.0,
            "global_clipnorm": 2.0,
            "clipvalue": 3.0,
            "gradient_accumulation_steps": 4,
        }.items()
    },
    "ema_overwrite_frequency": (
        lambda model: fit(model, 16, 16),
        lambda: {
            "optimizer": SGD(0.1, use_ema=True, ema_overwrite_frequency=5)
        },
    ),
    "clipnorm inside loss scaling": (
        lambda model: fit(model, 16, 16),
        lambda: {
            "optimizer": keras.optimizers.LossScaleOptimizer(
                SGD(0.1, clipnorm=6.0)
            )
        },
    ),
    "reduction": (
        lambda model: fit(model, 16, 16),
        lambda: {
            "loss": keras.losses.SparseCategoricalCrossentropy(reduction="sum")
        },
    ),
    "train_on_batch": (lambda model: model.train_on_batch(X, Y), dict),
    "predict_on_batch": (lambda model: model.predict_on_batch(X), dict),
    "empty shard": (lambda model: fit(model, REPLICAS // 2, 16), dict),
}


def refusals():
    for name, (use, compiling) in REFUSALS.items():
        try:
            use(build("many", options=compiling))
        except ValueError as error:
            RESULTS[f"refusal/{name}"] = np.array(str(error))


fits()
per_replica_gradients(16)
per_replica_gradients(15)
overflow()
testing()
other_inputs()
refusals()
np.savez(sys.argv[2], **RESULTS)
