"""Sums over an epoch that survive a restart in the middle of it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tally:
    """What was counted over the steps of an epoch so far.

    Attributes:
        steps: number of steps.
        loss: sum over them, nats.
        accuracy: likewise, of fractions.
        timed_steps: steps whose time is known (a process's first is start-up).
        timed_seconds: these took.
        input_wait_seconds: of waiting for input.
        seconds: since the epoch began, with everything.
    """

    steps: int = 0
    loss: float = 0.0
    accuracy: float = 0.0
    timed_steps: int = 0
    timed_seconds: float = 0.0
    input_wait_seconds: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Adds every sum."""
        mine, others = map(dataclasses.astuple, (self, other))
        return Tally(*(a + b for a, b in zip(mine, others)))
