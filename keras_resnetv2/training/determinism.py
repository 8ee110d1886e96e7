"""Two runs with the same seed that agree to the bit."""

import os

import keras
import numpy as np

from keras_resnetv2.training.devices import has_accelerator


def make_deterministic(wanted: bool | None) -> None:
    """Makes the backend choose operations that repeat to the bit.

    For the whole process, as the backends know no less. Beside it, the seed
    (weights, generators) and a data stream that is a function of seed and step
    are needed.

    Args:
        wanted: None: only where there is no accelerator.

    Raises:
        ValueError: if JAX already runs on a GPU without it.
    """
    if wanted is None:
        wanted = not has_accelerator()
    if wanted:
        _SWITCHES[keras.backend.backend()]()


def seed_step(seed: int, step: int) -> None:
    """Seeds PyTorch's global generator, from which Keras's dropout draws there.

    On the other backends generators are variables, which checkpoints hold.

    Args:
        seed: the training's.
        step: number of steps done.
    """
    if keras.backend.backend() == "torch":
        import torch

        state = np.random.SeedSequence((seed, step)).generate_state(2)
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))


def _tensorflow():
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _jax():
    flag = "--xla_gpu_deterministic_ops=true"
    if has_accelerator() and flag not in os.environ.get("XLA_FLAGS", ""):
        raise ValueError(
            "JAX on a GPU is deterministic only if it was started so: set "
            f"XLA_FLAGS={flag} in the environment."
        )


def _torch():
    import torch

    torch.use_deterministic_algorithms(True)


_SWITCHES = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
