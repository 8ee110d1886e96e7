"""Which GPUs a job's process sees."""

import collections
import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence

_VISIBLE = "CUDA_VISIBLE_DEVICES"
# Several trainings on one GPU: none may take all of its memory at once.
_SHARED = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


def visible_gpus() -> list[str]:
    """Names the GPUs that this process's children would see.

    No backend is asked: it would take the GPUs' memory for this process.

    Returns:
        What CUDA_VISIBLE_DEVICES lists, or else all that nvidia-smi finds.
    """
    if (listed := os.environ.get(_VISIBLE)) is not None:
        names = [name.strip() for name in listed.split(",")]
        # CUDA reads the list up to the first that is none.
        ends = (i for i, name in enumerate(names) if name in ("", "-1"))
        return names[: next(ends, len(names))]
    if not shutil.which("nvidia-smi"):
        return []
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    return [] if done.returncode else done.stdout.split()


class Gpus:
    """Hands GPUs out to jobs that run at once, in turn.

    Args:
        names: of the GPUs, as CUDA_VISIBLE_DEVICES has them.
    """

    def __init__(self, names: Sequence[str]):
        self._names = list(names)
        self._jobs = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def environment(self, replicas: int | None) -> Iterator[dict[str, str]]:
        """Inside it, a job has the GPUs that have the fewest jobs.

        Where there is one GPU, or none, a job sees what there is.

        Args:
            replicas: how many GPUs it needs; None for one. Where there are
                fewer, it gets all, and refuses them itself.

        Yields:
            Variables for the job's process.
        """
        if len(self._names) < 2:
            yield dict(_SHARED)
            return
        with self._lock:
            taken = sorted(self._names, key=self._jobs.__getitem__)
            taken = taken[: replicas or 1]
            self._jobs.update(taken)
        try:
            yield {**_SHARED, _VISIBLE: ",".join(taken)}
        finally:
            with self._lock:
                self._jobs.subtract(taken)
