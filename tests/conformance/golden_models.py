"""Every model with the same weights, asked the same, whatever computes it."""

import math
import re
import zlib

import keras
import numpy as np

import keras_resnetv2
from keras_resnetv2 import MODELS
from keras_resnetv2.data import Standardization

# Pixels to a side: the last stage must leave batch statistics enough values.
SIZES = {"cifar": 32, "imagenet": 64}
IMAGES = 4
# So large that a change has all of float32's digits beside what it changes,
# and a power of two, which costs none.
LEARNING_RATE = 2.0**10
# Exact in binary: pixels mean the same to a SavedModel and to a network.
STANDARDIZATION = Standardization(np.full(3, 128.0), np.full(3, 64.0))
# Deeper nets run op by op: to trace one takes minutes, and tells no more.
DEEPEST_TRACED = 200
# Kept of each answer's images and classes, and of each weight picked.
ROWS, CLASSES, SUMS = 2, 10, 8


def depth(name: str) -> int:
    """Number of layers, as in the paper."""
    return int(re.search(r"\d+", name).group())


def pixels(name: str) -> np.ndarray:
    """Patches under noise, 0 to 255: float32 (IMAGES, H, W, 3)."""
    size = SIZES[MODELS[name].stem]
    random = np.random.RandomState(0)
    patches = random.randint(0, 256, size=(IMAGES, 4, 4, 3))
    patches = patches.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    noise = random.randint(0, 256, size=patches.shape)
    return ((patches + noise) // 2).astype("float32")


def make(name: str, **options) -> keras.Model:
    """A model of `MODELS` that gives logits."""
    return getattr(keras_resnetv2, name)(
        input_shape=pixels(name).shape[1:],
        classifier_activation=None,
        **options,
    )


def build(name: str) -> keras.Model:
    """The same, with its weights of `set_weights`."""
    model = make(name)
    set_weights(model)
    return model


def set_weights(model: keras.Model) -> None:
    """Draws every weight from a seed that is a hash of its path and shape."""
    units = sum(layer.name.endswith("_out") for layer in model.layers)
    last_convs = {
        _convs_of(layer.name, model)[-1]
        for layer in model.layers
        if layer.name.endswith("_out")
    }
    for weight in model.weights:
        layer, kind = weight.path.split("/")
        shape = tuple(weight.shape)
        seed = zlib.crc32(f"{weight.path} {shape}".encode())
        # NumPy promises that RandomState's numbers stay what they are.
        normal = np.random.RandomState(seed).standard_normal(shape)
        value = _KINDS[kind](normal)
        if layer in last_convs:
            # With moving statistics that are not its own the signal would grow
            # by a factor a unit, and 1202 layers overflow.
            value /= math.sqrt(units)
        elif layer == "predictions":
            value /= 8  # no class is certain
        weight.assign(value)


def _convs_of(out, model):
    prefix = out.removesuffix("_out")
    names = [layer.name for layer in model.layers]
    return sorted(n for n in names if re.fullmatch(rf"{prefix}_conv\d", n))


def _he(normal):
    return normal * math.sqrt(2 / math.prod(normal.shape[:-1]))


_KINDS = {
    "kernel": _he,
    "bias": lambda normal: 0.1 * normal,
    "gamma": lambda normal: 1 + 0.1 * normal,
    # Few values come near 0: there a rounding switches a ReLU's gradient.
    "beta": lambda normal: 3 * np.sign(normal) + 0.1 * normal,
    "moving_mean": lambda normal: 0.1 * normal,
    "moving_variance": lambda normal: np.exp(0.1 * normal),
}


def ask(model: keras.Model, name: str, **options) -> dict[str, np.ndarray]:
    """What the model says of the images, with its moving statistics.

    Args:
        model: with its weights of `set_weights`.
        name: of `MODELS`.
        **options: of compile.

    Returns:
        "logits", and the "probabilities" that a server would give for them.
    """
    model.compile(**_running(name), **options)
    logits = model.predict(STANDARDIZATION(pixels(name)), verbose=0)
    logits = logits.astype("float64")
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return {"logits": kept(logits), "probabilities": kept(probabilities)}


def kept(answers: np.ndarray) -> np.ndarray:
    """The part of (images, classes) that a golden keeps."""
    return answers[:ROWS, :CLASSES]


def step(model: keras.Model, name: str, replicas=1, **options) -> dict:
    """One step of SGD: the loss and what it changes.

    Args:
        model: with its weights of `set_weights`; it is compiled and trained.
        name: of `MODELS`.
        replicas: each gets all images, so that its batch statistics, and the
            mean over the replicas, are one device's.
        **options: of compile.

    Returns:
        "step/loss"; "step/norms/{place}/{kind}", the sum over all weights of a
        stage of the Euclidean norm of their change, so that none is left out;
        and "step/{path}" of some, `SUMS` sums of all elements of the change,
        each with signs of its own. (Of a few elements all may be zero.)
    """
    before = _values(model)
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **_running(name),
        **options,
    )
    x = np.concatenate([STANDARDIZATION(pixels(name))] * replicas)
    y = np.tile(np.arange(IMAGES, dtype="int32"), replicas)
    history = model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
    found = {"step/loss": np.array(history.history["loss"][0])}
    change = {k: v - before[k] for k, v in _values(model).items()}
    for path, value in change.items():
        layer, kind = path.split("/")
        key = f"step/norms/{layer.split('_')[0]}/{kind}"
        found[key] = found.get(key, 0.0) + np.linalg.norm(value)
    for path in _picked(model):
        random = np.random.RandomState(zlib.crc32(path.encode()))
        flat = change[path].ravel()
        found[f"step/{path}"] = np.array(
            [flat @ random.choice((-1.0, 1.0), flat.size) for _ in range(SUMS)]
        )
    return found


def _running(name):
    deep = depth(name) > DEEPEST_TRACED
    return {"run_eagerly": True} if deep else {}


def _values(model):
    return {
        w.path: keras.ops.convert_to_numpy(w.value).astype("float64")
        for w in model.weights
    }


def _picked(model):
    """The first, the middle and the last of each kind."""
    by_kind = {}
    for weight in model.weights:
        by_kind.setdefault(weight.path.split("/")[1], []).append(weight.path)
    for paths in by_kind.values():
        yield from dict.fromkeys((paths[0], paths[len(paths) // 2], paths[-1]))
