"""The paper's experiments: studies as data, their runs, their report."""

from keras_resnetv2.studies.execution import run_study
from keras_resnetv2.studies.report import write_report
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.studies import STUDIES
from keras_resnetv2.studies.study import Row, Study
from keras_resnetv2.studies.studydir import Plan, Studydir

__all__ = [
    "STUDIES",
    "Plan",
    "Result",
    "Row",
    "Study",
    "Studydir",
    "run_study",
    "write_report",
]
