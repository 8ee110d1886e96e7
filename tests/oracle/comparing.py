"""The two sides of a comparison: the same weights, the same images."""

import itertools
import pathlib
import pickle

import numpy as np
import torch
import torch_net
from panels import FIG_2, FIG_4, OPTIONS, UNITS, terms_of
from processes import run_python

from keras_resnetv2 import ResNetConfig

torch.set_num_threads(1)  # the maps are small

BACKENDS = ("tensorflow", "jax", "torch")

# All of Figs. 2 and 4, with every unit and option, in the fewest units that
# hold a network's first, one that shrinks the map, and one that does neither.
COMBINATIONS = {
    f"{order} {shortcut} {unit} {change}": {
        "units_per_stage": (1, 2),
        "widths": (4, 8),
        "activation_order": order,
        "shortcut": shortcut,
        "unit": unit,
        "dimension_change": change,
    }
    for order, shortcut, unit, change in itertools.product(
        FIG_4, FIG_2, UNITS, OPTIONS
    )
}

_SMALL = {"units_per_stage": (1, 2), "widths": (4, 8)}
FURTHER = {
    "ImageNet stem": {**_SMALL, "stem": "imagenet"},
    "ImageNet stem, bottleneck": {
        **_SMALL,
        "stem": "imagenet",
        "unit": "bottleneck",
        "activation_order": "original",
    },
    "stride on the 3x3": {
        **_SMALL,
        "unit": "bottleneck",
        "bottleneck_stride": "conv2",
    },
    "stochastic depth": {**_SMALL, "stochastic_depth": 0.6},
    "stochastic depth and dropout": {
        **_SMALL,
        "shortcut": "dropout",
        "dropout_rate": 0.3,
        "stochastic_depth": 0.6,
    },
    "two factors": {
        **_SMALL,
        "shortcut": "constant_scaling",
        # Exact in float32, to which Keras's Rescaling rounds them.
        "shortcut_scale": 0.75,
        "residual_scale": 1.25,
    },
    "stages of one width": {**_SMALL, "widths": (4, 4), "classes": 3},
}

_STEPS = pathlib.Path(__file__).with_name("keras_steps.py")


def settings_of(config):
    """The oracle's settings for a config of ours."""
    return torch_net.Settings(**terms_of(config))


def meta_forward(settings, image_shape, batch=1, **kwargs):
    """Logits and weights of the oracle, shapes only: nothing is computed."""
    made = {}

    def weight(name, shape):
        trainable = "/moving_" not in name
        made[name] = torch.empty(shape, device="meta", requires_grad=trainable)
        return made[name]

    images = torch.empty((batch, *image_shape), device="meta")
    logits = torch_net.forward(settings, weight, images, **kwargs)[0]
    return logits, made


def case(options, image_shape, batch, dtype="float64"):
    """Weights far from the initial ones, images and labels."""
    rng = np.random.default_rng(0)
    settings = settings_of(ResNetConfig(**options))
    _, weights = meta_forward(settings, image_shape)

    def drawn(name, shape):
        if name.endswith("kernel"):
            return rng.normal(size=shape) * (2 / np.prod(shape[:-1])) ** 0.5
        if name.endswith(("gamma", "variance")):
            return rng.uniform(0.5, 1.5, shape)
        return rng.normal(size=shape) * 0.5

    return {
        "options": options,
        "weights": {
            name: drawn(name, tuple(w.shape)).astype(dtype)
            for name, w in weights.items()
        },
        "images": rng.normal(size=(batch, *image_shape)).astype(dtype),
        "labels": rng.integers(settings.classes, size=batch),
    }


def our_answers(cases, backend, folder, dtype="float64"):
    """{case: {training: answers}} of our networks, from one process.

    The answers: {"logits", "maps", "statistics", "gradients", "masks"}.
    """
    asked, answered = folder / "asked.pickle", folder / "answered.pickle"
    asked.write_bytes(pickle.dumps((dtype, cases)))
    run_python(_STEPS.read_text(), asked, answered, backend=backend)
    return pickle.loads(answered.read_bytes())


def oracle_answers(case, training, masks):
    """The same from the oracle, in float64."""
    weights = {
        name: torch.tensor(
            value.astype("float64"), requires_grad="/moving_" not in name
        )
        for name, value in case["weights"].items()
    }
    images = torch.tensor(case["images"].astype("float64"), requires_grad=True)

    def weight(name, shape):
        assert weights[name].shape == shape, name
        return weights[name]

    logits, statistics, maps = torch_net.forward(
        settings_of(ResNetConfig(**case["options"])),
        weight,
        images,
        training,
        lambda name, _: torch.tensor(masks[name]) if name in masks else None,
    )
    loss = torch.nn.functional.cross_entropy(
        logits, torch.tensor(case["labels"])
    )
    loss.backward()
    gradients = {k: w.grad for k, w in weights.items() if w.requires_grad}
    return {
        "logits": logits.detach().numpy(),
        "maps": {k: v.detach().numpy() for k, v in maps.items()},
        "statistics": {k: v.numpy() for k, v in statistics.items()},
        "gradients": {k: v.numpy() for k, v in gradients.items()}
        | {"images": images.grad.numpy()},
    }


def pairs_of(case, ours):
    """{what: ({tensor: ours}, {tensor: the oracle's})}, both modes."""
    pairs = {}
    for training, answers in ours.items():
        expected = oracle_answers(case, training, answers["masks"])
        mode = "training" if training else "inference"
        for what, tensors in expected.items():
            if not isinstance(tensors, dict):
                tensors, answers[what] = {"": tensors}, {"": answers[what]}
            got, wanted = pairs.setdefault(what, ({}, {}))
            got |= {f"{mode} {k}": v for k, v in answers[what].items()}
            wanted |= {f"{mode} {k}": v for k, v in tensors.items()}
    return pairs
