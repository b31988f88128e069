"""Whom to call: each active customer's risk of churn and the money at stake, scored in the engine."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.churn.columns import MISSING, MRR, MRR_AT_START, OTHER, Driver, drivers_of
from cslib.churn.drivers import DriverModel, check_horizon
from cslib.churn.signs import SEPARATOR, segment_columns, with_signs
from cslib.data.customers import current_mrr, exact_sum, with_segment
from cslib.data.dataset import DataSet
from cslib.data.engine import beside, written
from cslib.data.lifetimes import present
from cslib.errors import ParameterError, counted
from cslib.stats.cox import cumulative_hazards

ABOVE: Final = 1.1  # times the risk of the average active customer: worth naming
REASONS: Final = 2  # told of a customer
NEW: Final = 6  # months, until when a customer is called so
FINE: Final = 28 * 29 * 15 * 31  # parts of a month, of which a day is a whole number in months of any length
NOTHING: Final = "nothing stands out"
PLANS: Final = ("plan", "tier", "edition", "package")  # which a customer is on
PRICES: Final = (MRR, MRR_AT_START)
LONGEST: Final = 40  # characters of a value in a reason
COLUMNS: Final = (
    *("customer_id", "segment", "tenure_months", "p_churn", "mrr", "money_at_risk", "reason"),
    *("last_used_on", "n_tickets", "last_answer", "answered_on"),
)
LOOKUP: Final = {"stratum": "string", "age": "int64", "risk": "float64", "by_stratum": "string", "by_age": "string"}


def at_risk(
    data: DataSet, model: DriverModel, *, segment_by: str = "", horizon_months: float = 12.0, gross_margin: float = 1.0
) -> pd.DataFrame:
    """List all active customers by the money at risk: each one's probability of churn, scored in the engine.

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

    Returns
    -------
    pandas.DataFrame
        One row per customer still here: ``customer_id``, ``segment``, ``tenure_months``, ``p_churn``
        (probability of churn within the horizon, given its age), ``mrr`` (per month; see
        :func:`cslib.data.customers.current_mrr`; 0 where no subscription runs), ``money_at_risk`` (``p_churn`` ×
        ``mrr`` × ``gross_margin``, per month; missing with ``mrr``), ``reason`` (at most two to call: what
        :func:`cslib.churn.signs.with_signs` finds, then what puts the customer at least 10 % above the average active
        one, of drivers that matter by more than chance, and last the age; never a price), the columns of
        ``with_signs``, and the declared segments. By ``money_at_risk``, then ``p_churn`` (both descending), then
        ``customer_id``.

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
    there is none as the reference. One small query runs first, for ages and averages.

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
    ratios = {f"ratio{i}": exact_sum(r.exp()) for i, r in enumerate(log_ratios)}
    counts = (
        active.group_by(["stratum", "age"]).aggregate(n=active.count(), **ratios).order_by(["stratum", "age"]).execute()
    )
    lookup = beside(active, _lookup(model, counts, horizon_months), LOOKUP)
    means = counts[list(ratios)].sum() / (counts["n"].sum() or np.nan)
    each = zip(model.drivers, values, log_ratios, means, strict=True)
    reasons = [_reason(d, *more) for d, *more in each if d.name in model.clear_terms and d.name not in PRICES]
    score, text = reduce(add, log_ratios, ibis.literal(0.0)).exp(), reduce(add, reasons, ibis.literal(""))
    scored = active.mutate(score=score, text=text)
    both = scored.join(lookup, ["stratum", "age"]).select(*scored.columns, *list(LOOKUP)[2:])
    p_churn, text = 1 - (-both.risk * both.score).exp(), both.by_stratum + both.text + both.by_age
    chance = both.select("customer_id", "tenure_months", p_churn=p_churn, text=text)
    priced = with_segment(_with_mrr(chance, data), data, segment_by, today=True)
    known = _with_columns(with_signs(priced, data), data, columns := segment_columns(data, *COLUMNS))
    listed = known.mutate(money_at_risk=known.p_churn * known.mrr * gross_margin, reason=known["sign"] + known.text)
    table = listed.select(*COLUMNS, *columns).execute()
    told = {text: _first(text) for text in table["reason"].unique()}
    keys = ["money_at_risk", "p_churn", "customer_id"]
    table = table.assign(reason=table["reason"].map(told).astype(object))
    return table.sort_values(keys, ascending=[False, False, True], ignore_index=True)


def _first(text: str) -> str:
    """Keep the first reasons.

    Examples
    --------
    >>> _first(SEPARATOR.join(["", "stopped using it in May", "gave NPS 3 in April", "on Starter"])), _first("")
    ('stopped using it in May; gave NPS 3 in April', 'nothing stands out')
    """
    return "; ".join(text.split(SEPARATOR)[1 : REASONS + 1]) or NOTHING


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
        As from :func:`at_risk`: all present customers, most at risk first.
    capacity
        How many there is time to call.

    Returns
    -------
    pandas.Series
        ``n_customers``, ``expected_churned`` (the sum of their probabilities), ``money_at_risk`` (per month; NaN where
        the data hold no MRR), ``mrr`` (of all, likewise); and of those who are called ``n_listed``, ``money_listed``
        (per month), ``share_listed`` (of the money, 0–1; NaN where there is none).

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
    every["mrr"] = risk["mrr"].sum(min_count=1)
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


def _reason(driver: Driver, value: ir.Value, log_ratio: ir.NumericValue, mean: float) -> ir.StringValue:
    """Name the driver where it raises the risk, such as ``on Starter``, after a separator; else nothing."""
    if driver.kind == "number":
        ratio = log_ratio.exp() / mean
        digits = max(1 - int(np.floor(np.log10(driver.high - driver.low))), 0)  # two of the range
        shown = written(value, digits)
        shown = (shown.re_replace(r"\.?0+$", "") if digits else shown).fill_null(MISSING)
        return ibis.ifelse(ratio >= ABOVE, SEPARATOR + f"{driver.name} " + shown, "")
    told = zip(driver.levels, driver.coefficients, strict=True)
    # a value without a coefficient of its own, the reference aside, is counted with another driver
    ratios = [(v, float(np.exp(c)) / mean if c or v == driver.levels[0] else 1.0) for v, c in told]
    named = [(value == v, _raised(_on(driver.name, v), r)) for v, r in ratios]
    return ibis.cases(*named, else_="")


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def _on(name: str, value: str) -> str:
    """Say which value of a column a customer has.

    Examples
    --------
    >>> _on("plan", "Starter"), _on("channel", "Paid"), _on("region", "(missing)"), _on("city", "(other)")
    ('on Starter', 'channel Paid', 'no region on record', 'a rarer city')
    """
    rare = {MISSING: f"no {name} on record", OTHER: f"a rarer {name}"}
    return rare.get(value) or (f"on {_short(value)}" if name.lower() in PLANS else f"{name} {_short(value)}")


def _raised(what: str, ratio: float) -> str:
    return f"{SEPARATOR}{what}" if ratio >= ABOVE else ""


def _lookup(model: DriverModel, counts: pd.DataFrame, horizon_months: float) -> pd.DataFrame:
    """Tabulate the base risk over the horizon by stratum and age, and what is above the average active customer."""
    ages, strata, horizon = counts["age"].to_numpy(float) / FINE, counts["stratum"], horizon_months
    now, then = (cumulative_hazards(model.baseline, strata, ages + h, tail=horizon) for h in (0.0, horizon))
    risk, n = then - now, counts["n"]
    means = (risk * n).groupby(strata).transform("sum") / n.groupby(strata).transform("sum")
    average = (risk * n).sum() / max(n.sum(), 1)
    rows = []
    for stratum, age, own, mean in zip(strata, counts["age"], risk, means, strict=True):
        months = counted(age // FINE, "month") if age >= FINE else "less than a month"
        here = f"new ({months})" if age < NEW * FINE else f"here for {months}"
        value = _raised(_on(model.stratified_by, stratum), mean / average if average else 1.0)
        rows.append((stratum, age, own, value, _raised(here, own / mean if mean else 1.0)))
    return pd.DataFrame(rows, columns=list(LOOKUP))
