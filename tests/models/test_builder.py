import dataclasses
import inspect
import pickle
import sys

import keras
import numpy as np
import pytest
from processes import run_python

import keras_resnetv2
from keras_resnetv2 import (
    MODELS,
    PreActResNet20,
    ResNet18V2,
    ResNetConfig,
    ResNetV2,
    feature_taps,
    list_models,
    load_backbone,
)
from keras_resnetv2.models import applications

KERAS_SIGNATURE = [
    "include_top",
    "weights",
    "input_tensor",
    "input_shape",
    "pooling",
    "classes",
    "classifier_activation",
    "name",
]


@pytest.mark.parametrize("name", MODELS)
def test_signature_is_visible_and_true(name):
    builder = getattr(keras_resnetv2, name)
    parameters = inspect.signature(builder).parameters
    positional = [p for p in parameters.values() if p.kind != p.KEYWORD_ONLY]
    assert [p.name for p in positional] == KERAS_SIGNATURE
    assert parameters["classes"].default is None
    assert f"otherwise to {MODELS[name].classes}." in builder.__doc__
    assert parameters["name"].default == name.lower()
    # Every option of a unit that a config has.
    options = {p.name for p in parameters.values() if p.kind == p.KEYWORD_ONLY}
    own = {"depth", "units_per_stage", "widths", "classes"}
    fields = set(ResNetConfig.__dataclass_fields__) - own
    assert options == fields | {"include_preprocessing", "features", "remat"}
    for option in fields:
        assert parameters[option].default == getattr(MODELS[name], option)
    for parameter in parameters:
        assert f"{parameter}:" in builder.__doc__
    assert pickle.loads(pickle.dumps(builder)) is builder
    assert getattr(applications, name) is builder
    assert list(builder.__annotations__) == [*parameters, "return"]


@pytest.mark.parametrize(
    "args, kwargs, says",
    [
        ((), {"shortcuts": "conv"}, "unexpected keyword argument 'shortcuts'"),
        ((), {"depth": 26}, "unexpected keyword argument 'depth'"),
        ((True,), {"include_top": True}, "multiple values .*'include_top'"),
        ((None,) * 9, {}, "too many positional arguments"),
    ],
)
def test_arguments_are_taken_as_a_function_takes_them(args, kwargs, says):
    with pytest.raises(TypeError, match=rf"PreActResNet20\(\) .*{says}"):
        PreActResNet20(*args, **kwargs)


def test_arguments_have_an_order():
    model = PreActResNet20(False, None, None, (64, 32, 3), "max", 7)
    assert model.output_shape == (None, 64)
    model = PreActResNet20(True, None, None, None, None, 7, None, "seven")
    assert model.output_shape == (None, 7) and model.name == "seven"


def test_default_output():
    model = PreActResNet20()
    assert model.name == "preactresnet20"
    assert model.input_shape == (None, 32, 32, 3)
    probabilities = np.array(model(np.zeros((2, 32, 32, 3), "float32")))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_headless_and_pooled():
    options = {"include_top": False, "input_shape": (None, None, 3)}
    assert ResNet18V2(**options).output_shape == (None, None, None, 512)
    for pooling in ("avg", "max"):
        model = ResNet18V2(pooling=pooling, **options)
        assert model.output_shape == (None, 512)
    x = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")
    assert ResNet18V2(**options)(x).shape == (1, 2, 3, 512)


def test_input_tensor_may_be_any_keras_tensor():
    inputs = keras.Input((32, 32, 3))
    model = PreActResNet20(input_tensor=keras.layers.Rescaling(2.0)(inputs))
    plain = PreActResNet20()
    plain.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(
        np.array(model(x)), np.array(plain(2 * x)), atol=1e-6
    )


def test_weights_of_another_network_are_refused(tmp_path):
    path = str(tmp_path / "net.weights.h5")
    PreActResNet20().save_weights(path)
    for options in (
        {"activation_order": "original"},
        {"activation_order": "bn_after_addition"},
        {"unit": "single"},
        {"shortcut": "exclusive_gating"},
        {"dimension_change": "projection"},
    ):
        with pytest.raises(ValueError, match="does not fit this network: "):
            PreActResNet20(weights=path, **options)
    whole = PreActResNet20(weights=path)
    headless = PreActResNet20(weights=path, include_top=False)
    np.testing.assert_array_equal(
        np.array(headless.get_layer("stage3_unit3_conv2").kernel),
        np.array(whole.get_layer("stage3_unit3_conv2").kernel),
    )
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ValueError, match="text.weights.h5.*cannot be read"):
        PreActResNet20(weights=str(tmp_path / "text.weights.h5"))


def test_a_backbone_is_loaded_into_another_number_of_classes(tmp_path):
    def tiny(**kwargs):
        config = ResNetConfig(units_per_stage=(1, 1), widths=(4, 8))
        return ResNetV2(config, input_shape=(8, 8, 3), **kwargs)

    path = tmp_path / "ten.weights.h5"
    source = tiny()
    source.save_weights(path)
    for model in (tiny(classes=3), tiny(), tiny(include_top=False)):
        random = model.get_weights()
        load_backbone(model, path)
        for layer in model.layers[:-1]:
            expected = source.get_layer(layer.name).get_weights()
            for own, other in zip(layer.get_weights(), expected):
                np.testing.assert_array_equal(own, other)
        if model.layers[-1].name == "predictions":
            head = model.layers[-1].get_weights()
            np.testing.assert_array_equal(head[0], random[-2])
    deeper = ResNetConfig(units_per_stage=(1, 2), widths=(4, 8))
    with pytest.raises(ValueError, match="stage2_unit2_.* is missing"):
        load_backbone(ResNetV2(deeper, input_shape=(8, 8, 3)), path)
    with pytest.raises(ValueError, match="no such file"):
        load_backbone(tiny(), "nowhere.weights.h5")
    with pytest.raises(ValueError, match="weights must be None.*received 5"):
        load_backbone(tiny(), 5)


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"weights": "imagenet"}, "only for ResNet50V2.*in stem: 'cifar'"),
        ({"weights": "image"}, r"no such file.*\.weights\.h5.*'image'"),
        ({"weights": "nowhere.weights.h5"}, "no such file"),
        ({"weights": 5}, "weights must be None.*received 5"),
        ({"pooling": "mean"}, "'mean'.*'avg'"),
        ({"pooling": ["avg"]}, r"\['avg'\]"),
        ({"input_shape": 32}, "channels last.*received 32"),
        ({"input_shape": ("32", 32, 3)}, "channels last"),
        ({"bottleneck_stride": "conv2"}, "has no effect.*bottleneck"),
        ({"input_shape": (3, 32, 32)}, "at least 4 x 4.*reduces"),
        ({"input_shape": (32, 32)}, "channels last"),
        ({"input_shape": (32, 32, None)}, "known number of channels"),
        ({"input_shape": (2, 32, 3)}, "at least 4 x 4"),
        ({"unit": "bottleneck", "gate_bias": 0.0}, "gate_bias has no effect"),
        ({"activation_order": "postact"}, "'postact'"),
        ({"classes": 0}, "classes must be"),
    ],
)
def test_bad_arguments_say_what_to_do(kwargs, says):
    with pytest.raises(ValueError, match=says):
        PreActResNet20(**kwargs)


def test_shape_and_tensor_together_are_refused():
    with pytest.raises(ValueError, match="not both"):
        PreActResNet20(
            input_tensor=keras.Input((32, 32, 3)), input_shape=(32, 32, 3)
        )


@pytest.mark.parametrize(
    "tensor, says",
    [
        (lambda: np.zeros((1, 32, 32, 3)), "received a ndarray"),
        (lambda: keras.Input((32, 32, 3), dtype="uint8"), "dtype uint8"),
    ],
)
def test_bad_input_tensors(tensor, says):
    with pytest.raises(ValueError, match=says):
        PreActResNet20(input_tensor=tensor())


def test_input_tensor_behind_many_residual_additions():
    """Walking back over residual additions is linear, not exponential."""
    inputs = x = keras.Input((8, 8, 3))
    for _ in range(60):
        x = keras.layers.Add()([x, keras.layers.ReLU()(x)])
    model = ResNetV2(
        ResNetConfig(units_per_stage=(1,), widths=(4,)),
        input_tensor=x,
        classes=np.int64(7),
    )
    assert model.input is inputs
    assert model.output_shape == (None, 7)


def test_a_name_is_a_config():
    model = ResNetV2("preactresnet20", classes=3)
    assert model.config == dataclasses.replace(
        MODELS["PreActResNet20"], classes=3
    )
    assert model.name == "preactresnet20"
    assert ResNetV2("PreActResNet20", name="mine").name == "mine"
    with pytest.raises(ValueError, match="'resnet20'; expected.*ResNet18V2"):
        ResNetV2("resnet20")


def test_models_are_listed():
    assert list_models() == list(MODELS)
    imagenet = ["ResNet50V2", "ResNet101V2", "ResNet152V2"]
    assert list_models(weights="imagenet") == imagenet
    assert list_models(weights="cifar10") == ["PreActResNet20"]
    assert list_models(weights=True) == ["PreActResNet20", *imagenet]
    for what in ("svhn", "ResNet50", None):
        with pytest.raises(ValueError, match="True, 'cifar10', 'imagenet'"):
            list_models(what)


def test_features_of_every_resolution():
    model = ResNetV2("ResNet18V2", features=True, input_shape=(64, 96, 3))
    taps = feature_taps(model)
    assert taps == feature_taps("ResNet18V2") == feature_taps(model.config)
    images = np.random.default_rng(0).normal(size=(2, 64, 96, 3))
    features = model.predict(images, verbose=0)
    assert list(features) == list(taps)
    for stride, tap in taps.items():
        step = int(stride.removeprefix("stride"))
        assert features[stride].shape[1:3] == (64 // step, 96 // step)
        cut = keras.Model(model.input, model.get_layer(tap).output)
        np.testing.assert_array_equal(
            features[stride], cut.predict(images, verbose=0)
        )
    with pytest.raises(ValueError, match="received pooling='avg'"):
        PreActResNet20(features=True, pooling="avg")


def test_channels_first_is_refused_with_the_reason():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="only channels_last networks"):
            PreActResNet20()
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_head_is_float32_under_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = PreActResNet20()
    assert model.get_layer("stage3_unit3_conv2").compute_dtype == policy[6:]
    assert model.get_layer("avg_pool").compute_dtype == "float32"
    output = model(np.zeros((1, 32, 32, 3), "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == "float32"


@pytest.mark.parametrize("name", ["PreActResNet20", "ResNet50V2"])
def test_feature_taps_have_the_stride_of_their_name(name):
    config = MODELS[name]
    model = ResNetV2(config)
    size = config.input_size
    taps = feature_taps(config)
    assert len(taps) == len(config.units)
    for key, layer in taps.items():
        stride = int(key.removeprefix("stride"))
        shape = model.get_layer(layer).output.shape
        assert shape[1] == size // stride, key


@pytest.mark.large
@pytest.mark.parametrize(
    "name, options",
    [
        ("PreActResNet1001", {}),
        ("PreActResNet1202", {}),
        (
            "PreActResNet1202",
            {"activation_order": "original", "shortcut": "exclusive_gating"},
        ),
    ],
)
def test_very_deep_nets_build_clone_save_and_load(name, options, tmp_path):
    limit = sys.getrecursionlimit()
    model = getattr(keras_resnetv2, name)(**options)
    clone = keras.models.clone_model(model)
    assert clone.count_params() == model.count_params()
    del clone
    model.save(tmp_path / "deep.keras")
    loaded = keras.models.load_model(tmp_path / "deep.keras")
    np.testing.assert_array_equal(
        loaded.layers[-1].kernel.numpy(), model.layers[-1].kernel.numpy()
    )
    assert sys.getrecursionlimit() == limit


def test_a_chain_longer_than_the_recursion_limit():
    config = ResNetConfig(units_per_stage=(40,), widths=(4,), classes=3)
    model = ResNetV2(config, input_shape=(8, 8, 3))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 45)
    try:
        with pytest.raises(RecursionError):
            keras.Model(model.inputs, model.outputs)
        type(model)(model.inputs, model.outputs)
    finally:
        sys.setrecursionlimit(limit)


BACKEND_CODE = """
import random
import sys
import keras
import numpy as np
import keras_resnetv2 as k
random.seed(0)  # of which Keras draws its seeds
assert "tensorflow" not in sys.modules
model = k.ResNetV2(
    k.ResNetConfig(
        units_per_stage=(1, 1), widths=(4, 8), shortcut="exclusive_gating",
    ),
    input_shape=(16, 16, 3),
)
other = k.ResNetV2(
    k.ResNetConfig(
        units_per_stage=(1, 1), widths=(4, 8), unit="bottleneck",
        stem="imagenet", activation_order="original", shortcut="dropout",
        stochastic_depth=0.5,
    ),
    input_shape=(16, 16, 3), classes=10,
)
for net in (model, other):
    k.training.compile(net, "torch", total_steps=4)
x = np.random.default_rng(0).normal(size=(8, 16, 16, 3)).astype("float32")
for net in (model, other):
    before = net.predict(x, verbose=0)
    net.fit(x, np.arange(8), batch_size=8, epochs=2, verbose=0)
    assert np.abs(net.predict(x, verbose=0) - before).max() > 1e-4
drop = other.get_layer("stage2_unit1_residual_drop")
dropped = keras.ops.convert_to_numpy(drop(x, training=True))
assert {float(v) for v in np.unique((dropped / x).round(5))} == {0.0, 2.0}
bn = k.BatchNormalization()
bn(x, training=True)
n = x.size // 3
expected = 0.9 + 0.1 * x.var((0, 1, 2)) * n / (n - 1)
np.testing.assert_allclose(bn.moving_variance.numpy(), expected, rtol=1e-5)
print(keras.backend.backend(), "tensorflow" in sys.modules)
"""


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    "backend",
    ["jax", pytest.param("torch", marks=pytest.mark.parity)],
)
def test_builders_train_on_other_backends(backend):
    pytest.importorskip(backend)
    printed = run_python(BACKEND_CODE, backend=backend)
    assert printed.split() == [backend, "False"]
