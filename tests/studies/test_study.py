"""A study's rows, their trainings and names; the shipped studies' facts."""

import dataclasses
import json

import pytest
from small_study import TINY, row

from keras_resnetv2 import ResNetConfig
from keras_resnetv2.studies import STUDIES, Plan, Study, Studydir
from keras_resnetv2.studies.study import run_name

SHIPPED = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def config(study, row_name):
    study = STUDIES[study]
    return study.experiment(study.row(row_name), seed=0).config()


@SHIPPED
def test_json_keeps_all(study):
    assert (
        Study.from_json(json.loads(json.dumps(dataclasses.asdict(study))))
        == study
    )


@SHIPPED
def test_rows_are_different_networks_in_tables(study):
    assert len({run_name(e) for e in Plan(study).runs().values()}) == len(
        study.rows
    )
    in_tables = {name for names in study.tables.values() for name in names}
    assert in_tables == {row.name for row in study.rows}
    assert all(row.published.keys() <= set(study.sources) for row in study.rows)


@pytest.mark.parametrize(
    "study, rows, steps",
    [
        ("table1", 11, 64_000),
        ("table2", 10, 64_000),
        ("table3", 12, 64_000),
        ("resnet20", 11, 64_000),
        ("resnet56", 11, 64_000),
        ("quick", 11, 400),
        ("recipes", 8, 64_000),
        ("recipes_quick", 8, 800),
    ],
)
def test_sizes(study, rows, steps):
    study = STUDIES[study]
    assert len(study.rows) == rows
    images = 2_560 if study.name.endswith("quick") else 50_000
    for one in study.rows:
        assert study.experiment(one, seed=0).total_steps(images) == steps


def test_the_parts_add_up_to_the_recipe_of_today():
    study = STUDIES["recipes"]
    paper, *parts, modern = study.rows
    settings = {}
    for part in parts:
        settings |= part.settings
    experiments = [study.experiment(one, seed=0) for one in (paper, modern)]
    assert [one.recipe for one in experiments] == ["paper", "modern"]
    without, with_all = (
        {name: getattr(one, name) for name in settings} for one in experiments
    )
    assert with_all == settings
    assert not set(without.values()) & set(settings.values())


def test_figures_of_the_paper():
    """A row of each table, as paper.md has it: figures and networks."""
    table1 = STUDIES["table1"]
    figures = [list(row.published.values())[0] for row in table1.rows]
    assert figures.count("fail") == 4
    assert sum(f for f in figures if f != "fail") == pytest.approx(
        6.61 + 12.35 + 8.70 + 9.81 + 12.86 + 6.91 + 12.22
    )
    original = ResNetConfig(depth=110, activation_order="original")
    assert config("table1", "original") == original
    assert config("table1", "exclusive_gating_-6") == dataclasses.replace(
        original, shortcut="exclusive_gating", gate_bias=-6.0
    )
    assert config("table1", "plain") == dataclasses.replace(
        original,
        shortcut="constant_scaling",
        shortcut_scale=0.0,
        residual_scale=1.0,
    )
    assert STUDIES["table2"].row("164_bn_after_addition").published == {
        "the paper's Table 2": 6.50
    }
    assert config("table2", "164_bn_after_addition") == ResNetConfig(
        depth=164, unit="bottleneck", activation_order="bn_after_addition"
    )
    assert config("table3", "cifar10_110_single_preactivation") == ResNetConfig(
        depth=110, unit="single"
    )
    assert STUDIES["table3"].row("cifar100_1001_original").published == {
        "the paper's Table 3": 27.82
    }
    assert config("table3", "cifar100_1001_original") == ResNetConfig(
        depth=1001, unit="bottleneck", activation_order="original"
    )
    study = STUDIES["resnet20"]
    assert study.row("full_preactivation").published == {
        "the paper, ResNet-110": 6.37,
        "a ResNet-20 study": 8.08,
    }
    assert study.row("conv_full_preactivation").published == {
        "a ResNet-20 study": 8.16
    }
    assert config("resnet20", "conv_full_preactivation") == ResNetConfig(
        depth=20, shortcut="conv"
    )


def test_the_original_net_of_three_tables_is_one_run():
    names = {
        run_name(study.experiment(study.row(name), seed=0))
        for study, name in (
            (STUDIES["table1"], "original"),
            (STUDIES["table2"], "110_original"),
            (STUDIES["table3"], "cifar10_110_original"),
        )
    }
    assert names == {"PreActResNet110-cifar10-activation_order=original-seed=0"}


def test_saying_a_default_makes_no_other_run():
    said = dataclasses.replace(
        TINY,
        rows=(row("good", activation_order="full_preactivation"),),
        tables={},
    )
    assert said.experiment(said.rows[0], 0) == TINY.experiment(TINY.rows[0], 0)


def test_the_order_of_options_makes_no_other_run():
    one, other = (
        TINY.experiment(row("good", **options), seed=0)
        for options in (
            {"shortcut": "conv", "activation_order": "original"},
            {"activation_order": "original", "shortcut": "conv"},
        )
    )
    assert run_name(one) == run_name(other)


def of_folder(name, folder):
    return dataclasses.replace(row(name), dataset=folder)


def test_long_names_are_file_names_and_differ(tmp_path):
    names = set()
    for last in "ab":
        folder = "/".join(["é" * 40] * 5 + [last])
        study = dataclasses.replace(
            TINY, rows=(of_folder("good", folder),), tables={}
        )
        [experiment] = Plan(study).runs().values()
        name = run_name(experiment)
        (tmp_path / f"{name}.txt").touch()
        names.add(name)
    assert len(names) == 2


def test_two_folders_of_one_name_are_refused(tmp_path):
    study = dataclasses.replace(
        TINY,
        rows=(of_folder("one", "a/b_c"), of_folder("other", "a/b/c")),
        tables={},
    )
    with pytest.raises(ValueError, match="dataset 'a/b/c' and 'a/b_c'. Ren"):
        Plan(study)
    # Nor in two studies that share a directory.
    one, other = (
        Plan(
            dataclasses.replace(study, name=each.name, rows=(each,)),
            seeds=1,
        )
        for each in study.rows
    )
    directory = Studydir(tmp_path)
    directory.claim(one)
    directory.claim(one)
    with pytest.raises(ValueError, match="dataset 'a/b/c' and 'a/b_c'. Ren"):
        directory.claim(other)


@pytest.mark.parametrize(
    "field, value",
    [
        ("seed", 1),
        ("epochs", 2),
        ("precision", "float64"),
    ],
)
def test_other_settings_are_another_run(field, value):
    settings = {"seed": 0, field: value}
    one = TINY.experiment(TINY.rows[0], **settings)
    other = TINY.experiment(TINY.rows[0], seed=0)
    assert run_name(one) != run_name(other)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rows": TINY.rows + TINY.rows[:1]}, "two rows called 'good'"),
        ({"tables": {"A": ("bad",)}}, "'A': received rows 'bad'; .* good"),
        (
            {"sources": ("another",)},
            "figure of 'a paper'; expected .*'another'",
        ),
        ({"rows": (row("good", 101),), "tables": {}}, "received 101"),
        (
            {"rows": (row("good", "x"),), "tables": {}},
            "or 'fail'; received 'x'",
        ),
        ({"rows": (row("good", deep=3),), "tables": {}}, "options: .* deep"),
        ({"recipe": "best"}, "recipe: received 'best'"),
        ({"tables": {"T": ()}}, "the table 'T' without rows"),
        ({"name": "a/b"}, "part of file names; received 'a/b'"),
    ],
)
def test_what_is_no_study_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **changes)
