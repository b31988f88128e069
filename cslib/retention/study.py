"""The study of retention: whether customers stay, whether newer ones are better, whether their revenue stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.data.drift import drift, drift_before, recent_lives
from cslib.data.lives import counted_as
from cslib.retention import cohorts as estimate
from cslib.retention import headlines as told
from cslib.retention import revenue as money
from cslib.retention import words
from cslib.show.charts import largest_segments, left_out, lines_with_bands, panels_with_bands
from cslib.show.estimates import MAX_COHORTS, retention_heatmap
from cslib.show.formats import whole
from cslib.show.result import Answer, Result, Study
from cslib.stats.survival import survival_at, survival_curve

LOW: Final = 0.5  # highest share below which the first period would flatten a curve
COMPARED: Final = ["comparison", "cohort", "rate_newer", "rate_older", "difference", "p_adjusted"]
UNITS: Final = {"p_adjusted": "p_value", "rate_newer": "percent", "rate_older": "percent", "difference": "points"}
LABELS: Final = {"p_adjusted": "p", "rate_newer": "Newer", "rate_older": "Older", "cohort": "Since"}


@dataclass(frozen=True, repr=False, eq=False)
class Retention(Study):
    """Do customers stay, and are newer ones better? Customers are followed from the period in which they started.

    Attributes
    ----------
    data
        As from :func:`cslib.load`. Data that hold tenures and no dates are followed by months of tenure.
    by
        A column to compare customers by; empty for the whole only.
    source
        ``subscriptions``, ``customers``, ``usage`` or ``orders``; empty: the first that is there.
    period
        ``day``, ``week``, ``month``, ``quarter`` or ``year``.
    kind
        ``on`` (retained in that period), ``on_or_after``, or brackets of periods such as ``1-3,4-6``.
    max_periods
        How many periods to follow a cohort.

    Raises
    ------
    MissingTableError
        The data have no table with dates of customers, and no tenures (when a finding is asked for).
    ParameterError
        A parameter is outside its choices; a column is not there (when a finding is asked for).

    Examples
    --------
    Of two customers who start in January, one comes back in February.

    >>> import pandas as pd, cslib
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": 1,
    ...                        "ordered_on": ["2025-01-03", "2025-02-01", "2025-01-20"]})
    >>> retained = Retention(cslib.load({"orders": orders}, as_of="2025-02-28"))
    >>> retained.by_age.title
    '50 % of customers who joined by January 2025 ordered in month 1'
    >>> retained.by_age.table[["period_index", "n_customers", "n_retained"]].values.tolist()
    [[0, 2, 2], [1, 2, 1]]
    >>> print(", ".join(retained.findings()))
    by_age, cohorts, years, comparison, revenue, revenue_by_segment
    """

    data: DataSet
    by: str = ""
    source: str = asked("", "subscriptions, customers, usage, orders or empty")
    period: str = asked("month", "day, week, month, quarter or year")
    kind: str = asked("on", "on, on_or_after or N-N,…")
    max_periods: int = asked(24, "1 to 5000")

    @cached_property
    def answer(self) -> Answer:
        """Headline sentence and cards."""
        say, known = self._say, (self._told_first, self._contrast)
        whom = say.subtitle(told.followed(self._triangle, self._curve))
        text = say.answer(*known, self._newest if len(self._newest) else self._years_told)
        cards = tuple(say.cards(self._marks, self._contrast))  # one curve, of all
        return Answer(whom, text, cards, notes=tuple(filter(None, self._bridges())))

    def _bridges(self) -> Iterator[str]:
        """Say how this goes with the churn report, where both are about customers."""
        if not self._of_customers:
            return
        found, year = drift(self.data), self._told_first[self._told_first["period_index"] == 12]
        if pd.notna(self._stay) and self._recent:
            yield self._say.at_the_pace(year.iloc[0], self._stay, by=self.by)
        elif pd.notna(self._stay):
            yield self._say.beside_churn(year.iloc[0], self._stay, unit=counted_as(self.data))
        if found and self._contrast is not None and self._contrast.together and not self._contrast.newest:
            yield self._say.bridge(found, drift_before(self.data, self._contrast.cohort.date()), self._contrast)

    @property
    def _of_customers(self) -> bool:
        return self._say.held and self._dated and self.data.has_dates("customers")

    @cached_property
    def _recent(self) -> bool:
        """Whether the churn report rests on the last 12 months alone."""
        found = drift(self.data) if self._of_customers else None
        return bool(found and found.carries)

    @cached_property
    def _stay(self) -> float:
        """Share that stays longer than 12 months in the churn report; missing where it is not held to this."""
        told_here = self.period == "month" and self.kind == "on" and (self._marks["period_index"] == 12).any()
        if not self._of_customers or not told_here:
            return math.nan
        lives = recent_lives(self.data, drift(self.data))
        return float(whole(survival_at(survival_curve(lives), [12]))["survival"].iloc[0])

    @cached_property
    def by_age(self) -> Result:
        """How long do customers stay?"""
        shown, name, say = largest_segments(self._curve), "retention_curve", self._say
        caption = "Retention, all cohorts pooled" if self._dated else "Still here by month of tenure (Kaplan–Meier)"
        if self._curve.empty:
            return Result(name, self._curve, absent=words.NOTHING_OVER, caption=caption)
        extremes = self._landmarks.extremes(shown)
        below = f"Below: customers followed that long.{left_out(self._curve, shown)}"
        plotted = f"Share of customers retained, by {say.since}. Bands: 95 % intervals. {below}"
        title, chart = say.segments(extremes, self._marks), self._lines(_told(shown), "retention_rate", say.names)
        rest: Any = {"how_to_read": say.how_to_read, "caption": caption}
        rest["notes"] = segment_remark(self.data, self.by)
        rest["warnings"] = (words.RIGHT_EDGE,) * (say.kind == "on_or_after")
        return Result(name, self._curve, title, plotted, chart, **rest)

    @cached_property
    def cohorts(self) -> Result:
        """Are newer cohorts better?"""
        name, table, say, caption = "retention", self._triangle, self._say, "Retention by cohort"
        if not self._dated:
            return Result(name, table, absent=words.UNDATED, caption=caption)
        finding = self._newer if say.kind == "on" else caption
        plotted = say.heatmap(told.followed(table, self._curve), most=MAX_COHORTS)
        halves = None if self._contrast is None or self._contrast.newest else self._contrast
        split = None if halves is None else halves.cohort
        chart = partial(retention_heatmap, table, period=say.period, names=say.names, pooled=self._curve, split=split)
        how, notes = ("Heatmap of cohorts", words.HOW_TO_READ_HEATMAP), () if halves is None else (say.split(halves),)
        return Result(name, table, finding, plotted, chart, *how, caption=caption, notes=notes)

    @cached_property
    def years(self) -> Result:
        """How did customers stay by the year in which they started?"""
        name, say, caption = "cohort_years", self._say, "Retention by year of start"
        table = self._years_curve
        few = words.NO_YEARS if table["segment"].nunique() < 2 else ""
        if why := few or words.EDGE_YEARS * (say.kind == "on_or_after"):
            return Result(name, table, absent=why, caption=caption)
        shown = largest_segments(table)
        title = say.years(self._extreme_years)
        chart = self._lines(_told(shown), "retention_rate", say.names, meaning="years")
        plotted = f"Share retained, by {say.since}, of customers who started in each year. Bands: 95 % intervals."
        return Result(name, table, title, plotted, chart, "Line chart by year of start", caption=caption)

    @cached_property
    def comparison(self) -> Result:
        """Is the difference between newer and older cohorts more than chance?"""
        name, table = "cohort_comparison", self._compared
        if table.empty:
            return Result(name, table, absent=words.NO_TEST, caption="Newer against older cohorts")
        shown = table[COMPARED].assign(comparison=table["comparison"].replace(words.COMPARED))
        return Result(name, table, caption=self._say.compared(table), shown=shown, formats=UNITS, labels=LABELS)

    @cached_property
    def revenue(self) -> Result:
        """Does their revenue stay?"""
        name, pooled, say = "revenue_curve", self._pooled, self._say
        rest: Any = {"caption": "Revenue retention, all cohorts pooled"}
        if self._levels is None:
            return Result(name, pooled, absent=self._unpaid, **rest)
        by_cohort = money.revenue_retention(self._levels)
        rest["also"] = (Result("revenue_retention", by_cohort, caption="Revenue by cohort"),)
        if self._unpaid:
            return Result(name, pooled, absent=self._unpaid, **rest)
        plotted, rest["notes"] = f"MRR as a share of the first MRR, by {say.since}.", (words.NRR,)
        joined = self._landmarks.joined_by(by_cohort, told="mrr")
        chart = self._lines(money.net_and_gross(pooled), "share", meaning="kinds")
        return Result(
            name, pooled, say.revenue(self._landmarks.revenue_kept(pooled), joined),
            f"{plotted} Net counts expansion, gross counts each customer at most at its first MRR.",
            chart, "Line chart of net and gross revenue retention", **rest,
        )  # fmt: skip

    @cached_property
    def revenue_by_segment(self) -> Result:
        """Whose revenue stays best?"""
        name, table = "revenue_segments", money.net_by_segment(self._pooled)
        caption = "Net revenue retention by segment"
        if self._unpaid or not self.by:  # said already, or nothing to say
            return Result(name, table if self.by else table.head(0), caption=caption, most=0)
        shown = largest_segments(table)
        plotted = f"MRR as a share of the first MRR, by {self._say.since}. Bands: 95 % intervals."
        title = self._say.revenue_segments(self._landmarks.extreme_shares(shown))
        how: Any = {"x": "period_index", "y": "share", "x_label": self._say.since, "n": "n_customers"}
        chart = partial(panels_with_bands, shown, **how)
        return Result(name, table, title, plotted + left_out(table, shown), chart, caption=caption)

    @cached_property
    def _dated(self) -> bool:
        return estimate.has_calendar(self.data)

    @cached_property
    def _say(self) -> words.Wording:
        if not self._dated:
            return words.Wording("tenure")
        return words.Wording(self.source or estimate.default_source(self.data), self.kind, self.period)

    @cached_property
    def _by_year(self) -> pd.DataFrame:
        return estimate.by_cohort_year(self._triangle)

    @cached_property
    def _years_curve(self) -> pd.DataFrame:
        return estimate.retention_curve(self._by_year)

    @cached_property
    def _extreme_years(self) -> pd.DataFrame:
        """Of the years in the chart."""
        shown = largest_segments(self._years_curve)
        return self._landmarks.extreme_years(self._by_year[self._by_year["segment"].isin(shown["segment"])])

    @property
    def _years_told(self) -> pd.DataFrame:
        """Two years that say more than the halves of the cohorts, where there are any."""
        known = self._dated and self._say.kind == "on" and self._contrast is not None
        return told.borne_out(self._extreme_years, self._contrast) if known else pd.DataFrame()

    @cached_property
    def _newest(self) -> pd.DataFrame:
        """The newest year that has come through 12 months and the one before, where these bear out a change."""
        return told.borne_out(self._landmarks.newest_years(self._triangle), self._contrast)

    @cached_property
    def _told_first(self) -> pd.DataFrame:
        """The landmarks of the answer: after 12 months those of the newest year, where it is told."""
        marks, year = self._marks, self._marks["period_index"] == 12
        for _, newest in self._newest.head(1).iterrows():
            shares = ["n_customers", "n_retained", "retention_rate", "ci_lower", "ci_upper"]
            marks = marks.assign(within=marks["within"].mask(year, 12))
            marks.loc[year, shares] = newest[shares].to_numpy()
        return marks

    @property
    def _newer(self) -> str:
        """What is found of newer cohorts: by how much they are ahead, where the answer has the shares by year."""
        if self._contrast is not None and (len(self._newest) or len(self._years_told)):
            return self._say.ahead(self._contrast)
        return self._say.difference(self._contrast).replace("**", "").rstrip(".")

    @property
    def _landmarks(self) -> told.Landmarks:
        return told.Landmarks(self._say.kind, self._say.period)

    @cached_property
    def _triangle(self) -> pd.DataFrame:
        if not self._dated:
            return pd.DataFrame(columns=estimate.TRIANGLE).astype({"cohort": "datetime64[ns]"})
        how: Any = {"source": self._say.source, "period": self.period, "kind": self.kind}
        return estimate.retention(self.data, segment_by=self.by, max_periods=self.max_periods, **how)

    @cached_property
    def _curve(self) -> pd.DataFrame:
        if self._dated:
            return estimate.retention_curve(self._triangle)
        return estimate.tenure_curve(self.data, segment_by=self.by, max_periods=self.max_periods)

    @cached_property
    def _compared(self) -> pd.DataFrame:
        if not self._dated:
            return pd.DataFrame(columns=estimate.COMPARISON)
        return estimate.compare_cohorts(self.data, source=self._say.source, period=self._say.period)

    @cached_property
    def _marks(self) -> pd.DataFrame:
        marks = self._landmarks.of(self._curve)
        return marks.assign(joined=marks["period_index"].map(self._landmarks.joined_by(self._triangle)), within=0)

    @cached_property
    def _contrast(self) -> pd.Series[Any] | None:
        return told.contrast(self._compared)

    @cached_property
    def _levels(self) -> pd.DataFrame | None:
        if not self.data.has_dates("subscriptions"):
            return None
        ages: Any = {"period": self._say.period, "max_periods": self.max_periods}
        return money.revenue_levels(self.data, segment_by=self.by, **ages)

    @cached_property
    def _unpaid(self) -> str:
        if self._levels is None:
            return words.UNPAID
        return "" if self._pooled["net_retention"].notna().any() else words.NOTHING_PAID

    @cached_property
    def _pooled(self) -> pd.DataFrame:
        return pd.DataFrame(columns=money.CURVE) if self._levels is None else money.revenue_curve(self._levels)

    def _lines(
        self, table: pd.DataFrame, y: str, names: dict[int, str] | None = None, *, meaning: str = "segments"
    ) -> Callable[[], Any]:
        how: Any = {"x_label": self._say.axis, "n": "n_customers", "names": names, "meaning": meaning}
        return partial(lines_with_bands, table, x="period_index", y=y, **how)


def _told(curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out a first period in which all are active by definition: beside it the others could not be told apart."""
    later = curve[curve["period_index"] > 0]
    known = (curve.loc[curve["period_index"] == 0, "retention_rate"] == 1).all()
    return later if known and len(later) and later["retention_rate"].max() < LOW else curve
