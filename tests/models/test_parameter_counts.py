"""Trainable parameters against paper.md's closed forms, both options."""

import dataclasses
import math

import pytest

import keras_resnetv2
from keras_resnetv2 import MODELS

# name -> (option A, option B). Option A of the bottleneck and ImageNet nets,
# which the paper does not use: B's less the projections' 1x1 kernels.
GOLDENS = {
    "PreActResNet20": (269_722, 272_282),
    "PreActResNet32": (464_154, 466_714),
    "PreActResNet44": (658_586, 661_146),
    "PreActResNet56": (853_018, 855_578),
    "PreActResNet110": (1_727_962, 1_730_522),
    "PreActResNet1202": (19_421_274, 19_423_834),
    "PreActResNet164": (1_703_258 - 41_984, 1_703_258),
    "PreActResNet1001": (10_327_706 - 41_984, 10_327_706),
    "ResNet18V2": (11_687_720 - 172_032, 11_687_720),
    "ResNet34V2": (21_795_880 - 172_032, 21_795_880),
    "ResNet50V2": (25_549_352 - 2_768_896, 25_549_352),
    "ResNet101V2": (44_541_480 - 2_768_896, 44_541_480),
    "ResNet152V2": (60_185_128 - 2_768_896, 60_185_128),
    "ResNet200V2": (64_666_152 - 2_768_896, 64_666_152),
}
LARGE = ("PreActResNet1001", "PreActResNet1202")


def test_every_model_has_a_golden():
    assert set(GOLDENS) == set(MODELS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.large] if n in LARGE else [])
        for n in GOLDENS
    ],
)
def test_parameter_count(name):
    counts = []
    for dimension_change in ("padding", "projection"):
        model = getattr(keras_resnetv2, name)(dimension_change=dimension_change)
        counts.append(sum(math.prod(w.shape) for w in model.trainable_weights))
        del model
    assert tuple(counts) == GOLDENS[name]


@pytest.mark.parametrize("name", LARGE)
def test_deep_counts_follow_from_two_small_nets(name):
    """A unit more a stage always adds the same; so the deep nets' counts."""
    config = MODELS[name]
    for option, golden in zip(("padding", "projection"), GOLDENS[name]):
        counts = []
        for units in (1, 2):
            small = dataclasses.replace(
                config,
                depth=None,
                units_per_stage=(units,) * 3,
                dimension_change=option,
            )
            model = keras_resnetv2.ResNetV2(small)
            counts.append(
                sum(math.prod(w.shape) for w in model.trainable_weights)
            )
        one, two = counts
        assert len(set(config.units)) == 1
        assert one + (config.units[0] - 1) * (two - one) == golden


def test_projection_kernels_account_for_the_difference():
    # 16 to 64, 64 to 128, 128 to 256; and ImageNet's.
    assert 41_984 == 16 * 64 + 64 * 128 + 128 * 256
    assert 172_032 == 64 * 128 + 128 * 256 + 256 * 512
    assert 2_768_896 == sum(
        a * b for a, b in [(64, 256), (256, 512), (512, 1024), (1024, 2048)]
    )
