import keras
import numpy as np
import pytest

from keras_resnetv2 import ResNet, ResNetConfig, ResNetV2, training

SMALL = {"units_per_stage": (1, 1), "widths": (4, 8)}
IMAGES = np.random.default_rng(0).normal(size=(8, 8, 8, 3))
LABELS = np.arange(8)


def trained(remat, policy="float64", prepare=None, build=ResNetV2, **options):
    """The losses, which Keras rounds to float32, and weights of three steps."""
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    model = build(
        ResNetConfig(**{**SMALL, **options}),
        input_shape=(8, 8, 3),
        classifier_activation=None,
    )
    model.remat = remat
    if prepare:
        prepare(model)
    training.compile(model, total_steps=3)
    history = model.fit(
        IMAGES, LABELS, batch_size=8, epochs=3, verbose=0, shuffle=False
    )
    return history.history["loss"], {w.path: w.numpy() for w in model.weights}


def check_same(found, expected, within):
    np.testing.assert_allclose(found[0], expected[0], rtol=within)
    for path, value in expected[1].items():
        np.testing.assert_allclose(
            found[1][path], value, rtol=within, atol=within, err_msg=path
        )


@pytest.mark.parametrize(
    "order, options",
    [
        ("original", {"shortcut": "dropout", "dropout_rate": 0.5}),
        ("bn_after_addition", {"shortcut": "exclusive_gating"}),
        ("relu_before_addition", {"shortcut": "shortcut_only_gating"}),
        ("relu_only_preactivation", {"shortcut": "constant_scaling"}),
        ("full_preactivation", {"unit": "bottleneck", "stochastic_depth": 0.5}),
    ],
)
def test_trains_the_same(order, options):
    """Statistics are updated once, and dropout draws the same masks again."""
    expected = trained("none", activation_order=order, **options)
    found = trained("unit", activation_order=order, **options)
    check_same(found, expected, 1e-6)


@pytest.mark.parametrize(
    "policy, within", [("float32", 1e-5), ("mixed_bfloat16", 0.05)]
)
def test_stages_and_other_precisions(policy, within):
    check_same(trained("stage", policy), trained("none", policy), within)


def test_frozen_layers_stay():
    def prepare(model):
        model.get_layer("stage1_unit1_conv1_bn").trainable = False
        model.get_layer("stage2_unit1_conv1").trainable = False

    options = {"prepare": prepare, "reference": "timm", "stem": "imagenet"}
    expected = trained("none", **options)
    check_same(trained("unit", **options), expected, 1e-6)


def test_layers_of_a_unit_may_be_outputs():
    def build(config, **kwargs):
        net = ResNetV2(config, **kwargs)
        inner = net.get_layer("stage1_unit1_conv1").output
        pooled = keras.layers.GlobalAveragePooling2D(name="pool")(inner)
        both = keras.layers.Concatenate(name="both")([net.output, pooled])
        return ResNet(
            net.input, keras.layers.Dense(8, name="predictions2")(both)
        )

    expected = trained("none", build=build)
    check_same(trained("unit", build=build), expected, 1e-6)


def test_operations_around_the_units():
    def build(config, input_shape, **kwargs):
        shifted = keras.ops.add(keras.Input(input_shape), 0.5)
        return ResNetV2(config, input_tensor=shifted, **kwargs)

    check_same(trained("unit", build=build), trained("none", build=build), 1e-6)


def test_layers_keep_their_precision(tmp_path):
    net = ResNetV2(ResNetConfig(**SMALL), input_shape=(8, 8, 3))
    net.save(tmp_path / "net.keras")
    keras.config.set_dtype_policy("mixed_bfloat16")
    answers = []
    for remat in ("none", "unit"):
        loaded = keras.models.load_model(tmp_path / "net.keras")
        loaded.remat = remat
        answers.append(np.array(loaded(IMAGES, training=True)))
    np.testing.assert_allclose(*answers, rtol=1e-5)


def test_features_keep_their_structure():
    one = ResNetV2(ResNetConfig(**SMALL), remat="unit")
    one = ResNet(one.input, [one.output])
    one.remat = "unit"
    assert one(np.zeros((2, 32, 32, 3)), training=True).shape == (2, 10)
    net = ResNetV2("PreActResNet20", features=True, remat="unit")
    shapes = {key: value.shape for key, value in net.output.items()}
    found = net(np.zeros((2, 32, 32, 3), "float32"), training=True)
    assert {k: (None, *v.shape[1:]) for k, v in found.items()} == shapes


def test_units_of_a_kind_share_a_function():
    import tensorflow as tf

    net = ResNetV2(ResNetConfig(depth=32), remat="unit")

    @tf.function
    def step(x):
        return net(x, training=True)

    graph = step.get_concrete_function(
        np.zeros((2, 32, 32, 3), "float32")
    ).graph
    calls = [
        op for op in graph.get_operations() if "PartitionedCall" in op.type
    ]
    assert len(calls) == 15
    assert len({op.get_attr("f").name for op in calls}) == 6


def test_a_unit_is_computed_again_for_its_gradient():
    import tensorflow as tf

    net = ResNetV2(ResNetConfig(**SMALL), remat="unit")

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(x, training=True))
        return tape.gradient(loss, [v.value for v in net.trainable_variables])

    images = np.zeros((2, 32, 32, 3), "float32")
    graph = gradients.get_concrete_function(images).graph.as_graph_def()
    kinds = [{n.op for n in f.node_def} for f in graph.library.function]
    backward = [k for k in kinds if "Conv2DBackpropFilter" in k]
    assert len(backward) == 2
    assert all({"Conv2D", "FusedBatchNormV3"} <= k for k in backward)


def test_what_is_kept_is_no_part_of_the_model(tmp_path):
    net = ResNetV2(ResNetConfig(**SMALL), remat="unit")
    names = [layer.name for layer in net.layers]
    plain = ResNetV2(ResNetConfig(**SMALL))
    assert names == [layer.name for layer in plain.layers]
    net.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert (net.remat, loaded.remat) == ("unit", "none")


@pytest.mark.parametrize("remat", ["units", None, True])
def test_another_value_is_refused(remat):
    with pytest.raises(ValueError, match="remat.*'none', 'unit', 'stage'"):
        ResNetV2(ResNetConfig(**SMALL), remat=remat)


def test_units_with_other_layers_are_refused():
    net = ResNetV2(ResNetConfig(**SMALL))
    conv = net.get_layer("stage1_unit1_conv1")
    conv.activity_regularizer = keras.regularizers.L2(0.1)
    with pytest.raises(ValueError, match="stage1_unit1_conv1.*regularizer"):
        net.remat = "unit"

    conv.activity_regularizer = None

    def with_silu(layer):
        if layer.name == "stage1_unit1_conv1_relu":
            return keras.layers.Activation("silu", name=layer.name)
        return type(layer).from_config(layer.get_config())

    other = keras.models.clone_model(net, clone_function=with_silu)
    with pytest.raises(ValueError, match="conv1_relu' is of class Activation"):
        other.remat = "stage"
    inputs = keras.Input((32, 32, 3))
    outer = ResNet(inputs, net(inputs))
    with pytest.raises(ValueError, match="contains another network"):
        outer.remat = "unit"


def test_masks_are_refused():
    net = ResNetV2(ResNetConfig(**SMALL), input_shape=(8, 8, 3), remat="unit")
    with pytest.raises(ValueError, match="no mask"):
        net.call(IMAGES, training=True, mask=np.ones(8))


def test_not_on_pytorch(monkeypatch):
    net = ResNetV2(ResNetConfig(**SMALL))
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="TensorFlow and JAX"):
        net.remat = "unit"
