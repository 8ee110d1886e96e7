"""Makes trainings with the same seed identical to the bit."""

import os

import keras
import numpy as np

from keras_resnetv2.training.devices import has_accelerator


def make_deterministic(wanted: bool | None) -> None:
    """Makes the backend use operations that are repeatable to the bit.

    This is set for the whole process: the backends have no narrower setting.
    Repeatability also needs the seed (weights, generators) and a data stream
    that is a function of seed and step.

    Args:
        wanted: whether to do it; None: only without an accelerator.

    Raises:
        ValueError: if JAX was started on a GPU without this setting.
    """
    if wanted is None:
        wanted = not has_accelerator()
    if wanted:
        _SWITCHES[keras.backend.backend()]()


def seed_step(seed: int, step: int) -> None:
    """Seeds PyTorch's global generator, which Keras's dropout uses.

    On the other backends, generators are variables, and checkpoints hold them.

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
            "JAX on a GPU is deterministic only with a flag that is read at "
            f"the start. Set XLA_FLAGS={flag} in the environment."
        )


def _torch():
    import torch

    torch.use_deterministic_algorithms(True)


_SWITCHES = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
