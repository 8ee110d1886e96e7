"""Whole networks in float32, where TensorFlow's fused BN is what computes.

The oracle computes in float64. It takes from ours on which side of ReLU's kink
each value lies. A few of millions are zero but for rounding, and the gradient
jumps there: the oracle's own in float32 and in float64, PreActResNet20, batch
8, are 2.7% apart at one weight, for 1 value of 1.5 million. ReLU's outputs
are compared as well, so that only values near zero can have changed sides.
"""

import comparing
import pytest

pytestmark = pytest.mark.parity

DEPTHS = (20, 110)


@pytest.fixture(scope="module")
def cases():
    return {
        depth: comparing.case({"depth": depth}, (32, 32, 3), 4, "float32")
        for depth in DEPTHS
    }


@pytest.mark.parametrize("backend", comparing.BACKENDS)
def test_agrees(backend, cases, tmp_path, agree):
    answers = comparing.our_answers(cases, backend, tmp_path, "float32")
    for depth, case in cases.items():
        for what, pair in comparing.pairs_of(case, answers[depth]).items():
            agree(
                f"oracle, PreActResNet{depth} float32 {what}, {backend}",
                *pair,
                within=1e-4,
            )
