"""What is kept of a training: a CSV, TensorBoard's events, curves."""

import csv
import dataclasses
import pathlib
import shutil

from keras_resnetv2._files import write_atomically
from keras_resnetv2._plots import draw_epochs, picture, save_figure
from keras_resnetv2._text import csv_table


@dataclasses.dataclass(frozen=True)
class EpochRow:
    """One row of metrics.csv.

    Attributes:
        epoch: number of epochs done.
        step: number of steps done.
        learning_rate: of the epoch's last step.
        train_loss: mean over the epoch, augmented images, changing weights;
            with label smoothing that of the smoothed labels.
        train_error: likewise, a fraction.
        test_loss: over the whole test set after the epoch, or, where
            `Experiment.held_out` is set, over the held-out images, and the
            test set is not read; never smoothed.
        test_error: likewise, a fraction.
        images_per_second: of training, without a session's first step, the test
            and the checkpoints.
        input_wait_seconds: of the epoch, in which training waited for images.
        seconds: the epoch took, with everything.
        time: when it ended, in seconds since 1970.
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
    """Reads metrics.csv; no file is no rows.

    Raises:
        ValueError: if it is not as `write_rows` leaves it.
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
            f"{path} is not a training's metrics "
            f"({type(error).__name__}: {error}). Move it away to go on "
            "without the earlier rows; the weights do not depend on it."
        ) from error


def write_rows(path: pathlib.Path, rows: list[EpochRow]) -> None:
    """Writes metrics.csv, whole or not at all."""
    values = map(dataclasses.astuple, rows)
    write_atomically(path, csv_table(tuple(_FIELDS), values))


class Events:
    """TensorBoard's event files; without tensorboard installed, nothing.

    An event, once written, stays. A session that was killed may have logged an
    epoch that the next one does again: so every session writes them all anew.
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
        """Ends the writer's thread."""
        if self._writer is not None:
            self._writer.close()


@picture
def plot_curves(
    path: pathlib.Path, rows: list[EpochRow], title: str, tested_on: str
) -> None:
    """Draws error and loss over the epochs as a PNG.

    Args:
        path: of the PNG.
        rows: one an epoch.
        title: over both panels.
        tested_on: the legend's name for what the test columns are of.
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
