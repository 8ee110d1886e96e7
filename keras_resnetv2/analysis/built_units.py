"""Finds the residual units of a built network in its graph."""

import dataclasses

import keras

from keras_resnetv2.models.builder import end_of_stem
from keras_resnetv2.models.configs import CHOICES
from keras_resnetv2.models.network_configs import config_of


@dataclasses.dataclass(frozen=True)
class Unit:
    """One residual unit: y = h(x) + F(x), x' = f(y), as tensors of a graph.

    Attributes:
        name: "stage2_unit1".
        kind: the shortcut's name in Fig. 2, "identity" for the original.
        layers: its layers by name, without the unit's prefix.
        x: its input, (batch, H, W, C).
        shortcut: h(x), the first addend.
        residual: F(x), the second addend, including its scale, gate or drop.
        y: the sum.
        output: x', the input of the next unit.
    """

    name: str
    kind: str
    layers: dict[str, keras.layers.Layer]
    x: keras.KerasTensor
    shortcut: keras.KerasTensor
    residual: keras.KerasTensor
    y: keras.KerasTensor
    output: keras.KerasTensor

    @property
    def dimension_change(self) -> str:
        """What carries the signal where its shape changes; otherwise empty."""
        if self.kind == "conv":
            changes = self.x.shape[-1] != self.y.shape[-1]
            changes |= self.layers["shortcut_conv"].strides != (1, 1)
            return "conv" if changes else ""
        names = CHOICES["dimension_change"]
        found = (n for n in names if f"shortcut_{n}" in self.layers)
        return next(found, "")

    @property
    def gate(self) -> keras.KerasTensor | None:
        """1 - g(x), the factor on the shortcut; None without a gate."""
        layer = self.layers.get("one_minus_gate")
        return layer and layer.output

    @property
    def carried(self) -> keras.KerasTensor:
        """The signal on the shortcut, before its own factor if it has one."""
        if self.gate is not None:
            carried, _ = self.layers["shortcut_gated"].input
            return carried
        for role in ("shortcut_scale", "shortcut_dropout"):
            if role in self.layers:
                return self.layers[role].input
        return self.shortcut


def find_units(model: keras.Model) -> list[Unit]:
    """Finds all units of a network of this package, first to last.

    Raises:
        ValueError: if it has none, or computes in half precision.
    """
    try:
        config = config_of(model)
        specs = config.unit_specs()
    except ValueError:
        specs = ()
    units = []
    for name, spec in specs:
        roles = {
            layer.name.removeprefix(f"{name}_"): layer
            for layer in model.layers
            if layer.name.startswith(f"{name}_")
        }
        add = roles.get("add", roles.get("out"))
        if not isinstance(add, keras.layers.Add):
            continue
        shortcut, residual = add.input
        stem = end_of_stem(config)
        x = units[-1].output if units else model.get_layer(stem).output
        units.append(
            Unit(
                name,
                spec.shortcut,
                roles,
                x,
                shortcut,
                residual,
                add.output,
                roles["out"].output,
            )
        )
    if not units:
        raise ValueError(
            f"No residual units in {getattr(model, 'name', model)!r}. Give a "
            "network of keras_resnetv2, with layers called stage1_unit1_conv1 "
            "and so on. If it is a layer of another model, pass that layer."
        )
    if units[0].y.dtype not in ("float32", "float64"):
        raise ValueError(
            f"{model.name} computes in {units[0].y.dtype}, in which gradients "
            "of deep networks become zero. Measure it in float32: use "
            'training.load_trained(workdir, "float32"), or build it under that '
            "dtype policy and set its weights."
        )
    return units
