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

if TYPE_CHECKING:
    from cslib.churn.study import Churn
    from cslib.data.dataset import DataSet
    from cslib.data.load import check, load
    from cslib.retention.study import Retention
    from cslib.revenue.study import Revenue
    from cslib.scorecard.study import Scorecard
    from cslib.show.display import Card
    from cslib.show.result import Answer, Result
    from cslib.surveys.study import Surveys
    from cslib.value.study import Value

__all__ = [
    "Answer",
    "Card",
    "Churn",
    "CslibError",
    "DataError",
    "DataSet",
    "ParameterError",
    "ReportError",
    "Result",
    "Retention",
    "Revenue",
    "Scorecard",
    "Surveys",
    "Value",
    "check",
    "load",
]
__version__ = "0.1.0"

_HOME: Final = {
    "Answer": "show.result",
    "Card": "show.display",
    "Churn": "churn.study",
    "DataSet": "data.dataset",
    "Result": "show.result",
    "Retention": "retention.study",
    "Revenue": "revenue.study",
    "Scorecard": "scorecard.study",
    "Surveys": "surveys.study",
    "Value": "value.study",
    "check": "data.load",
    "load": "data.load",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"cslib.{_HOME[name]}"), name)
    if not name.startswith("_") and find_spec(f"cslib.{name}"):
        return import_module(f"cslib.{name}")
    msg = f"module 'cslib' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
