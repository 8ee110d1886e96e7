"""The table of a measurement: a row a unit."""

import dataclasses

from keras_resnetv2._text import brief, csv_table


@dataclasses.dataclass(frozen=True)
class UnitRow:
    """What was measured at unit l of L; norms are a sample's, rms over all.

    Attributes:
        unit: name of the unit, "stage2_unit1".
        shortcut: h, a name of Fig. 2.
        transition: "padding" (option A), "projection" (option B) or "conv"
            where channels or size change, otherwise empty. The forward
            equation begins anew behind it.
        signal: ||x_l||.
        residual: ||F(x_l)||.
        forward_gap: ||x_{l+1} - (h...h(x_k) + sum of h...h(F(x_i)))|| /
            ||x_{l+1}||, where k is the first unit of the stage (behind its
            transition), h what the shortcuts do to what passes them and F
            NumPy's. For identity shortcuts it is eq. (4), x_k + sum F(x_i);
            what f does after the addition shows here.
        numpy_difference: largest `|F - NumPy's F|` over the largest `|F|`.
        factor: the shortcut's own: lambda of constant scaling; the mean over
            all values of a gate's 1 - g and of what dropout multiplies by; of
            a conv shortcut, whose map is W, ||W|| / sqrt(filters), which is by
            how much it lengthens a gradient of no preferred direction; else 1.
            A transition's padding or projection is not in it.
        product: of the factors from this unit to the last, eq. (8)'s.
        gradient: ||dE/dx_l||, E the sum of the samples' cross entropies.
        direct: of what comes of dE/dx_L straight down the shortcuts: the first
            term of eq. (5) and (8), with the gates held. It passes what stands
            on the way: f after each addition, and the transitions; padding
            takes off what arrives at the channels it has added. Where neither
            is on the way, and the factor is a constant, it is product *
            ||dE/dx_L||.
        rest: of dE/dx_l less that, which went through some F or gate.
        cancelled: share of the samples with ||dE/dx_l|| < 0.1 ||dE/dx_L||, x_L
            the last unit's output. NaN if no sample has a gradient there.
    """

    unit: str
    shortcut: str
    transition: str
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
    def stage(self) -> str:
        """Name of the unit's stage, "stage2"."""
        return self.unit.split("_")[0]


@dataclasses.dataclass(frozen=True)
class Propagation:
    """What `measure` returns.

    Attributes:
        model: the model's name.
        samples: number of images.
        training: whether BN took the batch's statistics.
        rows: a `UnitRow` a unit, first to last.
        last_signal: ||x_L||, of the last unit's output, rms over the samples.
        last_gradient: ||dE/dx_L||, likewise.
    """

    model: str
    samples: int
    training: bool
    rows: tuple[UnitRow, ...]
    last_signal: float
    last_gradient: float

    __repr__ = brief

    def csv(self) -> str:
        """All rows as CSV, with a header, and "output" for x_L at the end."""
        rows = [*map(dataclasses.astuple, self.rows), self._last()]
        return csv_table(_NAMES, rows)

    def table(self) -> str:
        """Each stage's first and last unit, and x_L, as text for a terminal."""
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
