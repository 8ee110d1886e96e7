import dataclasses
import itertools

import keras_tuner
import pytest

from keras_resnetv2.training import Experiment
from keras_resnetv2.tuning import SearchSpace
from keras_resnetv2.tuning.hyperparameters import HYPERPARAMETERS, SEARCHED

BASE = Experiment("PreActResNet20", "cifar10")


def declared(space):
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    return hp


def drawn(space, count=200):
    """Values as keras-tuner draws them at random."""
    oracle = keras_tuner.oracles.RandomSearchOracle(
        keras_tuner.Objective("x", "min"),
        hyperparameters=declared(space),
        seed=1,
    )
    return [oracle._random_values() for _ in range(count)]


def test_every_trial_of_the_whole_space_is_a_training():
    space = SearchSpace(BASE)
    seen = {name: set() for name in SEARCHED}
    for values in drawn(space):
        experiment = space.experiment(values)  # refuses what does not fit
        for name, value in values.items():
            seen[name].add(value)
        config = experiment.config()
        assert experiment.learning_rate == pytest.approx(
            values["learning_rate"], rel=1e-3
        )
        assert config.widths[0] == values["width"]
        assert config.widths[2] == 4 * values["width"]
        assert config.depth in (
            values.get("depth"),
            values.get("bottleneck_depth"),
        )
    assert all(len(values) > 1 for values in seen.values()), seen


def test_further_hyper_parameters_are_searched_on_request():
    further = sorted(set(HYPERPARAMETERS) - set(SEARCHED))
    assert further == ["cutmix", "ema", "mixup", "rand_augment", "schedule"]
    space = SearchSpace(BASE, search=further)
    assert set(space.searched) == set(further)
    seen = {name: set() for name in further}
    for values in drawn(space, 50):
        experiment = space.experiment(values)
        for name, value in values.items():
            # Numbers are rounded.
            assert getattr(experiment, name) == pytest.approx(value, abs=1e-3)
            seen[name].add(value)
    assert all(len(values) > 1 for values in seen.values()), seen
    modern = dataclasses.replace(
        BASE, recipe="modern", **dict.fromkeys(further)
    )
    default = SearchSpace(modern, search=further).default
    assert default("ema") == 0.999 and default("schedule") == "cosine"


def test_a_setting_that_does_nothing_is_no_part_of_a_trial():
    gating = {"exclusive_gating", "shortcut_only_gating"}
    for values in drawn(SearchSpace(BASE)):
        assert ("gate_bias" in values) == (values["shortcut"] in gating)
        assert ("dropout_rate" in values) == (values["shortcut"] == "dropout")
        assert ("shortcut_scale" in values) == (
            values["shortcut"] == "constant_scaling"
        )
        assert ("dimension_change" in values) == (values["shortcut"] != "conv")
        assert ("depth" in values) == (values["unit"] == "basic")
        assert ("bottleneck_depth" in values) == (
            values["unit"] == "bottleneck"
        )


def test_the_first_trial_is_the_base_itself():
    space = SearchSpace(BASE)
    experiment = space.experiment(declared(space).values)
    assert experiment.config() == dataclasses.replace(
        BASE.config(), dimension_change="padding"
    )
    assert experiment.learning_rate == 0.1
    assert experiment.batch_size == 128
    assert experiment.weight_decay == 1e-4


def test_another_base_gives_other_defaults():
    base = Experiment(
        "PreActResNet164",
        "cifar10",
        options={"activation_order": "original"},
        learning_rate=0.05,
    )
    space = SearchSpace(base, {"bottleneck_depth": (29, 164)})
    values = declared(space).values
    assert values["unit"] == "bottleneck"
    assert values["bottleneck_depth"] == 164
    assert values["activation_order"] == "original"
    assert values["learning_rate"] == 0.05


def test_fixed_values_ranges_and_choices():
    space = SearchSpace(
        BASE,
        {
            "unit": "bottleneck",
            "bottleneck_depth": (29, 47),
            "shortcut": ["identity", "exclusive_gating"],
            "gate_bias": -7.0,
            "batch_size": [32, 64],
        },
        search=(),
    )
    assert set(space.searched) == {"bottleneck_depth", "shortcut", "batch_size"}
    configs = [space.experiment(values).config() for values in drawn(space, 12)]
    assert {config.depth for config in configs} == {29, 38, 47}
    assert {config.unit for config in configs} == {"bottleneck"}
    for config in configs:
        gated = config.shortcut == "exclusive_gating"
        assert config.gate_bias == (-7.0 if gated else None)


def test_the_bases_options_give_way_to_what_is_searched():
    base = Experiment(
        "PreActResNet20",
        "cifar10",
        options={"shortcut": "exclusive_gating", "gate_bias": -3.0},
    )
    space = SearchSpace(
        base, {"shortcut": ["exclusive_gating", "conv"]}, search=()
    )
    gated = space.experiment({"shortcut": "exclusive_gating"})
    assert gated.options["gate_bias"] == -3.0
    assert "gate_bias" not in space.experiment({"shortcut": "conv"}).options


def test_the_bases_depth_is_that_of_either_unit():
    base = Experiment("PreActResNet20", "cifar10", options={"depth": 38})
    space = SearchSpace(base, search=["unit"])
    for unit in ("basic", "bottleneck"):
        assert space.experiment({"unit": unit}).config().depth == 38


def test_only_what_is_named_is_searched():
    space = SearchSpace(BASE, search=["depth", "learning_rate"])
    assert list(space.searched) == ["depth", "learning_rate"]
    experiment = space.experiment({"depth": 32, "learning_rate": 0.0123456})
    assert experiment == dataclasses.replace(
        BASE, options={"depth": 32}, learning_rate=0.01235
    )


def test_streamed_images_have_their_own_augmentations():
    base = Experiment("ResNet18V2", "imagenet2012", recipe="imagenet")
    space = SearchSpace(base)
    assert space.searched["augmentation"].values == [
        "scale",
        "scale_aspect_ratio",
    ]
    assert "depth" not in space.searched
    widths = space.experiment({"width": 32}).config().widths
    assert widths == (32, 64, 128, 256)


@pytest.mark.parametrize(
    "space, search, says",
    [
        ({"depht": (20, 56)}, None, "Unknown hyper-parameter.*depht"),
        (None, ["lr"], "Unknown hyper-parameter.*'lr'"),
        ({"depth": (21, 56)}, None, "6n.2; received depth=21"),
        ({"depth": [20, 25]}, None, "depth=25 cannot be searched.*6n.2"),
        ({"depth": 25}, None, "6n.2"),
        ({"depth": (56, 20)}, None, "not a range"),
        ({"learning_rate": (0.0, 0.1)}, None, "logarithmic scale: its low end"),
        ({"shortcut": ("identity", "conv")}, None, "shortcut needs a list"),
        ({"shortcut": ["identity", "skip"]}, None, "'skip'"),
        ({"shortcut": []}, None, "at least one value"),
        ({"batch_size": [64, None]}, None, "no None"),
        (
            {"shortcut": "identity", "gate_bias": (-7.0, 0.0)},
            None,
            "gate_bias has no effect with shortcut='identity'",
        ),
        ({"gate_bias": -6.0}, ["depth"], "has no effect"),
        ({"unit": "bottleneck", "depth": (20, 56)}, None, "depth has no"),
        (
            {"depth": 32},
            ["unit"],
            "depth is given without bottleneck_depth",
        ),
        ({"label_smoothing": (0.0, 1.0)}, None, "label_smoothing=1.0"),
        ({"width": (16, 60)}, None, "lead to 56 and 64, but not to 60"),
        ({"width": 16}, [], "Nothing is searched"),
        ({"depth": 26}, ["gate_bias"], "gate_bias has no effect"),
        ({"unit": "bottleneck"}, ["depth"], "depth has no effect"),
    ],
)
def test_what_cannot_be_searched_is_refused(space, search, says):
    with pytest.raises(ValueError, match=says):
        SearchSpace(BASE, space, search=search)


def test_numbers_are_taken_as_they_are_meant():
    space = SearchSpace(
        BASE,
        {
            "label_smoothing": [0, 0.1],
            "learning_rate": [0.012345, 0.1],
            "weight_decay": (0.00012345, 0.1),
            "depth": [20, 20, 26],
        },
        search=(),
    )
    declared(space)  # keras-tuner takes choices of one type only
    assert space.searched["depth"].values == [20, 26]
    values = {"learning_rate": 0.012345, "weight_decay": 0.00012345}
    experiment = space.experiment(values)
    assert experiment.learning_rate == 0.012345
    assert experiment.weight_decay == 0.00012345  # the end of its range
    drawn_value = space.experiment({"weight_decay": 0.0234567})
    assert drawn_value.weight_decay == 0.02346


def test_a_depth_is_for_three_stages():
    base = Experiment("ResNet50V2", "imagenet2012", recipe="imagenet")
    with pytest.raises(ValueError, match="units_per_stage"):
        SearchSpace(base, {"depth": (20, 56)})


def test_the_budget_is_what_complexity_counts():
    space = SearchSpace(BASE, search=["depth", "width"], max_parameters=500_000)
    sizes = {}
    for depth, width in itertools.product((20, 32, 44), (16, 24)):
        values = {"depth": depth, "width": width}
        sizes[depth, width] = space.complexity(values).parameters
        assert bool(space.excess(values)) == (sizes[depth, width] > 500_000)
    assert sizes[20, 16] == 269_722  # paper.md's table, option A
    assert sizes[44, 16] == 658_586
    assert "658,586 parameters, above the budget of 500,000" in space.excess(
        {"depth": 44, "width": 16}
    )


def test_the_flop_budget_counts_multiply_adds_of_the_datas_size():
    small = SearchSpace(BASE, search=["depth"], max_flops=50_000_000)
    assert small.excess({"depth": 20}) is None
    large = SearchSpace(
        BASE, search=["depth"], max_flops=500_000_000, input_shape=(64, 64, 3)
    )
    by_pixels = large.complexity().multiply_adds - 640
    assert by_pixels == 4 * (small.complexity().multiply_adds - 640)
    assert "multiply-adds" in large.excess({"depth": 110})


def test_the_first_trial_keeps_to_the_budget():
    space = SearchSpace(BASE, {"depth": (8, 20)}, max_parameters=120_000)
    assert space.excess(declared(space).values) is None
    with pytest.raises(ValueError, match="the smallest has .* parameters"):
        SearchSpace(BASE, {"depth": (8, 20)}, max_parameters=1000)


def test_the_smallest_network_of_the_space_decides():
    base = Experiment("PreActResNet20", "cifar10", options={"shortcut": "conv"})
    # Depth 20, width 16, basic units, option A; `conv` has more.
    space = SearchSpace(base, max_parameters=269_722)
    values = declared(space).values
    assert space.complexity(values).parameters == 269_722
    with pytest.raises(ValueError, match="smallest has 2.., *"):
        SearchSpace(base, max_parameters=200_000)
    # Of 29 layers a bottleneck network takes fewer multiply-adds than a basic
    # one of 20, and has more parameters.
    space = SearchSpace(BASE, max_flops=39_000_000)
    assert declared(space).values["unit"] == "bottleneck"


@pytest.mark.parametrize("most", [0, -1, float("nan"), "5"])
@pytest.mark.parametrize("name", ["max_parameters", "max_flops"])
def test_a_budget_is_at_least_one(name, most):
    with pytest.raises(
        ValueError, match=f"{name} must be a number, at least 1"
    ):
        SearchSpace(BASE, **{name: most})
