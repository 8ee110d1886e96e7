"""Checks an export: loads it like a server and compares it with the model."""

import json
import pathlib
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from keras_resnetv2._processes import run_on_cpu
from keras_resnetv2.export import class_labels
from keras_resnetv2.export.signatures import (
    CLASSES,
    FEATURES,
    PROBABILITIES,
    SCORES,
    SIGNATURES,
    VALID,
)
from keras_resnetv2.export.warm_up import Request

# By dtype policy: the difference that is always allowed in a probability, or in
# a feature relative to the largest feature; and the policy's unit roundoff.
_LEAST = {"float32": 1e-5, "mixed_bfloat16": 0.05}
_ROUNDOFFS = {"float32": 2**-24, "mixed_bfloat16": 2**-9}
_SENSITIVE = 10
# Above these, what is allowed would make the check useless.
_MOST = {"float32": 0.01, "mixed_bfloat16": 0.5}
_REPORT = pathlib.Path("assets.extra", "self_check.json")


def allowed_difference(
    answer: Callable[[np.ndarray], dict[str, np.ndarray]],
    pixels: np.ndarray,
    expected: dict[str, np.ndarray],
    policy: str,
) -> float:
    """Returns the largest difference allowed between an export and its model.

    A very deep network amplifies the rounding of its pixels, and its internal
    rounding as well: in float32, three digits of the probabilities of a
    ResNet-1001 with random weights are correct. So the result is 1e-5 (0.05 in
    bfloat16) or, if larger, ten times the effect of rounding the pixels, up to
    0.01 in float32 and 0.5 in bfloat16.

    Args:
        answer: computes the model's `probabilities` and `features` of pixels.
        pixels: float32 (N, H, W, C), 0 to 255.
        expected: the answer for these pixels.
        policy: float32 or mixed_bfloat16.

    Raises:
        ValueError: if the model gives NaN or Inf.
    """
    if not all(np.isfinite(value).all() for value in expected.values()):
        raise ValueError(
            "The model itself gives NaN or Inf, so its export cannot be "
            "compared with it. Train it first (an untrained very deep network "
            "overflows with its initial statistics)."
        )
    signs = np.random.default_rng(0).choice([-1, 1], pixels.shape)
    rounded = answer(pixels * np.float32(1 + signs * _ROUNDOFFS[policy]))
    changes = [_off(rounded[key], expected[key], key) for key in expected]
    sensitive = min(_SENSITIVE * max(changes), _MOST[policy])
    return max(_LEAST[policy], sensitive)


def check(
    version: pathlib.Path,
    requests: Sequence[Request],
    expected: dict[str, np.ndarray],
    class_names: Sequence[str],
    allowed: float,
) -> None:
    """Replays the requests in a new process and compares the answers.

    The largest difference is written to assets.extra/self_check.json.

    Args:
        version: the SavedModel's directory, which contains the requests.
        requests: the same requests.
        expected: the model's `probabilities` and `features` of their pictures.
        class_names: one name per class.
        allowed: the result of `allowed_difference`.

    Raises:
        ValueError: if an answer differs or is missing.
    """
    labels = version / "assets" / class_labels.FILE
    named = class_labels.read(labels.read_text("utf-8"))
    check_class_names("assets/labels.txt", named, class_names)
    answers = replayed("keras_resnetv2.export.replay", version)
    worst = 0.0
    for i, request in enumerate(requests):
        found = {
            name.partition("/")[2]: value
            for name, value in answers.items()
            if name.startswith(f"{i}/")
        }
        if set(found) != set(SIGNATURES[request.signature].outputs):
            raise ValueError(
                f"The signature {request.signature!r} of the export returns "
                f"{sorted(found) or 'nothing'}. Nothing was exported."
            )
        off = _difference(found, expected, request.valid, class_names)
        check_difference(
            f"The signature {request.signature!r} of the export", off, allowed
        )
        worst = max(worst, off)
    report = report_of(worst, allowed)
    (version / _REPORT).write_text(json.dumps(report, indent=2) + "\n")


def read_report(version: pathlib.Path) -> dict[str, float]:
    """Reads the result of an export's check.

    Args:
        version: the export's directory.

    Returns:
        The "largest_difference" from the model, and the "allowed" one.
    """
    return json.loads((version / _REPORT).read_text())


def replayed(module: str, *arguments: pathlib.Path) -> dict[str, np.ndarray]:
    """Runs a module that asks an export, in a new process.

    Args:
        module: its name. Its last argument is the .npz file to write.
        *arguments: the other ones.

    Returns:
        The arrays of the file.

    Raises:
        ValueError: if the module fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "answers.npz")
        failed = run_on_cpu(module, *arguments, path)
        if failed:
            raise ValueError(
                "The export does not work in a new process, so nothing was "
                f"exported: {failed}"
            )
        with np.load(path) as answers:
            return dict(answers)


def check_class_names(
    where: str, found: Sequence[str], class_names: Sequence[str]
) -> None:
    """Checks the class names in an export.

    Raises:
        ValueError: if they are not the given ones.
    """
    if list(found) != list(class_names):
        raise ValueError(
            f"{where} does not contain the given classes. Nothing was exported."
        )


def check_difference(what: str, difference: float, allowed: float) -> None:
    """Checks the largest difference of an export's answers from the model's.

    Raises:
        ValueError: if it is larger than allowed, or NaN.
    """
    if not difference <= allowed:  # also refuses NaN
        raise ValueError(
            f"{what} differs from the model by {difference:.2g}; "
            f"{allowed:.2g} is allowed. Nothing was exported."
        )


def report_of(difference: float, allowed: float) -> dict[str, float]:
    """Returns what a check found, for users."""
    return {
        "largest_difference": float(difference),
        "allowed": float(allowed),
    }


def _off(found, expected, key):
    scale = np.abs(expected).max() if key == FEATURES else 1.0
    return np.abs(found - expected).max() / (scale or 1.0)


def _difference(found, expected, valid, class_names):
    """Returns the largest difference; infinite for a plainly wrong answer."""
    found = dict(found)
    if not np.array_equal(found.pop(VALID, valid), valid):
        return np.inf
    empty = [rows[~valid] for rows in found.values()]
    if any((rows != np.zeros(1, rows.dtype)).any() for rows in empty):
        return np.inf
    found = {key: rows[valid] for key, rows in found.items()}
    expected = {key: rows[: valid.sum()] for key, rows in expected.items()}
    return np.max([_OFF[key](found, expected, class_names) for key in found])


def _off_probabilities(found, expected, class_names):
    return _off(found[PROBABILITIES], expected[PROBABILITIES], PROBABILITIES)


def _off_features(found, expected, class_names):
    return _off(found[FEATURES], expected[FEATURES], FEATURES)


def _off_scores(found, expected, class_names):
    best = -np.sort(-expected[PROBABILITIES], axis=1)
    return np.abs(found[SCORES] - best[:, : found[SCORES].shape[1]]).max()


def _off_classes(found, expected, class_names):
    """Returns the largest difference of a score from its class probability."""
    columns = {}  # by name, several if names repeat: ImageNet has two cranes
    for column, name in enumerate(class_names):
        columns.setdefault(name.encode(), []).append(column)
    rows = zip(expected[PROBABILITIES], found[CLASSES], found[SCORES])
    return max(
        min(
            (abs(row[i] - score) for i in columns.get(name, [])), default=np.inf
        )
        for row, *named in rows
        for name, score in zip(*named)
    )


# How to compute an output's difference, in the rows that are pictures.
_OFF = {
    PROBABILITIES: _off_probabilities,
    FEATURES: _off_features,
    SCORES: _off_scores,
    CLASSES: _off_classes,
}
