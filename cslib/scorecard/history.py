"""Every KPI of the catalogue over time, made by the analyses that know it; and why the others are not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from cslib.churn.rates import churn_rates
from cslib.data.calendar import last_complete, observed, period_start
from cslib.data.dataset import DataSet, rewind
from cslib.data.lifetimes import lifetimes, unit_months
from cslib.engagement.activity import activity, has_features, time_to_value
from cslib.errors import DataError, MissingTableError
from cslib.revenue.movements import movements, trailing
from cslib.revenue.spending import conversions, retention_cost
from cslib.scorecard.catalogue import CATALOGUE, Kpi, Target, read_targets
from cslib.stats.intervals import wilson
from cslib.stats.models import fit_models
from cslib.surveys.answers import SILENT, Measure, answers_by_period, measures
from cslib.surveys.scores import trend
from cslib.value.ltv import Terms, horizons, ltv, payback
from cslib.value.paths import value_paths
from cslib.value.prices import unit_costs, value_counts

__all__ = ["Measured", "Setting", "measure_all"]

HISTORY: Final = ["kpi", "segment", "until", "months", "value", "ci_lower", "ci_upper", "n"]
YEAR, QUARTER, WHOLE = 12, 3, "All"
PAST: Final = (0, 3, 6, 9, 12)  # months before, at which customer value is computed
ENDS: Final = ("ci_lower", "ci_upper")
FORMS: Final = {
    "Survival": "ltv",
    "Formula A (profit)": "ltv_formula_a",
    "Formula B (revenue)": "ltv_formula_b",
    "Formula C (margin / churn)": "ltv_formula_c",
}


@dataclass(frozen=True)
class Setting:
    """What KPIs are computed with, beside the data.

    Attributes
    ----------
    gross_margin, annual_discount_rate
        Shares of 1, as in :class:`cslib.value.ltv.Terms`.
    value_feature
        The feature whose first use is value; empty: any use, and adoption is the mean over features.
    ces_scale, ces_lower_is_easier
        As for :func:`cslib.surveys.answers.measure`.
    segment_by
        A column; empty for the whole only.
    """

    gross_margin: float = 1.0
    annual_discount_rate: float = 0.0
    value_feature: str = ""
    ces_scale: int = 10
    ces_lower_is_easier: bool = True
    segment_by: str = ""


@dataclass(frozen=True)
class Measured:
    """All KPIs over time.

    Attributes
    ----------
    history
        One row per KPI, segment (``All`` first) and period: ``kpi``, ``segment``, ``until`` (last day of the period;
        missing where the data hold no dates), ``months`` (its length; consecutive rows of long periods overlap),
        ``value``, ``ci_lower``, ``ci_upper``, ``n``.
    reasons
        By KPI, why it is not measured.
    kpis
        The catalogue, with the directions that hold here.
    targets
        As from :func:`cslib.scorecard.catalogue.read_targets`.
    """

    history: pd.DataFrame = field(repr=False)
    reasons: Mapping[str, str]
    kpis: Mapping[str, Kpi]
    targets: Mapping[str, Target]


def measure_all(data: DataSet, everybody: DataSet | None = None, *, setting: Setting | None = None) -> Measured:
    """Measure every KPI of the catalogue that the data allow.

    Parameters
    ----------
    data
        Any data set.
    everybody
        The same without ``where``: costs are those of all customers. By default ``data``.
    setting
        Margin, discount, scales; by default those of :class:`Setting`.

    Returns
    -------
    Measured

    Raises
    ------
    MissingTableError
        Not one KPI can be measured.
    DataError
        A target is wrong, see :func:`cslib.scorecard.catalogue.read_targets`.
    ParameterError
        A setting is out of its range, or names what is not in the data.
    """
    used, everyone = setting or Setting(), everybody or data
    kpis = _catalogue(used)
    targets = read_targets(data.targets, kpis)
    parts: list[pd.DataFrame] = []
    reasons: dict[str, str] = {}
    for names, measure_some in _SOURCES:
        try:
            parts += [part for part in measure_some(data, everyone, used) if len(part)]
        except DataError as error:
            reasons |= {name: _reason(kpis[name], error) for name in names}
    found = {kpi for part in parts for kpi in part["kpi"]}
    if not found:
        msg = (
            f"No KPI can be measured with {', '.join(data.tables)} alone. Add subscriptions, customers, surveys with "
            "answers, or orders with a kind."
        )
        raise MissingTableError(msg)
    reasons = {n: reasons.get(n, _absent(n, k, data)) for n, k in kpis.items() if n not in found}
    history = pd.concat(parts, ignore_index=True).drop_duplicates(["kpi", "segment", "until"])[HISTORY]
    order = history["kpi"].map({name: i for i, name in enumerate(kpis)})
    history = history.assign(order=order, part=history["segment"] != WHOLE)
    history = history.sort_values(["order", "part", "segment", "until"], kind="stable", ignore_index=True)
    return Measured(history[HISTORY], reasons, kpis, targets)


def _catalogue(setting: Setting) -> dict[str, Kpi]:
    if setting.ces_lower_is_easier:
        return dict(CATALOGUE)
    high = replace(CATALOGUE["ces"], direction="up", formula=f"mean answer, {setting.ces_scale} is easy")
    return {**CATALOGUE, "ces": high}


def _reason(kpi: Kpi, error: DataError) -> str:
    return f"needs {kpi.needs}" if isinstance(error, MissingTableError) else str(error)


def _absent(name: str, kpi: Kpi, data: DataSet) -> str:
    there = set(kpi.sources) <= set(data.tables) and (name != "feature_adoption" or has_features(data))
    return kpi.blank if there else f"needs {kpi.needs}"


def _rows(kpi: str, table: pd.DataFrame, value: str, *, n: str, bounds: str = "") -> pd.DataFrame:
    """Bring a column of a result into the shape of the history, with the bounds of what is estimated."""
    known = table[value].notna() & (not CATALOGUE[kpi].exact)
    ends = {end: table.get(f"{bounds}{end}", pd.Series(np.nan, table.index)).where(known) for end in ENDS}
    values = {"value": table[value], **ends, "n": table[n].astype("Int64")}
    return pd.DataFrame(
        {"kpi": kpi, "segment": table["segment"], "until": table["until"], "months": CATALOGUE[kpi].months} | values
    )


def _ended(table: pd.DataFrame) -> pd.DataFrame:
    """Add the last day of each month."""
    return table.assign(until=pd.to_datetime(table["month"]) + pd.offsets.MonthEnd(0))


def _revenue(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    moved = _ended(movements(data, segment_by=setting.segment_by))
    moved["n_moved"] = moved["n_opening"] + moved["n_new"] + moved["n_reactivated"]
    yield _rows("mrr", moved, "closing", n="n_closing")
    yield _rows("arpa", moved, "arpa", n="n_closing", bounds="arpa_")
    yield _rows("quick_ratio", moved, "quick_ratio", n="n_moved", bounds="quick_ratio_")
    yield _rows("revenue_retention_rate", moved, "grr", n="n_opening", bounds="grr_")
    lost = moved.assign(lost=1 - moved["grr"], ci_lower=1 - moved["grr_ci_upper"], ci_upper=1 - moved["grr_ci_lower"])
    yield _rows("revenue_churn_rate", lost, "lost", n="n_opening")
    kept = _ended(trailing(data, segment_by=setting.segment_by))
    for name in ("nrr", "grr"):
        yield _rows(name, kept, name, n="n_opening", bounds=f"{name}_")


def _customers(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    rates = churn_rates(data, segment_by=setting.segment_by)
    rates = _ended(rates[rates["method"] == "start_of_period"])
    yield _rows("customer_churn_rate", rates, "churn_rate", n="n_start")
    stayed = rates.assign(ci_lower=1 - rates["ci_upper"], ci_upper=1 - rates["ci_lower"])
    yield _rows("customer_retention_rate", stayed, "retention_rate", n="n_start")


def _orders(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    sold = conversions(data, months=YEAR).assign(segment=WHOLE)
    sold, months = _last_years(_ended(sold))
    for kind in ("upsell", "cross_sell"):
        yield _rows(f"{kind}_rate", sold[sold["kind"] == kind], "rate", n="n_all").assign(months=months)


def _costs(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    everybody.table("costs")
    moved = movements(everybody)
    months = min(YEAR, len(moved))
    spent = retention_cost(everybody, moved, gross_margin=setting.gross_margin, months=months).assign(segment=WHOLE)
    spent, _ = _last_years(_ended(spent))
    for kpi, column, n in (
        ("crc", "crc", "n_retained"),
        ("crc_share_of_margin", "share_of_margin", "n_retained"),
        ("cac", "cac", "n_new"),
    ):
        yield _rows(kpi, spent, column, n=n).assign(months=months)


def _last_years(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the rows with a whole year up to them, or the last one of a shorter time; and say how long that is."""
    at = table["until"].dt.year * YEAR + table["until"].dt.month
    months = min(YEAR, int(at.max() - at.min()) + 1) if len(table) else YEAR
    return table[at >= at.min() + months - 1], months


def _value(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    horizon = horizons(lifetimes(data))[0]
    for day in _days_before(data):
        now = day is None or day == data.as_of
        then, all_then = (d if day is None or now else rewind(d, day) for d in (data, everybody))
        try:
            tables = _valued(then, all_then, setting, horizon, segment_by=setting.segment_by if now else "")
        except DataError:
            if now:
                raise
            return
        yield from tables


def _days_before(data: DataSet) -> list[date | None]:
    """Days on which customer value is computed, the last first, as far as records reach."""
    if data.as_of is None or not data.has_dates("customers"):
        return [data.as_of]
    after = pd.Timestamp(data.as_of + timedelta(days=1))
    days = [(after - pd.DateOffset(months=m)).date() - timedelta(days=1) for m in PAST]
    begun = max(data.observed_from or date.min, date.fromisoformat(data.statistics["customers"]["first"]))
    return [day for day in days if day >= begun]


def _valued(
    data: DataSet, everybody: DataSet, setting: Setting, horizon: int, *, segment_by: str
) -> list[pd.DataFrame]:
    counts, values = lifetimes(data, segment_by=segment_by), value_counts(data, segment_by=segment_by)
    models = fit_models(counts, unit_months=unit_months(data))
    paths = value_paths(counts, values, models, horizon_months=horizon)
    terms = Terms(
        costs=unit_costs(everybody),
        gross_margin=setting.gross_margin,
        annual_discount_rate=setting.annual_discount_rate,
    )
    until = pd.Timestamp(data.as_of) if data.as_of else pd.NaT
    forms, earned = ltv(paths, terms, horizons=[horizon]), payback(paths, terms, horizon_months=horizon)
    forms["until"] = earned["until"] = until
    earned["n"] = [paths[segment].n_customers for segment in earned["segment"]]
    parts = [_rows(kpi, forms[forms["method"] == form], "ltv", n="n_customers") for form, kpi in FORMS.items()]
    parts.append(_rows("ltv_to_cac", earned, "ltv_to_cac", n="n", bounds="ltv_to_cac_"))
    parts.append(_rows("payback_months", earned, "payback_months", n="n"))
    if "costs" not in everybody.tables and earned["cac"].notna().any():
        parts.append(_rows("cac", earned, "cac", n="n").assign(months=0))
    return parts


def _surveys(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    scales = {"ces_scale": setting.ces_scale, "ces_lower_is_easier": setting.ces_lower_is_easier}
    for asked in measures(data, window="all", **scales):  # type: ignore[arg-type]
        yield from _survey(data, asked, setting.segment_by)


def _survey(data: DataSet, asked: Measure, segment_by: str) -> Iterator[pd.DataFrame]:
    complete = last_complete(observed(data), "month")
    last = period_start(complete + 1, "month") - timedelta(days=1)
    counted = answers_by_period(data, asked, column=segment_by, period="quarter", ending=last)
    table = trend(counted)
    table["until"] = _ends(table["period"])
    yield _up_to(_rows(asked.survey, table, asked.survey, n="n_responses"), last)
    if asked.survey == "nps" and (counted.counts["now"] == SILENT).any():
        rows = _responses(counted.counts)
        rows["until"] = _ends(rows["period"])
        yield _up_to(_rows("response_rate", rows, "rate", n="n_asked"), last)


def _ends(quarters: pd.Series[Any]) -> pd.Series[Any]:
    """Last day of each quarter, of which the first is given."""
    return quarters + pd.DateOffset(months=QUARTER - 1) + pd.offsets.MonthEnd(0)


def _responses(counted: pd.DataFrame) -> pd.DataFrame:
    sums = counted.groupby("period")["n"].sum().rename("n_asked").to_frame()
    sums["n"] = counted[counted["now"] > SILENT].groupby("period")["n"].sum().reindex(sums.index, fill_value=0)
    bounds = wilson(sums["n"], sums["n_asked"])
    rate = sums["n"] / sums["n_asked"]
    return sums.assign(rate=rate, ci_lower=bounds.lower, ci_upper=bounds.upper, segment=WHOLE).reset_index()


def _up_to(rows: pd.DataFrame, last: date) -> pd.DataFrame:
    """Say of the last period, too, that nobody answered in it."""
    day = pd.Timestamp(last)
    if rows.empty or (rows["until"] == day).any():
        return rows
    silent = rows.iloc[[0]].assign(segment=WHOLE, until=day, value=np.nan, ci_lower=np.nan, ci_upper=np.nan, n=0)
    return pd.concat([rows, silent], ignore_index=True)


def _engagement(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    own = {"segment_by": setting.segment_by, "value_feature": setting.value_feature}
    used = _ended(activity(data, **own))
    yield _rows("usage_frequency", used, "uses_per_active", n="n_active", bounds="uses_per_active_")
    yield _rows("active_share", used, "active_share", n="n_customers", bounds="active_share_")
    if has_features(data):
        yield _rows("feature_adoption", used, "adoption", n="n_customers", bounds="adoption_")


def _to_value(data: DataSet, everybody: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    table = time_to_value(data, segment_by=setting.segment_by, value_feature=setting.value_feature)
    yield _rows("time_to_value", table, "median_days", n="n_customers")


_Measure: TypeAlias = Callable[[DataSet, DataSet, Setting], Iterator[pd.DataFrame]]
_SOURCES: Final[tuple[tuple[tuple[str, ...], _Measure], ...]] = (
    (("mrr", "arpa", "quick_ratio", "revenue_churn_rate", "revenue_retention_rate", "nrr", "grr"), _revenue),
    (("customer_churn_rate", "customer_retention_rate"), _customers),
    (("upsell_rate", "cross_sell_rate"), _orders),
    (("cac", "crc", "crc_share_of_margin"), _costs),
    ((*FORMS.values(), "ltv_to_cac", "payback_months"), _value),
    (("nps", "csat", "ces", "response_rate"), _surveys),
    (("usage_frequency", "active_share", "feature_adoption"), _engagement),
    (("time_to_value",), _to_value),
)
