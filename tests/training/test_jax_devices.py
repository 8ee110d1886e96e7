"""Several devices of JAX give one device's results, or say why not.

The runs are in jax_device_runs.py: in a process of their own, on logical CPUs.
"""

import pathlib

import numpy as np
import pytest
from processes import run_python

SCRIPT = pathlib.Path(__file__).with_name("jax_device_runs.py")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs parts; gives what they kept on one device, and on four."""
    pytest.importorskip("jax")
    # Convolutions in float64 need optimizations, which conftest.py turns off.
    monkeypatch.setenv("XLA_FLAGS", "")

    def run(*parts):
        run_python(SCRIPT.read_text(), tmp_path, *parts, backend="jax")
        results = dict(np.load(tmp_path / "results.npz"))
        return [
            {
                name.removeprefix(f"{where}/"): value
                for name, value in results.items()
                if name.startswith(f"{where}/")
            }
            for where in ("one", "many")
        ]

    return run


def test_four_devices_train_as_one(run, agree):
    one, many = run("memory", "refused")
    messages = [many.pop(f"refused/{name}") for name in ("per_replica", "more")]
    # 11 weights and statistics, 7 velocities, the iterations, a row an epoch.
    assert len(one) >= 22
    agree("four devices of JAX, one device", many, one, within=1e-12)
    assert "Give --batch_normalization=synchronized" in str(messages[0])
    assert "replicas=5 must be set before JAX starts" in str(messages[1])


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    ("part", "within"),
    [
        ("modern", 1e-12),
        ("files", 1e-12),
        ("resumed", 1e-12),
        ("repeated", 0.0),
        ("tested", 1e-12),
        ("bfloat16", 0.02),
        ("float16", 0.02),
    ],
)
def test_every_way_to_train(run, agree, part, within):
    one, many = run(part)
    agree(f"four devices of JAX, one device: {part}", many, one, within)
