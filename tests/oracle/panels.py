"""Our options in the oracle's terms: the letters of the papers' panels."""

FIG_2 = {
    "identity": "a",
    "constant_scaling": "b",
    "exclusive_gating": "c",
    "shortcut_only_gating": "d",
    "conv": "e",
    "dropout": "f",
}
FIG_4 = {
    "original": "a",
    "bn_after_addition": "b",
    "relu_before_addition": "c",
    "relu_only_preactivation": "d",
    "full_preactivation": "e",
}
OPTIONS = {"padding": "A", "projection": "B"}
UNITS = ("single", "basic", "bottleneck")
