"""What the values of a column look like: dates, numbers, flags, words. Only texts are looked at, as a file has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from cslib.data.reading import NOTHING
from cslib.data.written import MOST, Form, date_form, epoch_form, number_form

Kind = Literal["date", "number", "word", "text", "empty"]
FEW: Final = 3  # words for not yet, at most
JUNK: Final = 2  # rows at the top that may be headers still
WORDS: Final = 40  # distinct values of a column of words, at most
TRUE: Final = ("true", "yes", "y", "t", "1", "ja", "j", "oui", "si", "sí", "sim", "x", "wahr", "vrai", "verdadero")
FALSE: Final = (
    "false",
    "no",
    "n",
    "f",
    "0",
    "nein",
    "nee",
    "nej",
    "nei",
    "non",
    "não",
    "nao",
    "falsch",
    "faux",
    "falso",
)


@dataclass(frozen=True)
class Seen:
    """A column of a sample: its name and its values as text, ``""`` where it is empty."""

    name: str
    cells: tuple[str, ...]
    skip: int = 0  # rows at the top that are no values

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Values that are there, in their order."""
        return tuple(c for c in self.cells[self.skip :] if c and c.lower() not in NOTHING)

    @cached_property
    def empty(self) -> float:
        """Share of rows without a value."""
        return 1 - len(self.texts) / max(len(self.cells) - self.skip, 1)

    @cached_property
    def distinct(self) -> Counter[str]:
        """How often each value is there."""
        return Counter(self.texts)

    @cached_property
    def unique(self) -> bool:
        """Whether no value is there twice."""
        return bool(self.texts) and len(self.distinct) == len(self.texts)

    @cached_property
    def date(self) -> Form | None:
        """Format of dates, empty as ISO; None where they are no dates."""
        return date_form(self.texts)

    @cached_property
    def number(self) -> Form | None:
        """Decimal sign of numbers, empty where they are plain; None where they are no numbers."""
        return number_form(self.texts)

    @cached_property
    def moment(self) -> Form | None:
        """The same as ``date``; numbers that count days or seconds are dates, too."""
        return self.date or epoch_form(self.texts)

    @cached_property
    def open(self) -> tuple[str, ...]:
        """Words for not yet, where all other values are dates."""
        words = tuple(t for t in self.distinct if not any(c.isdigit() for c in t))
        rest = [t for t in self.texts if t not in words]
        return words if 0 < len(words) <= FEW and rest and date_form(rest) is not None else ()

    @cached_property
    def ends(self) -> Seen:
        """The same without words for not yet."""
        return Seen(self.name, tuple("" if c in self.open else c for c in self.cells), self.skip) if self.open else self

    @cached_property
    def kind(self) -> Kind:
        """What the values are."""
        if not self.texts:
            return "empty"
        if self.date:
            return "date"
        if self.number:
            return "number"
        few = len(self.distinct) <= WORDS and max(map(len, self.distinct)) <= WORDS
        return "word" if few and len(self.distinct) <= max(len(self.texts) / 2, 3) else "text"

    @cached_property
    def flag(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Words for true and for false; None where it is no flag."""
        there = {t.lower() for t in self.distinct}
        yes, no = tuple(w for w in TRUE if w in there), tuple(w for w in FALSE if w in there)
        return (yes, no) if there and len(yes) + len(no) == len(there) and len(yes) < 2 and len(no) < 2 else None

    @cached_property
    def mail(self) -> bool:
        """Whether the values are e-mail addresses."""
        return bool(self.texts) and sum("@" in t for t in self.texts) >= MOST * len(self.texts)

    @cached_property
    def range(self) -> tuple[float, float] | None:
        """Least and greatest of plain numbers."""
        if self.number is None or self.number.text:
            return None
        return min(map(float, self.distinct)), max(map(float, self.distinct))


def headers(cells: Sequence[Sequence[str]]) -> int:
    """Count the rows at the top of a sample that are headers still: no dates where all others are.

    Examples
    --------
    >>> headers([("Start Date", "2024-01-01", "2024-01-02", "2024-01-03"), ("Q1", "9", "8", "10")])
    1
    """
    for skip in range(1, JUNK + 1):
        rest = [(column[:skip], column[skip:]) for column in cells if len(column) > skip + 1]
        dated = [top for top, below in rest if all(below) and date_form(below) is not None]
        if dated and all(_no_date(text) for top in dated for text in top):
            return skip
    return 0


def _no_date(text: str) -> bool:
    return date_form([text]) is None
