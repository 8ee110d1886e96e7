import numpy as np
import picture_files
import pytest
import tensorflow as tf

from keras_resnetv2 import ResNet
from keras_resnetv2.export.signatures import SIGNATURES


@pytest.fixture(scope="module")
def expected(model, pictures, standardization):
    """Probabilities and features, by the model itself."""
    both = ResNet(
        model.input, [model.output, model.get_layer("avg_pool").output]
    )
    return [np.array(x) for x in both(standardization(pictures.images))]


def as_files(images):
    """PNG files of which the centre crop is the image, and garbage between."""
    wide = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    files = [
        picture_files.encode(picture_files.Image.fromarray(image), "PNG")
        for image in wide
    ]
    is_file = np.arange(len(files) + 5) % 9 != 0
    rows = np.full(len(is_file), b"This is no picture.", object)
    rows[is_file] = files
    return tf.constant(rows), is_file


def test_named_inputs_and_outputs(signatures):
    found = {
        name: (
            {
                spec.name: spec.dtype
                for spec in row.structured_input_signature[1].values()
            },
            set(row.structured_outputs),
        )
        for name, row in signatures.items()
    }
    images, files = "images", "image_bytes"
    assert found == {
        "serving_default": ({images: tf.float32}, {"probabilities"}),
        "serving_uint8": ({images: tf.uint8}, {"probabilities"}),
        "image_bytes": ({files: tf.string}, {"probabilities", "valid"}),
        "classify": ({files: tf.string}, {"classes", "scores", "valid"}),
        "features": ({files: tf.string}, {"features", "valid"}),
        "features_uint8": ({images: tf.uint8}, {"features"}),
    }


@pytest.mark.parametrize("rows", [1, 40])
def test_pixels_in(rows, signatures, pictures, expected):
    uint8 = tf.constant(pictures.images[:rows])
    probabilities, features = (value[:rows] for value in expected)
    for name, images, output, wanted in [
        ("serving_default", tf.cast(uint8, tf.float32), "probabilities", 0),
        ("serving_uint8", uint8, "probabilities", 0),
        ("features_uint8", uint8, "features", 1),
    ]:
        answer = signatures[name](images=images)
        assert list(answer) == [output]
        np.testing.assert_allclose(
            answer[output], (probabilities, features)[wanted], atol=1e-5
        )


def test_files_in(signatures, pictures, expected):
    files, is_file = as_files(pictures.images)
    for name, output, wanted in [
        ("image_bytes", "probabilities", expected[0]),
        ("features", "features", expected[1]),
    ]:
        answer = signatures[name](image_bytes=files)
        np.testing.assert_array_equal(answer["valid"], is_file)
        rows = answer[output].numpy()
        np.testing.assert_allclose(rows[is_file], wanted, atol=1e-5)
        assert not rows[~is_file].any()


def test_named_classes_out(signatures, pictures, expected):
    files, is_file = as_files(pictures.images)
    answer = signatures["classify"](image_bytes=files)
    np.testing.assert_array_equal(answer["valid"], is_file)
    best = np.argsort(-expected[0], axis=1)[:, :3]
    classes = answer["classes"].numpy().astype(str)
    np.testing.assert_array_equal(
        classes[is_file], np.array(pictures.class_names)[best]
    )
    assert (classes[~is_file] == "").all()
    scores = answer["scores"].numpy()
    np.testing.assert_allclose(
        scores[is_file], np.take_along_axis(expected[0], best, 1), atol=1e-5
    )
    assert not scores[~is_file].any()


def wrong_images(dtype):
    return {
        "empty batch": np.zeros((0, 32, 32, 3), dtype),
        "size": np.zeros((1, 31, 32, 3), dtype),
        "channels": np.zeros((1, 32, 32, 4), dtype),
        "rank": np.zeros((32, 32, 3), dtype),
    }


WRONG_FILES = {
    "empty batch": np.zeros(0, object),
    "rank": np.array([[b"x"]], object),
    "scalar": np.array(b"x", object),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_wrong_requests(name, version):
    """As a server runs it: the graph itself refuses, and goes on."""
    signature = SIGNATURES[name]
    if signature.input == "images":
        wrong = wrong_images(signature.dtype.as_numpy_dtype)
        good = np.zeros((1, 32, 32, 3), signature.dtype.as_numpy_dtype)
    else:
        wrong, good = WRONG_FILES, np.array([b"x"], object)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        row = graph.signature_def[name]
        given = row.inputs[signature.input].name
        wanted = [tensor.name for tensor in row.outputs.values()]
        for what, value in wrong.items():
            # ValueError: TensorFlow's Python already refuses the shape.
            refusals = (tf.errors.InvalidArgumentError, ValueError)
            with pytest.raises(refusals) as error:
                session.run(wanted, {given: value})
                pytest.fail(f"{what} was taken")
            if what == "empty batch":
                assert "send at least one row" in str(error.value)
        session.run(wanted, {given: good})
