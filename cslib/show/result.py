"""A finding: a tidy table, the sentence it proves, and how it is drawn. What a cell of a notebook ends with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from cslib.allowed import check_fields
from cslib.errors import ParameterError
from cslib.show import display
from cslib.show.drawing import slim

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Result:
    """One finding of a study. In JupyterLab it shows itself as the last line of a cell.

    Attributes
    ----------
    name
        Of the file that a report keeps of the table: small letters, digits and ``_``.
    table
        Tidy, every row and digit.
    title
        The finding, computed; empty for a table that is shown as one.
    subtitle
        What is plotted, and in which unit.
    chart
        Draws it, as in ``partial(lines_with_bands, shown, x=…, y=…)``; None: the table is shown.
    picture
        What kind of chart, for those who do not see it.
    how_to_read
        What stands below the chart or the table, to be folded away.
    before
        Sentences above.
    notes
        Sentences below.
    warnings
        What a reader must know first.
    absent
        Why there is nothing to show; the table is kept all the same.
    caption
        What the table holds, one line: above it where it is shown, and in the list of files.
    formats, labels
        Units and headings of its columns where it is shown, see :func:`cslib.show.display.table`; a column without a
        heading goes by its name, with a capital.
    shown
        What is shown in place of the table, where texts read better than its numbers.
    most
        Rows that are shown of a table without a chart; 0: its sentences alone, the table is kept.
    also
        Further tables that a report keeps with it; they are not shown.
    terms
        What names in the first column mean, in a line.

    Examples
    --------
    >>> table = pd.DataFrame({"plan": ["Pro", "Team"], "customers": [12, 30]})
    >>> Result("plans", table, caption="Customers by plan")
    Result(name='plans', title='')
    """

    name: str
    table: pd.DataFrame = field(repr=False)
    title: str = ""
    subtitle: str = field(default="", repr=False)
    chart: Callable[[], Axes] | None = field(default=None, repr=False)
    picture: str = field(default="Line chart", repr=False)
    how_to_read: str = field(default="", repr=False)
    before: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = field(default=(), repr=False)
    absent: str = field(default="", repr=False)
    caption: str = field(default="", repr=False)
    formats: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    shown: pd.DataFrame | None = field(default=None, repr=False)
    most: int = field(default=15, repr=False)
    also: tuple[Result, ...] = field(default=(), repr=False)
    terms: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def alt(self) -> str:
        """What the chart shows, in words."""
        return f"{self.picture}. {self.title}."

    def plot(self) -> Axes:
        """Draw the chart anew; its Axes can be changed and its figure saved.

        Raises
        ------
        ParameterError
            There is no chart: the reason, or that this is a table.
        """
        if self.chart is None or self.absent:
            msg = self.absent or f"{self.name} is a table, which has no chart: use .table."
            raise ParameterError(msg)
        return self.chart()

    def _ipython_display_(self) -> None:
        _say(self.warnings, "warning")
        _say(self.before)
        self._shown()
        _say(self.notes)
        if self.also:
            display.files({r.name: (r.caption, r.table) for r in self.also})

    def _shown(self) -> None:
        if self.chart is not None and not self.absent:
            words = {"title": self.title, "subtitle": self.subtitle, "alt": self.alt, "caption": self.caption}
            with slim():
                small = cast("Figure", self.chart().figure)
            display.figure(cast("Figure", self.chart().figure), name=self.name, data=self.table, slim=small, **words)
            _say(filter(None, [self.how_to_read]), "how_to_read")
            return
        _say(filter(None, [self.absent or self.title]), "note" if self.absent or not self.most else "finding")
        if self.absent or not self.most:
            display.files({self.name: (self.caption, self.table)})
            return
        seen = self.table if self.shown is None else self.shown
        display.table(
            seen, name=self.name, caption=self.caption, max_rows=self.most, data=self.table,
            formats={column: unit for column, unit in self.formats.items() if column in seen},
            labels=_headings(seen, self.labels), terms=self.terms,
        )  # fmt: skip
        _say(filter(None, [self.how_to_read]), "how_to_read")


def _say(sentences: Iterable[str], kind: str = "note") -> None:
    for sentence in sentences:
        display.note(sentence, kind=kind)


def _headings(table: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, str]:
    """Give every column its heading: as told, else its name, which begins with a capital in all reports."""
    names = {column: column.replace("_", " ") for column in map(str, table.columns)}
    return {column: labels.get(column, name[:1].upper() + name[1:]) for column, name in names.items()}


@dataclass(frozen=True, eq=False)
class Cards(Result):
    """A finding of several numbers: cards are shown in place of the table, which makes no file.

    Attributes
    ----------
    cards
        The numbers; none where sentences are all.
    attention
        Sentences that the home page shows, too: what needs attention.

    Examples
    --------
    >>> Cards("growth", pd.DataFrame(), cards=(display.Card("MRR", 818_000, "money", currency="USD"),)).cards[0].label
    'MRR'
    """

    cards: tuple[display.Card, ...] = field(default=(), repr=False)
    attention: tuple[str, ...] = field(default=(), repr=False)

    def _shown(self) -> None:
        display.cards(*self.cards)
        _say(filter(None, [self.how_to_read]), "how_to_read")

    def _ipython_display_(self) -> None:
        _say(self.attention, "attention")
        super()._ipython_display_()


@dataclass(frozen=True, eq=False)
class Answer:
    """The head of a report.

    Attributes
    ----------
    subtitle
        Whom it is about, in a line.
    text
        The answer to the report's question, computed; ``**bold**`` is the only markup.
    cards
        The headline numbers.
    warnings
        What a reader must know first.
    notes
        Further sentences below the cards.

    Examples
    --------
    >>> Answer("4,000 customers, as of 30 June 2025", "**Half of all customers stay longer than 13 months**.").cards
    ()
    """

    subtitle: str
    text: str
    cards: tuple[display.Card, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def _ipython_display_(self) -> None:
        display.note(self.subtitle, kind="subtitle")
        display.note(self.text, kind="answer")
        display.cards(*self.cards)
        _say(self.warnings, "warning")
        _say(self.notes)


class Study:
    """What every study has: parameters, and findings that are computed when they are first asked for.

    Examples
    --------
    >>> @dataclass(frozen=True, repr=False, eq=False)
    ... class Sizes(Study):
    ...     data: pd.DataFrame
    ...     by: str = ""
    ...
    ...     @cached_property
    ...     def largest(self) -> Result:
    ...         "Which group is the largest?"
    ...         return Result("largest", self.data.nlargest(1, "n"), title="Team is the largest group")
    >>> sizes = Sizes(pd.DataFrame({"plan": ["Pro", "Team"], "n": [12, 30]}), by="plan")
    >>> sizes
    Sizes(by='plan')
      .largest  Which group is the largest?
    >>> sizes.largest.title, sizes.largest.table["n"].tolist()
    ('Team is the largest group', [30])
    """

    def __post_init__(self) -> None:
        """Refuse a path, the likeliest slip, and what parameters may not be: see :func:`cslib.allowed.asked`."""
        data = getattr(self, "data", None)
        if isinstance(data, (str, PathLike)):
            msg = f"data is {str(data)!r}. Load it first: {type(self).__name__}(cs.load({str(data)!r}))."
            raise ParameterError(msg)
        check_fields(self)

    @classmethod
    def findings(cls) -> dict[str, str]:
        """Name the findings and the question each one answers, in the order of the report.

        Returns
        -------
        dict of str to str
            Attributes that hold a :class:`Result`, with the first line of their documentation.
        """
        parts = {n: p for n, p in vars(cls).items() if isinstance(p, cached_property) and not n.startswith("_")}
        kinds = ("Result", Result, "Cards", Cards)
        results = {n: p for n, p in parts.items() if p.func.__annotations__.get("return") in kinds}
        return {n: (p.__doc__ or "").strip().partition("\n")[0] for n, p in results.items()}

    def results(self) -> Iterator[Result]:
        """Compute every finding, one after the other."""
        return (getattr(self, name) for name in self.findings())

    def __repr__(self) -> str:
        fields: Mapping[str, Field[Any]] = getattr(self, "__dataclass_fields__", {})
        given = {n: getattr(self, n) for n, f in fields.items() if n != "data" and getattr(self, n) != f.default}
        head = f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in given.items())})"
        width = max(map(len, self.findings()), default=0)
        return "\n".join([head, *(f"  .{n:<{width}}  {question}" for n, question in self.findings().items())])
