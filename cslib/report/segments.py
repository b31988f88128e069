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
MOST_BYTES: Final = 1_900_000  # of all that they show; a page of two million can be sent
CROSSED: Final = "This report is by {}. To switch between segments, name one column."
LONGEST: Final = 60  # letters of a name made of a text: a disk takes 255 of a file's


@dataclass(frozen=True)
class Segments:
    """Values of a column of which a page holds the same report, and what is said where there is no switch."""

    column: str = ""
    values: tuple[str, ...] = ()
    n: int = 0
    why_none: str = ""

    def left_out(self, shown: int) -> str:
        """Say how to get the report on the other segments where a page holds so many; empty where it holds all."""
        which = (
            f"The {shown} largest of {self.n}. For the others" if shown else "There is no room for segments. For each"
        )
        return self.why_none or f"{which}: cslib report --each {self.column}" * (shown < self.n)


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
        return Segments(why_none=CROSSED.format(" and ".join(columns))) if len(columns) > 1 else NONE
    if len(values) < 2 or _of_answers(data, column):
        return NONE
    return Segments(column, tuple(values[:MOST]), len(values))


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
