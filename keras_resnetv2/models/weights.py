"""Where a network's weights come from."""

import os


def check(weights) -> None:
    """Refuses what `load` could not take, before a network is built.

    Raises:
        ValueError: if `weights` is neither None nor an existing `.weights.h5`.
    """
    if weights is None:
        return
    path = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    if not isinstance(path, str) or not path.endswith(".weights.h5"):
        raise ValueError(
            "weights must be None (random initialisation) or the path of a "
            f".weights.h5 file; received {weights!r}. No trained weights are "
            "published yet."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"weights={path!r}: there is no such file. Give the path of a file "
            "written by model.save_weights, or None."
        )


def load(model, weights) -> None:
    """Loads the file `weights` into `model`; None leaves it as it is."""
    if weights is not None:
        model.load_weights(weights)
