"""The segments that a page holds beside the whole, to switch to: which ones, and what they are called in files."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cslib.errors import CslibError

if TYPE_CHECKING:
    from cslib.data.dataset import DataSet

MOST: Final = 8  # segments that a page holds
CROSSED: Final = "This report is by {}. To switch between segments, name one column."
LONGEST: Final = 60  # letters of a name made of a text: a disk takes 255 of a file's


@dataclass(frozen=True)
class Segments:
    """Values of a column of which a page holds the same report, and what is said of those left out."""

    column: str = ""
    values: tuple[str, ...] = ()
    left_out: str = ""


NONE: Final = Segments()


def segments_of(data: DataSet, column: str, where: str) -> Segments:
    """Choose the segments of a report that compares by a column: the largest ones, if there are several.

    A column of answers has none: a customer may have answered in several ways. Nor have two columns that are crossed,
    which is said.

    What is wrong with the column or with ``where``, the report itself says.
    """
    from cslib.data.customers import segment_sizes
    from cslib.data.load import only

    try:
        values = [str(value) for value in segment_sizes(only(data, where) if where else data, column).index]
    except CslibError:
        columns = [name.strip() for name in column.split(",")]
        return Segments(left_out=CROSSED.format(" and ".join(columns))) if len(columns) > 1 else NONE
    if len(values) < 2 or _of_answers(data, column):
        return NONE
    left = f"The {MOST} largest of {len(values)}. For the others: cslib report --each {column}"
    return Segments(column, tuple(values[:MOST]), left if len(values) > MOST else "")


def _of_answers(data: DataSet, column: str) -> bool:
    """Tell whether a column is one of answers, which are compared each by its own value: it parts no customers."""
    has = {name for name in ("customers", "surveys") if name in data.tables and column in data.tables[name].columns}
    return has == {"surveys"}


def free_name(column: str, value: str, taken: set[str]) -> str:
    """Write a value of a column as a part of a file name that is not taken yet, and take it.

    Examples
    --------
    >>> taken = set()
    >>> [free_name("plan", value, taken) for value in ("Größe", "große", "?")]
    ['plan-groe', 'plan-groe-2', 'plan-other']
    """
    stem = f"{_plain(column)}-{_plain(value)}"
    name = next(n for i in range(1, len(taken) + 2) if (n := stem if i == 1 else f"{stem}-{i}") not in taken)
    taken.add(name)
    return name


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", letters).strip("-")[:LONGEST].rstrip("-") or "other"
