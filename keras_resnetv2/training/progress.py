"""The progress bar: images per second and time left of the whole training."""

import sys

from tqdm import tqdm


class Progress:
    """A bar on a terminal; elsewhere only the lines given to `line` show."""

    def __init__(self, first_step: int, total_steps: int, batch_size: int):
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

    def epoch(self, epoch: int) -> None:
        """Says which epoch is running (from 1)."""
        self._bar.set_description(f"epoch {epoch}")

    def step(self) -> None:
        """Counts a step."""
        self._bar.update(self._batch_size)

    def line(self, text: str) -> None:
        """Prints a line above the bar."""
        tqdm.write(text)
        sys.stdout.flush()

    def close(self) -> None:
        """Closes the bar."""
        self._bar.close()
