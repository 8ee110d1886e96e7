"""Starts a command as one of several workers, under SLURM or Kubernetes.

    srun python as_worker.py keras-resnetv2-train --workdir=/shared/runs/one ...

It sets TF_CONFIG, or with KERAS_BACKEND=jax Keras's own variables, and becomes
the command. SLURM: one task on each node (--ntasks-per-node=1). Kubernetes: a
Job with completionMode Indexed, whose manifest sets WORKERS, JOB_NAME and
SERVICE; see job.yaml.
"""

import json
import os
import subprocess
import sys

PORT = 12345


def of_slurm(environment):
    """Returns the workers' hosts, and this worker's number."""
    nodes = environment["SLURM_STEP_NODELIST"]
    hosts = subprocess.run(
        ["scontrol", "show", "hostnames", nodes],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    if len(hosts) != int(environment["SLURM_STEP_NUM_TASKS"]):
        sys.exit(
            f"{environment['SLURM_STEP_NUM_TASKS']} tasks run on {len(hosts)} "
            "nodes. Give srun --ntasks-per-node=1."
        )
    return hosts, int(environment["SLURM_PROCID"])


def of_kubernetes(environment):
    """Returns the workers' hosts, and this worker's number."""
    job, service = environment["JOB_NAME"], environment["SERVICE"]
    count = int(environment["WORKERS"])
    hosts = [f"{job}-{index}.{service}" for index in range(count)]
    return hosts, int(environment["JOB_COMPLETION_INDEX"])


if __name__ == "__main__":
    if "SLURM_PROCID" in os.environ:
        hosts, index = of_slurm(os.environ)
    elif "JOB_COMPLETION_INDEX" in os.environ:
        hosts, index = of_kubernetes(os.environ)
    else:
        sys.exit("Neither SLURM nor an indexed Job of Kubernetes started this.")
    workers = [f"{host}:{PORT}" for host in hosts]
    if os.environ.get("KERAS_BACKEND") == "jax":
        os.environ["KERAS_DISTRIBUTION_JOB_ADDRESSES"] = ",".join(workers)
        os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"] = str(len(workers))
        os.environ["KERAS_DISTRIBUTION_PROCESS_ID"] = str(index)
    else:
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": workers}, "task": task}
        os.environ["TF_CONFIG"] = json.dumps(config)
    os.execvp(sys.argv[1], sys.argv[1:])
