import panels
import pytest

from keras_resnetv2.models.configs import CHOICES

# None of the paper's; test_originals.py has timm's networks for it.
OTHERS = {"pooled_projection"}


@pytest.mark.parametrize(
    "option, compared",
    [
        ("shortcut", panels.FIG_2),
        ("activation_order", panels.FIG_4),
        ("dimension_change", panels.OPTIONS),
        ("unit", panels.UNITS),
    ],
)
def test_the_oracle_has_every_name_of_an_option(option, compared):
    assert set(compared) == set(CHOICES[option]) - OTHERS
