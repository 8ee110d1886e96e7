"""Documented import paths that have moved still work, and say so."""

import importlib
import sys

import pytest

from keras_resnetv2 import analysis, studies


def test_analysis_ablation():
    sys.modules.pop("keras_resnetv2.analysis.ablation", None)
    vars(analysis).pop("ablation", None)
    with pytest.warns(
        DeprecationWarning, match="import keras_resnetv2.studies"
    ):
        moved = analysis.ablation
    assert moved is importlib.import_module("keras_resnetv2.analysis.ablation")
    for name in studies.__all__:
        assert getattr(moved, name) is getattr(studies, name)
    assert "ablation" not in analysis.__all__
    with pytest.raises(AttributeError, match="ablations"):
        analysis.ablations
