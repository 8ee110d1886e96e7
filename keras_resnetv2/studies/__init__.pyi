from .execution import run_study as run_study
from .paper import STUDIES as STUDIES
from .plan import Plan as Plan
from .report import write_report as write_report
from .results import Result as Result
from .study import Row as Row
from .study import Study as Study
from .studydir import Studydir as Studydir
