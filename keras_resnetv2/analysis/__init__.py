"""Measures the paper's equations on a network."""

import importlib

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str):
    if name == "ablation":  # 0.1.0's name of keras_resnetv2.studies
        return importlib.import_module("keras_resnetv2.analysis.ablation")
    return _load(name)
