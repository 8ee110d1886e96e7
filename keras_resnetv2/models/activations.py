"""Fig. 4: the positions of batch normalization and ReLU in a unit."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ActivationOrder:
    """One row of Fig. 4: the operations at three places of a unit.

    Between two convolutions there are always BN and ReLU (`BETWEEN`).

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

# Fig. 5: pre-activation leaves one activation over at each end of the network.
# At the front it is the stem's, before the two paths split. At the back it is
# the next unit's `before`, directly after the last addition.
STEM = ("bn", "relu")


def end_of_network(order: ActivationOrder) -> tuple[str, ...]:
    """Returns the operations between the last addition and the pooling."""
    return order.before
