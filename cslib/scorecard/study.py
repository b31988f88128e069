"""The study of all KPIs: where a team stands, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.data.customers import segment_remark
from cslib.data.dataset import DataSet
from cslib.data.drift import drift
from cslib.data.kpi import NO_MARGIN, Setting
from cslib.revenue.headlines import FELT, far_out
from cslib.revenue.movements import movements
from cslib.scorecard import words
from cslib.scorecard.attention import Standing, shortfalls, standing
from cslib.scorecard.history import Measured, measure_all
from cslib.scorecard.scorecard import headlines, scorecard, slipping, told_by
from cslib.scorecard.segments import beside_segments, compared, distinct, unmarked
from cslib.scorecard.terms import terms
from cslib.show.result import Answer, Cards, Result, Study

MOST: Final = 6  # segments side by side
SAME: Final = "over the same periods as above"
NAMED: Final = "of the last period, or of the 12 months that are named"


@dataclass(frozen=True, repr=False, eq=False)
class Scorecard(Study):
    """Every KPI that a customer-success team steers by, with its interval, its past and its target.

    Attributes
    ----------
    data
        Any data set; of KPIs that it does not allow, the scorecard says what they need.
    by
        A column to compare customers by, such as ``plan``; empty: the whole only.
    gross_margin
        Share of revenue that is margin; 0: as declared with the data. Where neither tells it, all revenue counts, and
        what rests on margin is held against no target.
    annual_discount_rate
        A share of 1, as in :class:`cslib.value.ltv.Terms`.
    value_feature
        The feature whose first use is when customers get value; empty: as declared with the data. Where neither tells
        it, it is any use, which is held against no target.
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
    >>> [card.label for card in score.answer.cards][::2]
    ['Monthly recurring revenue (MRR)', 'Average revenue per account (ARPA)']
    >>> print(", ".join(score.findings()))
    attention, kpis, segments, definitions
    """

    data: DataSet
    by: str = ""
    gross_margin: float = asked(0.0, "0 to 1")
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
        short = shortfalls(self.table, self._cells, self.measured)
        return standing(self.table, self.measured.kpis, self._cells, short)

    @cached_property
    def _all_margin(self) -> list[str]:
        """What rests on all revenue, as no margin is known."""
        known = self.table.dropna(subset="value").itertuples()
        return [str(row.label) for row in known if self.measured.kpis[str(row.kpi)].unset == NO_MARGIN]

    @cached_property
    def _cells(self) -> pd.DataFrame:
        return compared(self.table, self.measured)

    @cached_property
    def _repeats(self) -> dict[str, str]:
        return told_by(self.table, self.measured.kpis)

    @cached_property
    def _say(self) -> words.Wording:
        known = terms(ces_scale=self.ces_scale, ces_lower_is_easier=self.ces_lower_is_easier)
        yearly = self.table["kpi"].isin({*chain(*FELT.values())})
        far = far_out(self.data, movements(self.data)) if self.table.loc[yearly, "value"].notna().any() else None
        return words.Wording(self.measured, self._repeats, known, far)

    @cached_property
    def answer(self) -> Answer:
        """Are we on target? In a sentence and eight numbers."""
        first = headlines(self.table, self.measured.kpis)
        return self._say.answer(self._standing, first)

    @cached_property
    def attention(self) -> Cards:
        """What needs attention?"""
        return self._say.attention(self._standing, slipping(self.table, self.measured))

    @cached_property
    def kpis(self) -> Result:
        """Where does every KPI stand?"""
        say, table = self._say, self.table
        texts = say.kpis(table, self._standing.attention["kpi"].tolist())
        texts = texts.loc[:, (texts != "").any()]
        found = drift(self.data) if table.loc[table["group"] == "value", "value"].notna().any() else None
        changes = say.changes(table) if len(texts) else ()
        paced = (say.rests_on(found),) if found else ()
        notes = (*changes, *say.notes(table), *paced, *say.all_margin(self._all_margin))
        history = Result("kpi_history", self.measured.history, caption="KPIs by period and segment")
        caption = say.caption(table)
        how: Any = {"notes": notes, "also": (history,), "absent": "" if len(texts) else f"{words.NOTHING}."}
        how |= {"formats": {"Status": "status"}, "terms": say.explained(texts["KPI"] if len(texts) else ())}
        return Result("kpis", table, caption=caption, shown=texts, most=40, **how)

    @cached_property
    def segments(self) -> Result:
        """Do segments differ?"""
        name, table = "kpis_by_segment", self._cells
        if table.empty:
            return Result(name, table, caption="KPIs by segment")
        every = self.measured.segments()
        texts = self._say.segments(beside_segments(self.table, self.measured), table, sorted(every[:MOST]))
        some = f" (the {MOST} largest of {len(every)})" * (len(every) > MOST)
        caption = f"KPIs by {self.by}{some}, {NAMED if (table['judged_over'] != '').any() else SAME}"
        shown = distinct(table[~table["kpi"].isin(self._repeats)])
        alike = unmarked(table[table["segment"].isin(texts.columns) & ~table["kpi"].isin(self._repeats)])
        more = len(every) if some else 0
        notes = (self._say.verdicts(shown, alike, of=more), *segment_remark(self.data, self.by))
        labels = {segment: segment for segment in texts.columns}
        return Result(name, table, caption=caption, shown=texts, most=30, notes=notes, labels=labels)

    @cached_property
    def definitions(self) -> Result:
        """How is every KPI computed?"""
        kpis, columns = self.measured.kpis, ["id", "label", "group", "question", "formula", "unit", "direction"]
        table = pd.DataFrame([{column: getattr(kpi, column) for column in columns} for kpi in kpis.values()])
        table["sources"] = [", ".join(kpi.tables) for kpi in kpis.values()]
        table["variants"] = ["; ".join(kpi.variants) for kpi in kpis.values()]
        named = table.assign(name=[self._say.name(kpi.id, kpi.label) for kpi in kpis.values()])
        shown = named[["name", "formula", "variants"]].set_axis(["KPI", "Computed as", "Others compute it"], axis=1)
        table, caption = table.rename(columns={"id": "kpi"}), "How every KPI is computed, and how others do it"
        return Result("definitions", table, caption=caption, shown=shown, most=40)
