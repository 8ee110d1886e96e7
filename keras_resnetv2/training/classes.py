"""Errors by class, top-5 error and calibration of a network."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_resnetv2._files import write_atomically
from keras_resnetv2._origin import CLASS_NAMES
from keras_resnetv2._plots import plot, save_figure
from keras_resnetv2._text import csv_table

# Names of the same classes.
_IMAGENET = (CLASS_NAMES["imagenet"], CLASS_NAMES["imagenet_ids"])
# With more classes, the plot's names and counts are too small to read.
_NAMED, _NUMBERED = 60, 20


class ClassRow(NamedTuple):
    """The results of a network on one class.

    Attributes:
        name: name of the class.
        images: number of its images.
        error: fraction of them that is taken for another class; None if there
            are no images.
        precision: fraction of the images taken for this class that belong to
            it; None if there are none.
        mistaken_for: the class that they are most often mistaken for; "" if
            all are right.
    """

    name: str
    images: int
    error: float | None
    precision: float | None
    mistaken_for: str


def outputs_of(
    classes: Sequence[str],
    own: tuple[str, ...] | None,
    outputs: int,
    dataset: str,
) -> np.ndarray:
    """Returns the output of a network for each class of a dataset.

    Classes are the same if they have the same name, in whatever order. The
    dataset may lack some of the network's. If the network does not know its
    classes, they are taken to be the dataset's, in their order.

    Args:
        classes: names of the dataset's classes.
        own: names of the network's classes; None if they are not known.
        outputs: number of the network's classes.
        dataset: the dataset's name, for messages.

    Returns:
        int64, (number of the dataset's classes,).

    Raises:
        ValueError: if a class is none of the network's, or the numbers differ.
    """
    if own is None:
        if len(classes) != outputs:
            raise ValueError(
                f"{dataset!r} has {len(classes)} classes, but the network has "
                f"{outputs}, without names. Give a dataset of {outputs} "
                "classes in the order of the network's outputs."
            )
        return np.arange(outputs)
    for names in _IMAGENET if own in _IMAGENET else (own,):
        if set(classes) <= set(names):
            return np.array([names.index(name) for name in classes])
    unknown = [name for name in classes if name not in own]
    raise ValueError(
        f"{len(unknown)} of the {len(classes)} classes of {dataset!r} "
        f"({_some(unknown)}) are none of the network's {len(own)} "
        f"({_some(own)}). Give images of the network's classes, under the same "
        "names."
    )


def _some(names):
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def confusion_matrix(
    predicted: np.ndarray, labels: np.ndarray, classes: int
) -> np.ndarray:
    """Counts the images of each class by the class they are taken for.

    Args:
        predicted: (N,): the predicted classes.
        labels: (N,): the true classes.
        classes: number of classes.

    Returns:
        int64, (classes, classes): one row per true class.
    """
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def class_rows(matrix: np.ndarray, names: Sequence[str]) -> list[ClassRow]:
    """Computes each class's row from a confusion matrix.

    Args:
        matrix: from `confusion_matrix`.
        names: names of the classes.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    rows = []
    for i, name in enumerate(names):
        images, taken = int(matrix[i].sum()), int(matrix[:, i].sum())
        rows.append(
            ClassRow(
                name,
                images,
                float(wrong[i].sum() / images) if images else None,
                float(matrix[i, i] / taken) if taken else None,
                names[wrong[i].argmax()] if wrong[i].any() else "",
            )
        )
    return rows


def write_class_files(
    folder: pathlib.Path,
    matrix: np.ndarray,
    names: Sequence[str],
    title: str,
    suffix: str = "",
) -> None:
    """Writes classes.csv, confusion.csv and confusion.png.

    Args:
        folder: folder for the files.
        matrix: from `confusion_matrix`.
        names: names of the classes.
        title: title of the plot.
        suffix: end of the files' names, before .csv and .png.
    """
    table = csv_table(ClassRow._fields, class_rows(matrix, names))
    write_atomically(folder / f"classes{suffix}.csv", table)
    counts = ([name, *row] for name, row in zip(names, matrix.tolist()))
    table = csv_table(["true class", *names], counts)
    write_atomically(folder / f"confusion{suffix}.csv", table)
    _plot_confusion(folder / f"confusion{suffix}.png", matrix, names, title)


@plot
def _plot_confusion(path, matrix, names, title):
    from matplotlib.figure import Figure

    images = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = np.clip(0.35 * len(names), 5, 14)
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(100 * matrix / images, cmap="Blues", vmin=0, vmax=100)
    axes.set(title=title, xlabel="taken for", ylabel="true class")
    if len(names) <= _NAMED:
        places = range(len(names))
        axes.set_xticks(places, names, rotation=90)
        axes.set_yticks(places, names)
    if len(names) <= _NUMBERED:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                dark = count > images[row] / 2
                colour = "white" if dark else "black"
                axes.text(
                    *(column, row, f"{count:,}"),
                    ha="center",
                    va="center",
                    color=colour,
                    size=8,
                )
    bar = figure.colorbar(shown, shrink=0.8)
    bar.set_label("% of the true class's images")
    save_figure(figure, path, dpi=120)
