"""Built networks against the closed forms, both options."""

import dataclasses
import functools

import numpy as np
import pytest
from counting import counted
from parameter_goldens import GOLDENS

import keras_resnetv2
from keras_resnetv2 import MODELS, Complexity, complexity

# Built in `make test-all`; in `make test` their counts follow from small nets.
LARGE = tuple(name for name in GOLDENS if sum(MODELS[name].units) > 9)


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
        options = {"dimension_change": dimension_change}
        count = counted(getattr(keras_resnetv2, name)(**options))
        config = dataclasses.replace(MODELS[name], **options)
        assert complexity(config) == count
        counts.append(count.parameters)
    assert tuple(counts) == GOLDENS[name]


def of_one_unit_and_one_more(stages):
    """(1, 1), (2, 1), (1, 2) of two stages."""
    ones = np.ones(stages, int)
    return map(tuple, [ones, *(ones + np.eye(stages, dtype=int))])


@functools.cache
def built_counts(config):
    count = counted(keras_resnetv2.ResNetV2(config))
    return np.array(dataclasses.astuple(count))


@pytest.mark.parametrize("name", LARGE)
def test_deep_counts_follow_from_small_nets(name):
    """A unit more in a stage always adds the same; so the deep nets' counts."""
    for option, golden in zip(("padding", "projection"), GOLDENS[name]):
        config = dataclasses.replace(MODELS[name], dimension_change=option)
        small, *longer = (
            dataclasses.replace(config, depth=None, units_per_stage=units)
            for units in of_one_unit_and_one_more(len(config.units))
        )
        count = built_counts(small)
        for units, net in zip(config.units, longer, strict=True):
            added = built_counts(net) - built_counts(small)
            count = count + (units - 1) * added
        deep = Complexity(*count)
        assert deep == complexity(config)
        assert deep.parameters == golden


def test_projection_kernels_account_for_the_difference():
    # 16 to 64, 64 to 128, 128 to 256; and ImageNet's.
    assert 41_984 == 16 * 64 + 64 * 128 + 128 * 256
    assert 172_032 == 64 * 128 + 128 * 256 + 256 * 512
    assert 2_768_896 == sum(
        a * b for a, b in [(64, 256), (256, 512), (512, 1024), (1024, 2048)]
    )
