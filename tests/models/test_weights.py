"""Weights of other projects: what fits, what is said, what is refused."""

import dataclasses
import pickle
import warnings

import keras
import numpy as np
import pytest
from counting import counted

from keras_resnetv2 import (
    MODELS,
    PreActResNet20,
    ResNet18V2,
    ResNet50V2,
    ResNetConfig,
    ResNetV2,
    complexity,
    decode_predictions,
    feature_taps,
    load_backbone,
    save_weights_as,
    training,
)
from keras_resnetv2.data import CLASS_NAMES, STANDARDIZATIONS
from keras_resnetv2.export.precision import with_precision
from keras_resnetv2.models import weight_names
from keras_resnetv2.models.references import REFERENCES

TIMM = ResNetConfig(
    units_per_stage=(1, 2, 1, 1),
    widths=(4, 4, 8, 8),
    stem="imagenet",
    reference="timm",
    classes=5,
)
SHAPE = (32, 32, 3)


def at_random(model, seed=0):
    """Weights far from the initial ones, negative gammas too."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        value = rng.uniform(0.5, 1.5, shape)
        if weight.name == "gamma":
            value *= rng.choice([-1, 1], shape)
        elif weight.name != "moving_variance":
            value = rng.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape)
        weight.assign(value)
    return model


def timm(**options):
    config = dataclasses.replace(TIMM, **options)
    return at_random(ResNetV2(config, input_shape=SHAPE))


def images(size=SHAPE[0], count=2):
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (count, size, size, 3)).astype("float32")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "timm.safetensors"
    save_weights_as(timm(), "timm", path)
    return path


@pytest.mark.parametrize(
    "row",
    [row for row in REFERENCES if row.name != "paper"],
    ids=lambda row: row.name,
)
def test_every_reference_has_names_for_all_its_weights(row):
    for stem in row.stems:
        for unit in ("basic", "bottleneck"):
            config = ResNetConfig(
                units_per_stage=(2, 2),
                widths=(8, 16),
                stem=stem,
                unit=unit,
                reference=row.name,
            )
            names = weight_names.find_names(row.name, stem)
            model = ResNetV2(config, input_shape=(32, 32, 3))
            theirs = [
                names.of(layer.name, weight.name)
                for layer in model.layers
                for weight in layer.weights
            ]
            assert None not in theirs
            assert len(set(theirs)) == len(theirs)
            assert weight_names.recognize(set(theirs)) is names
            counts = complexity(config, input_shape=(32, 32, 3))
            assert counts == counted(model)


# keras.applications is here in every environment; tests/oracle has the others.
@pytest.fixture(scope="module")
def of_keras():
    return at_random(
        keras.applications.ResNet50V2(
            weights=None,
            classes=3,
            input_shape=(64, 64, 3),
            classifier_activation=None,
        )
    )


def test_keras_applications_there_and_back(of_keras, tmp_path, agree):
    x = images(64)
    expected = np.array(of_keras(x))
    of_keras.save_weights(tmp_path / "theirs.weights.h5")
    of_keras.save(tmp_path / "theirs.h5")
    of_keras.save(tmp_path / "theirs.keras")
    ours = ResNet50V2(
        reference="keras_applications",
        weights=of_keras,
        classes=3,
        input_shape=(64, 64, 3),
        classifier_activation=None,
    )
    agree("logits of keras.applications", np.array(ours(x)), expected, 1e-5)
    # The last signal of each stride: one unit before their stage's end.
    theirs = ["conv2_block2_out", "conv3_block3_out", "conv4_block5_out"]
    taps = list(feature_taps(ours).values())[:3]
    for tap, name in zip(taps, theirs, strict=True):
        maps = [
            np.array(keras.Model(net.input, net.get_layer(layer).output)(x))
            for net, layer in ((ours, tap), (of_keras, name))
        ]
        agree(f"map {name}", *maps, 1e-5)
    for name in ("theirs.weights.h5", "theirs.h5", "theirs.keras"):
        ours.set_weights([0 * weight for weight in ours.get_weights()])
        load_backbone(ours, tmp_path / name)
        np.testing.assert_array_equal(
            ours.get_layer("stage4_unit3_conv3").bias,
            of_keras.get_layer("conv5_block3_3_conv").bias,
        )
    at_random(ours, seed=2)
    save_weights_as(ours, "keras_applications", tmp_path / "back.weights.h5")
    of_keras.load_weights(tmp_path / "back.weights.h5")
    agree("logits back", np.array(of_keras(x)), np.array(ours(x)), 1e-5)


def test_a_file_of_timm(file):
    model = timm()
    loaded = ResNetV2(TIMM, input_shape=SHAPE, weights=file)
    np.testing.assert_array_equal(loaded(images()), model(images()))
    assert loaded.origin.weights == "timm.safetensors"
    assert loaded.origin.standardization == STANDARDIZATIONS["inception"]
    assert loaded.origin.class_names is None


def test_networks_of_this_package_are_weights_too():
    model = timm()
    loaded = ResNetV2(TIMM, input_shape=SHAPE, weights=model)
    np.testing.assert_array_equal(loaded(images()), model(images()))
    hub = dataclasses.replace(TIMM, reference="keras_hub")
    with pytest.raises(ValueError, match="'keras_hub', there 'timm'"):
        ResNetV2(hub, input_shape=SHAPE, weights=model)


def test_another_number_of_classes_gets_a_new_head(file):
    with pytest.warns(UserWarning, match="have 5 classes and this network 7"):
        model = ResNetV2(TIMM, input_shape=SHAPE, weights=file, classes=7)
    source = timm()
    np.testing.assert_array_equal(
        model.get_layer("head_bn").gamma, source.get_layer("head_bn").gamma
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ResNetV2(TIMM, input_shape=SHAPE, weights=file, include_top=False)


def test_weights_without_a_head(tmp_path):
    path = tmp_path / "body.safetensors"
    body = ResNetV2(TIMM, input_shape=SHAPE, include_top=False)
    save_weights_as(body, "timm", path)
    with pytest.warns(UserWarning, match="have no classes and this network 5"):
        ResNetV2(TIMM, input_shape=SHAPE, weights=path)


def test_the_reference_that_fits_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    deep = ResNet18V2(
        reference="timm", stem="imagenet_deep", input_shape=SHAPE, classes=2
    )
    save_weights_as(deep, "timm", path)
    fitting = r"Build ResNet18V2\(reference='timm', stem='imagenet_deep'\)"
    for options in (
        {},
        {"reference": "keras_applications"},
        {"reference": "timm"},
    ):
        with pytest.raises(ValueError, match=fitting):
            ResNet18V2(weights=path, **options)
    # Of no named network.
    save_weights_as(timm(), "timm", path)
    with pytest.raises(ValueError, match=r"Build ResNetConfig\(\.\.\., ref"):
        ResNet18V2(weights=path)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"units_per_stage": (1, 2, 1, 2)}, r"stage4_unit2_.* is missing \(st"),
        ({"units_per_stage": (1, 1, 1, 1)}, "stages.1.blocks.1.* no layer"),
        (
            {"widths": (4, 4, 8, 16)},
            r"shape \(3, 3, 8, 16\), .*has \(3, 3, 8, 8\)",
        ),
        ({"shortcut": "constant_scaling"}, "'identity'.*Omit them"),
        ({"bottleneck_stride": None, "activation_order": "original"}, "Omit"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(file, options, says):
    model = timm(**options)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"timm.safetensors.*{says}"):
        load_backbone(model, file)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_an_input_of_other_channels(file):
    with pytest.raises(ValueError, match=r"\(7, 7, 1, 4\).*\(input_shape\)"):
        ResNetV2(TIMM, input_shape=(32, 32, 1), weights=file)


@pytest.mark.parametrize(
    "name, content",
    [
        ("file.h5", b""),
        ("file.h5", b"no weights"),
        ("file.h5", b"\x89HDF\r\n\x1a\nrest"),
        ("file.safetensors", b"\x10\0\0\0\0\0\0\0{damaged"),
        ("file.pth", b"PK\x03\x04"),
    ],
)
def test_files_that_hold_no_weights(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    pytest.importorskip("safetensors")
    with pytest.raises(ValueError, match="cannot be read"):
        PreActResNet20(weights=path)


def test_a_truncated_file(file):
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="timm.safetensors.*get it again"):
        ResNetV2(TIMM, weights=file)


def test_another_network_of_keras():
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="dense/bias, dense.*Expected a ResN"):
        PreActResNet20(weights=other)


@pytest.mark.parametrize(
    "project, config, path, says",
    [
        ("torchvision", TIMM, "w.pth", "'torchvision'"),
        ("pytorchcv", TIMM, "w.pth", "received reference='timm'.*train it so"),
        ("timm", TIMM, "w.h5", "must end in .safetensors or .pth"),
        (
            "timm",
            dataclasses.replace(TIMM, shortcut="exclusive_gating"),
            "w.safetensors",
            "shortcut: 'exclusive_gating', published 'identity'",
        ),
        (
            "keras_applications",
            dataclasses.replace(TIMM, reference="keras_applications"),
            "w.weights.h5",
            "no network like resnetv2, only ResNet50V2",
        ),
    ],
)
def test_what_cannot_be_saved_for_others(project, config, path, says, tmp_path):
    model = ResNetV2(config, input_shape=SHAPE)
    with pytest.raises(ValueError, match=says):
        save_weights_as(model, project, tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_imagenet_has_a_thousand_names():
    names = CLASS_NAMES["imagenet"]
    assert len(set(names)) == 1000
    assert names[0] == "tench" and names[207] == "golden retriever"
    scores = np.eye(1000)[[207]]
    assert decode_predictions(scores, 1, "imagenet") == [
        [(207, "golden retriever", 1.0)]
    ]


def test_published_weights_bring_size_statistics_and_names(tmp_path):
    model = ResNet18V2(reference="timm", input_shape=SHAPE)
    save_weights_as(model, "timm", tmp_path / "model.safetensors")
    loaded = ResNet18V2(
        reference="timm",
        weights=tmp_path / "model.safetensors",
        input_shape=SHAPE,
        include_preprocessing=True,
    )
    assert loaded.origin.class_names == CLASS_NAMES["imagenet"]
    pixels = np.full((1, *SHAPE), 255, np.uint8)
    np.testing.assert_allclose(
        np.array(loaded(pixels)),
        np.array(model(np.ones((1, *SHAPE), "float32"))),
        atol=1e-6,
    )
    # Statistics of one's own are for weights that only have the format.
    other = ResNet18V2(
        reference="timm",
        weights=tmp_path / "model.safetensors",
        input_shape=SHAPE,
        include_preprocessing="imagenet",
    )
    assert other.origin.standardization == STANDARDIZATIONS["imagenet"]
    config = dataclasses.replace(
        MODELS["ResNet50V2"], reference="keras_applications"
    )
    assert config.input_size == 299


class Malicious:
    def __reduce__(self):
        return (print, ("this must not be printed",))


def test_a_malicious_pickle_is_refused(tmp_path, capsys):
    pytest.importorskip("torch")
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"state_dict": Malicious()}))
    with pytest.raises(ValueError, match="refused"):
        PreActResNet20(weights=path)
    assert "this must not" not in capsys.readouterr().out


@pytest.mark.parametrize("row", REFERENCES, ids=lambda row: row.source)
def test_networks_of_every_reference_are_saved_whole(row, tmp_path, agree):
    config = ResNetConfig(
        units_per_stage=(1, 2),
        widths=(4, 8),
        unit="bottleneck",
        stem=row.stems[-1],
        reference=row.name,
    )
    model = at_random(ResNetV2(config, input_shape=(None, None, 3)))
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    x = images(37)
    agree("loaded", np.array(loaded(x)), np.array(model(x)), 1e-6)
    assert loaded.config == keras.models.clone_model(model).config == config
    assert list(feature_taps(loaded)) == [
        f"stride{config.strides // 2}",
        f"stride{config.strides}",
    ]
    # Frozen layers and half precision.
    training.freeze(loaded, 1)
    assert loaded.trainable_variables[0].path.startswith("stage2_unit1_")
    with_bfloat16 = with_precision(model, "mixed_bfloat16")
    agree("bfloat16", np.array(with_bfloat16(x)), np.array(model(x)), 0.1)


def test_options_of_one_s_own_are_not_their_networks(file, tmp_path):
    """Names and shapes would fit, but not what is computed."""
    for options in (
        {"unit": "bottleneck", "bottleneck_stride": "conv1"},
        {"shortcut": "constant_scaling"},
        {"dimension_change": "padding"},
    ):
        config = dataclasses.replace(TIMM, **options)
        model = ResNetV2(config, input_shape=SHAPE)
        with pytest.raises(ValueError, match="timm has no networks like"):
            save_weights_as(model, "timm", tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match="with other options|other opt"):
            load_backbone(model, file)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_float16", "float64"])
def test_weights_of_other_precisions(dtype, tmp_path):
    keras.config.set_dtype_policy(dtype)
    try:
        model = ResNetV2(TIMM, input_shape=SHAPE)
        model.save_weights(tmp_path / "w.weights.h5")
    finally:
        keras.config.set_dtype_policy("float32")
    save_weights_as(model, "timm", tmp_path / "w.safetensors")
    files = (tmp_path / "w.weights.h5", tmp_path / "w.safetensors")
    for weights in (model, *files):
        loaded = ResNetV2(TIMM, input_shape=SHAPE, weights=weights)
        for own, other in zip(loaded.weights, model.weights, strict=True):
            expected = keras.ops.cast(other, "float32")
            np.testing.assert_array_equal(own, expected)


def test_a_whole_network_brings_its_origin(tmp_path):
    published = PreActResNet20(weights="cifar10")
    published.save(tmp_path / "net.keras")
    again = PreActResNet20(weights=tmp_path / "net.keras")
    assert again.origin == published.origin
    with pytest.raises(ValueError, match="include_preprocessing=True"):
        PreActResNet20(
            weights=tmp_path / "net.keras", include_preprocessing="imagenet"
        )
    with pytest.raises(ValueError, match="'conv', there 'identity'"):
        PreActResNet20(weights=tmp_path / "net.keras", shortcut="conv")


def test_a_published_file_brings_its_crop(tmp_path):
    path = tmp_path / "resnetv2_18.ra4_e3600_r224_in1k.safetensors"
    network = ResNet18V2(reference="timm")
    save_weights_as(network, "timm", path)
    assert ResNet18V2(reference="timm", weights=path).origin.resize == 248
    smaller = ResNet18V2(reference="timm", weights=path, input_shape=SHAPE)
    assert smaller.origin.resize is None


def test_values_that_are_no_weights(file, tmp_path):
    from safetensors.numpy import load_file, save_file

    state = load_file(file)
    name = "stages.0.blocks.0.conv1.weight"
    for values in (np.ones, lambda shape: np.full(shape, np.nan)):
        state[name] = values(state[name].shape)
        if values is np.ones:
            state[name] = state[name].astype(np.int8)
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match="conv1.weight has values that a"):
            ResNetV2(
                TIMM, input_shape=SHAPE, weights=tmp_path / "w.safetensors"
            )


def test_networks_that_only_have_the_names(file, tmp_path):
    from safetensors.numpy import load_file, save_file

    state = load_file(file)
    without_statistics = {
        name: values for name, values in state.items() if "running" not in name
    }
    save_file(without_statistics, tmp_path / "group.safetensors")
    with pytest.raises(ValueError, match="with batch normalization of keras"):
        ResNetV2(TIMM, weights=tmp_path / "group.safetensors")


def test_a_network_within_a_network(tmp_path):
    body = keras.applications.ResNet50V2(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    whole = keras.Sequential([body, keras.layers.Dense(3, name="mine")])
    with pytest.raises(ValueError, match="mine/bias belongs to no layer"):
        ResNet50V2(reference="keras_applications", weights=whole)
    twin = keras.Model(body.input, body.output, name="twin")
    inputs = keras.Input((32, 32, 3))
    twice = keras.layers.Average()([body(inputs), twin(inputs)])
    with pytest.raises(ValueError, match="two of the weights are called"):
        ResNet50V2(
            reference="keras_applications", weights=keras.Model(inputs, twice)
        )


def test_folders_are_not_files(tmp_path):
    for folder in (tmp_path, "hf://user/name"):
        with pytest.raises(ValueError, match="from_pretrained; for a work"):
            PreActResNet20(weights=folder)
