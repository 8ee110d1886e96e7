"""The paper's experiments: studies as data, their runs, their report."""

from keras_resnetv2.analysis.ablation.execution import run_study
from keras_resnetv2.analysis.ablation.report import write_report
from keras_resnetv2.analysis.ablation.results import Result
from keras_resnetv2.analysis.ablation.studies import STUDIES
from keras_resnetv2.analysis.ablation.study import Row, Study
from keras_resnetv2.analysis.ablation.studydir import Plan, Studydir

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
