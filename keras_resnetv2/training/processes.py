"""The processes of a training: this one alone, or several workers.

Each process trains the same network on its own part of every batch. The first
one is the chief: it alone writes what users read.
"""

import contextlib
import json
import pathlib
import re
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_resnetv2.models.network import is_spread
from keras_resnetv2.training import lifeline
from keras_resnetv2.training.workers import (
    WorkerLostError,
    of_environment,
)

# How long a file may take to be seen on another machine.
SHARED_SECONDS = 20
_LONGEST = 60  # characters of a value in a message


class Processes:
    """The processes that train together; each can ask the others.

    A question must be asked by all of them, in the same order. An answer also
    means that all have come so far.

    Args:
        strategy: from `training.make_strategy`, or None.

    Attributes:
        index: number of this process.
        count: how many there are.
    """

    def __init__(self, strategy=None):
        self.index, self.count = 0, 1
        if is_spread(strategy):
            self.index, workers = of_environment()
            self.count = len(workers)
            make = _COLLECTIVES[keras.backend.backend()]
            self._sums, self._texts = make(strategy)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what users read."""
        return self.index == 0

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """Adds numbers of all processes; quick enough for every step.

        Args:
            numbers: as many on each process.
        """
        if self.count == 1:
            return list(numbers)
        with self.lost_workers():
            return self._sums([float(number) for number in numbers])

    def texts(self, text: str) -> list[str]:
        """Returns a text of each process, in their order."""
        if self.count == 1:
            return [text]
        with self.lost_workers():
            return self._texts(text)

    @contextlib.contextmanager
    def lost_workers(self) -> Iterator[None]:
        """Context in which the loss of a worker raises one plain error.

        On JAX, the process ends with it.

        Raises:
            WorkerLostError: if another worker has ended, or is not reached.
        """
        try:
            yield
        except Exception as error:
            if self.count == 1 or not _is_loss(error):
                raise
            if keras.backend.backend() == "jax":
                lifeline.end()
            raise WorkerLostError(lifeline.LOST) from error

    def wait(self) -> None:
        """Waits for all processes."""
        self.sums([0.0])

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Context that all processes end with an error if one does.

        Raises:
            ValueError: if another process had an error; with its message.
        """
        try:
            yield
        except Exception as error:
            with contextlib.suppress(WorkerLostError):
                self.texts(str(error) or type(error).__name__)
            raise
        for index, text in enumerate(self.texts("")):
            if text:
                raise ValueError(f"Worker {index} cannot go on: {text}")

    def check_same(self, values: Mapping[str, Any]) -> None:
        """Checks that all processes have the same values.

        Args:
            values: by name; JSON can hold them.

        Raises:
            ValueError: on all of them, if not; says which differ.
        """
        if self.count == 1:
            return
        of_each = [
            json.loads(text)
            for text in self.texts(
                json.dumps({k: _brief(v) for k, v in values.items()})
            )
        ]
        for index, others in enumerate(of_each):
            differences = [
                f"{name} is {value} on worker 0 and {others.get(name)} on "
                f"worker {index}"
                for name, value in of_each[0].items()
                if others.get(name) != value
            ]
            if differences:
                raise ValueError(
                    f"The workers do not agree: {'; '.join(differences)}. "
                    "Start the same command on all of them, with the same "
                    "versions, images and work directory."
                )

    def check_shared(self, directory: pathlib.Path) -> None:
        """Checks that all processes see the same directory.

        Raises:
            ValueError: on all of them, if not.
        """
        if self.count == 1:
            return
        name = self.texts(f".shared-{secrets.token_hex(8)}")[0]
        is_new = self.is_chief and not directory.exists()
        with self.together():
            if self.is_chief:
                directory.mkdir(parents=True, exist_ok=True)
                (directory / name).touch()
        try:
            with self.together():
                _check_appears(directory / name)
        except ValueError:
            if self.is_chief:
                (directory / name).unlink()
            if is_new:
                directory.rmdir()
            raise
        if self.is_chief:
            (directory / name).unlink()


def _is_loss(error):
    if keras.backend.backend() == "jax":
        # JAX has several types for it, ValueError among them.
        return bool(re.search("Gloo|NCCL|UNAVAILABLE|DEADLINE", str(error)))
    import tensorflow as tf

    return isinstance(
        error,
        tf.errors.UnavailableError
        | tf.errors.DeadlineExceededError
        | tf.errors.AbortedError
        | tf.errors.CancelledError,
    )


def _check_appears(path):
    deadline = time.monotonic() + SHARED_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise ValueError(
                f"workdir={str(path.parent)!r} is not the same directory here "
                "as on worker 0. Give all workers a directory of a file "
                "system that they share."
            )
        time.sleep(0.1)


def _brief(value):
    text = json.dumps(value, default=str)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}... (CRC-32 {zlib.crc32(text.encode())})"


def _on_tensorflow(strategy):
    """Makes functions that add numbers, and that gather texts.

    float32 is what every collective of TensorFlow takes, and holds a byte.
    """
    import tensorflow as tf

    vector = tf.TensorSpec([None], tf.float32)

    def on_replicas(function):
        # tf.identity: a collective needs to know the tensor's device.
        def run(*vectors):
            return strategy.run(
                lambda: [
                    function(
                        tf.distribute.get_replica_context(), tf.identity(one)
                    )
                    for one in vectors
                ]
            )

        return run

    @tf.function(input_signature=[vector], autograph=False)
    def add(numbers):
        (total,) = on_replicas(
            lambda replica, one: replica.all_reduce(
                tf.distribute.ReduceOp.SUM, one
            )
        )(numbers)
        return strategy.experimental_local_results(total)[0]

    @tf.function(input_signature=[vector, vector], autograph=False)
    def gather(*vectors):
        found = on_replicas(
            lambda replica, one: replica.all_gather(one, axis=0)
        )(*vectors)
        return [strategy.experimental_local_results(one)[0] for one in found]

    devices = len(strategy.extended.worker_devices)

    def sums(numbers):
        return [float(total) / devices for total in add(numbers)]

    def texts(text):
        # TensorFlow crashes where it gathers nothing.
        codes = [float(code) for code in f"{text}\n".encode()]
        lengths, codes = gather([float(len(codes))], codes)
        ends = lengths.numpy().astype(int).cumsum()
        found = bytes(codes.numpy().astype("uint8"))
        texts = [
            found[begin : end - 1].decode()
            for begin, end in zip([0, *ends[:-1]], ends)
        ]
        return texts[::devices]

    return sums, texts


def _on_jax(strategy):
    """Makes functions that add numbers, and that gather texts."""
    from jax.experimental.multihost_utils import process_allgather

    def sums(numbers):
        return process_allgather(np.float32(numbers)).sum(axis=0).tolist()

    def texts(text):
        codes = np.frombuffer(text.encode(), np.uint8)
        lengths = process_allgather(np.int32(len(codes)))
        padded = np.pad(codes, (0, lengths.max() + 1 - len(codes)))
        found = process_allgather(padded)
        return [
            bytes(row[:length]).decode() for row, length in zip(found, lengths)
        ]

    return sums, texts


_COLLECTIVES = {"tensorflow": _on_tensorflow, "jax": _on_jax}
