"""The study of all KPIs: where a team stands, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.data.drift import Drift, drift
from cslib.data.kpi import Setting
from cslib.scorecard import words as say
from cslib.scorecard.history import Measured, measure_all
from cslib.scorecard.scorecard import Standing, scorecard, standing
from cslib.show.result import Answer, Cards, Result, Study


@dataclass(frozen=True, repr=False, eq=False)
class Scorecard(Study):
    """Every KPI that a customer-success team steers by, with its interval, its past and its target.

    Attributes
    ----------
    data
        Any data set; of KPIs that it does not allow, the scorecard says what they need.
    by
        A column to compare customers by, such as ``plan``; empty: the whole only.
    gross_margin, annual_discount_rate
        Shares of 1, as in :class:`cslib.value.ltv.Terms`.
    value_feature
        The feature whose first use is when customers get value; empty: any use.
    ces_scale, ces_lower_is_easier
        The highest answer of CES, and whether low answers say that it was easy.

    Raises
    ------
    MissingTableError
        Not one KPI can be measured.
    DataError
        A target is wrong.
    ParameterError
        A parameter is out of its range, or names what is not in the data.

    Examples
    --------
    >>> import cslib as cs
    >>> rows = {"customer_id": ["a", "b"], "started_on": "2025-01-05", "ended_on": None, "mrr": [9.0, 6.0]}
    >>> score = Scorecard(cs.load({"subscriptions": pd.DataFrame(rows)}, as_of="2025-02-28"))
    >>> float(score.table.set_index("kpi").value["mrr"])
    15.0
    >>> [card.label for card in score.growth.cards]
    ['MRR', 'ARPA']
    >>> print(", ".join(score.findings()))
    attention, growth, retention, value, sentiment, engagement, segments, kpis, definitions
    """

    data: DataSet
    by: str = ""
    gross_margin: float = asked(1.0, "0 to 1")
    annual_discount_rate: float = asked(0.0, "0 to 1")
    value_feature: str = ""
    ces_scale: int = asked(10, "2 to 10")
    ces_lower_is_easier: bool = True

    @cached_property
    def measured(self) -> Measured:
        """Every KPI over time, and why the others are not measured."""
        own: Any = {f.name: getattr(self, f.name) for f in fields(Setting) if f.name != "segment_by"}
        return measure_all(self.data, setting=Setting(segment_by=self.by, **own))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per KPI in numbers, see :func:`cslib.scorecard.scorecard.scorecard`."""
        return scorecard(self.measured)

    @cached_property
    def _standing(self) -> Standing:
        return standing(self.table, self.measured.kpis)

    @cached_property
    def answer(self) -> Answer:
        """Are we on target?"""
        return say.scorecard_answer(self._standing)

    @cached_property
    def attention(self) -> Cards:
        """What needs attention?"""
        return say.attention(self.table, self._standing, self.measured)

    @cached_property
    def growth(self) -> Cards:
        """Does recurring revenue grow, and at what cost?"""
        return self._group("growth")

    @cached_property
    def retention(self) -> Cards:
        """Do customers and their revenue stay?"""
        return self._group("retention")

    @cached_property
    def value(self) -> Cards:
        """What is a new customer worth?"""
        return self._group("value", found=drift(self.data))

    @cached_property
    def sentiment(self) -> Cards:
        """How do customers feel?"""
        return self._group("sentiment")

    @cached_property
    def engagement(self) -> Cards:
        """Do customers use what they pay for?"""
        return self._group("engagement")

    def _group(self, group: str, *, found: Drift | None = None) -> Cards:
        return say.cards_of_group(group, self.table[self.table["group"] == group], self.measured, found=found)

    @cached_property
    def segments(self) -> Result:
        """Do segments differ?"""
        name, table = "kpis_by_segment", self.measured.by_segment()
        if table.empty:
            why = "KPIs are those of all customers. Name a column in segment_by (in Python: by) to compare."
            return Result(name, table, absent=why, caption="KPIs by segment")
        n, texts = len(self.measured.segments()), say.segment_texts(self.table, self.measured)
        caption = f"KPIs by {self.by}, with 95 % intervals" + f"; the six largest of {n}" * (n > 6)
        notes = segment_remark(self.data, self.by)
        return Result(name, table, caption=caption, shown=texts, most=30, notes=notes)

    @cached_property
    def kpis(self) -> Result:
        """Where does every KPI stand?"""
        texts = say.kpi_texts(self.table, currency=self.data.currency)
        caption = "KPIs, the one before and last year's"
        history = Result("kpi_history", self.measured.history, caption="KPIs by period")
        return Result("kpis", self.table, caption=caption, shown=texts, most=40, also=(history,))

    @cached_property
    def definitions(self) -> Result:
        """How is every KPI computed?"""
        kpis, columns = self.measured.kpis, ["id", "label", "group", "question", "formula", "unit", "direction"]
        table = pd.DataFrame([{column: getattr(kpi, column) for column in columns} for kpi in kpis.values()])
        table["sources"] = [", ".join(kpi.tables) for kpi in kpis.values()]
        table["variants"] = ["; ".join(kpi.variants) for kpi in kpis.values()]
        caption = "How every KPI is computed, and how others do it"
        return Result("definitions", table.rename(columns={"id": "kpi"}), caption=caption, most=40)
