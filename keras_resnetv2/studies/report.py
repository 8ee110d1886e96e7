"""`write_report`: a directory of studies as a page and as Markdown."""

import os
from collections.abc import Sequence

from keras_resnetv2._files import write_atomically
from keras_resnetv2._plain_text import escape_markdown, one_line
from keras_resnetv2._tables import markdown_table
from keras_resnetv2.studies.html_report import html_report
from keras_resnetv2.studies.sections import HOW_TO_READ, Section, section_of
from keras_resnetv2.studies.studydir import Studydir
from keras_resnetv2.studies.tables import Table


def markdown_report(title: str, sections: Sequence[Section]) -> str:
    """Writes the report.

    Args:
        title: of all.
        sections: the studies.
    """
    blocks = map(escape_markdown, HOW_TO_READ)
    blocks = [f"# {escape_markdown(title)}", *blocks]
    for section in sections:
        blocks += _section(section)
    return "\n\n".join(blocks) + "\n"


def captioned_table(table: Table) -> str:
    """A table, under a line with its caption; numbers on the right."""
    head, *rows = (
        tuple(map(escape_markdown, row)) for row in (table.head, *table.rows)
    )
    right = [False, *(True for _ in head[1:])]
    text = markdown_table(head, rows, right)
    return f"**{escape_markdown(table.caption)}**\n\n{text}"


def _section(section):
    yield f"## {escape_markdown(section.title)}"
    for caution in section.cautions:
        yield f"> **{escape_markdown(caution)}**"
    for comparison in section.comparisons:
        yield f"### {escape_markdown(comparison.title)}"
        yield captioned_table(comparison.table)
        yield from map(escape_markdown, comparison.agreement)
        if comparison.figures:
            yield "\n".join(map(_figure, comparison.figures))
    if section.notes:
        yield "### Notes"
        yield "\n".join(f"- {escape_markdown(note)}" for note in section.notes)
    yield "### How it was run"
    yield "\n".join(
        f"- {name}: {escape_markdown(fact)}"
        for name, fact in section.facts.items()
    )
    if section.command:
        yield f"    {one_line(section.command)}"
    if section.runs.rows:
        yield captioned_table(section.runs)


def _figure(figure):
    return f"![{escape_markdown(figure.alt)}]({figure.file})"


TITLE = "Ablation studies"


def write_report(workdir: str | os.PathLike) -> Studydir:
    """Writes report.html, report.md and the figures of the latter.

    It reads study-*.json and results.jsonl. What is not there yet is blank;
    the same results give the same files.

    Args:
        workdir: the directory of studies.

    Returns:
        The directory.

    Raises:
        ValueError: if it holds no study, or unreadable results.
        ImportError: if matplotlib is not installed, or scipy, which only three
            runs of every row need.
    """
    directory = Studydir(workdir)
    results = directory.results()
    sections = [section_of(plan, results) for plan in directory.plans()]
    for section in sections:
        for comparison in section.comparisons:
            for figure in comparison.figures:
                write_atomically(directory.path / figure.file, figure.svg)
    write_atomically(directory.markdown, markdown_report(TITLE, sections))
    write_atomically(directory.html, html_report(TITLE, sections))
    return directory
