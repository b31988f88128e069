"""Whom to call: each active customer's risk of churn and the money at stake, scored in the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import add, itemgetter
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.optimize import brentq

from cslib.churn.columns import MISSING, OTHER, Driver, drivers_of
from cslib.churn.drivers import DriverModel, check_horizon
from cslib.churn.signs import KINDS, SEPARATOR, gives, segment_columns, with_signs
from cslib.data.customers import current_mrr, with_segment
from cslib.data.dataset import DataSet
from cslib.data.engine import beside
from cslib.data.lifetimes import present
from cslib.errors import ParameterError
from cslib.stats.cox import cumulative_hazards

REASONS: Final = 2  # told of a customer
FINE: Final = 28 * 29 * 15 * 31  # parts of a month, of which a day is a whole number in months of any length
COLUMNS: Final = (
    *("customer_id", "segment", "tenure_months", "p_churn", "mrr", "money_at_risk", "reason"),
    *("last_used_on", "n_tickets", "last_answer", "answered_on"),
)
FACTORS: Final = (-20.0, 20.0)  # by which hazards may be multiplied, as logarithms
SUREST: Final = 1 - 1e-12  # a risk, for its hazard to be finite
LOOKUP: Final = {"stratum": "string", "age": "int64", "risk": "float64"}


def at_risk(
    data: DataSet, model: DriverModel, *, segment_by: str = "", horizon_months: float = 12.0,
    gross_margin: float = 1.0, leading: Sequence[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """List all active customers, those first who give a reason to call: each one's probability of churn, by the engine.

    Parameters
    ----------
    data
        With ``customers`` and the columns that the model uses.
    model
        From :func:`cslib.churn.drivers.fit_drivers`.
    segment_by
        A column; empty: all customers are in ``All``.
    horizon_months
        How far ahead.
    gross_margin
        Share of MRR that is margin, above 0 and up to 1.
    leading
        Kinds of reasons, as in :data:`cslib.churn.signs.KINDS`, that are told before others; who gives one comes first.

    Returns
    -------
    pandas.DataFrame
        One row per customer still here: ``customer_id``, ``segment``, ``tenure_months``, ``p_churn``
        (probability of churn within the horizon, given its age), ``mrr`` (per month; see
        :func:`cslib.data.customers.current_mrr`; 0 where no subscription runs), ``money_at_risk`` (``p_churn`` ×
        ``mrr`` × ``gross_margin``, per month; missing with ``mrr``), ``reason`` (at most two to call: what happened, as
        :func:`cslib.churn.signs.with_signs` finds it; missing where nothing did), the columns of ``with_signs``, and
        the declared segments. Who has a reason comes first; then by ``mrr`` × :func:`usual_risk`, which
        is ``money_at_risk`` where customers are told apart, by ``p_churn`` (all descending) and ``customer_id``.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    1 − exp(−(H(a + h) − H(a))·exp(Σ βx)) with the base risk H of the customer's stratum and its age a;
    β of a value that nobody left with as in :func:`cslib.churn.drivers.fit_drivers`. The last age with 20
    customers at risk is the last one that is trusted: beyond, H goes on at its mean over the last
    ``horizon_months`` before it. A value that the fit did not see counts as ``(other)``, or where
    there is none as the reference. One small query runs first, for ages.

    Examples
    --------
    >>> import cslib
    >>> from cslib.churn.drivers import fit_drivers
    >>> customers = pd.DataFrame({"tenure_months": range(120), "churned": [True, False, True] * 40, "mrr": 9.0})
    >>> customers = customers.assign(customer_id=customers.index.astype(str), plan=["A", "A", "B"] * 40)
    >>> data = cslib.load({"customers": customers})
    >>> calls = at_risk(data, fit_drivers(data))
    >>> len(calls), list(calls)[:4]
    (40, ['customer_id', 'segment', 'tenure_months', 'p_churn'])
    """
    check_horizon(horizon_months, model.unit_months)
    if not 0 < gross_margin <= 1:
        msg = f"gross_margin is {gross_margin!r}, which is no share above 0 and up to 1. Give a share such as 0.8."
        raise ParameterError(msg)
    active = _active(data, model)
    values = [active[f"driver{i}"] for i in range(len(model.drivers))]
    log_ratios = [_log_ratio(d, v) for d, v in zip(model.drivers, values, strict=True)]
    ages = active.select("stratum", "age").distinct().order_by(["stratum", "age"]).execute()
    scored = active.mutate(score=reduce(add, log_ratios, ibis.literal(0.0)).exp())
    lookup = beside(active, _lookup(model, ages, horizon_months), LOOKUP)
    both = scored.join(lookup, ["stratum", "age"]).select(*scored.columns, "risk")
    chance = both.select("customer_id", "tenure_months", p_churn=1 - (-both.risk * both.score).exp())
    priced = with_segment(_with_mrr(chance, data), data, segment_by, today=True)
    known = _with_columns(with_signs(priced, data), data, columns := segment_columns(data, *COLUMNS))
    listed = known.mutate(money_at_risk=known.p_churn * known.mrr * gross_margin, reason=known["sign"])
    table = listed.select(*COLUMNS, *columns).execute()
    table["reason"] = table["reason"].map(partial(_first, leading=leading)).astype(object)
    return ordered(table, usual_risk(model, table, segment_by=segment_by), leading=leading)


def ordered(risk: pd.DataFrame, usual: pd.Series[float], *, leading: Sequence[str] = ()) -> pd.DataFrame:
    """Put those first who give a leading reason to call, then those with another; in each part by MRR × risk.

    Parameters
    ----------
    risk
        Present customers.
    usual
        As from :func:`usual_risk`, of the same.
    leading
        As for :func:`at_risk`.
    """
    leads, quiet = gives(risk["reason"], leading), risk["reason"].isna()
    known = risk.assign(quiet=quiet, leads=leads, usual=usual, stake=usual * risk["mrr"])
    keys = ["quiet", "leads", "stake", "usual", "p_churn", "customer_id"]
    order = known.sort_values(keys, ascending=[True, False, False, False, False, True])
    return order.drop(columns=["quiet", "leads", "usual", "stake"]).reset_index(drop=True)


def usual_risk(model: DriverModel, risk: pd.DataFrame, *, segment_by: str = "") -> pd.Series[float]:
    """Give the risk that each customer counts with: their own, or the mean of those from whom nothing tells them apart.

    Parameters
    ----------
    model
        From :func:`cslib.churn.drivers.fit_drivers`.
    risk
        With ``p_churn`` of all present customers, ``segment`` and the declared segments.
    segment_by
        The column of ``segment``; empty: none.
    """
    alike = alike_by(model, risk, segment_by=segment_by)
    return risk["p_churn"] if alike is None else risk["p_churn"].groupby(alike).transform("mean")


def alike_by(model: DriverModel, risk: pd.DataFrame, *, segment_by: str = "") -> pd.Series[Any] | None:
    """Group customers whom neither the model nor their ages tell apart; None where one or the other does.

    Parameters
    ----------
    model, risk, segment_by
        As for :func:`usual_risk`.
    """
    if not model.tells_apart:
        groups = pd.Series("All", risk.index, name="", dtype=object)
    else:
        column = "segment" if segment_by == model.alike_within else model.alike_within
        if not model.alike_within or column not in risk:
            return None
        groups = risk[column].fillna("(missing)").rename(model.alike_within)
    return None if risk["p_churn"].groupby(groups).agg(differ).any() else groups


def adding_up_to(risks: pd.Series[float], total: float) -> pd.Series[float]:
    """Scale the hazards behind risks by one factor, so that the risks add up to a total; as they are where none does.

    Examples
    --------
    >>> adding_up_to(pd.Series([0.36, 0.1]), 0.2 + 1 - 0.9**0.5).round(6).tolist()  # half the hazards
    [0.2, 0.051317]
    """
    hazard = pd.Series(-np.log1p(-risks.clip(upper=SUREST)), risks.index)
    least, most = (_leave(hazard * np.exp(c)) for c in FACTORS)
    if not least < total < most:
        return risks
    factor = np.exp(brentq(lambda c: _leave(hazard * np.exp(c)) - total, *FACTORS))
    return pd.Series(-np.expm1(-hazard * factor), risks.index)


def raised(
    risks: pd.Series[float],
    reasons: pd.Series[Any],
    times: Mapping[str, float],
    *,
    within: pd.Series[Any] | None = None,
) -> pd.Series[float]:
    """Raise the risk of those who give a reason that foretold leaving, and lower that of others as much in all.

    Parameters
    ----------
    risks, reasons
        ``p_churn`` and ``reason`` of present customers, as from :func:`at_risk`.
    times
        How many times as fast as others those leave who give a kind, as from
        :func:`cslib.churn.foretold.times_as_fast`; of two kinds the larger counts.
    within
        Groups of customers in each of which as many leave as before; None: all are one.

    Notes
    -----
    A risk p becomes 1 − (1 − p)^(c·r), with r from ``times`` (1 without such a reason) and one c for each group, such
    that the risks of the group add up to what they were.

    Examples
    --------
    Of two customers with a risk of 0.625 together 1.25 are to leave; 1 − 0.5 and 1 − 0.5² do, where r is 2:

    >>> raised(pd.Series([0.625, 0.625]), pd.Series(["gave NPS 3 in May", None]), {"low NPS": 2.0}).round(9).tolist()
    [0.75, 0.5]
    """
    ratio = pd.Series(1.0, risks.index)
    for kind, faster in sorted(times.items(), key=itemgetter(1)):
        ratio[gives(reasons, [kind])] = faster
    hazard = pd.Series(-np.log1p(-risks.clip(upper=SUREST)), risks.index)
    groups = pd.Series("All", risks.index) if within is None else within
    share = [_share_left(hazard[own.index], own) for _, own in ratio.groupby(groups, dropna=False)]
    return pd.Series(-np.expm1(-hazard * ratio * pd.concat(share)), risks.index) if share else risks


def _share_left(hazard: pd.Series[float], ratio: pd.Series[float]) -> pd.Series[float]:
    """Find the part of each hazard that is left to those without a reason, the same for all of a group."""
    expected = _leave(hazard)
    least = 1 / ratio.max()
    if least == 1 or not expected:
        return pd.Series(1.0, ratio.index)
    found = brentq(lambda c: _leave(hazard * ratio * c) - expected, least * 0.99, 1.01)
    return pd.Series(found, ratio.index)


def _leave(hazard: pd.Series[float]) -> float:
    return float(-np.expm1(-hazard).sum())


def differ(risks: pd.Series[float]) -> bool:
    """Tell whether risks differ much, if only by how long customers have been here: by ten points, and by twice.

    Examples
    --------
    >>> differ(pd.Series([0.0, 0.1, 0.4, 0.5])), differ(pd.Series([0.2, 0.25, 0.3])), differ(pd.Series([], dtype=float))
    (True, False, False)
    """
    low, high = risks.quantile([0.1, 0.9])
    return bool(high >= 2 * low and high - low >= 0.1)


def _first(text: str, *, leading: Sequence[str] = ()) -> str | None:
    """Keep the first reasons, of those that lead before others.

    Examples
    --------
    >>> _first(SEPARATOR.join(["", "stopped using it in May", "gave NPS 3 in April", "2 tickets in 90 days"]))
    'stopped using it in May; gave NPS 3 in April'
    >>> _first(SEPARATOR.join(["", "stopped using it in May", "gave NPS 3 in April"]), leading=["low NPS"])
    'gave NPS 3 in April; stopped using it in May'
    """
    reasons = [SEPARATOR + reason for reason in text.split(SEPARATOR)[1:]]
    first = sorted(reasons, key=lambda reason: not any(KINDS[kind] in reason for kind in leading))
    return "; ".join(reason.removeprefix(SEPARATOR) for reason in first[:REASONS]) or None


def _with_columns(table: ir.Table, data: DataSet, columns: list[str]) -> ir.Table:
    """Add columns of customers as they are recorded today, as text."""
    own = data.table("customers")
    texts = own.select("customer_id", **{c: own[c].cast("string") for c in columns})
    return table.left_join(texts, "customer_id").select(*table.columns, *columns)


def stakes(risk: pd.DataFrame, *, capacity: int) -> pd.Series[Any]:
    """Sum up what is at stake with today's customers, and how much of it with those who are called.

    Parameters
    ----------
    risk
        As from :func:`at_risk`: all present customers, in its order.
    capacity
        How many there is time to call.

    Returns
    -------
    pandas.Series
        ``n_customers``, ``expected_churned`` (the sum of their probabilities), ``money_at_risk`` (per month; NaN where
        the data hold no MRR), ``mrr`` (of all, likewise); of those who give a reason to call ``n_reasons`` and
        ``mrr_reasons``; and of those who are called ``n_listed``, ``money_listed`` (per month), ``share_listed`` (of
        the money, 0–1; NaN where there is none).

    Raises
    ------
    ParameterError
        ``capacity`` is below 1.
    """
    if capacity < 1:
        msg = f"capacity is {capacity}. Give the number of customers there is time to call, 1 or more."
        raise ParameterError(msg)
    top, lost = risk.head(capacity), risk["money_at_risk"].sum(min_count=1)
    held = top["money_at_risk"].sum()
    every = {"n_customers": len(risk), "expected_churned": risk["p_churn"].sum(), "money_at_risk": lost}
    called = risk[risk["reason"].notna()]
    every |= {"mrr": risk["mrr"].sum(min_count=1), "n_reasons": len(called), "mrr_reasons": called["mrr"].sum()}
    listed = {"n_listed": len(top), "money_listed": held, "share_listed": held / lost if lost else np.nan}
    return pd.Series(every | listed, dtype=object)


def _with_mrr(table: ir.Table, data: DataSet) -> ir.Table:
    paid = current_mrr(data)
    if paid is None:
        return table.mutate(mrr=ibis.null("float64"))
    joined = table.left_join(paid, "customer_id").select(*table.columns, "mrr")
    return joined.mutate(mrr=joined.mrr.fill_null(0.0)) if "subscriptions" in data.tables else joined


def _active(data: DataSet, model: DriverModel) -> ir.Table:
    """Take the customers still here: age in parts of a month, stratum, and drivers recoded as in the fit."""
    values = drivers_of(data, [d.name for d in model.drivers])
    recoded = {f"driver{i}": _recoded(d, values[f"driver{i}"]) for i, d in enumerate(model.drivers)}
    stratum = [k for k, d in zip(recoded, model.drivers, strict=True) if d.name == model.stratified_by]
    joined = present(data).join(values.select("customer_id", **recoded), "customer_id")
    rows = joined.select("customer_id", *recoded, duration=joined.duration.cast("float64"))
    age, own = (rows.duration * FINE).round().cast("int64"), rows[stratum[0]] if stratum else ibis.literal("")
    return rows.mutate(tenure_months=rows.duration, age=age, stratum=own)


def _recoded(driver: Driver, value: ir.Value) -> ir.Value:
    if driver.kind == "number":
        return value
    rest = OTHER if OTHER in driver.levels else driver.levels[0]
    if driver.kind == "text":
        return ibis.ifelse(value.isin(driver.levels), value, rest)
    told = [(value == float(v), v) for v in driver.levels if v not in (MISSING, OTHER)]
    absent = MISSING if MISSING in driver.levels else rest
    return ibis.cases((value.isnull(), absent), *told, else_=rest)


def _log_ratio(driver: Driver, value: ir.Value) -> ir.NumericValue:
    if driver.kind != "number":
        told = zip(driver.levels, driver.coefficients, strict=True)
        return ibis.cases(*((value == v, c) for v, c in told), else_=0.0)
    slope = driver.coefficients[0] / (driver.high - driver.low)
    missing = slope * (driver.fill - driver.low) + sum(driver.coefficients[1:])
    return ibis.ifelse(value.isnull(), missing, slope * (value.clip(*driver.bounds) - driver.low))


def _lookup(model: DriverModel, ages: pd.DataFrame, horizon_months: float) -> pd.DataFrame:
    """Tabulate the base risk over the horizon by stratum and age."""
    months, strata, horizon = ages["age"].to_numpy(float) / FINE, ages["stratum"], horizon_months
    now, then = (cumulative_hazards(model.baseline, strata, months + h, tail=horizon) for h in (0.0, horizon))
    return ages.assign(risk=then - now)
