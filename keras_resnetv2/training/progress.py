"""The progress bar: images per second and time left of the whole training."""

import sys
import time

import keras
from tqdm import tqdm


class Progress(keras.callbacks.Callback):
    """Counts steps; measures the speed of the training steps alone.

    On a terminal it is a bar; elsewhere only the lines given to `line` show.
    """

    def __init__(self, first_step: int, total_steps: int, batch_size: int):
        super().__init__()
        self.step = first_step
        self.total_steps = total_steps
        self._batch_size = batch_size
        self._bar = tqdm(
            total=total_steps * batch_size,
            initial=first_step * batch_size,
            unit=" images",
            unit_scale=True,
            smoothing=0.05,
            disable=None,
            dynamic_ncols=True,
        )

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the epoch's clock."""
        self.epoch_steps = 0
        self._began = time.perf_counter()
        self._bar.set_description(f"epoch {epoch + 1}")

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step; the first one's time is start-up."""
        self.step += 1
        self.epoch_steps += 1
        if self.epoch_steps == 1:
            self._first_done = time.perf_counter()
        self._bar.update(self._batch_size)

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock of the training steps."""
        begin, steps = self._began, self.epoch_steps
        if steps > 1:
            begin, steps = self._first_done, steps - 1
        seconds = time.perf_counter() - begin
        self.images_per_second = steps * self._batch_size / seconds

    def seconds(self) -> float:
        """Since the epoch began."""
        return time.perf_counter() - self._began

    def line(self, text: str) -> None:
        """Prints a line above the bar."""
        tqdm.write(text)
        sys.stdout.flush()

    def on_train_end(self, logs=None):
        """Closes the bar."""
        self._bar.close()
