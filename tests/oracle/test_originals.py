"""The networks of other projects, run beside ours with the same weights.

keras.applications is in tests/models. `make test-all` installs the others,
without their dependencies.
"""

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest

from keras_resnetv2 import (
    MODELS,
    ResNetV2,
    feature_taps,
    load_backbone,
    save_weights_as,
)

pytestmark = pytest.mark.parity

_LARGE = pytest.mark.large
_DEEP = {"stem": "imagenet_deep"}
_TIERED = {"stem": "imagenet_tiered"}


def _case(project, name, model, sizes, marks=(), **options):
    return pytest.param(
        project,
        name,
        model,
        sizes,
        options,
        id=f"{project}-{name}",
        marks=marks,
    )


_SMALL, _WHOLE = (96,), (224, 160)
CASES = [
    _case("hub", 18, "ResNet18V2", _WHOLE),
    _case("hub", 34, "ResNet34V2", _SMALL),
    _case("hub", 50, "ResNet50V2", _WHOLE),
    _case("hub", 101, "ResNet101V2", _SMALL, _LARGE),
    _case("hub", 152, "ResNet152V2", _SMALL, _LARGE),
    _case("timm", "resnetv2_18", "ResNet18V2", _WHOLE),
    _case("timm", "resnetv2_18d", "ResNet18V2", _WHOLE, **_DEEP),
    _case("timm", "resnetv2_34", "ResNet34V2", _SMALL),
    _case("timm", "resnetv2_34d", "ResNet34V2", (97,), **_DEEP),
    _case("timm", "resnetv2_50", "ResNet50V2", _WHOLE),
    _case("timm", "resnetv2_50d", "ResNet50V2", _SMALL, **_DEEP),
    _case("timm", "resnetv2_50t", "ResNet50V2", (97,), **_TIERED),
    _case("timm", "resnetv2_101", "ResNet101V2", _SMALL, _LARGE),
    _case("timm", "resnetv2_101d", "ResNet101V2", _SMALL, _LARGE, **_DEEP),
    _case("timm", "resnetv2_152", "ResNet152V2", _SMALL, _LARGE),
    _case("timm", "resnetv2_152d", "ResNet152V2", _SMALL, _LARGE, **_DEEP),
    _case("pytorchcv", "preresnet18", "ResNet18V2", _WHOLE),
    _case("pytorchcv", "preresnet34", "ResNet34V2", _SMALL),
    _case("pytorchcv", "preresnet50", "ResNet50V2", _WHOLE),
    _case(
        "pytorchcv",
        "preresnet50b",
        "ResNet50V2",
        _SMALL,
        bottleneck_stride="conv2",
    ),
    _case("pytorchcv", "preresnet101", "ResNet101V2", _SMALL, _LARGE),
    _case("pytorchcv", "preresnet152", "ResNet152V2", _SMALL, _LARGE),
    _case("pytorchcv", "preresnet200", "ResNet200V2", _SMALL, _LARGE),
    _case("pytorchcv", "preresnet20_cifar10", "PreActResNet20", (32, 45)),
    _case("pytorchcv", "preresnet56_cifar100", "PreActResNet56", (32,)),
    _case("pytorchcv", "preresnet110_svhn", "PreActResNet110", (32,)),
    _case("pytorchcv", "preresnet164bn_cifar10", "PreActResNet164", (32, 40)),
    _case(
        "pytorchcv",
        "preresnet1001_cifar10",
        "PreActResNet1001",
        (32,),
        _LARGE,
    ),
    _case(
        "pytorchcv",
        "preresnet1202_cifar10",
        "PreActResNet1202",
        (32,),
        _LARGE,
    ),
]
_CLASSES = {"preresnet56_cifar100": 100}
_PACKAGES = {"hub": "keras_hub", "timm": "timm", "pytorchcv": "pytorchcv"}
_REFERENCES = {"hub": "keras_hub"}


def _build(project, name, size, **options):
    package = _PACKAGES[project]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    import originals

    classes = _CLASSES.get(name, 10)
    return originals.build(project, name, size=size, classes=classes, **options)


def _ours(project, name, model, size, options, weights=None):
    config = dataclasses.replace(
        MODELS[model],
        reference=_REFERENCES.get(project, project),
        classes=_CLASSES.get(name, 10),
        **options,
    )
    return ResNetV2(
        config,
        weights=weights,
        input_shape=(size, size, 3),
        classifier_activation=None,
    )


def _images(size):
    rng = np.random.default_rng(1)
    return rng.uniform(-2, 2, (2, size, size, 3)).astype("float32")


@pytest.mark.parametrize("project, name, model, sizes, options", CASES)
def test_logits_and_maps_agree(project, name, model, sizes, options, agree):
    for size in sizes:
        theirs = _build(project, name, size, seed=3)
        ours = _ours(project, name, model, size, options, theirs.model)
        x = _images(size)
        expected = theirs.logits(x)
        agree(f"logits at {size}", np.array(ours(x)), expected, 1e-4)
        # Their stem's map comes first; after our last tap, BN and ReLU.
        *taps, _ = feature_taps(ours).values()
        outputs = [ours.get_layer(tap).output for tap in taps]
        maps = keras.Model(ours.input, outputs)(x)
        originals = theirs.features(x)[-len(taps) - 1 : -1]
        for tap, own, other in zip(taps, maps, originals, strict=True):
            agree(f"{tap} at {size}", np.array(own), other, 1e-4)


@pytest.mark.parametrize(
    "project, name, model, size, options, file",
    [
        ("timm", "resnetv2_50d", "ResNet50V2", 96, _DEEP, "w.safetensors"),
        ("timm", "resnetv2_18", "ResNet18V2", 96, {}, "w.bin"),
        ("pytorchcv", "preresnet18", "ResNet18V2", 96, {}, "w.pth"),
        (
            "pytorchcv",
            "preresnet20_cifar10",
            "PreActResNet20",
            32,
            {},
            "w.pth",
        ),
    ],
)
def test_they_load_what_is_saved_for_them(
    project, name, model, size, options, file, tmp_path, agree
):
    theirs = _build(project, name, size, seed=3)
    ours = _ours(project, name, model, size, options)
    expected = np.array(ours(_images(size)))
    path = tmp_path / file
    save_weights_as(ours, project, path)
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        import torch

        state = torch.load(path, weights_only=True)
    theirs.model.load_state_dict(state, strict=True)
    agree("their logits", theirs.logits(_images(size)), expected, 1e-4)
    # Our own way back.
    other = _ours(project, name, model, size, options, path)
    np.testing.assert_array_equal(np.array(other(_images(size))), expected)


@pytest.mark.parametrize(
    "project, name, model, size, options",
    [
        ("hub", 50, "ResNet50V2", 64, {}),
        ("timm", "resnetv2_18", "ResNet18V2", 96, {}),
        ("timm", "resnetv2_50d", "ResNet50V2", 65, _DEEP),
        ("timm", "resnetv2_50t", "ResNet50V2", 64, _TIERED),
        ("pytorchcv", "preresnet50", "ResNet50V2", 64, {}),
        ("pytorchcv", "preresnet20_cifar10", "PreActResNet20", 32, {}),
        ("pytorchcv", "preresnet164bn_cifar10", "PreActResNet164", 32, {}),
    ],
)
def test_float64_agrees_to_nine_digits(
    project, name, model, size, options, agree
):
    keras.config.set_dtype_policy("float64")
    try:
        double = {} if project == "hub" else {"dtype": "float64"}
        theirs = _build(project, name, size, seed=3, **double)
        ours = _ours(project, name, model, size, options, theirs.model)
        x = _images(size).astype("float64")
        agree("logits in float64", np.array(ours(x)), theirs.logits(x), 1e-9)
    finally:
        keras.config.set_dtype_policy("float32")


def test_pytorchcv_s_archive_and_nested_checkpoints(tmp_path):
    import zipfile

    torch = pytest.importorskip("torch")
    theirs = _build("pytorchcv", "preresnet20_cifar10", 32, seed=3)
    state = theirs.model.state_dict()
    name = "preresnet20_cifar10-0651-76cec68d.pth"
    torch.save(state, tmp_path / name)
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
        archive.write(tmp_path / name, name)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "nested.bin")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for file in (f"{name}.zip", "nested.bin", "old.pt"):
        net = _ours(
            "pytorchcv", None, "PreActResNet20", 32, {}, tmp_path / file
        )
        np.testing.assert_array_equal(
            np.array(net.get_layer("predictions").bias), state["output.bias"]
        )
    assert net.origin.class_names is None  # the name of a dataset is missing
    load_backbone(net, tmp_path / f"{name}.zip")
    named = _ours(
        "pytorchcv", None, "PreActResNet20", 32, {}, tmp_path / f"{name}.zip"
    )
    assert named.origin.class_names[0] == "airplane"
