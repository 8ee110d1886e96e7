"""`SearchSpace`: from values of what is searched to a training."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping

from keras_resnetv2._checks import check_choice
from keras_resnetv2.models.complexity import Complexity, complexity
from keras_resnetv2.models.specs import SHORTCUT_OPTIONS
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.tuning.hyperparameters import (
    HYPERPARAMETERS,
    Hyperparameter,
    resolve,
)

_DEPTHS = ("depth", "bottleneck_depth")


class SearchSpace:
    """The networks and recipes of a search, over the package's own names.

    The names are those of `ResNetConfig` and `Experiment`, but for two:
    `width` is the number of filters of the first stage, which doubles in each
    further one; `bottleneck_depth` (9n+2) is the depth where the unit is the
    bottleneck, beside `depth` (6n+2). A setting that would do nothing, a gate's
    bias without a gate, is not part of a trial.

    Args:
        base: every setting that is not searched.
        space: by name, a list of choices, a range (low, high) with both ends,
            or a single value, which is fixed; None is the base's own. Names
            that are left out are searched over `HYPERPARAMETERS`.
        search: the names that are searched at all beside those in `space`; the
            others keep the base's value. Defaults to all.
        classes: number of classes; defaults to the base network's.
        input_shape: (H, W, C); defaults to the base network's.
        max_parameters: trainable parameters a network may have.
        max_flops: multiply-adds that it may take for one image, which is what
            He et al. call FLOPs.

    Attributes:
        base: the base.
        classes: number of classes.
        input_shape: (H, W, C).
        searched: name to `Hyperparameter`, of those that are searched.

    Raises:
        ValueError: for an unknown name, a value that a network or a training
            cannot have, a name given that does nothing, a budget that no
            network of the space keeps to, or if nothing is searched.

    Example:
        >>> from keras_resnetv2 import training, tuning
        >>> base = training.Experiment("PreActResNet20", "cifar10")
        >>> space = tuning.SearchSpace(base, {"depth": (20, 110)}, search=())
        >>> space.experiment({"depth": 32}).options
        {'depth': 32}
    """

    def __init__(
        self,
        base: Experiment,
        space: Mapping | None = None,
        *,
        search: Iterable[str] | None = None,
        classes: int | None = None,
        input_shape: tuple[int, int, int] | None = None,
        max_parameters: int | None = None,
        max_flops: int | None = None,
    ):
        config = base.config()
        self.base = base
        for name, most in {
            "max_parameters": max_parameters,
            "max_flops": max_flops,
        }.items():
            if most is not None and not most >= 1:
                raise ValueError(
                    f"{name} must be at least 1, or None for no budget; "
                    f"received {most!r}."
                )
        self.classes = classes or config.classes
        self.input_shape = tuple(
            input_shape or (config.input_size, config.input_size, 3)
        )
        self._budget = {
            "parameters": max_parameters,
            "multiply_adds": max_flops,
        }
        space = dict(space or {})
        names = tuple(HYPERPARAMETERS if search is None else search)
        explicit = {*space, *(search or ())}
        for name in (*space, *names):
            check_choice("hyper-parameter", name, HYPERPARAMETERS)
        rows = {
            name: resolve(name, space, base)
            for name in HYPERPARAMETERS
            if name in space or name in names
        }
        if config.depth is None:
            for name in _DEPTHS:
                if name in explicit:
                    raise ValueError(
                        f"{name} counts the layers of a net of three stages, "
                        f"and {base.model} is given by its units_per_stage. "
                        "Leave it out, or search from another model."
                    )
                rows.pop(name, None)
        self._fixed = {
            name: row
            for name, row in rows.items()
            if not isinstance(row, Hyperparameter)
        }
        self.searched = {}
        self._own = _own_values(base)
        for name, row in rows.items():
            if self._is_of_use(name, name in explicit) and (
                name not in self._fixed
            ):
                self.searched[name] = row
        if not self.searched:
            raise ValueError(
                "Nothing is searched. Give choices or ranges for some of "
                f"{', '.join(HYPERPARAMETERS)}."
            )
        self._check_depths({**self._fixed, **self.searched})
        self._check_values()
        self._keep_defaults_within_budget()

    def __repr__(self) -> str:
        """What is searched, and for which network."""
        return f"SearchSpace({self.base.model}: {', '.join(self.searched)})"

    def declare(self, hp) -> None:
        """Declares everything that is searched.

        Args:
            hp: a `keras_tuner.HyperParameters`.
        """
        for name, row in self.searched.items():
            options = {"default": self.default(name)}
            if needs := self._needs(name):
                options["parent_name"], parent_values = needs
                options["parent_values"] = list(parent_values)
            if not row.is_range:
                hp.Choice(name, list(row.values), **options)
                continue
            make = hp.Int if row.step else hp.Float
            make(
                name,
                *row.values,
                step=row.step,
                sampling=row.sampling,
                **options,
            )
        # keras-tuner would build a network for each of them, to find what is
        # declared inside; everything is declared here.
        hp.inactive_scopes.clear()

    def default(self, name: str):
        """The value of a searched setting where a trial does not say.

        The base's own, or else the first, or lowest, that there is.
        """
        row = self.searched[name]
        own = self._own.get(name)
        return own if own in row else row.values[0]

    def values(self, values: Mapping | None = None) -> dict:
        """Completes values by the defaults, and drops what does nothing.

        Args:
            values: by name; names that are not of this space are left out.

        Returns:
            Name to value, of the searched settings that are active.
        """
        values = values or {}
        active = {}
        for name in self.searched:
            needs = self._needs(name)
            if needs and active.get(needs[0]) not in needs[1]:
                continue
            value = values.get(name, self.default(name))
            row = self.searched[name]
            if row.is_range and isinstance(value, float):
                # Nobody writes down the further digits.
                low, high = row.values
                value = min(max(float(f"{value:.4g}"), low), high)
            active[name] = value
        return active

    def experiment(self, values: Mapping | None = None) -> Experiment:
        """The training that a trial stands for.

        Args:
            values: of the searched settings, by name; the defaults' for those
                that are missing.

        Returns:
            The base with these values, and those that are fixed.
        """
        chosen = {**self._fixed, **self.values(values)}
        options, settings = dict(self.base.options), {}
        # A base's depth is that of either unit.
        for name in set(options) & set(HYPERPARAMETERS) - set(_DEPTHS):
            if not self._is_active(name, chosen):
                del options[name]
        for name, value in chosen.items():
            if value is None or not self._is_active(name, chosen):
                continue
            if name in _SETTINGS:
                settings[name] = value
            elif name == "width":
                stages = len(self.base.config().widths)
                options["widths"] = tuple(value * 2**s for s in range(stages))
            else:
                options["depth" if name in _DEPTHS else name] = value
        return dataclasses.replace(self.base, options=options, **settings)

    def complexity(self, values: Mapping | None = None) -> Complexity:
        """Parameters and multiply-adds of a trial's network, not built."""
        return complexity(
            self.experiment(values).config(),
            classes=self.classes,
            input_shape=self.input_shape,
        )

    def excess(self, values: Mapping | None = None) -> str | None:
        """By how much a trial's network is above the budget.

        Args:
            values: as for `experiment`.

        Returns:
            A sentence, or None where it keeps to the budget.
        """
        if set(self._budget.values()) == {None}:
            return None
        cost = self.complexity(values)
        for name, most in self._budget.items():
            if most is not None and getattr(cost, name) > most:
                return (
                    f"{getattr(cost, name):,} {name.replace('_', '-')}, above "
                    f"the budget of {most:,}"
                )
        return None

    def _needs(self, name):
        """A hyper-parameter's condition, where a trial decides it."""
        needs = HYPERPARAMETERS[name].needs
        if needs is None or needs[0] not in self.searched:
            return None
        parent, values = needs
        possible = self.searched[parent].values
        return parent, tuple(v for v in possible if v in values)

    def _is_active(self, name, chosen):
        needs = HYPERPARAMETERS[name].needs
        if needs is None:
            return True
        parent, values = needs
        return (chosen.get(parent) or self._own[parent]) in values

    def _is_of_use(self, name, explicit):
        """Whether some trial could have the setting.

        Raises:
            ValueError: if none can, and the user gave it.
        """
        needs = HYPERPARAMETERS[name].needs
        if needs is None:
            return True
        parent, values = needs
        if parent in self.searched:
            possible = self.searched[parent].values
        else:
            possible = [self._fixed.get(parent) or self._own[parent]]
        if set(possible) & set(values):
            return True
        if explicit:
            raise ValueError(
                f"{name} does nothing with {parent}="
                f"{' or '.join(map(repr, possible))}. Leave it out, or search "
                f"{parent} over {' or '.join(map(repr, values))}."
            )
        return False

    def _check_depths(self, names):
        """Where the units differ, one depth is not the other's."""
        given = [name for name in _DEPTHS if name in names]
        if "unit" not in self.searched or len(given) != 1:
            return
        [depth] = given
        [other] = set(_DEPTHS) - {depth}
        units = self.searched["unit"].values
        if set(units) & set(HYPERPARAMETERS[other].needs[1]):
            raise ValueError(
                f"{depth} is given, and {other} is not, but unit is searched "
                f"over {' and '.join(map(repr, units))}. Give both or none, or "
                "fix the unit."
            )

    def _check_values(self):
        """Tries every choice, and both ends of every range."""
        self.experiment()
        for name, row in self.searched.items():
            needs = self._needs(name)
            parents = {needs[0]: needs[1][0]} if needs else {}
            for value in row.values:
                try:
                    self.experiment({**parents, name: value})
                except ValueError as error:
                    raise ValueError(
                        f"{name}={value!r} cannot be searched: {error}"
                    ) from error

    def _keep_defaults_within_budget(self):
        """The network that keras-tuner builds first must be one it may have.

        Where the base's own is not, the smallest depths and width, with as many
        of the base's other options as possible.
        """
        if self.excess() is None:
            return
        sizes = [name for name in ("width", *_DEPTHS) if name in self.searched]
        for name in sizes:
            self._own[name] = min(self.searched[name].values)
        rest = [name for name in _SHAPES if name in self.searched]
        own = {name: self.default(name) for name in rest}
        choices = [
            dict.fromkeys([own[n], *self.searched[n].values]) for n in rest
        ]
        tried = [dict(zip(rest, some)) for some in itertools.product(*choices)]
        tried.sort(key=lambda some: sum(some[n] != own[n] for n in rest))
        for some in tried:
            if self.excess(some) is None:
                self._own |= some
                return
        costs = [dataclasses.asdict(self.complexity(some)) for some in tried]
        raise ValueError(
            "No network of this space keeps to the budget: "
            + " and ".join(
                f"the smallest has {min(c[name] for c in costs):,} "
                f"{name.replace('_', '-')}, and {most:,} are allowed"
                for name, most in self._budget.items()
                if most is not None
            )
            + ". Allow more, or search shallower or narrower ones."
        )


# What, beside its size, makes a network larger or smaller.
_SHAPES = ("unit", "activation_order", "shortcut", "dimension_change")
# Fields of an Experiment; the other names are options of the network.
_SETTINGS = {
    name
    for name in HYPERPARAMETERS
    if name in {field.name for field in dataclasses.fields(Experiment)}
}


def _own_values(base):
    """What each setting is in the base."""
    config, recipe = base.config(), find_recipe(base.recipe)
    own = {
        option: default
        for row in SHORTCUT_OPTIONS.values()
        for option, default in row.items()
    }
    own |= {
        name: getattr(config, name)
        for name in HYPERPARAMETERS
        if getattr(config, name, None) is not None
    }
    depth = "bottleneck_depth" if config.unit == "bottleneck" else "depth"
    own.pop("depth", None)
    weight_decay = base.weight_decay
    if weight_decay is None:
        weight_decay = recipe.weight_decay
    return own | {
        depth: config.depth,
        "width": config.widths[0],
        "dimension_change": config.bridge,
        "learning_rate": recipe.rate(base.learning_rate, base.batch_size),
        "weight_decay": weight_decay,
        "batch_size": base.images_per_step,
        "augmentation": base.augmentation,
        "label_smoothing": base.label_smoothing,
    }
