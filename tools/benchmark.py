"""Compares training with plain Keras's and PyTorch's: time and memory by depth.

    python tools/benchmark.py --output=benchmark --torch_python=PATH

Each process trains a network on one batch of random images. The sides take
turns. They start from the same weights, and their numbers of parameters and
first losses must be equal. It needs Linux, and uses no GPU.

Other work on the machine slows the sides unequally: measure on a quiet one.
"""

import dataclasses
import datetime
import itertools
import json
import math
import pathlib
import re
import signal
import statistics
import subprocess
import sys

from absl import flags
from tables.benchmark import table_of

from keras_resnetv2._files import user_path, write_atomically, write_json
from keras_resnetv2._plots import line_styles, save_figure
from keras_resnetv2._processes import (
    available_cores,
    module_environment,
    processor,
)
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import one_line
from keras_resnetv2.cli import common
from keras_resnetv2.models.configs import MODELS, ResNetConfig, find_config
from keras_resnetv2.models.specs import UNITS

_TOOLS = pathlib.Path(__file__).parent
sys.path.append(str(_TOOLS.parent / "tests" / "oracle"))
from panels import terms_of  # noqa: E402

_SIDES = ("keras_resnetv2", "keras", "torch", "remat_unit", "jax")
_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")  # a traceback's last line
_LOSS_TOLERANCE = 1e-3  # relative, for float32
# Title of a panel -> the measure, and whether it is per image.
_PANELS = {
    "step, ms per image": ("step_ms", True),
    "first step, s": ("first_step_s", False),
    "peak memory, GB": ("memory_gb", False),
}

_MODELS = flags.DEFINE_list(
    "models",
    "PreActResNet20:128,PreActResNet110:64,PreActResNet164:64,"
    "PreActResNet326:16,PreActResNet1001:8",
    "Networks and their images per step. A network is a name in MODELS, or "
    "PreActResNet with another depth: 9n+2 has bottlenecks, 6n+2 basic units.",
)
_USED = flags.DEFINE_list(
    "sides",
    ",".join(_SIDES[:3]),
    "Sides to measure. remat_unit is keras_resnetv2 with remat=unit, and jax "
    "is keras_resnetv2 on JAX.",
)
_TORCH_PYTHON = flags.DEFINE_string(
    "torch_python",
    None,
    "Python with PyTorch and NumPy. Default: this one, if it has PyTorch.",
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16"], "Dtype policy."
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "Processes per network and side.", lower_bound=1
)
_SECONDS = flags.DEFINE_float(
    "seconds", 2.0, "Length of a group of steps; a process times five."
)
_QUICK = flags.DEFINE_boolean(
    "quick", False, "Only see that it runs: a small network, once."
)
_QUICK_DEFAULTS = {
    "models": "PreActResNet8:4",
    "repeats": 1,
    "seconds": 0.0,
}
_OUTPUT = flags.DEFINE_string(
    "output", None, "Directory for benchmark.json, .md and .png."
)


def main(argv):
    """Measures, and prints the table; writes after each network."""
    check_installed("A plot")
    if _QUICK.value:
        for flag, value in _QUICK_DEFAULTS.items():
            flags.FLAGS.set_default(flag, value)
    networks = [_network(text) for text in _MODELS.value]
    pythons = _interpreters()
    folder = user_path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "command": _command(),
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {available_cores()} cores",
        "versions": {"Python": sys.version.split()[0]},
        "precision": _PRECISION.value,
        "networks": [],
    }
    for network in networks:
        report["networks"].append(_measure(*network, pythons, report))
        write_json(folder / "benchmark.json", report)
        write_atomically(folder / "benchmark.md", table_of(report))
        _plot(report, folder / "benchmark.png")
    print(f"\n{table_of(report)}\nWritten to {folder}.")


def _command():
    """Returns the command, without the paths of this machine."""
    settings = _MODELS, _USED, _PRECISION, _REPEATS, _SECONDS, _QUICK
    given = [flags.FLAGS[f.name].serialize() for f in settings if f.present]
    paths = [f"--{f.name}=..." for f in (_TORCH_PYTHON, _OUTPUT) if f.present]
    return " ".join(["python tools/benchmark.py", *given, *paths])


def _network(text):
    """Returns the name, the config and the images per step."""
    name, _, images = text.partition(":")
    if not images.isdecimal() or not int(images):
        raise ValueError(
            f"--models={text}: expected a network and its images per step, "
            "such as PreActResNet20:128."
        )
    _, _, depth = name.partition("PreActResNet")
    if name in MODELS or not depth.isdecimal():
        return name, find_config(name), int(images)
    unit = "bottleneck" if int(depth) % 9 == 2 else "basic"
    return name, ResNetConfig(depth=int(depth), unit=unit), int(images)


def _interpreters():
    """Returns {side: its Python}, without PyTorch if there is none."""
    pythons = dict.fromkeys(_USED.value, sys.executable)
    if not pythons or pythons.keys() - set(_SIDES):
        raise ValueError(
            f"--sides={','.join(_USED.value)}: expected some of "
            f"{','.join(_SIDES)}."
        )
    if "torch" not in pythons:
        return pythons
    pythons["torch"] = user_path(_TORCH_PYTHON.value or sys.executable)
    try:
        _run(pythons["torch"], "-c", "import numpy, torch")
    except ValueError as error:
        if _TORCH_PYTHON.value:
            raise ValueError(
                f"--torch_python={_TORCH_PYTHON.value}: expected a Python that "
                f"can import torch and numpy; {error}"
            ) from error
        del pythons["torch"]
        print(
            "PyTorch is left out. Run pip install torch, or give another "
            "Python that has it: --torch_python=PATH."
        )
    return pythons


def _run(*command, backend="tensorflow"):
    """Returns what a command prints; a ValueError says why it failed."""
    try:
        done = subprocess.run(
            command,
            env=module_environment(
                KERAS_BACKEND=backend, CUDA_VISIBLE_DEVICES="-1"
            ),
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise ValueError(str(error)) from error
    if done.returncode == -signal.SIGKILL:
        raise ValueError("killed; was there enough memory?")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if _ERROR.match(line)]
        reason = one_line((errors or lines or [""])[-1], 200)
        raise ValueError(f"exit status {done.returncode}: {reason}")
    return done.stdout


def _measure(name, config, images, pythons, report):
    """Returns a network's part of the report; adds versions to the report."""
    case = {
        "config": dataclasses.asdict(config),
        "terms": terms_of(config),
        "last_conv": f"conv{len(UNITS[config.unit])}",
        "classes": config.classes,
        "image_size": config.input_size,
        "batch_size": images,
        "precision": _PRECISION.value,
        "seconds": _SECONDS.value,
    }
    results = {side: [] for side in pythons}
    failures, difference = {}, 0.0
    for repeat, side in itertools.product(range(_REPEATS.value), pythons):
        if side in failures:
            continue
        print(f"{name}, {side}, {repeat + 1} of {_REPEATS.value}", flush=True)
        child = _TOOLS / "benchmark_side.py"
        asked = json.dumps({**case, "side": side})
        backend = "jax" if side == "jax" else "tensorflow"
        try:
            printed = _run(pythons[side], child, asked, backend=backend)
            result = json.loads(printed.splitlines()[-1])
        except ValueError as error:
            failures[side] = str(error)
            continue
        report["versions"] |= result["versions"]
        results[side].append(result)
        difference = _difference(name, results)
    sides = {
        side: {"failure": failures[side]}
        if side in failures
        else _summary(results[side], results.get("torch"))
        for side in pythons
    }
    first = next(itertools.chain(*results.values()), {})
    return {
        "name": name,
        "depth": config.layers,
        "batch_size": images,
        "parameters": first.get("parameters"),
        "losses": first.get("losses"),
        "loss_difference": difference,
        "sides": sides,
    }


def _difference(name, results):
    """Returns the largest relative difference of losses to the first ones."""
    (_, first), *others = (
        (side, result) for side in results for result in results[side]
    )
    largest = 0.0
    for side, result in others:
        pairs = zip(result["losses"], first["losses"], strict=True)
        found = max(abs(loss - of) / abs(of) for loss, of in pairs)
        compares = found <= _LOSS_TOLERANCE or (
            _PRECISION.value != "float32" and math.isfinite(found)
        )
        if result["parameters"] != first["parameters"] or not compares:
            raise ValueError(
                f"{name}: {side} trains another network, so the times say "
                f"nothing. It has {result['parameters']:,} parameters and the "
                f"losses {result['losses']}; expected {first['parameters']:,} "
                f"and {first['losses']}, within {_LOSS_TOLERANCE} of them. "
                "Correct the side."
            )
        largest = max(largest, found)
    return largest


def _summary(results, of_torch):
    """Returns each measure of a side, over all of its processes."""
    summary = {}
    for measure in results[0]["measures"]:
        values = _values(results, measure)
        summary[measure] = {
            "lowest": min(values),
            "median": statistics.median(values),
            "values": values,
        }
        if of_torch:
            ratio = min(values) / min(_values(of_torch, measure))
            summary[measure]["of_torch"] = ratio
    return summary


def _values(results, measure):
    return [
        value for result in results for value in result["measures"][measure]
    ]


def _plot(report, path):
    """Draws how each measure grows with the depth, a line per side."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    networks = sorted(report["networks"], key=lambda network: network["depth"])
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    panels = zip(figure.subplots(1, len(_PANELS)), _PANELS.items())
    for axes, (title, (measure, per_image)) in panels:
        for side, style in zip(_SIDES, line_styles(len(_SIDES))):
            points = [
                (
                    network["depth"],
                    network["sides"][side][measure]["lowest"]
                    / (network["batch_size"] if per_image else 1),
                )
                for network in networks
                if measure in network["sides"].get(side, ())
            ]
            if points:
                axes.plot(*zip(*points), label=side, marker="o", **style)
        axes.set(title=title, xscale="log", yscale="log")
        axes.set_xticks(
            [network["depth"] for network in networks],
            [
                f"{network['depth']}\n({network['batch_size']})"
                for network in networks
            ],
        )
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.set_xlabel("layers (images per step)")
        axes.grid(alpha=0.25)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(_SIDES),
    )
    save_figure(figure, path, dpi=130)


entry_point = common.entry_point(main, required=["output"], unused=["data_dir"])

if __name__ == "__main__":
    entry_point()
