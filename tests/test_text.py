import pytest

from keras_resnetv2._text import duration, one_line


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0:00"), (83, "1:23"), (3599.7, "1:00:00")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_one_line():
    assert one_line(" a\n\tb\x1b\ud800 c ") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


def reprs():
    import keras_resnetv2 as kr
    from keras_resnetv2 import analysis, data, studies, training, tuning
    from keras_resnetv2.training.data_facts import DataFacts
    from keras_resnetv2.training.trained import Trained

    sample = kr.load_arrays("cifar10_sample")
    per_pixel = data.Standardization.from_images(
        sample.images, "per_pixel_mean"
    )
    many = [f"class {i}" for i in range(1000)]
    facts = DataFacts(many, (32, 32, 3), per_pixel, 9)
    experiment = training.Experiment("PreActResNet20", "fake", seed=3)
    network = kr.PreActResNet20(weights="cifar10")
    row = analysis.UnitRow("stage1_unit1", "identity", "", *10 * [1.0])
    trial = tuning.TrialRow("0", "completed", 0.5, 9, 9, 1, 2.5, {"depth": 8})
    yield from (
        (sample, "images=<uint8 (2560, 32, 32, 3)>"),
        (per_pixel, "mean=<float32 (32, 32, 3)>"),
        (data.STANDARDIZATIONS["cifar10"], "std=[62.99, 62.09, 66.7]"),
        (facts, "'class 3', ...]"),
        (network.origin, "weights='cifar10'"),
        (experiment, "seed=3"),
        (Trained(network, experiment, facts, 7), "step=7"),
        (analysis.Propagation("net", 8, True, (row,) * 54, 5, 4), "'net'"),
        (
            tuning.SearchResult([trial] * 200, trial, experiment, {}),
            "'completed'",
        ),
        (studies.STUDIES["table1"], "Study('table1', 11 rows)"),
        (studies.STUDIES, "'resnet20'"),
        (studies.Studydir("runs/quick"), "Studydir('runs/quick')"),
        (data.AUGMENTATIONS, "crop=CropRule(draws=0, choose=_center)"),
        (data.AUGMENTATIONS, "apply=_apply_nothing"),
        (analysis.PANELS["product"], "value=<lambda>"),
        (training.optimizer("torch", 9), "nesterov=True, weight_decay=0.0001"),
        (
            tuning.SearchSpace(experiment, search=["depth"]),
            "SearchSpace(PreActResNet20: depth)",
        ),
        (studies.Plan(studies.STUDIES["quick"], epochs=1), "epochs=1"),
        (kr.MODELS["ResNet50V2"], "units_per_stage=(3, 4, 6, 3)"),
    )


def test_a_public_object_is_written_on_a_line():
    for value, part in reprs():
        written = repr(value)
        assert part in written and "\n" not in written
        assert " at 0x" not in written
        assert len(written) < 600, written


def test_what_is_at_its_default_is_not_written():
    from keras_resnetv2 import ResNetConfig

    config = ResNetConfig(depth=26, widths=(32, 64, 128), classes=100)
    assert repr(config) == (
        "ResNetConfig(depth=26, widths=(32, 64, 128), classes=100)"
    )
    assert eval(repr(config)) == config
