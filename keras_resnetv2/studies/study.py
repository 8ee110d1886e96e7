"""A study as data: its rows and their published figures."""

import collections
import dataclasses
import hashlib
import numbers
import re
from collections.abc import Iterable

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
    """A training of a study, with its published errors.

    Attributes:
        name: name of the row, unique in its study: "exclusive_gating".
        label: its name in the tables.
        published: maps sources (of `Study.sources`) to test errors in %, or
            "fail". Sources without a figure are left out.
        model: a name in MODELS.
        options: fields of `ResNetConfig` that differ from the model's own.
        dataset: see `Experiment`.
        batch_size: images per step; None for the recipe's.
        settings: further fields of `Experiment`, such as "mixup".
    """

    name: str
    label: str
    published: dict[str, float | str]
    model: str
    options: dict = dataclasses.field(default_factory=dict)
    dataset: str = "cifar10"
    batch_size: int | None = None
    settings: dict = dataclasses.field(default_factory=dict)

    __repr__ = brief

    def __post_init__(self):
        object.__setattr__(self, "options", with_tuples(self.options))


@dataclasses.dataclass(frozen=True)
class Study:
    """Trainings that are compared by test error.

    Attributes:
        name: the value of `--study`: letters, digits, ".", "_" and "-".
        title: its title, one line.
        rows: the networks, in the order in which they are trained.
        tables: maps titles of tables to the names of their rows.
        sources: headings of the columns of published figures.
        notes: notes for the reader about the choices made.
        recipe: a name in `RECIPES`.
        epochs: default length; None for the recipe's.
        seeds: default number of runs per row, with the seeds 0, 1, ...

    Raises:
        ValueError: for duplicate or unknown row names, a table without rows,
            invalid figures, and rows that do not make an `Experiment`.
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
                "A study's name may contain only letters, digits, '.', '_' and "
                f"'-', because it is part of file names; received "
                f"{self.name!r}."
            )
        counts = collections.Counter(row.name for row in self.rows)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(
                f"Study {self.name!r}: received two rows called "
                f"{', '.join(map(repr, twice))}. Give each row its own name."
            )
        for title, names in self.tables.items():
            if not names:
                raise ValueError(
                    f"Study {self.name!r}: received the table {title!r} "
                    "without rows. Add rows, or remove the table."
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
                    f"Row {row.name!r}: a published figure must be a test "
                    f"error in % or {FAIL!r}; received {figure!r}."
                )

    def row(self, name: str) -> Row:
        """Returns the row with a name."""
        return {row.name: row for row in self.rows}[name]

    def experiment(
        self,
        row: Row,
        seed: int,
        epochs: int | None = None,
        precision: str = "float32",
    ) -> Experiment:
        """Returns the training of a row.

        Args:
            row: one of `rows`.
            seed: the run's seed.
            epochs: replaces the study's epochs; the schedule is scaled to it.
            precision: a precision that `Experiment` takes.
        """
        own = dataclasses.asdict(find_config(row.model))
        return Experiment(
            model=row.model,
            dataset=row.dataset,
            # Options equal to the model's own are dropped, so that setting a
            # default makes no other run. `Experiment` refuses unknown options.
            options={
                name: value
                for name, value in row.options.items()
                if name not in own or value != own[name]
            },
            **{
                "recipe": self.recipe,
                "epochs": self.epochs if epochs is None else epochs,
                "batch_size": row.batch_size,
                "precision": precision,
                "seed": seed,
                **row.settings,
            },
        )

    @classmethod
    def from_json(cls, values: dict) -> "Study":
        """Returns the study; the inverse of `dataclasses.asdict` and JSON."""
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


# Bytes: file names end at 255, and the run's log adds ".txt".
_LONGEST = 251


def run_name(experiment: Experiment) -> str:
    """Returns a run's unique name, made of its settings that are not default.

    The same training in two studies is the same run, and is done once.

    Args:
        experiment: the run's settings.

    Returns:
        For example
        "PreActResNet20-cifar10-activation_order=original-epochs=10-seed=0".
        It is also the name of the work directory.
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
    name = name.replace("/", "_")  # a folder of images is a path
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    kept = name.encode()[: _LONGEST - len(digest) - 1].decode(errors="ignore")
    return f"{kept}-{digest}"


def check_run_names(experiments: Iterable[Experiment]) -> None:
    """Checks that different experiments do not share a run's directory.

    Raises:
        ValueError: if two do, since their paths differ only in "/" and "_".
    """
    named = {}
    for experiment in experiments:
        name = run_name(experiment)
        other = named.setdefault(name, experiment)
        if other != experiment:
            differing = [
                f"{field} {value!r} and {getattr(other, field)!r}"
                for field, value in vars(experiment).items()
                if value != getattr(other, field)
            ]
            raise ValueError(
                f"Two runs would share the directory {name!r}. They have "
                f"{'; '.join(differing)}. Rename one of the folders."
            )
