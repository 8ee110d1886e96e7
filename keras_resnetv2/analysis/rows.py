"""The table of a measurement, with one row per unit."""

import dataclasses

from keras_resnetv2._text import brief, csv_table


@dataclasses.dataclass(frozen=True)
class UnitRow:
    """The measurements at unit l of L. Norms are rms over the samples' norms.

    Attributes:
        unit: name of the unit, "stage2_unit1".
        shortcut: h, a name of Fig. 2.
        dimension_change: "padding" (option A), "projection" (option B) or
            "conv" where channels or size change; otherwise empty. The forward
            equation starts again after it.
        signal: ||x_l||.
        residual: ||F(x_l)||.
        forward_gap: ||x_{l+1} - (h...h(x_k) + sum of h...h(F(x_i)))|| /
            ||x_{l+1}||. Here k is the first unit of the stage (after its
            dimension change), h is the shortcut function, and F is computed by
            NumPy. For identity shortcuts this is eq. (4), x_k + sum F(x_i). The
            effect of f after the addition shows here.
        numpy_difference: largest `|F - NumPy's F|` over the largest `|F|`.
        factor: the factor of the shortcut. For constant scaling: lambda. For a
            gate: the mean of 1 - g over all values. For dropout: the mean of
            its multiplier. For a conv shortcut with kernel W: ||W|| /
            sqrt(filters), by which it lengthens a gradient without preferred
            direction. Otherwise 1. It excludes the padding or projection of a
            dimension change.
        product: product of the factors from this unit to the last, as in
            eq. (8).
        gradient: ||dE/dx_l||, where E is the sum of the samples' cross
            entropies.
        direct: norm of the part of dE/dx_L that comes straight through the
            shortcuts: the first term of eq. (5) and (8), with constant gates.
            On its way it passes f after each addition, and the dimension
            changes; padding drops the gradient of the channels it has added.
            Without these, and with constant factors, it is product *
            ||dE/dx_L||.
        rest: norm of the remainder of dE/dx_l, which went through some F or
            gate.
        cancelled: share of the samples with ||dE/dx_l|| < 0.1 ||dE/dx_L||,
            where x_L is the last unit's output. NaN if no sample has a gradient
            there.
    """

    unit: str
    shortcut: str
    dimension_change: str
    signal: float
    residual: float
    forward_gap: float
    numpy_difference: float
    factor: float
    product: float
    gradient: float
    direct: float
    rest: float
    cancelled: float

    @property
    def transition(self) -> str:
        """The name of `dimension_change` in 0.1.0."""
        return self.dimension_change

    @property
    def stage(self) -> str:
        """Name of the unit's stage, "stage2"."""
        return self.unit.split("_")[0]


@dataclasses.dataclass(frozen=True)
class Propagation:
    """The result of `measure`.

    Attributes:
        model: the model's name.
        samples: number of images.
        training: whether BN used the batch's statistics.
        rows: a `UnitRow` for each unit, first to last.
        last_signal: ||x_L|| of the last unit's output, rms over the samples.
        last_gradient: ||dE/dx_L||, rms over the samples.
    """

    model: str
    samples: int
    training: bool
    rows: tuple[UnitRow, ...]
    last_signal: float
    last_gradient: float

    __repr__ = brief

    def csv(self) -> str:
        """Returns all rows as CSV with a header; the last is "output", x_L."""
        rows = [*map(dataclasses.astuple, self.rows), self._last()]
        return csv_table(_NAMES, rows)

    def table(self) -> str:
        """Returns first and last unit of each stage, and x_L, as plain text."""
        rows = [
            dataclasses.astuple(row)
            for row, before, after in zip(
                self.rows, (None, *self.rows), (*self.rows[1:], None)
            )
            if not (before and after and before.stage == after.stage)
        ]
        cells = [[name.replace("_", " ") for name in _NAMES]]
        cells += [[_cell(value) for value in row] for row in rows]
        cells.append([_cell(value) for value in self._last()])
        widths = [max(map(len, column)) for column in zip(*cells)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in cells
        )

    def _last(self):
        known = {
            "unit": "output",
            "signal": self.last_signal,
            "gradient": self.last_gradient,
        }
        return [known.get(name, "") for name in _NAMES]


_NAMES = [field.name for field in dataclasses.fields(UnitRow)]


def _cell(value):
    return value if isinstance(value, str) else f"{value:.3g}"
