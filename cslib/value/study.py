"""The study of customer value: what a customer is worth, how sure that is, and what would raise it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.data.drift import Drift, drift
from cslib.data.lifetimes import lifetimes, unit_months
from cslib.data.lives import counted_as
from cslib.show.charts import largest_segments, left_out, lines_with_bands
from cslib.show.estimates import forest_plot, whole_groups
from cslib.show.formats import months, whole
from cslib.show.result import Answer, Result, Study
from cslib.stats.models import fit_averaged
from cslib.value import ltv as worth
from cslib.value import words
from cslib.value.backtest import ACTIVE, backtest
from cslib.value.paths import Paths, recent_paths, value_paths
from cslib.value.prices import ValueCounts, unit_costs, value_counts

MOST: Final = 5  # segments in a chart, beside the whole
SINCE: Final[Any] = {"x_label": "months since the start", "unit": "number"}
AMOUNTS: Final = dict.fromkeys(["amount", "base_value", "cac", "ci_lower", "ci_upper", "mrr"], "amount")
PAID_BACK: Final = {
    "cac": "CAC", "payback_months": "months", "ltv_to_cac": "LTV:CAC",
    "ltv_to_cac_ci_lower": "ci lower", "ltv_to_cac_ci_upper": "ci upper",
}  # fmt: skip


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
        Share of revenue that is margin, 0–1.
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
    'A new customer has brought 20.50 after 3 months'
    >>> value.forms.table.query("method == 'Survival'")["ltv"].round(2).tolist()
    [20.5, 17.28, 24.0]
    >>> print(", ".join(value.findings()))
    ltv, compared, forms, bridge, by_age, payback, base, what_if, backtest, backtest_revenue, costs
    """

    data: DataSet
    by: str = ""
    gross_margin: float = asked(1.0, "0 to 1")
    annual_discount_rate: float = asked(0.0, "0 to 1")
    horizon_months: int = asked(0, "0 to 600")
    long_horizon: bool = False
    currency: str = ""

    @cached_property
    def answer(self) -> Answer:
        """What a customer is worth, in a sentence and four numbers."""
        how: Any = {"terms": self._terms, "source": self._values.source, "currency": self._money, "found": self._drift}
        how |= {"later": any(p.come_back for p in self._paths.values()), "unit": counted_as(self.data)}
        return words.value_answer(self._forms, self._base, self._pay, **how, standard=not self.horizon_months)

    @cached_property
    def ltv(self) -> Result:
        """What does a customer bring, and by when?"""
        forms, observed = self._forms, worth.observed_part(self._paths, self._forms)
        shown = self._drawn(forms[forms["method"] == worth.SURVIVAL], "ltv")
        why = "What a new customer brings cannot be told: nobody left, or early ages were not observed."
        title = words.horizon_finding(forms, currency=self._money)
        plotted = f"{self._unit} per new customer, by months since the start. Bands: 95 % intervals.{self._fewer}"
        chart = partial(lines_with_bands, shown, x="horizon_months", y="ltv", **SINCE)
        notes = words.reliance(forms, self._drawn(observed, "segment"), currency=self._money)
        notes = (*notes, *segment_remark(self.data, self.by))
        also = (Result("observed_part", observed, caption="How far the data reach, and what speaks beyond"),)
        rest: Any = {"notes": notes, "absent": "" if len(shown) else why, "caption": "Value by form and horizon"}
        return Result("ltv", forms, title, plotted, chart, also=also, **rest)

    @cached_property
    def compared(self) -> Result:
        """Why do the formulas differ?"""
        ratios = worth.compared(self._forms)
        shown = whole_groups(ratios, "segment")
        why = "There is no positive value from the survival form to compare the formulas with."
        bars = f"Bars: 95 %, in colour where clear of 1.{left_out(ratios, shown)}"
        how: Any = {"estimate": "ratio", "label": "method", "group": "segment", "reference": 1.0, "log_scale": True}
        chart = partial(forest_plot, shown, x_label="times the survival form", **how)
        title = words.bridge_title(self._forms, currency=self._money)
        plotted = f"Value in multiples of the survival form over {months(self._spans[0])}. {bars}"
        rest: Any = {"absent": "" if len(shown) else why, "caption": "All forms in multiples of the survival form"}
        return Result("forms_compared", ratios, title, plotted, chart, "Forest plot", words.HOW_TO_READ_FORMS, **rest)

    @cached_property
    def forms(self) -> Result:
        """What is a customer worth, form by form?"""
        forms, span = self._forms, self._spans[0]
        main = forms[(forms["horizon_months"] == span) | forms["horizon_months"].isna()]
        texts = words.forms_table(main, segments=self._largest)
        return Result("forms", main, caption="All forms, 95 % intervals in brackets", shown=texts)

    @cached_property
    def bridge(self) -> Result:
        """What leads from formula C to the survival form?"""
        steps = worth.bridge(self._paths, self._terms, **self._ahead)
        reason = words.bridge_finding(steps, currency=self._money)
        why = "Formula C and the survival form cannot be compared: nobody left, or early ages were not observed."
        caption = "From formula C to the survival form, step by step"
        how: Any = {"caption": caption, "absent": "" if reason else why, "most": 7}
        return Result("bridge", steps, reason, shown=steps.drop(columns="rank"), **how)

    @cached_property
    def by_age(self) -> Result:
        """How does value change as a customer stays?"""
        table, span = worth.ltv_by_age(self._paths, self._terms, **self._ahead), self._spans[0]
        shown = self._drawn(table, "residual_value")
        plotted = f"{self._unit} over the next {months(span)}, before acquisition cost, by months stayed. Bands: 95 %."
        counts: Any = {"n": "n_active", "n_label": "present"}
        chart = partial(lines_with_bands, shown, x="age_months", y="residual_value", **SINCE, **counts)
        why = "" if len(shown) else "What customers bring from an age on cannot be told, as nobody left."
        rest: Any = {"how_to_read": words.HOW_TO_READ_AGES, "absent": why, "caption": "Value by age"}
        title = words.residual_finding(table, currency=self._money)
        return Result("ltv_by_age", table, title, plotted + self._fewer, chart, **rest)

    @cached_property
    def payback(self) -> Result:
        """When has a customer earned back its cost?"""
        table, known = self._pay, bool(self._pay["cac"].notna().any())
        said = words.payback_finding(table, **self._ahead, currency=self._money)
        caption = "Payback and LTV:CAC" if known else "Payback: no acquisition cost known"
        how: Any = {"formats": {"cac": "amount"}, "labels": PAID_BACK, "absent": "" if known else said}
        return Result("payback", table, said, caption=caption, **how)

    @cached_property
    def base(self) -> Result:
        """What are the present customers worth?"""
        said, *notes = words.base_findings(self._base, currency=self._money)
        labels = {"mrr": "MRR", "n_active": "customers", "base_value": "value"}
        how: Any = {"formats": AMOUNTS | {"share_in_tail": "percent"}, "labels": labels, "notes": tuple(notes)}
        return Result("base_value", self._base, said, caption="Value of the present customers", **how)

    @cached_property
    def what_if(self) -> Result:
        """What would it be worth to change something?"""
        table, span = worth.what_if(self._paths, self._terms, **self._ahead), self._spans[0]
        shown = self._drawn(table, "base_gain")
        gains = shown.rename(columns={"base_gain_ci_lower": "ci_lower", "base_gain_ci_upper": "ci_upper"})
        how: Any = {"estimate": "base_gain", "label": "segment", "group": "change", "reference": 0.0}
        title = words.what_if_finding(table, currency=self._money)
        chart = partial(forest_plot, gains, x_label=self._unit, **how)
        plotted = f"{self._unit} more from present customers over {months(span)}. Bars: 95 % intervals.{self._fewer}"
        why = "" if len(shown) else "What a change would add cannot be told."
        rest: Any = {"absent": why, "caption": "What changes would add"}
        return Result("what_if", table, title, plotted, chart, "Forest plot", **rest)

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
    def costs(self) -> Result:
        """What does a customer cost, and where do prices come from?"""
        books, pay = self._terms.costs, whole(self._pay)["cac"].iloc[0]
        rows = [("retention", "customer and month", books.retention_per_month), ("acquisition", "new customer", pay)]
        table = pd.DataFrame(rows, columns=["cost", "per", "amount"])
        table["months"] = table["cost"].map(books.months).fillna("")
        why = "" if table["amount"].notna().any() else "No cost of a customer is known: nothing is taken off value."
        how: Any = {"formats": AMOUNTS, "absent": why, "notes": (*self._values.notes, *books.notes)}
        return Result("unit_costs", table, caption="Costs that are taken off value", **how)

    def _foretold(self, name: str, table: pd.DataFrame, measure: str, caption: str, why: str) -> Result:
        """Draw what was expected of one measure, and what happened."""
        if table.empty:
            return Result(name, table, absent=why, caption=caption)
        rows = whole(table)[whole(table)["measure"] == measure]
        expected = rows.assign(segment="expected", value=rows["predicted"])
        unknown = {"ci_lower": float("nan"), "ci_upper": float("nan")}
        lines = pd.concat([expected, rows.assign(segment="what happened", value=rows["actual"], **unknown)])
        title = words.backtest_finding(table, measure=measure, currency=self._money)
        plotted = "Of the customers present a year ago: forecast from what was known then, and what happened."
        chart = partial(lines_with_bands, lines, x="month", y="value", x_label="", unit="number", y_label=measure)
        return Result(name, table, title, f"{plotted} Band: 95 %.", chart, caption=caption)

    @cached_property
    def _terms(self) -> worth.Terms:
        shares = {"gross_margin": self.gross_margin, "annual_discount_rate": self.annual_discount_rate}
        return worth.Terms(costs=unit_costs(self.data.everybody), **shares)

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
    def _ahead(self) -> dict[str, int]:
        return {"horizon_months": self._spans[0]}

    @cached_property
    def _drift(self) -> Drift | None:
        return drift(self.data)

    @cached_property
    def _usual(self) -> dict[str, Paths]:
        """Survival and prices by age over all years, estimated once and drawn a thousand times."""
        _, values, spans = self._terms, self._values, self._spans  # what cannot be meant is refused before the work
        models = fit_averaged(self._lives, unit_months=unit_months(self.data))
        return value_paths(self._lives, values, models, horizon_months=max(spans))

    @cached_property
    def _paths(self) -> dict[str, Paths]:
        asked: Any = {"segment_by": self.by, "horizon_months": max(self._spans)}
        return recent_paths(self.data, self._drift, **asked, usual=self._usual)

    @cached_property
    def _forms(self) -> pd.DataFrame:
        forms = worth.ltv(self._paths, self._terms, horizons=self._spans)
        if self._drift is None or not self._drift.carries:
            return forms
        return worth.with_long_run(forms, worth.ltv(self._usual, self._terms, horizons=self._spans[:1]))

    @cached_property
    def _pay(self) -> pd.DataFrame:
        return worth.payback(self._paths, self._terms, **self._ahead)

    @cached_property
    def _base(self) -> pd.DataFrame:
        return worth.base_value(self._paths, self._terms, **self._ahead)

    @cached_property
    def _tested(self) -> pd.DataFrame:
        _ = self._values  # without a price there is nothing to foretell, whatever the dates
        return backtest(self.data, segment_by=self.by)

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
    def _fewer(self) -> str:
        return left_out(self._forms, self._forms[self._forms["segment"].isin(self._largest)])

    def _drawn(self, table: pd.DataFrame, known: str) -> pd.DataFrame:
        """Keep the largest segments, as far as a column is known."""
        return table[table["segment"].isin(self._largest)].dropna(subset=known)
