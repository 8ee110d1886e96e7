"""Our options in the oracle's terms: the letters of the papers' panels.

Without PyTorch: `tools/benchmark.py` asks from another interpreter.
"""

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


def terms_of(config):
    """The arguments of the oracle's `Settings` for a config of ours."""
    given = {
        "lambdas": (config.shortcut_scale, config.residual_scale),
        "rate": config.dropout_rate,
    }
    return {
        "units": config.units,
        "widths": config.widths,
        "unit": config.unit,
        "fig_2": FIG_2[config.shortcut],
        "fig_4": FIG_4[config.activation_order],
        "option": OPTIONS[config.effective_dimension_change],
        "death": config.stochastic_depth,
        "stride_on_3x3": config.bottleneck_stride == "conv2",
        "imagenet": config.stem == "imagenet",
        "classes": config.classes,
        **{k: v for k, v in given.items() if v not in (None, (None, None))},
    }
