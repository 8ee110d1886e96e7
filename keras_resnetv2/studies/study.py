"""A study as data: its rows, and the figures published for them."""

import collections
import dataclasses
import numbers
import re

from keras_resnetv2._text import brief
from keras_resnetv2.models.configs import ResNetConfig, find_config
from keras_resnetv2.training.experiment import (
    Experiment,
    changed_settings,
    with_tuples,
)

FAIL = "fail"  # as the paper writes it: a test error above 20 %


@dataclasses.dataclass(frozen=True)
class Row:
    """A network of a study, and what others found of it.

    Attributes:
        name: of the row, unique in its study: "exclusive_gating".
        label: what the tables call it.
        published: a source (one of `Study.sources`) to its test error in %, or
            "fail". A source that gives none is left out.
        model: a name in MODELS.
        options: fields of `ResNetConfig` that differ from the model's own.
        dataset: as an `Experiment` takes it.
        batch_size: images a step; None for the recipe's.
    """

    name: str
    label: str
    published: dict[str, float | str]
    model: str
    options: dict = dataclasses.field(default_factory=dict)
    dataset: str = "cifar10"
    batch_size: int | None = None

    __repr__ = brief

    def __post_init__(self):
        object.__setattr__(self, "options", with_tuples(self.options))


@dataclasses.dataclass(frozen=True)
class Study:
    """Networks that are trained alike and compared by test error.

    Attributes:
        name: what `--study` takes, of letters, digits, ".", "_" and "-".
        title: a line.
        rows: the networks, in the order in which they are trained.
        tables: title to names of the rows that are compared in that table.
        sources: heads of the columns of published figures.
        notes: what a reader has to know of the choices made, a sentence each.
        recipe: a name in `RECIPES`.
        epochs: default length; None for the recipe's.
        seeds: default number of runs a row, with the seeds 0, 1, ...

    Raises:
        ValueError: for names that come twice or belong to no row, a table
            without rows, figures that are none, and rows of which no
            `Experiment` can be made.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    tables: dict[str, tuple[str, ...]]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    recipe: str = "paper"
    epochs: int | None = None
    seeds: int = 5

    def __repr__(self) -> str:
        """Its name, and how many rows it has."""
        return f"Study({self.name!r}, {len(self.rows)} rows)"

    def __post_init__(self):
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(
                "A study's name is of letters, digits, '.', '_' and '-', as it "
                f"is a part of file names; received {self.name!r}."
            )
        counts = collections.Counter(row.name for row in self.rows)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(
                f"Study {self.name!r}: received two rows called "
                f"{', '.join(map(repr, twice))}. Give each a name of its own."
            )
        for title, names in self.tables.items():
            if not names:
                raise ValueError(
                    f"Study {self.name!r}: received the table {title!r} "
                    "without rows. Name some, or leave it out."
                )
            if unknown := [name for name in names if name not in counts]:
                raise ValueError(
                    f"Study {self.name!r}, table {title!r}: received rows "
                    f"{', '.join(map(repr, unknown))}; expected some of "
                    f"{', '.join(counts)}."
                )
        for row in self.rows:
            self._check_published(row)
            self.experiment(row, seed=0)

    def _check_published(self, row):
        for source, figure in row.published.items():
            if source not in self.sources:
                raise ValueError(
                    f"Row {row.name!r}: received a figure of {source!r}; "
                    f"expected one of {', '.join(map(repr, self.sources))}."
                )
            is_error = isinstance(figure, numbers.Real) and 0 <= figure <= 100
            if not is_error and figure != FAIL:
                raise ValueError(
                    f"Row {row.name!r}: a published figure is a test error in "
                    f"% or {FAIL!r}; received {figure!r}."
                )

    def row(self, name: str) -> Row:
        """The row of that name."""
        return {row.name: row for row in self.rows}[name]

    def experiment(
        self,
        row: Row,
        seed: int,
        epochs: int | None = None,
        precision: str = "float32",
    ) -> Experiment:
        """The training of a row.

        Args:
            row: one of `rows`.
            seed: of the run.
            epochs: replaces the study's; the schedule is scaled to it.
            precision: a precision that `Experiment` takes.
        """
        own = dataclasses.asdict(find_config(row.model))
        return Experiment(
            model=row.model,
            dataset=row.dataset,
            # Without what is the model's own anyway: two studies may say it or
            # not, and it is the same run. What is unknown is refused there.
            options={
                name: value
                for name, value in row.options.items()
                if name not in own or value != own[name]
            },
            recipe=self.recipe,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=row.batch_size,
            precision=precision,
            seed=seed,
        )

    @classmethod
    def from_json(cls, values: dict) -> "Study":
        """The inverse of `dataclasses.asdict`, out of JSON, too."""
        return cls(
            **{
                **values,
                "rows": tuple(Row(**row) for row in values["rows"]),
                "tables": {
                    title: tuple(names)
                    for title, names in values["tables"].items()
                },
                "sources": tuple(values["sources"]),
                "notes": tuple(values["notes"]),
            }
        )


def run_name(experiment: Experiment) -> str:
    """What tells a run from all others: its settings that are not the default.

    The same training in two studies is the same run, and done once.

    Args:
        experiment: the run's settings.

    Returns:
        "PreActResNet20-cifar10-activation_order=original-epochs=10-seed=0",
        also the name of its work directory.
    """
    settings = {
        field.name: experiment.options[field.name]
        for field in dataclasses.fields(ResNetConfig)
        if field.name in experiment.options
    }
    if experiment.recipe != "paper":
        settings["recipe"] = experiment.recipe
    settings |= changed_settings(experiment)
    settings["seed"] = experiment.seed
    parts = [f"{name}={value}" for name, value in settings.items()]
    name = "-".join([experiment.model, experiment.dataset, *parts])
    return name.replace("/", "_")  # a folder of images is a path
