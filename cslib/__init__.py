"""Customer-success and subscription analytics: reduce in the engine, estimate on counts, show.

``import cslib`` is light: a module is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cslib.errors import CslibError, DataError, ParameterError, ReportError

if TYPE_CHECKING:
    from cslib.data.dataset import DataSet
    from cslib.data.load import check, load

__all__ = ["CslibError", "DataError", "DataSet", "ParameterError", "ReportError", "check", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("check", "load"):
        return getattr(import_module("cslib.data.load"), name)
    if name == "DataSet":
        return import_module("cslib.data.dataset").DataSet
    if find_spec(f"cslib.{name}"):
        return import_module(f"cslib.{name}")
    msg = f"module 'cslib' has no attribute {name!r}"
    raise AttributeError(msg)
