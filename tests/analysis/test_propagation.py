"""The measured equations against autodiff of the whole network, and algebra."""

import gc
import itertools
import re
import weakref

import keras
import numpy as np
import pytest
from processes import run_python

import keras_resnetv2
from keras_resnetv2 import analysis
from keras_resnetv2.models.activations import ACTIVATION_ORDERS
from keras_resnetv2.models.shortcuts import SHORTCUTS
from keras_resnetv2.models.specs import UNITS

# A network's first unit, one that shrinks the map, one that does neither.
SIZE = {"units_per_stage": (1, 2), "widths": (4, 8)}
ONE_STAGE = {"units_per_stage": (6,), "widths": (4,)}
EXACT = 1e-10
# Nothing after the addition: f is the identity.
IDENTITY_F = [
    name for name, row in ACTIVATION_ORDERS.items() if not row.after_addition
]


def network(unit="basic", **options):
    """A small network in float64, every weight moved off its first value."""
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(3)
    config = keras_resnetv2.ResNetConfig(unit=unit, **(SIZE | options))
    model = keras_resnetv2.ResNetV2(config, input_shape=(8, 8, 3))
    draw = np.random.RandomState(0)
    for variable in model.variables:
        if variable.dtype == "float64":
            value = keras.ops.convert_to_numpy(variable)
            odd = draw.uniform(0.8, 1.2, value.shape)
            shift = 0.2 * draw.standard_normal(value.shape)
            if "variance" in variable.name:
                shift = abs(shift)
            variable.assign(value * odd + shift)
    return model


def batch(samples=4):
    draw = np.random.RandomState(1)
    images = draw.standard_normal((samples, 8, 8, 3))
    return images, draw.randint(0, 10, samples)


def taps(model, suffix):
    return [
        layer.output
        for layer in model.layers
        if re.fullmatch(f".*{suffix}", layer.name)
    ]


def tape(model, places, images, labels):
    """Values and dE/d(values) at places in a network, by one backward pass."""
    import tensorflow as tf

    tapped = keras_resnetv2.ResNet(model.inputs, [*places, model.output])
    with tf.GradientTape(watch_accessed_variables=True) as recorder:
        *values, probabilities = tapped([images], training=True)
        loss = tf.reduce_sum(
            keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        )
    gradients = recorder.gradient(loss, values)
    return [[x.numpy() for x in each] for each in (values, gradients)]


def rms_norm(values):
    return np.sqrt(np.mean(np.sum(values**2, axis=(1, 2, 3))))


def column(measured, name):
    return np.array([getattr(row, name) for row in measured.rows])


COMBINATIONS = list(itertools.product(ACTIVATION_ORDERS, SHORTCUTS, UNITS))
FAST = [
    (order, shortcut, unit)
    for order, shortcut, unit in COMBINATIONS
    if (shortcut == "identity" and (unit == "basic" or order == "original"))
    or (order == "original" and unit == "basic")
    or (order, unit) == ("full_preactivation", "bottleneck")
]


def check_whole_network(agree, model, measured):
    """Compares what is measured unit by unit with what all at once gives."""
    images, labels = batch()
    places = [model.get_layer("stem_relu").output, *taps(model, "_out")]
    values, gradients = tape(model, places, images, labels)
    agree(
        "gradient at every unit, unit by unit and at once",
        np.append(column(measured, "gradient"), measured.last_gradient),
        np.array([rms_norm(gradient) for gradient in gradients]),
        EXACT,
    )
    residuals = [
        layers.get("add", layers["out"]).input[1]
        for layers in unit_layers(model)
    ]
    values_of_F, _ = tape(model, residuals, images, labels)
    agree(
        "F at every unit",
        column(measured, "residual"),
        np.array([rms_norm(value) for value in values_of_F]),
        EXACT,
    )
    agree(
        "signal at every unit",
        np.append(column(measured, "signal"), measured.last_signal),
        np.array([rms_norm(value) for value in values]),
        EXACT,
    )


@pytest.mark.parametrize(
    "order,shortcut,unit",
    [
        pytest.param(*row, marks=() if row in FAST else pytest.mark.large)
        for row in COMBINATIONS
    ],
)
def test_numpy_and_network_agree(agree, order, shortcut, unit):
    change = "padding" if unit == "basic" else "projection"
    model = network(
        unit,
        activation_order=order,
        shortcut=shortcut,
        dimension_change=change,
        stochastic_depth=0.5 * ((shortcut, unit) == ("conv", "bottleneck")),
    )
    # With the batch's statistics and with the moving ones.
    for training in (True, False):
        measured = analysis.measure(model, *batch(), training=training)
        agree(
            "every F in NumPy, float64",
            1 + column(measured, "numpy_difference"),
            np.ones(3),
            EXACT,
        )
        if order in IDENTITY_F:
            agree(
                "x_L = h...h(x_l) + sum of h...h(F), float64",
                1 + column(measured, "forward_gap"),
                np.ones(3),
                EXACT,
            )
        else:
            assert (column(measured, "forward_gap") > 1e-3).all()
        if training and unit == "basic" and shortcut != "dropout":
            check_whole_network(agree, model, measured)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation_order": "original"},
        {"activation_order": "bn_after_addition"},
        {"activation_order": "original", "shortcut": "conv"},
        {"shortcut": "exclusive_gating", "gate_bias": -1.0},
        {"shortcut": "shortcut_only_gating", "dimension_change": "projection"},
        {"shortcut": "constant_scaling", "residual_scale": 1.0},
    ],
    ids=str,
)
def test_the_direct_part_is_what_is_left_without_any_F(agree, options):
    """dE/dx_l where every F and gate is a constant: only shortcuts are left."""
    import tensorflow as tf

    model = network(**options)
    images, labels = batch()
    measured = analysis.measure(model, images, labels)
    places = [*taps(model, "stem_relu"), *taps(model, "_out")]
    _, (*gradients, gradient) = tape(model, places, images, labels)
    for first, row in enumerate(measured.rows):
        held = keras_resnetv2.ResNet(
            model.inputs, [places[first], *frozen(model)]
        )([images], training=True)
        x, constants = held[0], iter(held[1:])
        with tf.GradientTape() as recorder:
            recorder.watch(x)
            y = shortcuts_only(model, x, first, constants)
            value = tf.reduce_sum(y * gradient)
        direct = recorder.gradient(value, x).numpy()
        agree(
            "direct gradient, with F and gates held",
            np.array([row.direct, row.rest]),
            np.array([rms_norm(direct), rms_norm(gradients[first] - direct)]),
            EXACT,
        )


def unit_layers(model):
    names = [
        layer.name.removesuffix("_out")
        for layer in model.layers
        if layer.name.endswith("_out")
    ]
    known = {layer.name: layer for layer in model.layers}
    return [
        {
            name.removeprefix(f"{unit}_"): layer
            for name, layer in known.items()
            if name.startswith(f"{unit}_")
        }
        for unit in names
    ]


def frozen(model):
    """Every unit's F, and 1 - g where it has a gate."""
    found = []
    for layers in unit_layers(model):
        found.append(layers.get("add", layers["out"]).input[1])
        if "one_minus_gate" in layers:
            found.append(layers["one_minus_gate"].output)
    return found


def shortcuts_only(model, x, first, constants):
    for place, layers in enumerate(unit_layers(model)):
        residual = next(constants)
        gate = next(constants) if "one_minus_gate" in layers else 1.0
        if place < first:
            continue
        h = x
        if "shortcut_projection" in layers:
            for name in ("preact_bn", "preact_relu", "shortcut_projection"):
                h = layers[name](h, training=True) if name in layers else h
        for name in ("shortcut_padding", "shortcut_conv", "shortcut_scale"):
            h = layers[name](h) if name in layers else h
        y = h * gate + residual
        if "add" in layers:
            for name in ("add_bn", "out"):
                if name in layers:
                    y = layers[name](y, training=True)
        x = y
    return x


@pytest.mark.parametrize(
    "options",
    [
        {"shortcut": "identity"},
        {"shortcut": "shortcut_only_gating", "gate_bias": -1.0},
        {"shortcut": "constant_scaling"},
        {"shortcut": "conv"},
    ],
    ids=lambda options: options["shortcut"],
)
def test_what_f_does_is_how_far_the_signal_is_off(agree, options):
    """In the original unit: the network's own h and F, but no ReLU."""
    model = network(activation_order="original", **options, **ONE_STAGE)
    images, labels = batch()
    measured = analysis.measure(model, images, labels)
    places = [*taps(model, "stem_relu"), *taps(model, "_out")]
    (signal, *outputs), _ = tape(model, places, images, labels)
    constants, _ = tape(model, frozen(model), images, labels)
    constants = iter(constants)
    gaps = []
    for layers, output in zip(unit_layers(model), outputs, strict=True):
        residual = next(constants)
        gate = next(constants) if "one_minus_gate" in layers else 1.0
        for name in ("shortcut_conv", "shortcut_scale"):
            if name in layers:
                signal = layers[name](signal).numpy()
        signal = signal * gate + residual
        off = np.linalg.norm(output - signal) / np.linalg.norm(output)
        gaps.append(off)
    agree(
        "what f does, against the network without it",
        column(measured, "forward_gap"),
        np.array(gaps),
        EXACT,
    )


def test_frozen_batch_normalization_keeps_its_statistics():
    model = network()
    frozen_layer = model.get_layer("stage2_unit2_preact_bn")
    frozen_layer.trainable = False
    measured = analysis.measure(model, *batch())
    assert (column(measured, "numpy_difference") < EXACT).all()


def test_the_product_of_constant_factors_and_its_gradient():
    """Eq. (8): of dE/dx_L there arrives lambda to the number of units."""
    model = network(shortcut="constant_scaling", **ONE_STAGE)
    measured = analysis.measure(model, *batch())
    units = np.arange(6, 0, -1)
    np.testing.assert_array_equal(column(measured, "product"), 0.5**units)
    np.testing.assert_allclose(
        column(measured, "direct"),
        0.5**units * measured.last_gradient,
        rtol=EXACT,
    )
    plain = analysis.measure(
        network(shortcut="constant_scaling", shortcut_scale=0.0), *batch()
    )
    assert not column(plain, "product").any()
    assert not column(plain, "direct").any()
    np.testing.assert_array_equal(
        column(plain, "rest"), column(plain, "gradient")
    )


def test_a_factor_is_the_shortcuts_own():
    """What carries a dimension change is not in it; a conv shortcut's W is."""
    options = {"shortcut": "constant_scaling", "shortcut_scale": 0.0}
    for shortcut, expected in (
        (options, 0.0),
        ({**options, "shortcut_scale": -0.5}, -0.5),
        ({"shortcut": "identity"}, 1.0),
    ):
        model = network(**shortcut, dimension_change="projection")
        measured = analysis.measure(model, *batch())
        assert column(measured, "factor").tolist() == [expected] * 3
        products = [expected**3, expected**2, expected]
        assert column(measured, "product").tolist() == products
    model = network(shortcut="conv")
    measured = analysis.measure(model, *batch())
    kernels = [
        keras.ops.convert_to_numpy(layer.kernel)
        for layer in model.layers
        if layer.name.endswith("shortcut_conv")
    ]
    # By how much W lengthens gradients of no preferred direction.
    draw = np.random.RandomState(0)
    for factor, kernel in zip(column(measured, "factor"), kernels):
        gradients = draw.standard_normal((100_000, kernel.shape[-1]))
        back = gradients @ kernel[0, 0].T
        gain = np.sqrt(np.mean(back**2) * back.shape[1])
        gain /= np.sqrt(kernel.shape[-1])
        np.testing.assert_allclose(factor, gain, rtol=0.01)


def test_the_factor_of_a_gate_is_its_mean_of_one_minus_g(agree):
    model = network(
        shortcut="shortcut_only_gating",
        gate_bias=-2.0,
        dimension_change="projection",
    )
    images, labels = batch()
    measured = analysis.measure(model, images, labels)
    gates, _ = tape(model, taps(model, r"unit\d_gate"), images, labels)
    agree(
        "mean 1 - g of a gate",
        column(measured, "factor"),
        np.array([1 - gate.mean() for gate in gates]),
        EXACT,
    )
    np.testing.assert_allclose(
        column(measured, "product")[0], np.prod(column(measured, "factor"))
    )


def test_dropout_is_measured_as_it_was_drawn():
    model = network(shortcut="dropout", dropout_rate=0.5)
    first, again = (analysis.measure(model, *batch()) for _ in range(2))
    assert first == again  # the state of the draws was put back
    assert (column(first, "numpy_difference") < EXACT).all()
    assert (column(first, "forward_gap") < EXACT).all()
    # 0 or 2, half of the time each, for 4 x 4 x 4 x 8 values and more.
    assert (abs(column(first, "factor") - 1) < 0.3).all()
    assert (column(first, "factor") != 1).all()
    still = analysis.measure(model, *batch(), training=False)
    assert (column(still, "factor") == 1).all()


def test_cancelled_samples_are_counted_one_by_one():
    """0.5 to the fourth is below 0.1; gates of steep slope differ by sample."""
    model = network(shortcut="constant_scaling", **ONE_STAGE)
    silence(model)
    cancelled = column(analysis.measure(model, *batch()), "cancelled")
    assert cancelled.tolist() == [1, 1, 1, 0, 0, 0]

    model = network(shortcut="shortcut_only_gating", gate_bias=0.0)
    silence(model)
    for layer in model.layers:
        if re.fullmatch(r".*unit\d_gate", layer.name):
            layer.kernel.assign(4 * layer.kernel)
    images, labels = batch(8)
    cancelled = column(analysis.measure(model, images, labels), "cancelled")
    places = [model.get_layer("stem_relu").output, *taps(model, "_out")]
    _, gradients = tape(model, places, images, labels)
    norms = np.sqrt([np.sum(g**2, axis=(1, 2, 3)) for g in gradients])
    expected = (norms[:-1] < 0.1 * norms[-1]).mean(axis=1)
    assert cancelled.tolist() == expected.tolist()
    assert ((expected > 0) & (expected < 1)).any()


def silence(model):
    """F = 0: only the shortcuts are left."""
    for layer in model.layers:
        if layer.name.endswith("_conv2"):
            layer.kernel.assign(0 * layer.kernel)


def test_dimension_changes_are_named():
    for unit, shortcut, names in (
        ("basic", "identity", ["", "padding", ""]),
        ("bottleneck", "dropout", ["projection", "projection", ""]),
        ("basic", "conv", ["", "conv", ""]),
    ):
        rows = analysis.measure(network(unit, shortcut=shortcut), *batch()).rows
        assert [row.dimension_change for row in rows] == names
        assert {row.shortcut for row in rows} == {shortcut}


def test_the_network_is_left_as_it_was_and_a_loaded_one_is_the_same(tmp_path):
    model = network(shortcut="exclusive_gating")
    before = [keras.ops.convert_to_numpy(v) for v in model.variables]
    measured = analysis.measure(model, *batch())
    assert "np." not in f"{measured}{measured.rows}"
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert analysis.measure(loaded, *batch()) == measured


def test_the_table_has_the_ends_of_each_stage_and_the_csv_all_rows():
    measured = analysis.measure(network(), *batch())
    lines = measured.csv().splitlines()
    assert len(lines) == 5 and lines[0].startswith("unit,shortcut,dimension_")
    last = f"output,,,{measured.last_signal},,,,,,{measured.last_gradient},,,"
    assert lines[-1] == last
    first = lines[1].split(",")
    assert first[0] == "stage1_unit1"
    assert float(first[-4]) == measured.rows[0].gradient
    table = measured.table().splitlines()
    units = [row.unit for row in measured.rows]
    assert [line.split()[0] for line in table[1:]] == [*units, "output"]
    six = analysis.measure(network(**ONE_STAGE), *batch())
    assert len(six.table().splitlines()) == 1 + 2 + 1


@pytest.fixture(scope="module")
def refusing():
    return network()


@pytest.mark.parametrize(
    "images,labels,message",
    [
        (np.zeros((2, 8, 8)), np.zeros(2, int), r"received \(2, 8, 8\)"),
        (np.zeros((2, 9, 8, 3)), np.zeros(2, int), r"\(N, 8, 8, 3\)"),
        (np.zeros((0, 8, 8, 3)), np.zeros(0, int), r"received \(0"),
        (np.zeros((2, 8, 8, 3), "uint8"), np.zeros(2, int), "standardized"),
        (np.zeros((2, 8, 8, 3)), np.zeros(3, int), "labels must be 2"),
        (np.zeros((2, 8, 8, 3)), np.array([0, 10]), r"0\.\.9.*0\.\.10"),
        (np.zeros((2, 8, 8, 3)), np.zeros(2), "labels must be 2 integers"),
    ],
)
def test_what_does_not_fit_is_refused(refusing, images, labels, message):
    with pytest.raises(ValueError, match=message):
        analysis.measure(refusing, images, labels)


def test_other_ends_of_the_same_network(agree):
    model = network()
    dense = model.layers[-1]
    features = dense.input

    def ending(*layers):
        x = features
        for layer in layers:
            x = layer(x)
        return keras_resnetv2.ResNet(model.inputs, x)

    def copied(**kwargs):
        layer = keras.layers.Dense(10, **kwargs)
        layer.build(features.shape)
        layer.kernel.assign(dense.kernel)
        return layer

    dense.bias.assign(0 * dense.bias)
    expected = column(analysis.measure(model, *batch()), "gradient")
    for other in (
        ending(copied()),
        ending(copied(use_bias=False, activation="softmax")),
        ending(copied(), keras.layers.Activation("softmax")),
        ending(copied(), keras.layers.Softmax()),
        ending(copied(), keras.ops.softmax),
    ):
        got = analysis.measure(other, *batch())
        agree(
            "gradient under other heads",
            column(got, "gradient"),
            expected,
            EXACT,
        )
    for other in (
        ending(keras.layers.Dense(1)),
        ending(keras.layers.Dense(10, activation="sigmoid")),
        ending(copied(), keras.layers.ReLU()),
    ):
        with pytest.raises(ValueError, match="must end in one classifier"):
            analysis.measure(other, *batch())
    both = keras_resnetv2.ResNet(model.inputs, [features, model.output])
    with pytest.raises(ValueError, match="one output is needed"):
        analysis.measure(both, *batch())


def test_other_models_are_refused():
    images, labels = batch()
    body = keras_resnetv2.PreActResNet20(include_top=False)
    with pytest.raises(ValueError, match="include_top=True"):
        analysis.measure(body, images, labels)
    other = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    with pytest.raises(ValueError, match="No residual units"):
        analysis.measure(other, images, labels)
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = keras_resnetv2.PreActResNet20()
    with pytest.raises(ValueError, match="bfloat16.*Measure it in float32"):
        analysis.measure(half, np.zeros((1, 32, 32, 3)), [0])


def test_measuring_again_and_again_leaves_nothing_behind():
    model = network()
    conv = model.get_layer("stage1_unit1_conv1")
    first = analysis.measure(model, *batch())
    nodes = len(conv._inbound_nodes)
    assert analysis.measure(model, *batch()) == first
    assert len(conv._inbound_nodes) == nodes
    gone = weakref.ref(model)
    del model, conv
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


def test_what_has_no_gradient_is_not_said_to_be_cancelled():
    model = network()
    model.layers[-1].kernel.assign(0 * model.layers[-1].kernel)
    assert np.isnan(
        column(analysis.measure(model, *batch()), "cancelled")
    ).all()
    images, labels = batch()
    images[0] = np.nan
    spoilt = analysis.measure(network(), images, labels)
    assert np.isnan(column(spoilt, "cancelled")).all()


def test_a_dimension_change_is_known_by_its_stride_where_sizes_are_not():
    config = keras_resnetv2.ResNetConfig(
        units_per_stage=(1, 2), widths=(4, 4), shortcut="conv"
    )
    model = keras_resnetv2.ResNetV2(config, input_shape=(None, None, 3))
    rows = analysis.measure(model, *batch()).rows
    assert [row.dimension_change for row in rows] == ["", "conv", ""]


OTHER_BACKEND = """
import sys
import numpy as np, keras, keras_resnetv2
from keras_resnetv2 import analysis
model = keras.saving.load_model(sys.argv[1])
with np.load(sys.argv[2]) as f:
    images, labels = f["images"], f["labels"]
drops = keras_resnetv2.ResNetV2(
    keras_resnetv2.ResNetConfig(
        units_per_stage=(2,), widths=(4,), shortcut="dropout"
    ),
    input_shape=images.shape[1:],
)
before = [np.array(weight) for weight in drops.get_weights()]
first = analysis.measure(drops, images, labels)
assert analysis.measure(drops, images, labels) == first
for weight, old in zip(drops.get_weights(), before, strict=True):
    np.testing.assert_array_equal(weight, old)
print(analysis.measure(model, images, labels).csv())
"""


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("jax", marks=pytest.mark.multiprocess),
        pytest.param("torch", marks=pytest.mark.parity),
    ],
)
def test_the_backends_agree(agree, tmp_path, backend):
    pytest.importorskip(backend)
    model = network(
        shortcut="exclusive_gating",
        activation_order="original",
        units_per_stage=(2,),
        widths=(4,),
    )
    images, labels = batch()
    expected = analysis.measure(model, images, labels).csv()
    model.save(tmp_path / "net.keras")
    np.savez(tmp_path / "batch.npz", images=images, labels=labels)
    code = OTHER_BACKEND
    if backend == "jax":
        code = "import jax; jax.config.update('jax_enable_x64', True)" + code
    got = run_python(
        code, tmp_path / "net.keras", tmp_path / "batch.npz", backend=backend
    )
    for line, other in zip(
        expected.splitlines()[1:-1], got.strip().splitlines()[1:-1], strict=True
    ):
        line, other = line.split(","), other.split(",")
        assert line[:3] == other[:3]
        values, others = (
            np.array([float(x) for x in row[3:]]) for row in (line, other)
        )
        small = [column == 3 for column in range(len(values))]
        agree(
            f"every measured number on {backend}",
            np.where(small, 0, others) / np.where(values == 0, 1, values),
            np.where(small, 0, values) / np.where(values == 0, 1, values),
            1e-6,
        )
