"""Measures one side of tools/benchmark.py in a process of its own.

PyTorch's interpreter runs it, too: it needs only NumPy and the side's module.
The argument is a case as JSON; the last line of its output is the result.
"""

import importlib
import json
import math
import resource
import sys
import time
import zlib

import numpy as np

# The paper's optimizer, at a rate whose first steps magnify no rounding.
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.001, 0.9, 1e-4
_COMPARED = 5  # first steps, whose losses are compared
_GROUPS = 5  # of steps, which are timed after them


def initial(case: dict, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a weight's first value, by its name the same on all sides.

    F begins small. Otherwise a rounding grows to 3% of the next losses of 1,001
    layers, and comparing them shows nothing.

    Args:
        case: see `benchmark.py`.
        name: layer and weight.
        shape: its shape, of kernels (height, width, in, out).
    """
    kind = name.rpartition("/")[2]
    if kind != "kernel":
        is_one = kind in ("gamma", "moving_variance")
        return np.full(shape, is_one, "float32")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    scale = math.sqrt(2 / math.prod(shape[:-1]))
    if name.endswith(f"{case['last_conv']}/kernel"):
        scale *= 0.03
    return np.float32(scale) * rng.standard_normal(shape, "float32")


def measure(case: dict) -> dict:
    """Builds a network, trains it on one batch, and returns what that took.

    Args:
        case: see `benchmark.py`.
    """
    rng = np.random.default_rng(0)
    sizes = case["batch_size"], case["image_size"], case["image_size"], 3
    images = rng.standard_normal(sizes, "float32")
    labels = rng.integers(case["classes"], size=case["batch_size"])
    name = "torch" if case["side"] == "torch" else "keras"
    side = importlib.import_module(f"benchmark_{name}_side")

    start = time.perf_counter()
    parameters, train = side.build(case, images, labels)
    build = time.perf_counter() - start
    first, *others = (_timed(train, 1) for _ in range(_COMPARED))
    fastest = min(wall for wall, _, _ in others)
    steps = max(1, round(case["seconds"] / fastest))
    groups = [_timed(train, steps) for _ in range(_GROUPS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "parameters": parameters,
        "losses": [loss for _, _, loss in (first, *others)],
        "measures": {
            "build_s": [build],
            "first_step_s": [first[0]],
            "first_step_cpu_s": [first[1]],
            "step_ms": [1000 * wall / steps for wall, _, _ in groups],
            "step_cpu_ms": [1000 * cpu / steps for _, cpu, _ in groups],
            "memory_gb": [peak * 1024 / 1e9],  # Linux counts in KiB
        },
        "versions": side.versions(),
    }


def _timed(train, steps):
    """Returns wall and CPU seconds of some steps, and their loss."""
    wall, cpu = time.perf_counter(), time.process_time()
    loss = train(steps)
    return time.perf_counter() - wall, time.process_time() - cpu, loss


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
