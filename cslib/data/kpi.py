"""What a KPI is: its definition, and how its values over time are told alike by every topic."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from cslib.data.dataset import DataSet

GROUPS: Final = ("growth", "retention", "value", "sentiment", "engagement")
NO_MARGIN: Final = "gross_margin is not set, so that all revenue counts as margin"
DECLARED: Final = ("gross_margin", "value_feature")  # of a setting, which the data tell where it is not given
SCORECARD: Final = "scorecard#Where does every KPI stand?"
HISTORY: Final = ["kpi", "segment", "until", "months", "value", "ci_lower", "ci_upper", "n"]
OVER_YEAR: Final = [
    *("kpi", "segment", "value", "ci_lower", "ci_upper", "n", "of_all", "trend", "p_adjusted", "verdict"),
]


@dataclass(frozen=True)
class Setting:
    """What KPIs are computed with, beside the data.

    Attributes
    ----------
    gross_margin
        The share of revenue that is margin; 0: not known, and all of it counts.
    annual_discount_rate
        A share of 1, as in :class:`cslib.value.ltv.Terms`.
    value_feature
        The feature whose first use is value; empty: not known, and any use counts; adoption is the mean over features.
    ces_scale, ces_lower_is_easier
        As for :func:`cslib.surveys.answers.measure`.
    segment_by
        A column; empty for the whole only.
    """

    gross_margin: float = 0.0
    annual_discount_rate: float = 0.0
    value_feature: str = ""
    ces_scale: int = 10
    ces_lower_is_easier: bool = True
    segment_by: str = ""

    @property
    def margin(self) -> float:
        """The share of revenue that counts as margin."""
        return self.gross_margin or 1.0


@dataclass(frozen=True)
class Target:
    """What a KPI is to reach: at least ``low``, at most ``high``; an end that is open is infinite."""

    low: float
    high: float


Measure: TypeAlias = Callable[[DataSet, Setting], Iterator[pd.DataFrame]]
"""Measures one KPI, or several at once: yields tables as from :func:`history_rows`, one KPI each.

A ``DataError`` says why none of them can be measured.
"""


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One figure that a team steers by: what it is and how it is measured.

    Attributes
    ----------
    id
        Its name in files, targets and cards: small letters, digits and ``_``.
    label
        For readers.
    group
        One of `GROUPS`.
    question
        That it answers.
    formula
        The definition used here.
    unit
        Of ``show.formats.format_value``.
    direction
        ``up`` or ``down`` (which is good), or ``band``.
    months
        Length of a period, and the distance between two that are compared.
    base
        Who or what it is measured over, in words: what ``n`` counts.
    sources
        Tables it is made of; or of one the column that it needs as well, such as ``usage.feature``.
    needs
        What to add where it cannot be measured.
    blank
        Why it can be missing although the sources are there.
    measure
        How it is measured; KPIs of the same one are measured together.
    variants
        Other definitions in use.
    grows
        It follows from its last value, such as MRR, so that its changes are judged and not its level.
    twin
        The KPI that says the same in another way.
    mirror
        It is 1 less its twin, so that one of the two tells both.
    form
        It is another form of its twin, told where both are explained and not beside it.
    explained
        Where a reader finds why: a report, ``#`` and the title of a section.
    unset
        What is not set that gives it its meaning; it is held against no target then.
    exact
        It is counted, not estimated from a sample, so that it has no interval and needs none.
    span
        Least and most that it can be, where that is not 0 and, of a share, 1.
    noun
        What one of ``n`` is called; ``stay`` where customers who come back count again, and else are customers.
    weight
        The KPI by which segments count together, as the period began, where that is not ``n``: MRR for its shares.
    adapt
        Changes the definition with the setting.
    over_year
        How it is measured over the last 12 months, where its topic pools them: that judges a target, and
        segments are compared by it. Yields tables with the columns ``OVER_YEAR``, one row per KPI and segment (``All``
        first): ``of_all`` is the value weighted to everybody, where those whom it is known of clearly differ, else
        missing; ``trend`` is ``rising`` or ``falling`` where its topic finds a clear change from the months before,
        else empty; ``p_adjusted`` and ``verdict`` are what the topic says of a segment beside the others (``above``,
        ``below``, empty), missing where it is not compared there.
    """

    id: str
    label: str
    group: str
    question: str
    formula: str
    unit: str
    direction: str
    months: int
    base: str
    sources: tuple[str, ...]
    needs: str
    blank: str
    measure: Measure = field(repr=False)
    variants: tuple[str, ...] = ()
    grows: bool = False
    twin: str = ""
    mirror: bool = False
    form: bool = False
    explained: str = SCORECARD
    unset: str = ""
    exact: bool = False
    span: tuple[float, float] | None = None
    noun: str = "customer"
    weight: str = ""
    adapt: Callable[[Kpi, Setting], Kpi] | None = field(default=None, repr=False)
    over_year: Measure | None = field(default=None, repr=False)

    @property
    def link(self) -> str:
        """The link to the section that explains it, in the markup of ``show.formats.inline``."""
        return link_to(self.explained)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables among its sources."""
        return tuple(source.partition(".")[0] for source in self.sources)

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest value that it can have."""
        return self.span or (0.0, 1.0 if self.unit == "percent" else float("inf"))


def of_margin(kpi: Kpi, setting: Setting) -> Kpi:
    """Hold a KPI that rests on margin against no target where the margin is not known."""
    return kpi if setting.gross_margin else replace(kpi, unset=NO_MARGIN)


def link_to(explained: str) -> str:
    """Link to a section of a report by its title, in the markup of ``show.formats.inline``.

    Examples
    --------
    >>> link_to("revenue#What is kept?")
    '[What is kept?](revenue#what-is-kept)'
    """
    report, _, title = explained.partition("#")
    return f"[{title}]({report}#{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')})"


def by_id(*kpis: Kpi) -> dict[str, Kpi]:
    """Give each KPI its id as key, in the order given."""
    return {kpi.id: kpi for kpi in kpis}


def history_rows(
    kpi: str, table: pd.DataFrame, value: str, *, n: str, bounds: str = "", months: int | None = None
) -> pd.DataFrame:
    """Bring a column of a result into the shape of the history.

    Parameters
    ----------
    kpi
        The id.
    table
        A result with ``segment`` and ``until`` (last day of the period; missing where the data hold no dates).
    value
        Its column with the value.
    n
        Its column with the number of those it rests on.
    bounds
        Prefix of its columns ``ci_lower`` and ``ci_upper``; without them the bounds are missing.
    months
        Length of the periods where it is not the one of the definition; 0 for a day.

    Returns
    -------
    pandas.DataFrame
        ``kpi``, ``segment``, ``until``, ``months`` (missing: as defined), ``value``, ``ci_lower``, ``ci_upper``
        (missing where the value is), ``n``.

    Examples
    --------
    >>> moved = pd.DataFrame({"segment": "All", "until": pd.to_datetime(["2025-01-31"]), "arpa": 9.5, "paying": 20})
    >>> history_rows("arpa", moved, "arpa", n="paying")[["kpi", "value", "ci_lower", "n"]].to_dict("list")
    {'kpi': ['arpa'], 'value': [9.5], 'ci_lower': [nan], 'n': [20]}
    """
    known = table[value].notna()
    unknown = pd.Series(np.nan, table.index)
    ends = {end: table.get(f"{bounds}{end}", unknown).where(known) for end in ("ci_lower", "ci_upper")}
    values = {"value": table[value], **ends, "n": table[n].astype("Int64")}
    length = float("nan") if months is None else float(months)
    return pd.DataFrame({"kpi": kpi, "segment": table["segment"], "until": table["until"], "months": length} | values)


def month_ends(table: pd.DataFrame, *, first: str = "month", months: int = 1) -> pd.DataFrame:
    """Add ``until``, the last day of each period of months, of which a column holds the first."""
    return table.assign(until=pd.to_datetime(table[first]) + pd.offsets.MonthEnd(months))
