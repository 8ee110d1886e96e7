from .execution import run_study as run_study
from .report import write_report as write_report
from .results import Result as Result
from .studies import STUDIES as STUDIES
from .study import Row as Row
from .study import Study as Study
from .studydir import Plan as Plan
from .studydir import Studydir as Studydir
