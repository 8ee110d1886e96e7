"""Makes all that the page "Try it in the browser" loads.

python docs/try_it/build.py [FOLDER]

The network as a LiteRT file, the runtime from npm, and the page's own scripts.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
LICENSE = HERE.parents[1] / "LICENSE"
OWN = ("try_it.js", "pixels.js", "try_it.css")
CORE, UTILS = "@litertjs/core", "@litertjs/wasm-utils"
# The build without relaxed SIMD, whose roundings are the processor's own.
RUNTIME = {
    "litert.js": f"{CORE}/dist/index.js",
    "litert_utils.js": f"{UTILS}/dist/index.js",
    **{
        name: f"{CORE}/wasm/{name}"
        for name in (
            "litert_wasm_compat_internal.js",
            "litert_wasm_compat_internal.wasm",
        )
    },
}


def build(folder):
    """Fills a folder, which is made if needed.

    Args:
        folder: its path.

    Raises:
        SystemExit: if something that is needed is missing.
    """
    npm = shutil.which("npm")
    if not npm:
        sys.exit(
            "npm is not on the PATH; the runtime of the page comes through it. "
            "Install Node.js, which brings it."
        )
    if not importlib.util.find_spec("tensorflow"):
        sys.exit(
            "TensorFlow is not installed; it converts the network. Run: "
            'pip install -e ".[cpu]"'
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in OWN:
        shutil.copy(HERE / name, folder)
    copy_runtime(npm, folder)
    write_network(folder)
    for file in sorted(folder.iterdir()):
        print(f"{file.stat().st_size:>10,} {file.name}")


def copy_runtime(npm, folder):
    """Copies the runtime and its license out of the npm packages."""
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(HERE / "package.json", work)
        options = "--ignore-scripts", "--no-audit", "--no-fund", "--silent"
        if subprocess.run([npm, "install", *options], cwd=work).returncode:
            sys.exit(
                f"npm install failed. Is its registry in reach? Try: "
                f"npm view {CORE}"
            )
        modules = pathlib.Path(work, "node_modules")
        for name, source in RUNTIME.items():
            shutil.copyfile(modules / source, folder / name)
        write_license(modules, folder)
    # A browser knows no names of packages.
    script = folder / "litert.js"
    text = script.read_text(encoding="utf-8")
    if text.count(f'"{UTILS}"') != 1:
        sys.exit(f"Expected one import of {UTILS} in {CORE}: look at it.")
    text = text.replace(f'"{UTILS}"', '"./litert_utils.js"')
    script.write_text(text, encoding="utf-8")


def write_license(modules, folder):
    """Writes what the runtime is, and its license, which npm leaves out."""
    lines = ["LiteRT for the web, from these npm packages:", ""]
    for name in (CORE, UTILS):
        package = json.loads((modules / name / "package.json").read_text())
        if package["license"] != "Apache-2.0":
            sys.exit(
                f"{name} is under {package['license']} now, not Apache-2.0: "
                "copy the text of that license instead."
            )
        lines.append(f"{name} {package['version']}")
        lines.append(package["repository"]["url"])
    text = "\n".join(lines) + "\n\n" + LICENSE.read_text(encoding="utf-8")
    (folder / "litert_license.txt").write_text(text, encoding="utf-8")


def write_network(folder):
    """Writes the published network, and what the page must know of it."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    import keras_resnetv2
    from keras_resnetv2._origin import class_names_of, origin_of

    network = keras_resnetv2.PreActResNet20(
        weights="cifar10", include_preprocessing=True
    )
    size = network.input_shape[1]
    network.export(
        folder / "network.tflite",
        format="litert",
        verbose=False,
        # LiteRT for the web takes no batches of an unknown size.
        input_signature=[keras.InputSpec("float32", (1, size, size, 3))],
    )
    description = {
        "size": size,
        "resize": origin_of(network).resize or size,
        "classes": class_names_of(network),
    }
    (folder / "network.json").write_text(json.dumps(description) + "\n")


def _folder_of_arguments():
    parser = argparse.ArgumentParser(
        description='Makes all that the page "Try it in the browser" loads.'
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=pathlib.Path,
        default=HERE.parent / "_static" / "try_it",
        help="where to put it (default: %(default)s)",
    )
    return parser.parse_args().folder


if __name__ == "__main__":
    build(_folder_of_arguments())
