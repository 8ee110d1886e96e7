"""`STUDIES`: the paper's tables, and studies of a ResNet-20, as data.

Reference: He et al., 2016, Tables 1, 2 and 3. The figures are medians of 5
runs.
"""

import dataclasses

from keras_resnetv2.studies.study import FAIL, Row, Study
from keras_resnetv2.training.recipes import RECIPES

_MODERN = RECIPES["modern"]

_ORIGINAL = {"activation_order": "original"}
_ORDERS = {
    "original": "original",
    "bn_after_addition": "BN after addition",
    "relu_before_addition": "ReLU before addition",
    "relu_only_preactivation": "ReLU-only pre-activation",
    "full_preactivation": "full pre-activation",
}
_GATES_NOTE = (
    'The paper\'s "exclusive gating, b_g 0 to -5: fail" covers several '
    "settings. Only b_g = -5 is run here, the closest to those that learn."
)
_STANDARDIZATION_NOTE = (
    "Images are standardized by per-channel mean and standard deviation. The "
    "paper subtracts the per-pixel mean."
)
_DEPTH_NOTE = (
    "The published errors are those of 110 layers. What fails there need not "
    "fail at 56."
)
_SAMPLE_NOTE = (
    "With 2,560 training and 500 test images, this shows that the study runs, "
    "not which network is best (a test error of 50% has a standard error of "
    "2.2 points)."
)

_TABLE_1 = "the paper's Table 1"
# Name, label, options of the shortcut, the paper's error.
_SHORTCUTS = (
    ("original", "original", {}, 6.61),
    (
        "plain",
        "constant scaling: 0 x, F (a plain net)",
        {
            "shortcut": "constant_scaling",
            "shortcut_scale": 0.0,
            "residual_scale": 1.0,
        },
        FAIL,
    ),
    (
        "scaling_0.5_1",
        "constant scaling: 0.5 x, F",
        {
            "shortcut": "constant_scaling",
            "shortcut_scale": 0.5,
            "residual_scale": 1.0,
        },
        FAIL,
    ),
    (
        "scaling_0.5_0.5",
        "constant scaling: 0.5 x, 0.5 F (frozen gating)",
        {
            "shortcut": "constant_scaling",
            "shortcut_scale": 0.5,
            "residual_scale": 0.5,
        },
        12.35,
    ),
    (
        "exclusive_gating_-5",
        "exclusive gating, b_g 0 to -5 (run at -5)",
        {"shortcut": "exclusive_gating", "gate_bias": -5.0},
        FAIL,
    ),
    (
        "exclusive_gating_-6",
        "exclusive gating, b_g -6",
        {"shortcut": "exclusive_gating", "gate_bias": -6.0},
        8.70,
    ),
    (
        "exclusive_gating_-7",
        "exclusive gating, b_g -7",
        {"shortcut": "exclusive_gating", "gate_bias": -7.0},
        9.81,
    ),
    (
        "shortcut_only_gating_0",
        "shortcut-only gating, b_g 0",
        {"shortcut": "shortcut_only_gating", "gate_bias": 0.0},
        12.86,
    ),
    (
        "shortcut_only_gating_-6",
        "shortcut-only gating, b_g -6",
        {"shortcut": "shortcut_only_gating", "gate_bias": -6.0},
        6.91,
    ),
    ("conv", "1x1 conv", {"shortcut": "conv"}, 12.22),
    (
        "dropout",
        "dropout 0.5",
        {"shortcut": "dropout", "dropout_rate": 0.5},
        FAIL,
    ),
)
table1 = Study(
    name="table1",
    title="Table 1: shortcuts of a ResNet-110 with original units, CIFAR-10",
    rows=tuple(
        Row(
            name, label, {_TABLE_1: error}, "PreActResNet110", _ORIGINAL | with_
        )
        for name, label, with_, error in _SHORTCUTS
    ),
    tables={"Shortcuts": tuple(name for name, *_ in _SHORTCUTS)},
    sources=(_TABLE_1,),
    notes=(_GATES_NOTE, _STANDARDIZATION_NOTE),
)

_TABLE_2 = "the paper's Table 2"
_TABLE_2_ERRORS = {
    "PreActResNet110": (6.61, 8.17, 7.84, 6.71, 6.37),
    "PreActResNet164": (5.93, 6.50, 6.14, 5.91, 5.46),
}


def _layers(model):
    return model.removeprefix("PreActResNet")


table2 = Study(
    name="table2",
    title="Table 2: activation orders of ResNet-110 and ResNet-164, CIFAR-10",
    rows=tuple(
        Row(
            f"{_layers(model)}_{order}",
            label,
            {_TABLE_2: error},
            model,
            {"activation_order": order},
        )
        for model, errors in _TABLE_2_ERRORS.items()
        for (order, label), error in zip(_ORDERS.items(), errors, strict=True)
    ),
    tables={
        f"ResNet-{_layers(model)}": tuple(
            f"{_layers(model)}_{order}" for order in _ORDERS
        )
        for model in _TABLE_2_ERRORS
    },
    sources=(_TABLE_2,),
    notes=(_STANDARDIZATION_NOTE,),
)

_TABLE_3 = "the paper's Table 3"
# Dataset, name, label, layers, errors of the two units.
_DEPTHS = (
    ("cifar10", "110_single", "ResNet-110 (1-layer skip)", "110", (9.90, 8.91)),
    ("cifar10", "110", "ResNet-110", "110", (6.61, 6.37)),
    ("cifar10", "164", "ResNet-164", "164", (5.93, 5.46)),
    ("cifar10", "1001", "ResNet-1001", "1001", (7.61, 4.92)),
    ("cifar100", "164", "ResNet-164", "164", (25.16, 24.33)),
    ("cifar100", "1001", "ResNet-1001", "1001", (27.82, 22.71)),
)
_UNITS = {"original": "original", "preactivation": "pre-activation"}


def _table_3_row(dataset, name, label, layers, unit, error):
    options = {"unit": "single"} if name.endswith("_single") else {}
    if unit == "original":
        options |= _ORIGINAL
    return Row(
        name=f"{dataset}_{name}_{unit}",
        label=f"{label}, {_UNITS[unit]}",
        published={_TABLE_3: error},
        model=f"PreActResNet{layers}",
        options=options,
        dataset=dataset,
    )


_TABLE_3_ROWS = tuple(
    _table_3_row(*net, unit, error)
    for *net, errors in _DEPTHS
    for unit, error in zip(_UNITS, errors, strict=True)
)
table3 = Study(
    name="table3",
    title="Table 3: original and pre-activation units at four depths",
    rows=_TABLE_3_ROWS,
    tables={
        title: tuple(
            row.name for row in _TABLE_3_ROWS if row.dataset == dataset
        )
        for dataset, title in (
            ("cifar10", "CIFAR-10"),
            ("cifar100", "CIFAR-100"),
        )
    },
    sources=(_TABLE_3,),
    notes=(
        "ResNet-1001 is trained with 128 images per step, like the table's "
        "row. With 64 images the paper reports 4.62.",
        _STANDARDIZATION_NOTE,
    ),
)

_PAPER = "the paper, ResNet-110"
_STUDY = "a ResNet-20 study"
# The rows of Table 1 that are trained here, and the study's errors.
_SHORTCUT_ERRORS = {
    "original": 8.56,
    "scaling_0.5_0.5": 8.5,
    "exclusive_gating_-6": None,
    "shortcut_only_gating_-6": None,
    "conv": 8.43,
    "dropout": None,
}
# Name, label, options, the paper's errors at 110 layers, the study's.
_ABLATIONS = (
    *(
        (
            options.get("shortcut", name),
            label.removesuffix(" (frozen gating)"),
            _ORIGINAL | options,
            paper,
            _SHORTCUT_ERRORS[name],
        )
        for name, label, options, paper in _SHORTCUTS
        if name in _SHORTCUT_ERRORS
    ),
    *(
        (order, label, {"activation_order": order}, paper, study)
        for (order, label), paper, study in zip(
            _ORDERS.items(),
            _TABLE_2_ERRORS["PreActResNet110"],
            (8.56, None, None, None, 8.08),
            strict=True,
        )
        if order != "original"
    ),
    (
        "conv_full_preactivation",
        "1x1 conv, full pre-activation",
        {"shortcut": "conv", "activation_order": "full_preactivation"},
        None,
        8.16,
    ),
)
_TABLES = {
    "Shortcuts": tuple(
        name
        for name, _, options, *_ in _ABLATIONS
        if options["activation_order"] == "original"
    ),
    "Activation orders": tuple(_ORDERS),
    "1x1 conv in both units": (
        "original",
        "conv",
        "full_preactivation",
        "conv_full_preactivation",
    ),
}
resnet20 = Study(
    name="resnet20",
    title="Every shortcut and every activation order on a ResNet-20, CIFAR-10",
    rows=tuple(
        Row(
            name,
            label,
            {
                source: error
                for source, error in ((_PAPER, paper), (_STUDY, study))
                if error is not None
            },
            "PreActResNet20",
            options,
        )
        for name, label, options, paper, study in _ABLATIONS
    ),
    tables=_TABLES,
    sources=(_PAPER, _STUDY),
    notes=(
        "The ResNet-20 study does not say which scales and gate biases it "
        "uses. Here they are those that learn in the paper's Table 1. For rows "
        "without a figure, it gives ranks: shortcut-only gating, dropout and "
        "exclusive gating come after the three shortcuts with a figure. "
        "ReLU-only pre-activation is between full pre-activation and original. "
        "BN after addition and ReLU before addition come after these.",
        _STANDARDIZATION_NOTE,
    ),
    seeds=3,
)

resnet56 = dataclasses.replace(
    table1,
    name="resnet56",
    title="The shortcuts of Table 1 on a ResNet-56, CIFAR-10",
    rows=tuple(
        dataclasses.replace(
            row, model="PreActResNet56", published={_PAPER: figure}
        )
        for row in table1.rows
        for figure in row.published.values()
    ),
    sources=(_PAPER,),
    notes=(*table1.notes, _DEPTH_NOTE),
    seeds=3,
)


def _on_the_sample(study, name, epochs, seeds):
    return dataclasses.replace(
        study,
        name=name,
        title=f"The rows of {study.name} on the bundled sample of CIFAR-10",
        rows=tuple(
            dataclasses.replace(row, dataset="cifar10_sample", batch_size=64)
            for row in study.rows
        ),
        notes=(_SAMPLE_NOTE, *study.notes),
        epochs=epochs,
        seeds=seeds,
    )


quick = _on_the_sample(resnet20, "quick", epochs=10, seeds=1)

# Each part of the recipe of today alone, and all of them.
_PARTS = {
    "paper": ("the paper's recipe", {}),
    "cosine": ("cosine schedule", {"schedule": "cosine"}),
    "ema": ("EMA of the weights", {"ema": _MODERN.ema}),
    "label_smoothing": (
        "label smoothing",
        {"label_smoothing": _MODERN.label_smoothing},
    ),
    "rand_augment": ("RandAugment", {"rand_augment": _MODERN.rand_augment}),
    "mixup": ("mixup", {"mixup": _MODERN.mixup}),
    "cutmix": ("CutMix", {"cutmix": _MODERN.cutmix}),
    "modern": ("all of them: the recipe 'modern'", {"recipe": "modern"}),
}
recipes = Study(
    name="recipes",
    title="The parts of a recipe of today, on a ResNet-20, CIFAR-10",
    rows=tuple(
        Row(name, label, {}, "PreActResNet20", settings=settings)
        for name, (label, settings) in _PARTS.items()
    ),
    tables={"Recipes": tuple(_PARTS)},
    sources=(),
    notes=(
        "All rows have the same number of steps. The cosine row alone has the "
        "paper's short warm-up.",
        "With mixup and CutMix the train error is measured against mixed "
        "labels, and is no measure of fit.",
    ),
    seeds=3,
)
recipes_quick = _on_the_sample(recipes, "recipes_quick", epochs=20, seeds=3)

STUDIES = {
    study.name: study
    for study in (
        table1,
        table2,
        table3,
        resnet20,
        resnet56,
        quick,
        recipes,
        recipes_quick,
    )
}
