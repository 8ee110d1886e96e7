"""`SearchSpace`: turns values of hyper-parameters into trainings."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping

from keras_resnetv2._checks import Number, check_choice, check_number
from keras_resnetv2.models.complexity import Complexity, complexity
from keras_resnetv2.models.specs import SHORTCUT_OPTIONS
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.tuning.hyperparameters import (
    HYPERPARAMETERS,
    SEARCHED,
    Hyperparameter,
    resolve,
)

_BUDGET = Number(
    lambda value: value >= 1, "a number, at least 1, or None for no budget"
)
_DEPTHS = ("depth", "bottleneck_depth")


class SearchSpace:
    """The networks and recipes of a search.

    The names are those of `ResNetConfig` and `Experiment`, with two exceptions.
    `width` is the number of filters of the first stage; it doubles from stage
    to stage. `bottleneck_depth` (9n+2) is the depth of networks with bottleneck
    units; `depth` (6n+2) is that of the others. Hyper-parameters without
    effect, such as a gate's bias without a gate, are not part of a trial.

    Args:
        base: all settings that are not searched.
        space: name -> list of choices, range (low, high) including both ends,
            or fixed value; None stands for the base's value. Other names are
            searched over `HYPERPARAMETERS`.
        search: names of further hyper-parameters to search. The others keep the
            base's values. Defaults to all that change the network, and to
            learning rate, weight decay, batch size, augmentation and label
            smoothing.
        classes: number of classes; defaults to the base network's.
        input_shape: (H, W, C); defaults to the base network's.
        max_parameters: largest number of trainable parameters of a network.
        max_flops: largest number of multiply-adds for one image; He et al.
            call these FLOPs.

    Attributes:
        base: the base.
        classes: number of classes.
        input_shape: (H, W, C).
        searched: name -> `Hyperparameter`, for each that is searched.

    Raises:
        ValueError: if a name is unknown, a value is invalid for a network or a
            training, a given name has no effect, no network of the space is
            within the budget, or nothing is searched.

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
            if most is not None:
                check_number(name, most, _BUDGET)
        self.classes = classes or config.classes
        self.input_shape = tuple(
            input_shape or (config.input_size, config.input_size, 3)
        )
        self._budget = {
            "parameters": max_parameters,
            "multiply_adds": max_flops,
        }
        space = dict(space or {})
        search = None if search is None else tuple(search)
        names = SEARCHED if search is None else search
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
                        f"{name} is the depth of networks with three stages, "
                        f"but {base.model} is defined by its units_per_stage. "
                        f"Omit {name}, or search from another model."
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
        """Shows the network and the searched hyper-parameters."""
        return f"SearchSpace({self.base.model}: {', '.join(self.searched)})"

    def declare(self, hp) -> None:
        """Declares all searched hyper-parameters.

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
        # Otherwise keras-tuner builds a network for each scope to find further
        # declarations. There are none.
        hp.inactive_scopes.clear()

    def default(self, name: str):
        """Returns the default value of a searched hyper-parameter.

        It is the base's value if it can be chosen, else the first or lowest.
        """
        row = self.searched[name]
        own = self._own.get(name)
        return own if own in row else row.values[0]

    def values(self, values: Mapping | None = None) -> dict:
        """Adds the defaults to values, and drops those without effect.

        Args:
            values: values by name; other names are ignored.

        Returns:
            Name -> value, for the searched hyper-parameters that have an
            effect.
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
                # Reports do not show further digits.
                low, high = row.values
                value = min(max(float(f"{value:.4g}"), low), high)
            active[name] = value
        return active

    def experiment(self, values: Mapping | None = None) -> Experiment:
        """Returns the settings of a trial's training.

        Args:
            values: values of the searched hyper-parameters, by name. Missing
                ones get their defaults.

        Returns:
            The base with these values and the fixed values.
        """
        chosen = {**self._fixed, **self.values(values)}
        options, settings = dict(self.base.options), {}
        # The base's depth is kept with either unit.
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
        """Returns the size of a trial's network, without building it."""
        return complexity(
            self.experiment(values).config(),
            classes=self.classes,
            input_shape=self.input_shape,
        )

    def excess(self, values: Mapping | None = None) -> str | None:
        """Describes how a trial's network exceeds the budget.

        Args:
            values: see `experiment`.

        Returns:
            A text, or None if the network is within the budget.
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
        """Returns a hyper-parameter's condition, if it varies by trial."""
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
        """Returns whether the hyper-parameter has an effect in some trial.

        Raises:
            ValueError: if it has none, and the user gave it.
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
                f"{name} has no effect with {parent}="
                f"{' or '.join(map(repr, possible))}. Omit it, or search "
                f"{parent} over {' or '.join(map(repr, values))}."
            )
        return False

    def _check_depths(self, names):
        """Checks that both depths are given if the units differ."""
        given = [name for name in _DEPTHS if name in names]
        if "unit" not in self.searched or len(given) != 1:
            return
        [depth] = given
        [other] = set(_DEPTHS) - {depth}
        units = self.searched["unit"].values
        if set(units) & set(HYPERPARAMETERS[other].needs[1]):
            raise ValueError(
                f"{depth} is given without {other}, but unit is searched over "
                f"{' and '.join(map(repr, units))}. Give both depths or none, "
                "or fix the unit."
            )

    def _check_values(self):
        """Checks every choice, and both ends of every range."""
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
        """Chooses defaults within the budget: keras-tuner builds these first.

        If the base exceeds it, the defaults are the smallest depths and width,
        with as many of the base's other options as possible.
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
            "No network of this space is within the budget: "
            + " and ".join(
                f"the smallest has {min(c[name] for c in costs):,} "
                f"{name.replace('_', '-')}, but {most:,} are allowed"
                for name, most in self._budget.items()
                if most is not None
            )
            + ". Raise the budget, or search shallower or narrower networks."
        )


# Further hyper-parameters that make a network larger or smaller.
_SHAPES = ("unit", "activation_order", "shortcut", "dimension_change")
# Fields of an Experiment; the other names are options of the network.
_SETTINGS = {
    name
    for name in HYPERPARAMETERS
    if name in {field.name for field in dataclasses.fields(Experiment)}
}


def _own_values(base):
    """Returns the base's value of each hyper-parameter."""
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
    settings = {name: getattr(base, name) for name in _SETTINGS}
    return (
        own
        | settings
        | {
            depth: config.depth,
            "width": config.widths[0],
            "dimension_change": config.effective_dimension_change,
            "learning_rate": recipe.rate(base.learning_rate, base.batch_size),
            "weight_decay": weight_decay,
            "batch_size": base.images_per_step,
        }
    )
