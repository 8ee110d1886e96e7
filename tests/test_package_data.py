"""What is no Python is in the wheel, too."""

import pathlib

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_resnetv2"


def test_every_file_of_the_package_is_installed(setup_arguments):
    installed = {
        path
        for package, patterns in setup_arguments["package_data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    files = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert files == installed
    assert {path.name for path in files} >= {
        "PreActResNet20-cifar10.weights.h5",
        "__init__.pyi",
        "applications.pyi",
        "py.typed",
        "test.webp",
    }
