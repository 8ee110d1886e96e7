import pathlib
import runpy

import keras_resnetv2

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "fine_tune.py"


def test_both_networks_are_trained_on_the_folder(tmp_path, capsys, monkeypatch):
    def small(include_top=True, weights=None, **options):
        return keras_resnetv2.ResNetV2(
            keras_resnetv2.ResNetConfig(units_per_stage=(1,), widths=(8,)),
            include_top=include_top,
            weights=weights,
            **options,
        )

    monkeypatch.setattr(keras_resnetv2, "PreActResNet20", small)
    runpy.run_path(str(EXAMPLE))["main"](tmp_path, source_steps=10, steps=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "From weights",
        "From scratch",
    ]
    few = keras_resnetv2.load_arrays(tmp_path / "few")
    assert few.class_names == ("dog", "frog", "horse", "ship", "truck")
    assert len(few) == 50
