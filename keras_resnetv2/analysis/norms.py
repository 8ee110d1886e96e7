"""Norms over the samples of a batch, in float64."""

import numpy as np


def sample_norms(values: np.ndarray) -> np.ndarray:
    """Euclidean norm of each sample: (N, ...) to (N,)."""
    flat = values.reshape(len(values), -1).astype("float64")
    return np.sqrt(np.einsum("ij,ij->i", flat, flat))


def norm(values: np.ndarray) -> float:
    """Euclidean norm of the whole batch."""
    return float(np.linalg.norm(sample_norms(values)))


def rms_norm(values: np.ndarray) -> float:
    """Root mean square of the samples' norms."""
    return norm(values) / np.sqrt(len(values))


def ratio(part: float, whole: float) -> float:
    """The part over the whole, NaN for nothing of nothing."""
    return float(part / whole) if whole else float("nan")
