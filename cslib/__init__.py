"""Customer-success and subscription analytics: load a data set, ask a study, show a result.

>>> import cslib as cs
>>> sorted(set(dir(cs)) - {"__version__"})[:6]
['Answer', 'Card', 'Churn', 'CslibError', 'DataError', 'DataSet']

``import cslib`` is light: what a name stands for is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from cslib.errors import CslibError, DataError, ParameterError, ReportError

if TYPE_CHECKING:  # under their own names, so that type checkers take them for public
    from cslib.churn.study import Churn as Churn
    from cslib.data.dataset import DataSet as DataSet
    from cslib.data.load import check as check
    from cslib.data.load import load as load
    from cslib.retention.study import Retention as Retention
    from cslib.revenue.study import Revenue as Revenue
    from cslib.scorecard.study import Scorecard as Scorecard
    from cslib.show.display import Card as Card
    from cslib.show.result import Answer as Answer
    from cslib.show.result import Result as Result
    from cslib.surveys.study import Surveys as Surveys
    from cslib.value.study import Value as Value

_HOME: Final = {
    "Answer": "show.result", "Card": "show.display", "Churn": "churn.study", "DataSet": "data.dataset",
    "Result": "show.result", "Retention": "retention.study", "Revenue": "revenue.study",
    "Scorecard": "scorecard.study", "Surveys": "surveys.study", "Value": "value.study", "check": "data.load",
    "load": "data.load",
}  # fmt: skip
__all__ = ["CslibError", "DataError", "ParameterError", "ReportError", *_HOME]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"cslib.{_HOME[name]}"), name)
    if not name.startswith("_") and find_spec(f"cslib.{name}"):
        return import_module(f"cslib.{name}")
    msg = f"module 'cslib' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
