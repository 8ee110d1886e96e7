import numpy as np
import picture_files
import pytest
import tensorflow as tf

from keras_resnetv2.data.decoding import decode_rgb, read_numbers


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_bmp_has_pillow_s_colours(mode):
    image = picture_files.picture(31, 20).convert(mode)
    file = picture_files.encode(image, "BMP")
    np.testing.assert_array_equal(
        decode_rgb(tf.constant(file)), picture_files.decode(file)
    )


@pytest.mark.parametrize("compression", [1, 2])
def test_a_compressed_bmp_is_refused(compression):
    file = picture_files.encode(picture_files.picture(), "BMP")
    file = file[:30] + bytes([compression]) + file[31:]
    with pytest.raises(tf.errors.InvalidArgumentError, match="save it as PNG"):
        decode_rgb(tf.constant(file))


def test_numbers_of_a_file():
    file = tf.constant(b"\x01\x02\x03\x04\x05")
    numbers = read_numbers(file, 1, 2, tf.uint16)
    assert numbers.numpy().tolist() == [0x0302, 0x0504]
    numbers = read_numbers(file, 1, 2, tf.uint16, little_endian=False)
    assert numbers.numpy().tolist() == [0x0203, 0x0405]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Truncated"):
        read_numbers(file, 3, 2, tf.uint16)
