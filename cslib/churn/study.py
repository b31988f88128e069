"""The study of churn: who leaves, when and why, what comes next, and whom to call first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.churn import list_words, reason_words, words
from cslib.churn.at_risk import adding_up_to, alike_by, at_risk, ordered, raised, stakes, usual_risk
from cslib.churn.drivers import DriverModel, agreement, by_luck, fit_drivers, strongest
from cslib.churn.foretold import COLUMNS as FORETOLD
from cslib.churn.foretold import foretold, telling, times_as_fast
from cslib.churn.kpis import KPIS
from cslib.churn.outlook import believed, beside_new, came, forecast_customers, line, outlook
from cslib.churn.rates import RATES, RECONCILED, churn_rates, last_month, last_year, reconcile
from cslib.churn.signs import gives
from cslib.churn.stays import Differences, Pace, firm_medians, kept, lost, pace
from cslib.data.calendar import months_later
from cslib.data.customers import segment_remark, today_remark
from cslib.data.dataset import DataSet, rewind
from cslib.data.drift import Drift, drift, recent, recent_lives
from cslib.data.kpi import Target, never_recorded
from cslib.data.lifetimes import lifetime_rows, lifetimes, present, unit_months
from cslib.data.lives import counted_as, day_before, settled
from cslib.data.parts import in_parts, split_by
from cslib.data.words import assumed_pace
from cslib.show.charts import largest_segments, left_out, lines_with_bands, panels_with_bands, undrawn, well_observed
from cslib.show.estimates import calibration_plot, forest_plot, whole_groups
from cslib.show.formats import months, whole
from cslib.show.result import Answer, Result, Study
from cslib.stats import survival as km
from cslib.stats.intervals import FIRM
from cslib.stats.models import FittedModels, fit_models, reach

RATE: Final = "rate of leaving, times the reference"
AGES: Final[Any] = {"x": "duration_months", "x_label": "months since the start"}
AT_RISK: Final = {"p_churn": "percent", "mrr": "amount", "money_at_risk": "amount"}
RISKS: Final = ["p_churn", "money_at_risk"]
MODELS: Final = {"weight": "percent"}
NO_CURVE: Final = "There is no curve from the start to draw: see the warning above."
UNDATED: Final = "The data hold no start dates, so there is no churn by calendar month."
NO_MONTH: Final = "Ways of measuring churn are compared once a month is complete."
NO_KINDS: Final = "The data don't record why customers left."
UNCHECKED: Final = "The predictions could not be checked against what happened."


@dataclass(frozen=True, repr=False, eq=False)
class Churn(Study):
    """Who leaves, when and why, and whom to call first.

    Each customer is followed from the start to the day they left, or to the last day observed.

    Attributes
    ----------
    data
        With ``customers``, or ``subscriptions`` to derive it from.
    by
        A column to compare customers by, such as ``plan``; empty: all customers only.
    drivers
        Columns that may explain churn, separated by commas; empty: MRR and the declared segments, or all columns.
    tau_months
        Compare segments over their first so many months; 0: as many whole ones as all have been observed.
    horizon_months
        Months ahead for the forecast, the calibration and the at-risk list.
    gross_margin
        Share of MRR that is margin, of which money at risk is made; 0: as declared with the data, or all of it.
    capacity
        Customers there is time to call: as many are listed.

    Raises
    ------
    MissingTableError
        When a finding is asked for: there is no ``customers``, nor ``subscriptions``.
    ParameterError
        At once where a parameter is out of its range; likewise where a column is not there.

    Examples
    --------
    >>> import cslib as cs
    >>> customers = pd.DataFrame({"customer_id": list("abcdef"), "tenure_months": [2, 5, 14, 14, 20, 30],
    ...                           "churned": [True, True, False, True, False, False]})
    >>> churn = cs.Churn(cs.load({"customers": customers}))
    >>> churn.survival.title
    '67 % of customers stay longer than 12 months'
    >>> churn.survival.table["n_at_risk"].tolist()
    [6, 6, 5, 4, 2, 1]
    >>> print(", ".join(churn.findings()))  # doctest: +NORMALIZE_WHITESPACE
    monthly, survival, summary, hazard, differences, kinds, ratios, calibration, at_risk, reasons, models, forecast,
    definitions
    """

    data: DataSet
    by: str = ""
    drivers: str = ""
    tau_months: float = asked(0.0, "0 to 1200")
    horizon_months: int = asked(12, "1 to 120")
    gross_margin: float = asked(0.0, "0 to 1")
    capacity: int = asked(15, "1 to 1000000")

    @property
    def _margin(self) -> float:
        return self.data.margin(self.gross_margin)

    @cached_property
    def answer(self) -> Answer:
        """Who leaves, when and why, and whom to call?"""
        say, summary = self._say, firm_medians(self._summary, self._curve)
        last = None if never_recorded(self.data) else last_month(self._rates)
        aim: Any = {"year": last_year(self._rates), "target": self._target}
        cards = say.cards(summary, last, self._believed, split=self._split, last_time=self._last_time, **aim)
        moved = (say.changed(self._drift, self._summary, self._usual),) if self._drift else ()
        warnings = (*moved, *say.warnings(summary, reach=self._reach, horizon_months=self.horizon_months))
        known = (summary, self._pace, self._differences, strongest(self._drivers))
        call = self._first_to_call or list_words.call(say, self._held)
        text = say.answer(*known, call=call)
        return Answer(say.subtitle(summary), text, cards, warnings, say.beside_new(self._beside_new))

    @property
    def _first_to_call(self) -> str:
        table, then = self._all._foretold, self._all._then
        if not then:
            return ""
        how: Any = {"months_ahead": then[1], "column": self.data.segment[0]}
        kinds, who = self._leading
        return reason_words.first_to_call(table, kinds, int(who.sum()), **how)

    @property
    def _leading(self) -> tuple[list[str], pd.Series[bool]]:
        """Kinds of reasons that alone foretold leaving, and who of those listed gives one."""
        kinds = telling(self._all._foretold)
        return kinds, gives(self._risk["reason"], kinds)

    @cached_property
    def monthly(self) -> Result:
        """How many leave in a month?

        As from :func:`cslib.churn.rates.churn_rates`.
        """
        table = self._rates
        last = last_month(table)
        said = self._say.monthly(last, last_year(table), self._target)
        shown = self._largest(table[table["method"] == "start_of_period"])
        why = (f"{said.title}." if self.data.has_dates("customers") else UNDATED) if table.empty else ""
        how: Any = {"x": "month", "y": "churn_rate", "x_label": "", "n": "n_start", "unit": "hazard"}
        drawn = well_observed(shown, least=FIRM)
        few = undrawn(drawn, "churn_rate", few=f"fewer than {FIRM} customers in each month")
        chart = partial(panels_with_bands, drawn, **how, target=self._target.ends if self._target else ())
        rest: Any = {"absent": why, "caption": "Churn by month and method"}
        rest["notes"] = said.notes
        lines = drawn["segment"].nunique()
        ends = f" At the end of each line: {last.month:%B %Y}." if last is not None and lines > 2 else ""
        plotted = said.subtitle + ends + left_out(table, drawn) + few
        return Result("churn_rate", table, said.title, plotted, chart, **rest)

    @cached_property
    def survival(self) -> Result:
        """How long do customers stay?

        Kaplan–Meier, as from :func:`cslib.stats.survival.survival_curve`; also at 1, 3, 6, 12 and 24 months.
        """
        at = km.survival_at(self._curve, km.LANDMARKS)
        said, shown = self._say.survival(kept(at, self._differences)), self._largest(self._drawn)
        how: Any = {"n": "n_at_risk", "n_label": "still followed", "line": "steps"}
        chart = partial(lines_with_bands, shown, y="survival", **AGES, **how)
        also = (Result("survival_at", at, caption="Survival at 1, 3, 6, 12 and 24 months"),)
        rest: Any = {"absent": NO_CURVE if shown.empty else "", "caption": "Survival", "also": also}
        late: tuple[str, ...] = ()
        if self._recent.observed_from:
            late = self._say.late_entry(self._curve.iloc[0], whole(self._summary).iloc[0], self._left_before)
        plotted, how_to_read = said.subtitle + left_out(self._curve, shown), " ".join([said.how_to_read, *late])
        return Result("survival", self._curve, said.title, plotted, chart, "Step chart", how_to_read, **rest)

    @cached_property
    def summary(self) -> Result:
        """How long do they stay, in figures?

        One row per segment, written out; also as numbers, from :func:`cslib.stats.survival.survival_summary`.
        """
        caption = "How long customers stay, 95 % intervals in brackets"
        table, firm = self._summary, firm_medians(self._summary, self._curve)
        if self._say.recent:
            table = pd.concat([table, self._usual], ignore_index=True)
            firm = pd.concat([firm, firm_medians(self._usual, self._usual_curve)])
        shown = self._say.summary(firm)
        return Result("survival_summary", table, caption=caption, shown=shown)

    @cached_property
    def hazard(self) -> Result:
        """When do they leave?

        As from :func:`cslib.stats.survival.hazard_by_age`.
        """
        table = self._hazard
        said, shown = self._say.hazard(self._pace), self._largest(table)
        why = "Nobody has been followed for longer than a day, so there is no rate of leaving yet."
        how: Any = {"n": "n_at_risk", "n_label": "still followed"}
        chart = partial(panels_with_bands, shown, y="hazard", **AGES, **how, unit="hazard", least=FIRM)
        rest: Any = {"absent": why if table.empty else "", "caption": "Rate of leaving by month of age"}
        rest["notes"] = said.notes
        return Result("hazard", table, said.title, said.subtitle + left_out(table, shown), chart, **rest)

    @cached_property
    def differences(self) -> Result:
        """Do segments differ?

        All at once and each pair, as from :func:`cslib.stats.survival.compare_segments`.
        """
        table, caption = self._comparison.drop(columns="tau_months"), "Segments compared"
        remark = segment_remark(self.data, self.by)
        if self._differences is None:
            alone = f"All customers have the same {self.by}, so there is nothing to compare." if self.by else ""
            return Result("logrank", table, absent=alone, caption=caption, most=0, notes=remark)
        said, pairs = self._say.differences(self._differences), self._differences.measured
        named = pairs.assign(pair=pairs["segment_a"] + " vs " + pairs["segment_b"])
        how: Any = {"estimate": "rmst_difference_months", "label": "pair", "reference": 0.0}
        chart = partial(forest_plot, named, x_label="months stayed longer", **how)
        rest: Any = {
            "notes": (*said.notes, *remark),
            "absent": f"{said.title}." if pairs.empty else "",
            "caption": caption,
        }
        return Result("logrank", table, said.title, said.subtitle, chart, "Forest plot", **rest)

    @cached_property
    def kinds(self) -> Result:
        """Do they choose to leave?

        As from :func:`cslib.stats.survival.cumulative_incidence`.
        """
        table = km.cumulative_incidence(self._lives)
        said, shown = self._say.kinds(lost(table)), whole(table).dropna(subset="incidence")
        known = "churn_kind" in self.data.table("customers").columns
        why = f"{said.title}." if known else NO_KINDS
        shown = shown.assign(segment=shown["churn_kind"])
        chart = partial(lines_with_bands, shown, y="incidence", **AGES, line="steps", meaning="kinds")
        rest: Any = {"absent": why if shown.empty else "", "caption": "Kinds of churn"}
        return Result("cumulative_incidence", table, said.title, said.subtitle, chart, "Step chart", **rest)

    @cached_property
    def ratios(self) -> Result:
        """What drives churn?

        As in :class:`cslib.churn.drivers.DriverModel`; why there is none to compare stands in ``before``.
        """
        table = self._model.table
        said = self._say.drivers(strongest(self._drivers), changing=self._model.stratified_by)
        shown = self._drivers.assign(clear=self._model.clear)
        how: Any = {"estimate": "hazard_ratio", "label": "level", "group": "term", "n": "n", "x_label": RATE}
        chart = partial(forest_plot, whole_groups(shown, "term"), **how, reference=1.0, log_scale=True)
        why = "" if len(table) else "No column of customers could be compared."
        rest: Any = {"before": () if len(table) else self._model.remarks, "absent": why, "caption": "Drivers of churn"}
        own = self._model.remarks if len(table) and self._all is not self else ()  # else said at the calibration
        lucky = self._say.by_luck(*by_luck(self._drivers))
        rest["notes"] = (*lucky, *today_remark(self.data, table["term"].unique()), *own)
        return Result("drivers", table, said.title, said.subtitle, chart, "Forest plot", said.how_to_read, **rest)

    @cached_property
    def calibration(self) -> Result:
        """Can the risks be trusted?

        As in :class:`cslib.churn.drivers.DriverModel`; what to know of the columns stands in ``notes``.
        """
        model, caption = self._all._model, "Predicted and observed churn, by groups of predicted risk"
        table, remarks = model.calibration, model.remarks if len(model.table) else ()
        if table.empty:
            return Result("calibration", table, absent=UNCHECKED, caption=caption, notes=remarks)
        known: Any = {name: getattr(model, name) for name in ("checked_months", "kept_share")}
        said = self._say.calibration(agreement(table), **known)
        axes = {"x_label": "predicted share leaving", "y_label": "observed share leaving"}
        chart, around = partial(calibration_plot, table, **axes), (said.title, said.subtitle)
        notes = (*said.notes, *remarks)
        return Result("calibration", table, *around, chart, "Calibration plot", notes=notes, caption=caption)

    @cached_property
    def at_risk(self) -> Result:
        """Whom to call first?

        All present customers, as from :func:`cslib.churn.at_risk.at_risk`, those first whose kind of reason alone
        foretold leaving, see :attr:`reasons`; of a segment alone those of it today, with the risks that they have among
        all. Where the model does not tell them apart, each counts with the mean risk of its group; risks are scaled to
        add up to the forecast, and raised for such a reason.
        """
        ahead = self.months_ahead
        said = list_words.said(self._say, self._held, self._order, horizon_months=ahead, others=self._others)
        shown = list_words.laid_out(self._shown, by=self.by, year=self.data.as_of.year if self.data.as_of else 0)
        labels = list_words.WORK_LIST | {"p_churn": f"Leaves within {months(ahead)}"}
        if code := self.data.currency:
            labels |= {c: f"{labels[c]}, {code}" for c in ("mrr", "money_at_risk")}
        how: Any = {
            "caption": list_words.caption(self._say, priced="money_at_risk" in shown),
            "formats": AT_RISK,
            "labels": labels,
            "notes": (*said.before, *said.notes),  # whom to call comes before how sure that is
            "how_to_read": said.how_to_read,
        }
        return Result("at_risk", self._risk, said.title, most=self.capacity, shown=shown, **how)

    @property
    def months_ahead(self) -> int:
        """How far the risks of the list look ahead."""
        return self._all._reach

    @property
    def risks(self) -> pd.Series[float]:
        """The risk that each customer of the list counts with there, by ``customer_id``; 0–1."""
        return self._risk.set_index("customer_id")["p_churn"]

    @property
    def _order(self) -> list_words.Order:
        every, given = self._all, gives(self._risk["reason"], [*self._all._times]).any()
        model, (kinds, who) = every._model, self._leading
        return list_words.Order(
            model.concordance, model.tells_apart_within(self.data.segment[0]), model.concordance_within,
            model.alike_within, by_risk=every._alike is None, shares=every._shares, raised=every._raised,
            times=every._times if given else {}, telling=kinds, n_telling=int(who.sum()),
            scaled=every._scaled,
            mrr_telling=float(self._risk["mrr"][who].sum(min_count=1)),
        )  # fmt: skip

    @cached_property
    def reasons(self) -> Result:
        """Did reasons to call foretell leaving?

        As from :func:`cslib.churn.foretold.foretold`, of all customers: when it could last be told, and what came.
        """
        table, then, caption = self._all._foretold, self._all._then, "Who gave a reason to call, and who left since"
        if then is None or table.empty or not table[["n_churned", "others_share"]].to_numpy().any():
            why = reason_words.UNTOLD if then is None or table.empty else reason_words.NOBODY_LEFT
            return Result("reasons", table, absent=why, caption=caption)
        when: Any = {"months_ahead": then[1]}
        title, shown = reason_words.heading(table, **when), reason_words.laid_out(table, **when)
        notes = reason_words.notes(table, split=self._all._split, column=self.data.segment[0])
        return Result("reasons", table, title, shown=shown, notes=notes, caption=caption)

    @cached_property
    def models(self) -> Result:
        """Which models foretell later ages, and how much does each count?

        As in :class:`cslib.stats.models.FittedModels`; also those that could not be fitted.
        """
        said, table = self._say.models(self._fitted.table), self._fitted.table
        also = (Result("models_left_out", self._fitted.left_out, caption="Models that could not be fitted"),)
        rest: Any = {"absent": f"{said.title}." if table.empty else "", "caption": "Models of churn", "also": also}
        rest |= {"formats": MODELS, "labels": words.MODELS}
        return Result("models", table, said.title, shown=self._say.model_list(table), **rest)

    @cached_property
    def forecast(self) -> Result:
        """What comes next?

        As from :func:`cslib.churn.outlook.forecast_customers`.
        """
        caption = f"Forecast for customers {self._say.now}"
        said = self._say.forecast(self._believed, split=self._split)
        if self._believed is None:
            return Result("forecast", self._ahead, absent=f"{said.title}.", caption=caption)
        how: Any = {"x": "months_ahead", "y": "expected_active", "x_label": "months ahead", "unit": "number"}
        drawn = line(self._ahead, off=self._believed["off"])
        chart = partial(lines_with_bands, drawn, **how, y_label="customers", line="dashed")
        then = self._say.last_time(self._last_time, found=self._drift) if self._last_time is not None else ()
        sums = () if self._others or self._pending else self._say.sums(self._believed, self._held, split=self._split)
        notes, how_to_read = (assumed_pace(recent=self._say.recent), *then), " ".join(sums)
        more: Any = {"caption": caption, "notes": notes, "how_to_read": how_to_read}
        return Result("forecast", self._ahead, said.title, said.subtitle, chart, **more)

    @cached_property
    def definitions(self) -> Result:
        """Why do ways of measuring it differ?

        As from :func:`cslib.churn.rates.reconcile`, of the last complete month.
        """
        dated = self.data.has_dates("customers")
        table = reconcile(self.data, self._lives) if dated else pd.DataFrame(columns=RECONCILED)
        how: Any = {"absent": NO_MONTH if table.empty else "", "formats": {"churn_rate": "percent", "n_base": "number"}}
        how["labels"] = {
            "n_base": "customers",
            "n_churned": "left",
            "churn_rate": "rate",
            "explanation": "why it differs",
        }
        caption = "Ways of measuring the churn of the last complete month"
        return Result("churn_reconciliation", table, caption=caption, **how)

    @property
    def _target(self) -> Target | None:
        return KPIS["customer_churn_rate"].target(self.data.targets)

    @cached_property
    def _drift(self) -> Drift | None:
        return drift(self.data)

    @cached_property
    def _recent(self) -> DataSet:
        return recent(self.data, self._drift)

    @cached_property
    def _lives(self) -> pd.DataFrame:
        return recent_lives(self.data, self._drift, segment_by=self.by)

    @cached_property
    def _say(self) -> words.Wording:
        return words.Wording(
            unit=counted_as(self.data), segment=self.data.segment, observed_from=self._recent.observed_from,
            recent=self._recent is not self.data, currency=self.data.currency, gross_margin=self._margin,
            settled=self._pending,
        )  # fmt: skip

    @property
    def _pending(self) -> date | None:
        """The day up to which it is known who left, where that is before the last day observed."""
        day = settled(self.data) if self.data.as_of else None
        return day if day != self.data.as_of else None

    @cached_property
    def _left_before(self) -> int:
        """Count who had left before the days on which the report rests."""
        every = lifetime_rows(replace(self.data, observed_from=None)).count().execute()
        return max(int(every) - int(whole(self._summary)["n_customers"].iloc[0]), 0)

    @cached_property
    def _usual_curve(self) -> pd.DataFrame:
        """Survival of all customers over all years."""
        return km.survival_curve(lifetimes(self.data)).assign(segment=words.ALL_YEARS)

    @cached_property
    def _usual(self) -> pd.DataFrame:
        return km.survival_summary(self._usual_curve, tau_months=float(self._summary["tau_months"].iloc[0]))

    @cached_property
    def _curve(self) -> pd.DataFrame:
        return km.survival_curve(self._lives)

    @cached_property
    def _hazard(self) -> pd.DataFrame:
        return km.hazard_by_age(self._curve, like=self._all._curve)

    @cached_property
    def _pace(self) -> Pace | None:
        return pace(self._hazard)

    @cached_property
    def _drawn(self) -> pd.DataFrame:
        return km.survival_at(self._curve, km.drawn_ages(self._curve)).dropna(subset="survival")

    @property
    def _tau(self) -> float:
        """How far mean stays reach: whole months, so that a short last month changes nothing."""
        shared = km.shared_horizon(self._curve)
        return self.tau_months or (float(math.floor(shared)) if shared >= 1 else 0.0)

    @cached_property
    def _summary(self) -> pd.DataFrame:
        return km.survival_summary(self._curve, tau_months=self._tau)

    @cached_property
    def _comparison(self) -> pd.DataFrame:
        return km.compare_segments(self._curve, tau_months=self._tau)

    @cached_property
    def _differences(self) -> Differences | None:
        return Differences.of(self._comparison)

    def _largest(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[table["segment"].isin(largest_segments(self._summary)["segment"])]

    @cached_property
    def _reach(self) -> int:
        return reach(self._lives, self.horizon_months)

    @cached_property
    def _model(self) -> DriverModel:
        return fit_drivers(self._recent, drivers=self.drivers, horizon_months=self._reach)

    @cached_property
    def _drivers(self) -> pd.DataFrame:
        return self._say.priced(self._model.table)

    @cached_property
    def _all(self) -> Churn:
        """The study of all customers: the list has one model, whichever segment is looked at."""
        return replace(self, data=self.data.whole(), by=self.data.segment[0]) if self.data.whole else self

    @cached_property
    def _others(self) -> bool:
        """Whether those who are of the segment today are others than those who began with it."""
        began = present(self.data).customer_id.execute() if self._all is not self else self._risk["customer_id"]
        return set(began) != set(self._risk["customer_id"])

    @cached_property
    def _risk(self) -> pd.DataFrame:
        """All present customers, with the risk that each counts with: in the file, on the page and in its sums."""
        if self._all is not self:
            every = self._all._risk  # in the same order
            return every[every["segment"] == self.data.segment[1]].reset_index(drop=True)
        counted = self._counted
        listed = ordered(self._predicted.assign(counted=counted), counted, leading=telling(self._foretold))
        money = listed["counted"] * listed["mrr"] * self._margin
        return listed.assign(p_churn=listed["counted"], money_at_risk=money).drop(columns="counted")

    @cached_property
    def _counted(self) -> pd.Series[float]:
        """The risk that each counts with: of those alike the same, as many leaving as foretold, raised by reasons."""
        usual = usual_risk(self._model, self._predicted, segment_by=self.by)
        if self._scaled and self._outlook is not None:
            usual = adding_up_to(usual, self._outlook["lost"])
        return raised(usual, self._predicted["reason"], self._times, within=self._alike)

    @property
    def _scaled(self) -> bool:
        """Whether as many of the list leave as the forecast says: where both are of the same customers."""
        out = self._outlook
        return out is not None and not self._pending and bool(out["n_active"] == len(self._predicted))

    @cached_property
    def _predicted(self) -> pd.DataFrame:
        asked: Any = {"horizon_months": self._reach, "gross_margin": self._margin}
        asked["leading"] = [*self._times]
        return at_risk(self._recent, self._model, segment_by=self.by, **asked)

    @cached_property
    def _times(self) -> dict[str, float]:
        """How many times as fast those leave who give a kind of reason that clearly foretold leaving."""
        return times_as_fast(self._foretold)

    @cached_property
    def _alike(self) -> pd.Series[Any] | None:
        """Groups of present customers whom nothing tells apart, or None."""
        return alike_by(self._model, self._predicted, segment_by=self.by)

    @property
    def _shown(self) -> pd.DataFrame:
        """The list without the risk of each where they are alike by group, and without any where all listed are one."""
        groups, given = self._all._alike, gives(self._risk["reason"], [*self._all._times]).any()
        if groups is None:
            return self._risk
        if not given and (self._all is not self or groups.nunique() < 2):
            return self._risk.drop(columns=RISKS)
        return self._risk.drop(columns=RISKS[0] if self._risk["mrr"].notna().any() else RISKS[1])

    @cached_property
    def _shares(self) -> pd.Series[float]:
        """Mean risk of each of these groups, the highest first."""
        risks = self._counted
        return risks.head(0) if self._alike is None else risks.groupby(self._alike).mean().sort_values(ascending=False)

    @cached_property
    def _raised(self) -> pd.Series[float]:
        """Mean risk in each of these groups of those who give a reason that clearly foretold leaving."""
        given = self._counted[gives(self._predicted["reason"], [*self._times])]
        return given.head(0) if self._alike is None else given.groupby(self._alike).mean()

    @cached_property
    def _held(self) -> pd.Series[Any]:
        return stakes(self._risk, capacity=self.capacity)

    @cached_property
    def _fitted(self) -> FittedModels:
        return fit_models(self._lives, unit_months=unit_months(self.data))

    @cached_property
    def _ahead(self) -> pd.DataFrame:
        asked: Any = {"segment_by": self.by, "split": self._split, "horizon_months": self._reach}
        return forecast_customers(self._recent, self._lives, self._fitted, **asked)

    @cached_property
    def _split(self) -> str:
        """The column over which the forecast is summed; empty in a segment where all have one value of it."""
        split = split_by(self.data)
        return split if split and in_parts(self._recent, None, split=split).several else ""

    @cached_property
    def _outlook(self) -> pd.Series[Any] | None:
        return outlook(self._ahead)

    @cached_property
    def _believed(self) -> pd.Series[Any] | None:
        return None if self._outlook is None else believed(self._outlook, self._last_time)

    @cached_property
    def _beside_new(self) -> pd.Series[Any] | None:
        whose = self._pace is not None and (self._pace.shown_by or not self._pace.not_by)
        first = self._pace.first_months if self._pace and whose else 0  # else it may be the mix of segments
        return beside_new(self._believed, whole(self._summary).iloc[0], self._lives, first_months=first)

    @cached_property
    def _last_time(self) -> pd.Series[Any] | None:
        """The same forecast, made when it last could be, and what came."""
        if self._then is None:
            return None
        past, ahead = self._then
        then = replace(self, data=past, by="", horizon_months=ahead)._outlook
        return came(then, self.data, past) if then is not None and then["months_ahead"] == ahead else None

    @cached_property
    def _then(self) -> tuple[DataSet, int] | None:
        """What was known as many months ago as the forecast looks ahead, or half of those observed; and how many."""
        here = whole(self._lives).loc[lambda rows: ~rows["event_observed"].astype(bool), "n"].sum()
        most = self._reach if here else 0
        ahead = reach(self._lives, 2 * most) // 2 if most else 0
        day = day_before(self.data, ahead) if ahead else None
        return None if day is None else (rewind(self.data, day), ahead)

    @cached_property
    def _foretold(self) -> pd.DataFrame:
        day = months_later(settled(self.data), -self._then[1]) if self._then else None
        if day is None or (self.data.observed_from and day < self.data.observed_from):
            return pd.DataFrame(columns=[*FORETOLD])
        return foretold(self.data, rewind(self.data, day), split=self._split)

    @cached_property
    def _rates(self) -> pd.DataFrame:
        dated = self.data.has_dates("customers")
        return churn_rates(self.data, segment_by=self.by) if dated else pd.DataFrame(columns=RATES)
