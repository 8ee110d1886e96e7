"""An export asked by this package, without its network."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnetv2.export import exported


def test_it_names_what_the_network_names(version, pictures, model, tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(18)]  # two requests
    for i, file in enumerate(files):
        Image.fromarray(pictures.images[i % len(pictures)]).save(file)
    files[3].write_text("no picture")
    found = exported.classify(version, files)
    assert found == exported.classify(version.parent, files)
    served = tf.saved_model.load(str(version)).signatures["classify"]
    for file, answer in zip(files, found):
        alone = served(image_bytes=tf.constant([file.read_bytes()]))
        if not alone["valid"].numpy()[0]:
            assert answer is None and file is files[3]
            continue
        names, scores = zip(*answer)
        assert list(names) == [n.decode() for n in alone["classes"].numpy()[0]]
        np.testing.assert_allclose(scores, alone["scores"][0], atol=1e-6)


def test_the_newest_version_is_found(tmp_path):
    for name in ("2", "10", "notes", "11"):
        (tmp_path / name).mkdir()
        if name != "11":  # not whole
            (tmp_path / name / "saved_model.pb").touch()
    assert exported.find_version(tmp_path) == tmp_path / "10"
    assert exported.find_version(tmp_path / "2") == tmp_path / "2"
    with pytest.raises(ValueError, match="11 is not an export"):
        exported.find_version(tmp_path / "11")
