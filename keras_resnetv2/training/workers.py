"""The workers: where they are, how they meet, what each makes.

On TensorFlow, TF_CONFIG names them. On JAX, Keras's own variables do.
"""

import contextlib
import faulthandler
import functools
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import keras

from keras_resnetv2.data.batches import Part
from keras_resnetv2.models.network import is_spread, replicas_in
from keras_resnetv2.training import lifeline

# How long the workers wait for each other at the start.
START_SECONDS = 300
# How long a worker may be silent before the others give it up.
_SILENT_SECONDS = 10
# JAX need not notice a silent worker: the lifeline does.
_NEVER = 24 * 3600
_LONGEST = 20  # characters of a worker's message: its number, its GPUs
_FORM = (
    'Expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
    '"worker", "index": 0}}, with another index on each worker'
)
_ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
_COUNT = "KERAS_DISTRIBUTION_NUM_PROCESSES"
_INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"


class WorkerLostError(OSError):
    """Another process of the training has ended, or cannot be reached."""


def of_environment() -> tuple[int, list[str]]:
    """Reads TF_CONFIG and, for JAX, Keras's variables.

    Returns:
        This worker's number and all addresses; 0 and [] if there is at most
        one worker.

    Raises:
        ValueError: if they have another form, tasks that are no workers, or
            are for another backend.
    """
    for variable, (backend, read) in _SOURCES.items():
        index, workers = read()
        if workers and backend != keras.backend.backend():
            raise ValueError(
                f"{variable} names {len(workers)} workers, but Keras runs on "
                f"{keras.backend.backend()}. Set KERAS_BACKEND={backend}, or "
                f"unset {variable}."
            )
        if workers:
            return index, workers
    return 0, []


def _of_tf_config():
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return 0, []
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster") or {}, config.get("task") or {}
        if not (isinstance(cluster, dict) and isinstance(task, dict)):
            raise TypeError("cluster and task must be objects")
        roles = [*cluster, *filter(None, [task.get("type")])]
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"TF_CONFIG={text!r} cannot be read: {error}. {_FORM}"
            ", or unset it to train on one machine."
        ) from error
    others = sorted(set(roles) - {"worker"})
    if others:
        raise ValueError(
            f"TF_CONFIG has the roles {', '.join(others)}; expected only "
            "workers. The first worker is the chief. Make every machine a "
            "worker, or unset TF_CONFIG to train on one machine."
        )
    workers, index = cluster.get("worker", []), task.get("index")
    if not isinstance(workers, list) or not all(
        isinstance(worker, str) and re.fullmatch(r".+:\d+", worker)
        for worker in workers
    ):
        raise ValueError(f"TF_CONFIG has the workers {workers!r}. {_FORM}.")
    if len(workers) < 2:
        return 0, []
    if task.get("type") != "worker" or index not in range(len(workers)):
        raise ValueError(
            f"TF_CONFIG has {len(workers)} workers and the task {task!r}. "
            f"{_FORM}, here from 0 to {len(workers) - 1}."
        )
    if len(set(workers)) < len(workers):
        raise ValueError(
            f"TF_CONFIG has a worker twice: {', '.join(workers)}. Give each "
            "its own host:port."
        )
    return index, workers


def _of_keras():
    given = {
        name: os.environ[name]
        for name in (_ADDRESSES, _COUNT, _INDEX)
        if os.environ.get(name, "").strip()
    }
    if not given:
        return 0, []
    try:
        addresses = given[_ADDRESSES].split(",")
        count, index = int(given[_COUNT]), int(given[_INDEX])
        if count == 1:
            return 0, []
        if (
            len(addresses) not in (1, count)
            or index not in range(count)
            or not all(re.fullmatch(r".+:\d+", one) for one in addresses)
        ):
            raise ValueError("they do not fit together")
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"Keras's variables {given} cannot be read: {error}. Expected "
            f"{_ADDRESSES}=host:port of process 0, {_COUNT} and {_INDEX}, from "
            "0, another one on each; or unset them to train on one machine."
        ) from error
    return index, [
        addresses[0],
        *(addresses[1:] or [f"process {i}" for i in range(1, count)]),
    ]


# Variable -> the backend that it is for, what reads it.
_SOURCES = {
    "TF_CONFIG": ("tensorflow", _of_tf_config),
    _COUNT: ("jax", _of_keras),
}


def refuse_several(what: str) -> None:
    """Refuses work that several processes cannot share.

    Args:
        what: the work, such as "A search".

    Raises:
        ValueError: if the environment names several workers, or is malformed.
    """
    _, workers = of_environment()
    if workers:
        variable = _COUNT if keras.backend.backend() == "jax" else "TF_CONFIG"
        raise ValueError(
            f"{what} trains many networks, each on one machine, and cannot be "
            f"spread over the {len(workers)} workers of {variable}. Unset it."
        )


def make_strategy(replicas: int | None):
    """Joins the workers; each uses all its GPUs.

    Args:
        replicas: number of devices on all workers; None for all. On JAX,
            workers without a GPU make as many logical CPUs together.

    Returns:
        A `tf.distribute.MultiWorkerMirroredStrategy`, or on JAX a
        `keras.distribution.DataParallel`.

    Raises:
        ValueError: if the engine has already been used, this worker's port is
            taken, the workers have different numbers of GPUs, or there are
            more or fewer devices.
        WorkerLostError: if another worker does not come.
    """
    _, workers = of_environment()
    if keras.backend.backend() == "jax":
        strategy = _join_on_jax((replicas or 0) // len(workers))
    else:
        strategy = _join()
    found = replicas_in(strategy)
    if replicas not in (None, found):
        raise ValueError(
            f"replicas={replicas}, but the {len(workers)} workers have {found} "
            "devices, all of which are used. Omit replicas; to use fewer, set "
            "CUDA_VISIBLE_DEVICES on each worker."
        )
    return strategy


@functools.cache  # a process can join once
def _join():
    import tensorflow as tf

    # The strategy's own defaults wait for an hour, and there is no public
    # setting.
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.eager import context

    index, workers = of_environment()
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * START_SECONDS,
        heartbeat_timeout_in_ms=1000 * _SILENT_SECONDS,
        shutdown_barrier_timeout_in_ms=1000 * _SILENT_SECONDS,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(
                name="worker", num_tasks=len(workers)
            )
        ],
    )
    # The first worker has no such limit: it would wait for an hour.
    connections, gpus = _meet(
        index, workers, len(tf.config.list_physical_devices("GPU"))
    )
    for connection in connections:
        connection.close()
    _check_equal_gpus(gpus)
    # One of those that came may still end before it has joined.
    faulthandler.dump_traceback_later(
        START_SECONDS, exit=True, file=sys.__stderr__
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "The workers must meet before TensorFlow has run anything in this "
            f"process ({error}). Start a new process."
        ) from error
    except tf.errors.OpError as error:
        raise WorkerLostError(
            f"The workers have met, but could not join ({error.message}). "
            "Start the same command again on all workers."
        ) from error
    finally:
        faulthandler.cancel_dump_traceback_later()


@functools.cache
def _join_on_jax(cpus):
    import jax

    index, workers = of_environment()
    connections, _ = _meet(index, workers, 0)  # JAX cannot count them yet
    try:
        for name, value in {
            "jax_num_cpu_devices": cpus or 1,
            "jax_cpu_collectives_implementation": "gloo",
            "jax_enable_preemption_service": False,  # it takes SIGTERM
            # Otherwise JAX aborts the process for a silent worker.
            "jax_enable_recoverability": True,
        }.items():
            jax.config.update(name, value)
        jax.distributed.initialize(
            workers[0],
            len(workers),
            index,
            # Under SLURM it would take one GPU only.
            cluster_detection_method="deactivate",
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=_NEVER,
            shutdown_timeout_seconds=_SILENT_SECONDS,
        )
    except jax.errors.JaxRuntimeError as error:
        raise WorkerLostError(
            f"The workers have met, but could not join ({error}). Start the "
            "same command again on all workers."
        ) from error
    except RuntimeError as error:
        raise ValueError(
            "The workers must meet before JAX has run anything in this "
            f"process ({error}). Start a new process."
        ) from error
    lifeline.hold(connections, 2 * _SILENT_SECONDS, is_chief=not index)
    of_worker = [device.process_index for device in jax.devices()]
    _check_equal_gpus([of_worker.count(i) for i in range(len(workers))])
    return keras.distribution.DataParallel(auto_shard_dataset=False)


def _check_equal_gpus(gpus):
    if len(set(gpus)) > 1:
        numbers = ", ".join(f"{n} on worker {i}" for i, n in enumerate(gpus))
        raise ValueError(
            f"The workers have different numbers of GPUs: {numbers}. All need "
            "the same; set CUDA_VISIBLE_DEVICES on those that have more."
        )


def _meet(index, workers, gpus):
    """Waits until all workers have come to the first one's address.

    Returns:
        The open connections: of the first one to all others, and of the
        others to the first one. The number of GPUs of each worker.

    Raises:
        ValueError: if this worker cannot listen on its own address.
        WorkerLostError: if not all come.
    """
    deadline = time.monotonic() + START_SECONDS
    if index and keras.backend.backend() == "jax":  # only the first listens
        return _come(index, workers[0], gpus, deadline)
    _, port = _host_and_port(workers[index])
    try:
        server = socket.create_server(("", port))
    except OSError as error:
        raise ValueError(
            f"Worker {index} cannot listen on port {port}, which is in its "
            f"address {workers[index]} ({error}). End the program that uses "
            "the port, or give another one to all workers."
        ) from error
    with server:
        if index:
            return _come(index, workers[0], gpus, deadline)
        return _receive(server, workers, gpus, deadline)


def _come(index, chief, gpus, deadline):
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            ours = stack.enter_context(
                socket.create_connection(_host_and_port(chief), 1)
            )
            ours.sendall(b"%d %d\n" % (index, gpus))
            ours.settimeout(max(0.01, deadline - time.monotonic()))
            if told := ours.makefile().readline():
                stack.pop_all()  # it stays open
                return [ours], [int(number) for number in told.split()]
        time.sleep(0.2)
    raise _not_reached([chief])


def _receive(server, workers, gpus, deadline):
    came, gpus_of = {}, {0: gpus}
    with contextlib.ExitStack() as open_ones:
        while len(came) < len(workers) - 1:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                theirs = open_ones.enter_context(server.accept()[0])
            except TimeoutError as error:
                raise _not_reached(
                    [w for i, w in enumerate(workers) if i and i not in came]
                ) from error
            theirs.settimeout(1)
            with contextlib.suppress(OSError, ValueError):  # a stranger
                line = theirs.makefile().readline(_LONGEST)
                index, gpus_of_it = map(int, line.split())
                if 0 < index < len(workers):
                    came[index], gpus_of[index] = theirs, gpus_of_it
        told = [gpus_of[index] for index in range(len(workers))]
        for theirs in came.values():
            with contextlib.suppress(OSError):
                theirs.sendall(b"%s\n" % " ".join(map(str, told)).encode())
        open_ones.pop_all()
    return list(came.values()), told


def _host_and_port(worker):
    host, port = worker.rsplit(":", 1)
    return host, int(port)


def _not_reached(workers):
    return WorkerLostError(
        f"{', '.join(workers)} did not come within {START_SECONDS} seconds. "
        "Start the same command on all workers, and check that they reach each "
        "other."
    )


def own_batches(strategy, make: Callable[[Part | None], Any]):
    """Makes the batches that this process needs.

    Args:
        strategy: from `training.make_strategy`, or None.
        make: makes a stream of the part it is given.

    Returns:
        What `make` returns; with several processes of TensorFlow, a
        distributed dataset.
    """
    if not is_spread(strategy):
        return make(None)
    if keras.backend.backend() == "jax":
        index, workers = of_environment()
        return make(Part(index, len(workers), len(workers)))
    return strategy.distribute_datasets_from_function(
        lambda context: make(
            Part(
                context.input_pipeline_id,
                context.num_input_pipelines,
                context.num_replicas_in_sync,
            )
        )
    )
