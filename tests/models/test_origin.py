"""What a network carries of its training, and what follows from it."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_resnetv2 import (
    PreActResNet20,
    ResNet,
    ResNet18V2,
    ResNetConfig,
    ResNetV2,
    decode_predictions,
    export_saved_model,
    load_arrays,
    load_backbone,
    preprocess_input,
    training,
)
from keras_resnetv2._origin import (
    Origin,
    get_standardization,
    includes_preprocessing,
    origin_of,
    standardization_for,
)
from keras_resnetv2.data import (
    CLASS_NAMES,
    STANDARDIZATIONS,
    Standardization,
)
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.training.evaluation import predict_logits
from keras_resnetv2.training.fine_tuning import load_initial_weights

SMALL = ResNetConfig(units_per_stage=(1,), widths=(4,))
PER_PIXEL = Standardization(np.full((8, 8, 3), 99.5), np.full((8, 8, 3), 2.25))
CIFAR10 = Origin("cifar10", STANDARDIZATIONS["cifar10"], CLASS_NAMES["cifar10"])


@pytest.fixture(scope="module")
def images():
    return load_arrays("cifar10_sample", "test").take(6).images


@pytest.fixture(scope="module")
def published():
    return PreActResNet20(weights="cifar10")


def test_published_weights_bring_theirs(published, tmp_path):
    assert published.origin == CIFAR10
    without_top = PreActResNet20(weights="cifar10", include_top=False)
    assert without_top.origin.class_names is None
    assert without_top.origin.standardization == CIFAR10.standardization
    assert ResNet18V2().origin == Origin()
    path = tmp_path / "own.weights.h5"
    published.save_weights(path)
    assert PreActResNet20(weights=path).origin == Origin("own.weights.h5")


@pytest.mark.parametrize("include_preprocessing", [False, "cifar10"])
def test_a_loaded_backbone_brings_its_standardization(include_preprocessing):
    model = PreActResNet20(
        classes=3, include_preprocessing=include_preprocessing
    )
    load_backbone(model, "cifar10")
    assert model.origin == Origin("cifar10", CIFAR10.standardization)


def test_a_loaded_backbone_takes_the_place_of_the_weights(tmp_path):
    model = small()
    load_backbone(model, None)
    assert model.origin == CIFAR10
    path = tmp_path / "own.weights.h5"
    model.save_weights(path)
    load_backbone(model, path)
    assert model.origin == Origin("own.weights.h5")
    of_pixels = ResNetV2(SMALL, include_preprocessing="imagenet")
    load_backbone(of_pixels, None)
    imagenet = STANDARDIZATIONS["imagenet"]
    assert of_pixels.origin == Origin(standardization=imagenet)


def test_a_backbone_wants_its_own_preprocessing():
    model = PreActResNet20(include_preprocessing="imagenet", classes=3)
    before = model.get_weights()
    with pytest.raises(ValueError, match="include_preprocessing=True"):
        load_backbone(model, "cifar10")
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_initial_weights_leave_a_training_s_own(tmp_path):
    model = small()
    model.save_weights(tmp_path / "own.weights.h5")
    load_initial_weights(model, str(tmp_path / "own.weights.h5"))
    assert model.origin == CIFAR10


def survivors(model, folder):
    yield "clone", keras.models.clone_model(model)
    model.save(folder / "whole.keras")
    yield "whole", keras.models.load_model(folder / "whole.keras")
    yield "config", type(model).from_config(model.get_config())


@pytest.mark.parametrize("standardization", ["imagenet", PER_PIXEL])
def test_it_survives(standardization, tmp_path):
    model = ResNetV2(
        SMALL,
        input_shape=(8, 8, 3),
        include_preprocessing=standardization,
    )
    asked = STANDARDIZATIONS.get(standardization, standardization)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3))
    found = dict(survivors(model, tmp_path))
    for name, other in found.items():
        assert origin_of(other) == Origin(standardization=asked), name
        if name == "whole":
            np.testing.assert_array_equal(
                other.predict(pixels), model.predict(pixels)
            )


def test_a_training_leaves_it_in_the_model(tmp_path, small_fake):
    own = training.Experiment(
        "PreActResNet20",
        "fake",
        options={"depth": 8, "widths": (4, 8, 8)},
        epochs=1,
        batch_size=50,
        standardization="per_pixel_mean",
    )
    training.train(own, tmp_path)
    trained = training.load_trained(tmp_path)
    saved = keras.models.load_model(tmp_path / "model.keras")
    expected = Origin(
        "fake", trained.facts.standardization, trained.facts.class_names, 32
    )
    assert saved.origin == trained.model.origin == expected
    test = small_fake("fake", "test")
    logits = saved.predict(preprocess_input(test.images, saved))
    for row in decode_predictions(logits, 1, saved):
        assert row[0][1] in trained.facts.class_names and row[0][2] <= 1


def test_a_network_within_another_is_found(published, images):
    outer = keras.Sequential([keras.Input((32, 32, 3)), published])
    np.testing.assert_array_equal(
        preprocess_input(images, outer), preprocess_input(images, "cifar10")
    )


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_preprocessing_within_is_that_before(images, precision):
    with training.precision(precision):
        before = PreActResNet20(weights="cifar10")
        within = PreActResNet20(weights="cifar10", include_preprocessing=True)
    expected = before.predict(preprocess_input(images, before))
    for pixels in (images, images.astype("float32")):
        np.testing.assert_allclose(within.predict(pixels), expected, atol=1e-6)
    np.testing.assert_array_equal(preprocess_input(images, within), images)


def test_it_begins_at_any_tensor_of_pixels(images, published):
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    network = PreActResNet20(
        weights="cifar10", input_tensor=pixels, include_preprocessing=True
    )
    expected = published.predict(preprocess_input(images, published))
    np.testing.assert_allclose(network.predict(images), expected, atol=1e-6)
    with pytest.raises(ValueError, match="include_preprocessing"):
        PreActResNet20(input_tensor=pixels)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"include_preprocessing": True}, "weights=None. Give one of"),
        ({"include_preprocessing": "cifar"}, "received 'cifar'"),
        (
            {"include_preprocessing": "imagenet", "weights": "cifar10"},
            "differs from include_preprocessing",
        ),
        (
            {"include_preprocessing": "cifar10", "input_shape": (32, 32, 1)},
            "do not fit",
        ),
        ({"include_preprocessing": PER_PIXEL}, "do not fit"),
        (
            {
                "include_preprocessing": PER_PIXEL,
                "input_shape": (None, None, 3),
            },
            r"fixed size.*input_shape=\(8, 8, 3\)",
        ),
        ({"include_preprocessing": np.ones(3)}, "one of.*received array"),
        ({"include_preprocessing": ""}, "one of.*received ''"),
    ],
)
def test_other_preprocessing_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        PreActResNet20(**options)


def test_nothing_is_standardized_twice(images, tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    from keras_resnetv2.export import self_check

    monkeypatch.setattr(self_check, "check", lambda *args: None)
    before = small()
    within = small(include_preprocessing="cifar10", classifier_activation=None)
    for own, other in zip(
        within.trainable_variables, before.trainable_variables, strict=True
    ):
        own.assign(other)
    data = load_arrays("cifar10_sample", "test").take(6)
    standardization = STANDARDIZATIONS["cifar10"]
    found = predict_logits(within, data, standardization)
    np.testing.assert_array_equal(found, within.predict(images))

    with pytest.raises(ValueError, match="standardized twice"):
        export_saved_model(within, tmp_path, standardization="imagenet")
    path = export_saved_model(within, tmp_path)
    served = tf.saved_model.load(str(path)).signatures
    answers = served["serving_uint8"](images=tf.constant(images))
    expected = before.predict(preprocess_input(images, before))
    assert expected.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
    png = tf.io.encode_png(images[0])[None]
    best = served["classify"](image_bytes=png)["classes"].numpy()[0, 0]
    assert best.decode() == decode_predictions(expected, 1, within)[0][0][1]


def test_an_export_must_know_the_pixels(tmp_path):
    with pytest.raises(ValueError, match="does not know how its images"):
        export_saved_model(ResNetV2(SMALL), tmp_path)


def small(**options):
    """A network that says it has CIFAR-10's weights; quickly built."""
    model = ResNetV2(SMALL, **options)
    set_origin(model, CIFAR10)
    return model


def behind(operation):
    """A network behind what its user does to the images."""
    pixels = keras.Input((8, 8, 3))
    return keras.Model(pixels, small(input_shape=(8, 8, 3))(operation(pixels)))


def on_a_tensor(operation):
    return small(input_tensor=operation(keras.Input((8, 8, 3))))


CHANGES = {
    "preprocess_input": lambda x: preprocess_input(x, "cifar10"),
    "Lambda": keras.layers.Lambda(lambda x: x / 255),
    "our layer's name": keras.layers.Rescaling(1 / 255, name="preprocessing"),
    "other numbers": keras.layers.Normalization(
        mean=[1, 2, 3], variance=[4] * 3
    ),
    "adapted": keras.layers.Normalization(),
    "in a Sequential": keras.Sequential([keras.layers.Rescaling(1 / 255)]),
}
NOTHING = Standardization([0, 0, 0], [1, 1, 1])


@pytest.mark.parametrize("build", [behind, on_a_tensor])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_preprocessing_of_the_user_s_is_not_done_again(build, change, tmp_path):
    network = build(change)
    says = r"before its trained layers.*Give standardization=.*\[0, 0, 0\]"
    with pytest.raises(ValueError, match=says):
        preprocess_input(np.zeros((8, 8, 3), "uint8"), network)
    with pytest.raises(ValueError, match=says):
        export_saved_model(network, tmp_path)
    assert not includes_preprocessing(network)
    assert standardization_for(network, NOTHING) == NOTHING


def test_what_leaves_the_values_is_none():
    for operation in (
        keras.layers.Identity(),
        lambda x: keras.ops.cast(x, "float16"),
        keras.Sequential([keras.layers.RandomFlip(), keras.layers.Identity()]),
    ):
        found = get_standardization(behind(operation))
        assert found == STANDARDIZATIONS["cifar10"]


def test_a_network_of_pixels_takes_them_within_others():
    whole = small(input_shape=(8, 8, 3), include_preprocessing="cifar10")
    pixels = keras.Input((8, 8, 3))
    outer = keras.Sequential([pixels, keras.Model(pixels, whole(pixels))])
    for asked in (None, "cifar10", NOTHING):
        assert standardization_for(outer, asked) == NOTHING


def test_a_graph_that_cannot_be_read():
    class Outer(keras.Model):
        def __init__(self):
            super().__init__(name="outer")
            self.inner = small()

    with pytest.raises(ValueError, match="'outer' is not a functional"):
        get_standardization(Outer())


def test_networks_that_differ():
    pixels = keras.Input((32, 32, 3))

    def together(other):
        outputs = [network(pixels) for network in (small(name="one"), other)]
        return keras.Model(pixels, keras.layers.Average()(outputs))

    cifar10, imagenet = (STANDARDIZATIONS[n] for n in ("cifar10", "imagenet"))
    assert get_standardization(together(small())) == cifar10
    of_pixels = together(small(include_preprocessing="cifar10"))
    with pytest.raises(ValueError, match="'preprocessing' before"):
        get_standardization(of_pixels)
    assert standardization_for(of_pixels, "cifar10") == cifar10
    unlike = together(ResNetV2(SMALL, include_preprocessing="imagenet"))
    assert origin_of(unlike) == Origin()
    with pytest.raises(ValueError, match="does not know how"):
        get_standardization(unlike)
    assert standardization_for(unlike, "imagenet") == imagenet


def test_a_head_of_one_s_own_has_no_names_of_classes():
    network = small()
    taken = network.get_layer("avg_pool").output

    def headed(*layers):
        return ResNet(network.input, keras.Sequential(layers)(taken))

    dense = keras.layers.Dense
    for other in (
        headed(dense(10, "softmax", name="mine")),
        headed(dense(10, name="mine"), keras.layers.Softmax()),
        headed(dense(3, name="predictions")),
        keras.Model(network.input, dense(10)(network.output)),
        keras.Model(network.input, [network.output, taken]),
    ):
        assert origin_of(other) == dataclasses.replace(
            CIFAR10, class_names=None
        )
        with pytest.raises(ValueError, match="names of its classes"):
            decode_predictions(np.eye(10), 1, other)


def test_what_leaves_the_classes_leaves_their_names():
    network = small()
    images = keras.Input((32, 32, 3))
    twice = [network(images), network(images)]
    for same in (
        keras.Model(images, keras.layers.Softmax()(twice[0])),
        keras.Model(images, keras.layers.Average()(twice)),
        keras.Sequential([images, network]),
    ):
        assert origin_of(same) == CIFAR10
