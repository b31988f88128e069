"""The study of revenue: what recurs, what moved it, what is kept of it and what keeping it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.retention.revenue import net_and_gross, net_by_segment, revenue_levels, revenue_retention
from cslib.revenue import charts, spending, words
from cslib.revenue import headlines as told
from cslib.revenue import movements as estimate
from cslib.revenue.kpis import aims
from cslib.show.charts import largest_segments, left_out, lines_with_bands, panels_with_bands, undrawn, well_observed
from cslib.show.formats import in_full, whole
from cslib.show.result import Answer, Result, Study
from cslib.value.prices import unknown_months

YEAR: Final = 12
EVER: Final = 1200  # periods: every one there is


@dataclass(frozen=True, repr=False, eq=False)
class Revenue(Study):
    """How is recurring revenue doing, and what moved it? MRR is read at month ends, customer by customer.

    Attributes
    ----------
    data
        As from :func:`cslib.load`, with ``subscriptions``. Where only some customers were
        kept, what it costs to keep them is unknown.
    by
        A column to compare customers by; empty for the whole only.
    gross_margin
        Share of MRR that is margin; 0: as declared with the data, or all of it.

    Raises
    ------
    MissingTableError
        There is no ``subscriptions`` (when a finding is asked for).
    DataError
        No month of them is complete.

    Examples
    --------
    One customer pays 10, then 15; another pays 20 in January and leaves.

    >>> import pandas as pd, cslib
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "mrr": [10, 15, 20],
    ...                      "started_on": ["2025-01-05", "2025-02-05", "2025-01-09"],
    ...                      "ended_on": ["2025-02-05", None, "2025-02-20"]})
    >>> revenue = Revenue(cslib.load({"subscriptions": rows}, as_of="2025-02-28"))
    >>> revenue.last_month.title
    'MRR fell by 15 in February 2025: 5 added, all from expansion; 20 lost, all to churn'
    >>> revenue.by_month.table["closing"].tolist()
    [15.0, 30.0]
    >>> print(", ".join(revenue.findings()))
    last_month, by_month, kept, year, movers, layers, sold, costs, definitions
    """

    data: DataSet
    by: str = ""
    gross_margin: float = asked(0.0, "0 to 1")

    @cached_property
    def answer(self) -> Answer:
        """Headline sentence and cards."""
        balance, say, kept = self._moves.balance, self._say, self._kept
        text = say.answer(balance, kept, self._of_year.least_kept(self._moved))
        return Answer(say.subtitle(balance), text, tuple(say.cards(self._moved, kept, self._moves.left_in_a_year)))

    @cached_property
    def last_month(self) -> Result:
        """What moved MRR in the last month?"""
        steps, month = estimate.waterfall(self._moved, periods=1), self._whole["month"].iloc[-1]
        return Result(
            "last_month", steps, self._say.waterfall(told.largest_moves(steps), period=f"{month:%B %Y}"),
            "MRR at the start and at the end of the last complete month, and what changed it.",
            partial(charts.waterfall_chart, steps, currency=self.data.currency), "Waterfall",
            caption="Movements of MRR, last month",
        )  # fmt: skip

    @cached_property
    def by_month(self) -> Result:
        """What moved it, month by month?"""
        alone = self._say.last_quick(self._moves.quick_ratios(months=1), self._whole["month"].max())
        return Result(
            "mrr_movements", _latest_first(self._moved), self._say.quick(self._moves.quick_ratios()),
            "MRR gained above the line and lost below it, month by month. Points: the net change.",
            partial(charts.movement_bars, self._whole, currency=self.data.currency), "Stacked bars",
            caption="Movements of MRR, the last month first", notes=(*alone, *self._say.far_out(self._far_out)),
        )  # fmt: skip

    @cached_property
    def kept(self) -> Result:
        """What is kept of a year's revenue?"""
        name, table = "nrr_12_months", _latest_first(self._kept)
        caption = "Revenue kept over twelve months"
        if table.empty:
            return Result(name, table, absent=words.TOO_YOUNG, caption=caption)
        both = net_and_gross(self._kept, x="month").replace({"segment": words.KEPT})
        lines = net_by_segment(self._kept, x="month") if self.by else both
        shown = well_observed(largest_segments(lines), least=30)
        held = told.years_that_hold(self._far_out, shown["month"])
        few = "fewer than 30 such customers in each month"
        return Result(
            name, table, self._kept_title,
            "MRR of those who were customers twelve months earlier, as a share of what they paid then. Bands: 95 %."
            + self._say.shaded(self._far_out) * bool(held) + left_out(lines, shown) + undrawn(shown, "share", few=few),
            partial(charts.with_span, self._draw_kept(shown), held), how_to_read=words.HOW_TO_READ_TRAILING,
            caption=caption,
            notes=self._say.left_the_year(self._of_year.left_the_year(self._far_out))
            + segment_remark(self.data, self.by),
        )  # fmt: skip

    def _draw_kept(self, shown: pd.DataFrame) -> partial[Any]:
        draw, target = panels_with_bands if self.by else lines_with_bands, self._say.targets.get("nrr")
        aimed: Any = {"target": target.ends} | ({} if self.by else {"target_of": "NRR"}) if target else {}
        return partial(draw, shown, x="month", y="share", x_label="", n="n_customers", unit="percent", **aimed)

    @cached_property
    def year(self) -> Result:
        """What made it so?"""
        name, caption = "nrr_steps", "From the MRR of a year before to what the same customers pay now"
        steps = estimate.kept_steps(self._kept)
        if steps.empty:
            return Result(name, steps, absent=words.TOO_YOUNG, caption=caption)
        last = whole(self._kept)["month"].iloc[-1]
        return Result(
            name, steps, self._say.year(told.shares_of_steps(steps)), self._say.compared(last),
            partial(charts.waterfall_chart, steps, currency=self.data.currency), "Waterfall", caption=caption,
            notes=self._pauses,
        )  # fmt: skip

    @cached_property
    def movers(self) -> Result:
        """Which customers changed it most?"""
        name = "mrr_movers"
        caption = "Customers of a year before whose MRR has changed most, first the largest falls and rises"
        if self._kept.empty:
            return Result(name, pd.DataFrame(columns=["customer_id"]), absent=words.TOO_YOUNG, caption=caption)
        month = whole(self._kept)["month"].iloc[-1]
        table = estimate.movers(self.data, until=month, months=YEAR, column=self.by)
        why = "" if len(table) else words.NO_MOVERS
        last = whole(self._kept).iloc[-1]
        back = estimate.came_back(self.data, until=month, months=YEAR)
        also = self._say.came_back(back, last.n_opening - last.n_kept)
        formats = dict.fromkeys(("before", "now", "change"), "amount")
        moved = told.who_moved(table, last)
        title = self._say.movers(moved, cut=len(table) == estimate.MOST)
        return Result(
            name, table, title, caption=caption, absent=why, formats=formats, most=10, shown=_both_ways(table),
            labels=words.MOVERS | ({"segment": self.by[:1].upper() + self.by[1:].replace("_", " ")} if self.by else {}),
            notes=(*also, *(words.ONLY_LARGEST,) * (len(table) == estimate.MOST), *self._pauses),
        )  # fmt: skip

    @cached_property
    def layers(self) -> Result:
        """Where does it come from?"""
        table = estimate.layers(revenue_retention(revenue_levels(self.data, max_periods=EVER)))
        if table.empty:
            why = "Nobody has paid anything at the end of a month yet."
            return Result("layers", table, absent=why, caption="MRR by year of the first subscription")
        return Result(
            "layers", table, self._say.layers(told.shares_by_year(table)),
            "MRR by the year in which customers first subscribed.",
            partial(charts.layer_cake, table, currency=self.data.currency), "Layered area chart",
            caption="MRR by year of the first subscription", notes=self._say.held(told.held_by_year(table)),
        )  # fmt: skip

    @cached_property
    def sold(self) -> Result:
        """What do existing customers buy?"""
        name, caption = "conversions", "Orders by kind, up to twelve months to each"
        known = spending.has_kinds(self.data)
        table = spending.conversions(self.data, months=YEAR) if known else pd.DataFrame(columns=spending.CONVERSIONS)
        if table.empty:
            return Result(name, table, absent=words.NO_KINDS, caption=caption)
        last, years = told.recent_sales(table), told.sales_by_year(table).replace({"segment": words.NAMES})
        if last.empty:
            return Result(name, table, caption=caption, most=0)
        title, counts = self._say.sold(last)
        rest: Any = {"notes": (counts, words.ORDERS), "caption": caption}
        if years.empty:
            return Result(name, table, f"{title}.", most=0, **rest)
        chart = partial(
            lines_with_bands, years, x="month", y="rate", x_label="", n="n_all", n_label="orders", meaning="kinds"
        )
        return Result(name, table, title, words.SOLD_OVER_TIME, chart, **rest)

    @cached_property
    def costs(self) -> Result:
        """What does it cost to keep and to win customers?"""
        name, caption = "crc", "Cost of keeping and winning customers"
        if "costs" not in self.data.tables:
            return Result(name, pd.DataFrame(columns=spending.COSTS), absent=words.NO_COSTS, caption=caption)
        margin = self.data.margin(self.gross_margin)
        cost = partial(spending.retention_cost, self.data, self._moved, gross_margin=margin)
        title = self._say.costs(cost(months=min(YEAR, self._moved["month"].nunique())))
        notes = (words.COSTS_OF_ALL,) * (self.data.unfiltered is not None) + unknown_months(self.data.everybody)
        return Result(name, cost(), title, notes=notes, caption=caption, most=0)

    @cached_property
    def definitions(self) -> Result:
        """Whose definition?"""
        ways = estimate.conventions(self._moved)
        shown = ways.assign(shown=self._say.rates(ways))[["measure", "convention", "shown", "formula"]]
        return Result(
            "definitions", ways, self._say.definitions(told.spread(ways)), shown=shown,
            caption="The same months under several definitions",
            labels={"shown": f"Last {min(YEAR, len(self._whole))} months"},
        )  # fmt: skip

    @property
    def _pauses(self) -> tuple[str, ...]:
        return (words.PAUSES,) * bool(self.data.pause_months)

    @cached_property
    def _say(self) -> words.Wording:
        return words.Wording(self.data.currency, aims(self.data))

    @cached_property
    def _moved(self) -> pd.DataFrame:
        return estimate.movements(self.data, segment_by=self.by)

    @property
    def _kept_title(self) -> str:
        year = self._of_year
        return self._say.kept(self._kept, year.a_year_before, year.best_and_worst, year.alike_at_the_bottom)

    @cached_property
    def _moves(self) -> told.Moves:
        return told.Moves(self._moved)

    @cached_property
    def _of_year(self) -> told.Kept:
        return told.Kept(self._kept)

    @cached_property
    def _far_out(self) -> pd.Series[Any] | None:
        return told.far_out(self.data, self._moved)

    @cached_property
    def _whole(self) -> pd.DataFrame:
        return whole(self._moved)

    @cached_property
    def _kept(self) -> pd.DataFrame:
        return estimate.trailing(self.data, segment_by=self.by, months=YEAR)


def _both_ways(movers: pd.DataFrame) -> pd.DataFrame:
    """Put the five largest falls and then the five largest rises before all others."""
    rises = movers["change"] > 0
    first = movers.groupby(rises).cumcount() < 5
    movers = movers.assign(**{c: in_full(movers[c]) for c in ("before", "now", "change")})
    return pd.concat([movers[first & ~rises], movers[first & rises], movers[~first]], ignore_index=True)


def _latest_first(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["month", "segment"], ascending=[False, True], ignore_index=True)
