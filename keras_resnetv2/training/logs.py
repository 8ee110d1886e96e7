"""The logs of a training: a CSV file, TensorBoard's events, curves."""

import csv
import dataclasses
import pathlib
import shutil

from keras_resnetv2._files import write_atomically
from keras_resnetv2._plots import draw_epochs, plot, save_figure
from keras_resnetv2._text import csv_table


@dataclasses.dataclass(frozen=True)
class EpochRow:
    """One row of metrics.csv.

    Attributes:
        epoch: number of epochs done.
        step: number of steps done.
        learning_rate: learning rate of the epoch's last step.
        train_loss: mean over the epoch, of augmented images and while the
            weights change; with label smoothing, the loss of smoothed labels.
        train_error: fraction of errors, measured like train_loss.
        test_loss: loss over the whole test set after the epoch, or over the
            held-out images if `Experiment.held_out` is set; never smoothed.
        test_error: fraction of errors on the same images.
        images_per_second: training speed, without a session's first step,
            tests and checkpoints.
        input_wait_seconds: time in the epoch spent waiting for images.
        seconds: duration of the whole epoch.
        time: time at its end, in seconds since 1970.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_error: float
    test_loss: float
    test_error: float
    images_per_second: float
    input_wait_seconds: float
    seconds: float
    time: float


_FIELDS = {field.name: field.type for field in dataclasses.fields(EpochRow)}


def read_rows(path: pathlib.Path) -> list[EpochRow]:
    """Reads metrics.csv; without a file there are no rows.

    Raises:
        ValueError: if `write_rows` cannot have written it.
    """
    if not path.exists():
        return []
    try:
        with open(path, newline="") as file:
            return [
                EpochRow(**{key: _FIELDS[key](row[key]) for key in _FIELDS})
                for row in csv.DictReader(file)
            ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not the metrics file of a training "
            f"({type(error).__name__}: {error}). Move it away to resume "
            "without the earlier rows; the weights do not depend on it."
        ) from error


def write_rows(path: pathlib.Path, rows: list[EpochRow]) -> None:
    """Writes metrics.csv atomically."""
    values = map(dataclasses.astuple, rows)
    write_atomically(path, csv_table(tuple(_FIELDS), values))


class Events:
    """TensorBoard's event files. Without tensorboard, nothing is written.

    Events cannot be removed, and a killed session may have logged an epoch
    that the next one repeats. So every session rewrites them all.
    """

    def __init__(self, directory: pathlib.Path, rows: list[EpochRow]):
        try:
            from tensorboard.summary import Writer
        except ImportError:
            self._writer = None
            return
        shutil.rmtree(directory, ignore_errors=True)
        self._writer = Writer(str(directory))
        for row in rows:
            self.write(row)

    def write(self, row: EpochRow) -> None:
        """Adds every column of a row as a scalar, by step."""
        if self._writer is None:
            return
        for name, value in dataclasses.asdict(row).items():
            if name not in ("step", "time"):
                self._writer.add_scalar(
                    name, value, row.step, wall_time=row.time
                )
        self._writer.flush()

    def close(self) -> None:
        """Stops the writer's thread."""
        if self._writer is not None:
            self._writer.close()


@plot
def plot_curves(
    path: pathlib.Path, rows: list[EpochRow], title: str, tested_on: str
) -> None:
    """Draws error and loss over the epochs as a PNG.

    Args:
        path: path of the PNG.
        rows: one per epoch.
        title: title over both panels.
        tested_on: name of the tested images in the legend.
    """
    from matplotlib.figure import Figure

    epochs = [row.epoch for row in rows]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title)
    panels = {"error": ("error (%)", 100), "loss": ("cross entropy (nats)", 1)}
    for axes, (name, (label, factor)) in zip(
        figure.subplots(1, 2), panels.items()
    ):
        lines = (("train", "train", "--"), ("test", tested_on, "-"))
        for split, called, style in lines:
            values = [factor * getattr(row, f"{split}_{name}") for row in rows]
            axes.plot(
                epochs,
                values,
                style,
                marker="." if len(rows) < 40 else None,
                label=f"{called}, last {values[-1]:.3g}",
            )
        axes.set(ylabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
        draw_epochs(axes, epochs, [row.learning_rate for row in rows])
        axes.legend()
    save_figure(figure, path, dpi=120)
