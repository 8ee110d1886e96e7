"""Our networks against the oracle, float64, on every backend.

In training, with the batch's statistics, and in inference, with others: the
logits; every unit's output ("maps"); softmax cross-entropy's gradient by the
images and by every weight, none of which is zero; the moving statistics after
the step.
"""

import comparing
import pytest

pytestmark = pytest.mark.parity

CASES = {**comparing.COMBINATIONS, **comparing.FURTHER}


@pytest.fixture(scope="module")
def cases():
    return {
        # An odd size beside an even one: both ways of padding.
        name: comparing.case(options, image_shape=(8, 9, 3), batch=4)
        for name, options in CASES.items()
    }


@pytest.fixture(scope="module", params=comparing.BACKENDS)
def ours(request, cases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    return request.param, comparing.our_answers(cases, request.param, folder)


@pytest.mark.parametrize("name", CASES)
def test_agrees(name, ours, cases, agree):
    backend, answers = ours
    for what, pair in comparing.pairs_of(cases[name], answers[name]).items():
        agree(f"oracle, float64 {what}, {backend}", *pair, within=1e-10)


@pytest.mark.parametrize(
    "name", [name for name in comparing.FURTHER if "stochastic" in name]
)
def test_masks_drop_and_keep(name, ours):
    masks = ours[1][name][True]["masks"]
    assert {bool(v) for mask in masks.values() for v in mask.flat} == {
        False,
        True,
    }
