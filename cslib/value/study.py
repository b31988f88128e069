"""The study of customer value: what a customer is worth, how sure that is, and what would raise it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.data.drift import Drift, drift
from cslib.data.lifetimes import lifetimes, unit_months
from cslib.data.lives import counted_as, settled
from cslib.data.parts import split_by
from cslib.data.words import assumed_pace
from cslib.errors import stretch
from cslib.show.charts import largest_segments, left_out, lines_with_bands, panels_with_bands
from cslib.show.formats import months, whole
from cslib.show.result import Answer, Result, Study
from cslib.stats.models import fit_averaged
from cslib.value import ltv as worth
from cslib.value import words
from cslib.value.backtest import ACTIVE, backtest, last_year
from cslib.value.charts import earned_back, foretold, told_apart
from cslib.value.first_price import slow_starts
from cslib.value.paths import Paths, value_paths
from cslib.value.prices import ValueCounts, unit_costs, value_counts
from cslib.value.together import whole_paths

MOST: Final = 5  # segments in a chart, beside the whole
SINCE: Final[Any] = {"x_label": "months since the start", "unit": "number"}
STAYED: Final[Any] = {"x_label": "months stayed so far", "unit": "number"}
FLAT: Final = 4  # times: a segment with so much less would be a line along the axis
HALF: Final = 0.5  # of a value from beyond what is observed: it is mostly extrapolated


@dataclass(frozen=True, repr=False, eq=False)
class Value(Study):
    """What is a customer worth, and how sure are we?

    Costs are taken off as far as the data tell them: those of ``costs``, which are of all customers, whoever
    ``where`` keeps, and the ``acquisition_cost`` of customers.

    Attributes
    ----------
    data
        With ``customers`` and prices: ``subscriptions``, ``mrr`` of customers, or ``orders``.
    by
        A column to compare customers by, such as ``plan``; empty for the whole only.
    gross_margin
        Share of revenue that is margin, 0–1; 0: as declared with the data, or all of it.
    annual_discount_rate
        Share by which money is worth less a year later, 0–1.
    horizon_months
        Of value; 0: three years, or twice the time observed where that is less.
    long_horizon
        Allow more than twice the time observed.
    currency
        Code to write before amounts; empty: that of the data. Nothing is converted.

    Raises
    ------
    MissingTableError
        When a finding is asked for: there are no customers, or no price of any.
    ParameterError
        At once where a parameter is out of its range; likewise where the horizon is too long for the data, or no table
        has the column.

    Examples
    --------
    >>> import cslib as cs
    >>> table = pd.DataFrame({"customer_id": list("abcd"), "tenure_months": [1, 2, 3, 3], "mrr": 10.0,
    ...                       "churned": [True, False, False, False], "plan": ["Pro", "Team", "Pro", "Team"]})
    >>> value = cs.Value(cs.load({"customers": table}), by="plan", gross_margin=0.8, horizon_months=3)
    >>> value.ltv.title
    'A new customer is worth 20.50 after 3 months'
    >>> value.forms.table.query("method == 'Survival'")["ltv"].round(2).tolist()
    [20.5, 17.28, 24.0]
    >>> print(", ".join(value.findings()))
    ltv, payback, base, steps, what_if, backtest, backtest_revenue, by_age, forms, bridge, costs
    """

    data: DataSet
    by: str = ""
    gross_margin: float = asked(0.0, "0 to 1")
    annual_discount_rate: float = asked(0.0, "0 to 1")
    horizon_months: int = asked(0, "0 to 600")
    long_horizon: bool = False
    currency: str = ""

    @cached_property
    def answer(self) -> Answer:
        """What a customer is worth, in a sentence and four numbers."""
        how: Any = {
            "terms": self._terms,
            "source": self._values.source,
            "found": self._drift,
            "added_by": self._added_by,
        }
        how |= {"later": any(p.come_back for p in self._paths.values()), "unit": counted_as(self.data)}
        tables = (self._forms, self._worth.base_value, self._worth.payback, last_year(self._tested))
        told = self._say.answer(*tables, **how, standard=not self.horizon_months)
        day = settled(self.data) if self.data.as_of else None
        pending = (words.PENDING.format(day=f"{day:%-d %B %Y}"),) if day and day != self.data.as_of else ()
        return replace(told, warnings=(*pending, *told.warnings))

    @cached_property
    def ltv(self) -> Result:
        """What does a customer bring, and by when?"""
        forms, observed = self._forms, worth.observed_part(self._paths, self._forms)
        table, pay = self._worth.cumulative, self._worth.payback
        shown, net = self._drawn(table, "net_value"), bool(pay["cac"].notna().any())
        why = "What a new customer brings cannot be told: nobody left, or early ages were not observed."
        title = self._say.ltv(forms, pay)
        less = ", less what it cost to win" * net
        plotted = f"{self._unit} that a new customer has brought{less}. Bands: 95 % intervals.{self._fewer}"
        columns: Any = {"x": "month", "y": "net_value"}
        lines = partial(_lines(shown, "net_value"), shown, **columns, **SINCE)
        chart = partial(told_apart, lines, shown, **columns, beyond="extrapolated")
        if whole(pay)["payback_months"].lt(float("inf")).any():
            chart = partial(earned_back, chart, shown, pay)
            plotted = f"{plotted} Circle: acquisition cost is recovered."
        late = self._say.slow_starts(slow_starts(self._paths, self._terms, pay), segments=self._largest)
        notes = (*late, *self._say.reliance(forms, self._drawn(observed, "segment"), recent=self._carried))
        also = (
            Result("cumulative_value", table, caption="Value of a new customer, month by month"),
            Result("observed_part", observed, caption="How far the data reach, and what is used beyond"),
        )
        rest: Any = {"notes": (*notes, *segment_remark(self.data, self.by)), "absent": "" if len(shown) else why}
        return Result("ltv", forms, title, plotted, chart, also=also, caption="Value by form and horizon", **rest)

    @cached_property
    def payback(self) -> Result:
        """When is acquisition cost recovered?"""
        table = self._worth.payback
        known = bool(table["cac"].notna().any())
        said = self._say.payback(table)
        shown = self._say.payback_table(table, self._forms, segments=self._largest)
        how: Any = {"absent": "" if known else said, "shown": shown, "most": self._rows}
        said = said if self._rows else ""  # of all customers alone the cards tell it
        caption = f"Value over {months(self._spans[0])} and payback" if known else "Payback: no acquisition cost known"
        also = (Result("recovery", self._worth.recovery, caption="Acquisition cost recovered, by month"),)
        return Result("payback", table, said.rstrip("."), caption=self._amounts(caption), also=also, **how)

    @cached_property
    def base(self) -> Result:
        """What are today's customers worth?"""
        table = self._worth.base_value
        said, *notes = self._say.base(table, last_year(self._tested))
        shown = self._say.base_table(table, segments=self._largest)
        own = self._say.apart(self._added_by, self.by if len(self._paths) > 2 else "")
        pace = assumed_pace(recent=self._carried, by_start=self._worth.starts_differ)
        told = (*notes, *((pace,) * bool(len(shown) and self._paths["All"].n_events)), *own)
        how: Any = {"shown": shown, "notes": told, "most": self._rows}
        caption = f"Value of today's customers over the next {stretch(self._spans[0], 'month')}"
        return Result("base_value", table, self._heading(said), caption=self._amounts(caption), **how)

    @cached_property
    def steps(self) -> Result:
        """How does that come about?"""
        table = self._worth.base_steps
        shown = self._say.steps_table(self._worth.base_value, table)
        notes = tuple(self._say.rise(each, by=self.by) for each in self._overpaid) if len(shown) else ()
        caption = self._amounts("From today's MRR to that value, step by step")
        return Result("base_steps", table, caption=caption, shown=shown, notes=notes, most=len(shown))

    @cached_property
    def what_if(self) -> Result:
        """What would a change be worth?"""
        table = self._worth.what_if
        said = self._say.what_if(table, here=bool(whole(self._worth.base_value)["n_active"].iloc[0]))
        shown = self._say.gains(table, segments=self._largest)
        caption = f"What each change would add over {months(self._spans[0])}, with 95 % intervals"
        cheap = (words.LESS_THAN_SAID,) * self._worth.leavers_pay_less
        how: Any = {"shown": shown if self._rows else shown.drop(columns="Segment"), "most": len(shown)}
        fewer = self._fewer and f".{self._fewer}"
        how |= {"absent": "" if len(shown) else said, "caption": self._amounts(caption) + fewer}
        notes = (words.WHAT_A_CHANGE_IS, *cheap) if len(shown) else ()
        return Result("what_if", table, said.rstrip("."), notes=notes, **how)

    @cached_property
    def backtest(self) -> Result:
        """Would we have known a year ago how many stay?"""
        why = "There are no dates, too short a time or too few customers then, to forecast the last year"
        why = f"{why} from what was known before."
        return self._foretold("backtest", self._tested, ACTIVE, "Forecast a year ago and what happened", why)

    @cached_property
    def backtest_revenue(self) -> Result:
        """Would we have known a year ago what they bring?"""
        rows = self._tested[self._tested["measure"] != ACTIVE]
        caption = "Revenue forecast a year ago and what happened"
        measure = "".join(rows["measure"].iloc[:1])
        return self._foretold("backtest_revenue", rows, measure, caption, "Nor can revenue be forecast from then.")

    @cached_property
    def by_age(self) -> Result:
        """How does value change as a customer stays?"""
        table, span = self._worth.ltv_by_age, self._spans[0]
        shown = self._drawn(table, "residual_value")
        shown = shown.assign(unseen=shown["share_in_tail"] > HALF)
        ahead = f"the next {stretch(span, 'month')}"
        plotted = f"{self._unit} over {ahead}, before acquisition cost. Bands: 95 % intervals."
        columns: Any = {"x": "age_months", "y": "residual_value"}
        draw = _lines(shown, "residual_value")
        together = draw is lines_with_bands  # in panels the numbers would stand far from the ages they are of
        numbers: Any = {"n": "n_active" * together, "n_label": "customers of this age"}
        lines = partial(draw, shown, **columns, **STAYED, **numbers)
        chart = partial(told_apart, lines, shown, **columns, beyond="unseen", said="mostly extrapolated")
        why = "" if len(shown) else "What customers bring from an age on cannot be told, as nobody left."
        title = self._say.by_age(table)
        how = words.HOW_TO_READ_AGES + words.OF_THIS_AGE * together
        rest: Any = {"how_to_read": how, "absent": why, "caption": "Value by age"}
        return Result("ltv_by_age", table, title, plotted + self._fewer, chart, **rest)

    @cached_property
    def forms(self) -> Result:
        """What do other formulas say?"""
        forms, span = self._forms, self._spans[0]
        main = forms[(forms["horizon_months"] == span) | forms["horizon_months"].isna()]
        texts = self._say.forms_table(main)
        said = self._say.forms(forms)
        return Result(
            "forms", main, said.rstrip("."), caption=self._amounts("All forms, with 95 % intervals"), shown=texts
        )

    @cached_property
    def bridge(self) -> Result:
        """What leads from the simple formula to the value above?"""
        steps = self._worth.bridge
        reason = self._say.bridge(steps)
        why = "The simple formula cannot be compared: nobody left, or early ages were not observed."
        caption = self._amounts("From formula C to the survival form, step by step")
        return Result(
            "bridge",
            steps,
            reason.rstrip("."),
            shown=self._say.bridge_table(steps),
            caption=caption,
            absent="" if reason else why,
        )

    @cached_property
    def costs(self) -> Result:
        """What does a customer cost, and where do prices come from?"""
        books, pay = self._terms.costs, whole(self._worth.payback)["cac"].iloc[0]
        rows = [("retention", "customer and month", books.retention_per_month), ("acquisition", "new customer", pay)]
        table = pd.DataFrame(rows, columns=["cost", "per", "amount"])
        table["months"] = table["cost"].map(books.months).fillna("")
        why = "" if table["amount"].notna().any() else "No cost of a customer is known: nothing is taken off value."
        shown = table.rename(columns={"cost": "Cost", "per": "Per", "amount": "Amount", "months": "Months"})
        same = (words.KEPT_OR_HERE,) * ("subscriptions" in self.data.tables and pd.notna(books.retention_per_month))
        how: Any = {"shown": shown, "formats": {"Amount": "money"}, "notes": (*same, *self._values.notes, *books.notes)}
        caption = self._amounts("Costs that are taken off value")
        return Result("unit_costs", table, absent=why, caption=caption, **how)

    def _foretold(self, name: str, table: pd.DataFrame, measure: str, caption: str, why: str) -> Result:
        """Draw what was expected of one measure, and what happened."""
        if table.empty:
            return Result(name, table, absent=why, caption=caption)
        rows = whole(table)[whole(table)["measure"] == measure]
        expected = rows.assign(segment="expected", value=rows["predicted"])
        unknown = {"ci_lower": float("nan"), "ci_upper": float("nan")}
        lines = pd.concat([rows.assign(segment="what happened", value=rows["actual"], **unknown), expected])
        title = self._say.backtest(table, measure=measure)
        plotted = self._say.plotted(table, measure=measure)
        how: Any = {"x": "month", "y": "value", "x_label": "", "unit": "number", "y_label": measure, "meaning": "kinds"}
        chart = partial(foretold, partial(lines_with_bands, lines, **how), segment="expected")
        ends = last_year(self._tested)
        if measure == ACTIVE:
            notes = (*self._say.allowance(ends, of="customers"), words.BESIDE_CHURN)
        else:
            shown = ends[ends["segment"].isin(["All", *self._largest])]
            notes = (*self._say.in_steps(ends, by=self.by), *self._say.by_segment(shown))
            notes += self._say.allowance(ends, of="revenue")
        return Result(name, table, title, plotted, chart, notes=notes, caption=caption)

    @cached_property
    def _terms(self) -> worth.Terms:
        margin, costs = self.data.margin(self.gross_margin), unit_costs(self.data.everybody)
        return worth.Terms(gross_margin=margin, annual_discount_rate=self.annual_discount_rate, costs=costs)

    @cached_property
    def _values(self) -> ValueCounts:
        return value_counts(self.data, segment_by=self.by)

    @cached_property
    def _lives(self) -> pd.DataFrame:
        return lifetimes(self.data, segment_by=self.by)

    @cached_property
    def _spans(self) -> list[int]:
        return worth.horizons(self._lives, horizon_months=self.horizon_months, long_horizon=self.long_horizon)

    @property
    def _added_by(self) -> str:
        """The column over which all customers are summed, if they are."""
        return self._split if self._paths["All"].parts else ""

    @cached_property
    def _split(self) -> str:
        return split_by(self.data)

    @property
    def _ahead(self) -> dict[str, int]:
        return {"horizon_months": self._spans[0]}

    @cached_property
    def _drift(self) -> Drift | None:
        return drift(self.data)

    @property
    def _carried(self) -> bool:
        """Whether values rest on the last twelve months."""
        return bool(self._drift and self._drift.carries)

    @cached_property
    def _usual(self) -> dict[str, Paths]:
        """Survival and prices by age over all years, estimated once and drawn a thousand times."""
        _, values, spans = self._terms, self._values, self._spans  # what cannot be meant is refused before the work
        models = fit_averaged(self._lives, unit_months=unit_months(self.data))
        return value_paths(self._lives, values, models, horizon_months=max(spans))

    @cached_property
    def _paths(self) -> dict[str, Paths]:
        asked: Any = {"segment_by": self.by, "horizon_months": max(self._spans)}
        return whole_paths(self.data, self._drift, **asked, split=self._split, usual=self._usual)

    @cached_property
    def _forms(self) -> pd.DataFrame:
        forms = worth.ltv(self._paths, self._terms, horizons=self._spans)
        if not self._carried:
            return forms
        return worth.with_long_run(forms, worth.ltv(self._usual, self._terms, horizons=self._spans[:1]))

    @cached_property
    def _worth(self) -> worth.Worth:
        return worth.Worth(self._paths, self._terms, self._spans[0])

    @cached_property
    def _tested(self) -> pd.DataFrame:
        _ = self._values  # without a price there is nothing to foretell, whatever the dates
        return backtest(self.data, segment_by=self.by)

    @property
    def _overpaid(self) -> list[float]:
        """By how much last year's forecast was too high on MRR per customer, where that is to rise again."""
        steps, each = whole(self._worth.base_steps).set_index("step"), whole(last_year(self._tested))["each"]
        rises = bool(steps["difference"].get("what they pay", 0.0) > 0)
        return [missed for missed in each.dropna() if missed > 0 and rises]

    @cached_property
    def _say(self) -> words.Wording:
        return words.Wording(currency=self._money, **self._ahead)

    @property
    def _money(self) -> str:
        return self.currency or self.data.currency

    @property
    def _unit(self) -> str:
        return self._money or "Money"

    @cached_property
    def _largest(self) -> list[str]:
        return list(largest_segments(self._forms, most=MOST)["segment"].unique())

    @property
    def _rows(self) -> int:
        """Rows of a table by segment: of all customers alone the sentences tell everything."""
        return len(self._largest) if len(self._largest) > 1 else 0

    def _heading(self, said: str) -> str:
        """End a sentence as one where no table follows, for which it is the heading."""
        return said.rstrip(".") if self._rows else said

    def _amounts(self, caption: str) -> str:
        """Add the currency to a caption."""
        return f"{caption}; amounts in {self._money}" if self._money else caption

    @property
    def _fewer(self) -> str:
        return left_out(self._forms, self._forms[self._forms["segment"].isin(self._largest)])

    def _drawn(self, table: pd.DataFrame, known: str) -> pd.DataFrame:
        """Keep the largest segments, as far as a column is known."""
        return table[table["segment"].isin(self._largest)].dropna(subset=known)


def _lines(shown: pd.DataFrame, column: str) -> Callable[..., Any]:
    """Draw segments in one chart, or in a panel each where in one the lowest would lie flat beside the highest."""
    highest = shown.groupby("segment")[column].max()
    return partial(panels_with_bands, scale="own") if highest.max() > FLAT * highest.min() else lines_with_bands
