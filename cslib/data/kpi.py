"""What a KPI is: its definition, and how its values over time are told alike by every topic."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite, isnan, nan
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from cslib.data.dataset import DataSet
from cslib.errors import DataError

GROUPS: Final = ("growth", "retention", "value", "sentiment", "engagement")
NO_MARGIN: Final = "gross_margin is not set, so that all revenue counts as margin"
SCORECARD: Final = "scorecard#Where does every KPI stand?"
HISTORY: Final = ["kpi", "segment", "until", "months", "value", "ci_lower", "ci_upper", "n"]
UNCLEAR: Final = "not clear"
JUDGED: Final = ("met", "missed", UNCLEAR)
DIGITS: Final = 12  # of a share: what 1 less another has beyond is rounding
LIKELY_PERCENT: Final = 5.0  # a share above it was meant in percent, where it can pass 1
CHURN: Final[Any] = {"kpi": "customer_churn_rate", "unit": "percent", "direction": "down"}  # told by two topics
COMPLEMENTS: Final[Mapping[str, str]] = {  # each is 1 less the other, so that a target of one is a target of both
    "customer_churn_rate": "customer_retention_rate",
    "customer_retention_rate": "customer_churn_rate",
    "revenue_churn_rate": "revenue_retention_rate",
    "revenue_retention_rate": "revenue_churn_rate",
}
OVER_YEAR: Final = [
    *("kpi", "segment", "value", "ci_lower", "ci_upper", "n", "before", "of_all", "of_all_lower", "of_all_upper"),
    *("trend", "p_adjusted", "verdict"),
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

    @property
    def ends(self) -> tuple[float, ...]:
        """Its ends that are not open, the lower one first."""
        return tuple(float(end) for end in (self.low, self.high) if isfinite(end))

    @property
    def turned(self) -> Target:
        """The same of 1 less what it is of: at least 97 % stay where at most 3 % leave."""
        return Target(round(1 - self.high, DIGITS), round(1 - self.low, DIGITS))

    def judge(self, low: float, high: float, *, of_all: float = nan) -> str:
        """Tell what an interval says of it.

        Parameters
        ----------
        low, high
            Of what is measured; not known: missing.
        of_all
            The value weighted to everybody, where those whom the interval is of clearly differ from the others; else
            missing. A target that it misses is not met.

        Returns
        -------
        str
            One of `JUDGED`: ``met`` or ``missed`` where all of the interval says so.

        Examples
        --------
        >>> goal = Target(40.0, float("inf"))
        >>> [goal.judge(41, 46), goal.judge(41, 46, of_all=32), goal.judge(38, 46), goal.judge(30, 39)]
        ['met', 'not clear', 'not clear', 'missed']
        """
        low, high = -inf if isnan(low) else low, inf if isnan(high) else high
        if low >= self.low and high <= self.high:
            return "met" if isnan(of_all) or self.low <= of_all <= self.high else UNCLEAR
        return "missed" if high < self.low or low > self.high else UNCLEAR


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
        first): ``before`` is the value of the 12 months before, where these are known; ``of_all`` is the value weighted
        to everybody, with its interval, where those whom it is known of clearly differ, else missing; ``trend`` is
        ``rising`` or ``falling`` where its topic finds a clear change from the months before, else empty;
        ``p_adjusted`` and ``verdict`` are what the topic says of a segment beside the others (``above``, ``below``,
        empty), missing where it is not compared there.
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

    def target(self, given: Mapping[str, Any]) -> Target | None:
        """Read its target among those of a data set, or else that of its complement; None where there is none.

        Raises
        ------
        DataError
            It is wrong, see :func:`read_target`. Those of other KPIs are not looked at.
        """
        how: Any = {"unit": self.unit, "direction": self.direction, "most": self.reach[1]}
        return target_among(given, kpi=self.id, **how)

    def judged(
        self, target: Target | None, value: float, ends: tuple[float, float] = (nan, nan), *, of_all: float = nan
    ) -> str:
        """Tell how a value stands to the target.

        Parameters
        ----------
        target
            As from :meth:`target`.
        value, ends, of_all
            As for :meth:`Target.judge`: the value counts itself where it is exact.

        Returns
        -------
        str
            One of `JUDGED`; empty without a target or value, or where something is not set that gives it its meaning.
        """
        if target is None or isnan(value) or self.unset:
            return ""
        return target.judge(*((value, value) if self.exact else ends), of_all=of_all)


def target_among(given: Mapping[str, Any], *, kpi: str, unit: str, direction: str, most: float = 1.0) -> Target | None:
    """Read the target of one KPI among those of a data set; where it has none, that of its complement, turned.

    Parameters
    ----------
    given
        By KPI, as in ``cslib.toml``.
    kpi, unit, direction, most
        As for :func:`read_target`.

    Raises
    ------
    DataError
        As :func:`read_target`, or it and its complement have targets that are not the same; of no other target.

    Examples
    --------
    >>> target_among({"customer_retention_rate": 0.97}, **CHURN)
    Target(low=-inf, high=0.03)
    """
    other = COMPLEMENTS.get(kpi, "")
    opposite = {"up": "down", "down": "up"}.get(direction, direction)
    how: Any = {"unit": unit, "most": most}
    own = read_target(given[kpi], kpi=kpi, direction=direction, **how) if kpi in given else None
    turned = read_target(given[other], kpi=other, direction=opposite, **how).turned if other in given else None
    msg = f"[targets]: {kpi} is {given.get(kpi)!r} and {other} is {given.get(other)!r}, but each is 1 less the other. "
    DataError.when(bool(own and turned) and own != turned, msg + "Keep the one that holds.")
    return own or turned


def read_target(value: Any, *, kpi: str, unit: str, direction: str, most: float = 1.0) -> Target:
    """Read the target of one KPI.

    Parameters
    ----------
    value
        A number, or a list of two: the ends of a band.
    kpi, unit, direction
        Id of the KPI, and as of :class:`Kpi`.
    most
        That it can be.

    Raises
    ------
    DataError
        It is no number, two that do not ascend, one for a KPI that is to stay in a band, or a share in percent.

    Examples
    --------
    >>> read_target(0.02, **CHURN)
    Target(low=-inf, high=0.02)
    """
    ends = value if isinstance(value, list) else [value]
    number = all(isinstance(e, (int, float)) and not isinstance(e, bool) and abs(e) < inf for e in ends)
    if not number or len(ends) not in (1, 2) or ends != sorted(ends) or (isinstance(value, list) and len(ends) == 1):
        msg = f"[targets]: {kpi} is {value!r}. Give a number, or the two ends of a band: {kpi} = [1, 2]."
        raise DataError(msg)
    likely = LIKELY_PERCENT if most > 1 else 1.0
    hint = f"Did you mean {max(ends) / 100:g}?" if max(ends) > likely else "Give a number from 0 on."
    msg = f"[targets]: {kpi} is {value!r}, but it is a share of 1. {hint}"
    DataError.when(unit == "percent" and (min(ends) < 0 or max(ends) > likely), msg)
    if len(ends) == 2:
        return Target(float(ends[0]), float(ends[1]))
    msg = f"[targets]: {kpi} is to stay in a band. Give both ends: {kpi} = [{ends[0]!r}, {ends[0] * 2!r}]."
    DataError.when(direction == "band", msg)
    end = float(ends[0])
    return Target(end, inf) if direction == "up" else Target(-inf, end)


def never_recorded(data: DataSet) -> str:
    """Say that churn of so many customers was never recorded, or that nobody left; empty where it was."""
    return next((f.message for f in data.faults if f.rule == "no churn"), "")


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
