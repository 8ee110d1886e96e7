"""Draws results/*/propagation.png: errors beside the measured propagation."""

from absl import app
from tables.propagation import measured
from tables.results import RESULTS

from keras_resnetv2.analysis import plot_propagation

PANELS = ("signal", "product", "direct", "cancelled")


def main(argv):
    """Draws one picture for each directory that has measurements."""
    for folder in sorted(RESULTS.glob("*/propagation")):
        plot_propagation(
            measured(folder.parent.name),
            folder.with_suffix(".png"),
            panels=PANELS,
            title="In the legend: the test error, in %",
        )


if __name__ == "__main__":
    app.run(main)
