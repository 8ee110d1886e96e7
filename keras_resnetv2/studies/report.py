"""The report of a directory of studies, from its JSON files alone."""

import os

from keras_resnetv2._files import write_atomically
from keras_resnetv2.studies.html_report import html_report
from keras_resnetv2.studies.markdown_report import markdown_report
from keras_resnetv2.studies.sections import section_of
from keras_resnetv2.studies.studydir import Studydir

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
