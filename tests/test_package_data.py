"""What is no Python is in the wheel, too."""

import ast
import pathlib
import re

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


def test_what_is_installed_names_commands_that_are(setup_arguments):
    scripts = setup_arguments["entry_points"]["console_scripts"]
    scripts = {script.partition("=")[0] for script in scripts}
    named = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= set(re.findall(r"keras-resnetv2-\w[\w-]*", node.value))
                tools = set(re.findall(r"tools/\w+\.py", node.value))
                # It writes that file itself, in a clone.
                assert tools <= {"tools/generate_stubs.py"}, path
    assert "keras-resnetv2-prepare-cifar10" in named
    assert named <= scripts
