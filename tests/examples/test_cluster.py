"""TF_CONFIG and Keras's variables from those of SLURM and Kubernetes."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

CLUSTER = pathlib.Path(__file__).parents[2] / "examples" / "cluster"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
# What `scontrol show hostnames` prints for a list, by its manual.
SCONTROL = """#!/bin/sh
test "$*" = "show hostnames node[9-10]" && printf 'node9\\nnode10\\n'
"""
SLURM = {
    "SLURM_PROCID": "1",
    "SLURM_STEP_NODELIST": "node[9-10]",
    "SLURM_STEP_NUM_TASKS": "2",
}
KUBERNETES = {"JOB_COMPLETION_INDEX": "1"}


def run(tmp_path, variables):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(SCONTROL)
    scontrol.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    return subprocess.run(
        [sys.executable, CLUSTER / "as_worker.py", sys.executable, "-c", SHOW],
        env={"PATH": path, **variables},
        capture_output=True,
        text=True,
    )


def manifest_variables():
    """Those that job.yaml sets."""
    found = re.findall(
        r'\{ name: (\w+), value: "?(\w+)"? \}',
        (CLUSTER / "job.yaml").read_text(),
    )
    assert len(found) == 3
    return dict(found)


@pytest.mark.parametrize(
    ("variables", "hosts"),
    [
        (SLURM, ["node9", "node10"]),
        (
            {**KUBERNETES, **manifest_variables()},
            ["resnet110-0.resnet110", "resnet110-1.resnet110"],
        ),
    ],
)
def test_variables(tmp_path, variables, hosts):
    workers = [f"{host}:12345" for host in hosts]
    environment = json.loads(run(tmp_path, variables).stdout)
    assert json.loads(environment["TF_CONFIG"]) == {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": 1},
    }
    on_jax = run(tmp_path, {**variables, "KERAS_BACKEND": "jax"}).stdout
    assert (
        json.loads(on_jax).items()
        >= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(workers),
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": "1",
        }.items()
    )
    assert "TF_CONFIG" not in on_jax


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Neither SLURM nor"),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "4"}, "4 tasks run on 2 nodes"),
    ],
)
def test_refused(tmp_path, variables, message):
    done = run(tmp_path, variables)
    assert done.returncode == 1
    assert message in done.stderr
