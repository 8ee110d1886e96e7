"""Fig. 4: where batch normalization and ReLU stand around the convolutions."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ActivationOrder:
    """One row of Fig. 4, as the operations at the three edges of a unit.

    Between two convolutions of a unit it is always BN, ReLU (`BETWEEN`).

    Attributes:
        before: before the first convolution, on the residual branch.
        after: after the last convolution, on the residual branch.
        after_addition: after the addition, on the signal itself.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    after_addition: tuple[str, ...] = ()


BETWEEN = ("bn", "relu")

ACTIVATION_ORDERS = {
    "original": ActivationOrder(after=("bn",), after_addition=("relu",)),
    "bn_after_addition": ActivationOrder(after_addition=("bn", "relu")),
    "relu_before_addition": ActivationOrder(after=("bn", "relu")),
    "relu_only_preactivation": ActivationOrder(before=("relu",), after=("bn",)),
    "full_preactivation": ActivationOrder(before=("bn", "relu")),
}

# Fig. 5: re-cutting the units leaves one activation over at either end. At the
# front it is the stem's, before the two paths split; at the back it is the
# next unit's `before`, which stands right after the last addition.
STEM = ("bn", "relu")


def end_of_network(order: ActivationOrder) -> tuple[str, ...]:
    """Operations between the last unit's addition and the pooling."""
    return order.before
