"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import keras_resnetv2

# The named builders have one example in common, which is run once, below.
NAMED = "keras_resnetv2.models.applications"
MODULES = [
    module.name
    for module in pkgutil.walk_packages(
        keras_resnetv2.__path__, "keras_resnetv2."
    )
    if ".cli" not in module.name and module.name != NAMED
]


def test_examples():
    attempted = 0
    for name in MODULES:
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, name
        attempted += result.attempted
    assert attempted > 15


def test_a_named_builders_example():
    parser = doctest.DocTestParser()
    builder = keras_resnetv2.ResNet18V2
    test = parser.get_doctest(builder.__doc__, {}, "ResNet18V2", None, None)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
