"""Orders by kind and costs by month: upsell and cross-sell rates, what it costs to keep and to win a customer."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.calendar import first_whole, last_complete, monthly, observed, period_ordinal, period_start
from cslib.data.customers import MINOR_UNITS, cents, cumulated, summed_changes
from cslib.data.dataset import DataSet
from cslib.errors import MissingTableError
from cslib.stats.intervals import share_of_clusters
from cslib.value.prices import acquisition, spent

CONVERSIONS: Final = ["month", "kind", "n", "amount", "n_all", "rate", "ci_lower", "ci_upper"]
ORDERED: Final = ("new", "renewal", "upsell", "cross_sell")
COSTS: Final = [
    *("month", "retention_cost", "n_retained", "crc", "margin", "share_of_margin"),
    *("acquisition_cost", "n_new", "cac", "months", "months_retention", "months_acquisition"),
]


def has_kinds(data: DataSet) -> bool:
    """Tell whether orders are there with their kind."""
    return "orders" in data.tables and "kind" in data.table("orders").columns


def conversions(data: DataSet, *, months: int = 1) -> pd.DataFrame:
    """Count orders by kind: upsell and cross-sell rates.

    Parameters
    ----------
    data
        With ``orders`` that have a ``kind``.
    months
        Months up to each one that are taken together.

    Returns
    -------
    pandas.DataFrame
        One row per complete month and kind (``new``, ``renewal``, ``upsell``, ``cross_sell``): ``month`` (first day),
        ``kind``, ``n`` (orders), ``amount`` (sum), ``n_all`` (orders of any kind), ``rate`` (n / n_all, 0–1; missing
        without orders), ``ci_lower``, ``ci_upper`` (over customers, whose orders are alike, see
        :func:`cslib.stats.intervals.share_of_clusters`). Orders without a kind are not counted; those with a negative
        amount (refunds) count in the amount only.

    Raises
    ------
    MissingTableError
        There is no ``orders``, or it has no ``kind``.
    """
    orders = data.table("orders")
    whose = data.label or "the data set"
    msg = f"orders of {whose} have no column kind (new, renewal, upsell, cross_sell). Add it."
    MissingTableError.when(not has_kinds(data), msg)
    counts = _over_customers(orders.filter(orders.kind.notnull()), data, months)
    wide = {kind: _of_kind(counts, kind) for kind in ORDERED}
    table = pd.concat(wide, names=["kind", "at"]).reset_index().sort_values("at", kind="stable", ignore_index=True)
    if table.empty:
        return pd.DataFrame(columns=CONVERSIONS)
    starts = [pd.Timestamp(period_start(int(at), "month")) for at in table["at"]]
    return table.assign(month=starts).astype({"n": "int64", "n_all": "int64"})[CONVERSIONS]


def _over_customers(orders: ir.Table, data: DataSet, months: int) -> pd.DataFrame:
    """Sum orders of the months up to each complete one per customer, and over customers these sums and their products.

    By number of the month: ``all`` and each kind (orders), ``amount_`` of each (hundredths), ``all_all`` (Σ of each
    customer's orders squared) and, per kind, ``upsell_upsell`` and ``all_upsell``.
    """
    complete, at = last_complete(observed(data), "month"), period_ordinal(orders.ordered_on, "month")
    one = (orders.amount.fill_null(0) >= 0).cast("int64")
    each = {kind: ibis.ifelse(orders.kind == kind, one, 0) for kind in ORDERED} | {"all": one}
    paid = cents(orders.amount.fill_null(0))
    each |= {f"amount_{kind}": ibis.ifelse(orders.kind == kind, paid, 0) for kind in ORDERED}
    rows = orders.select("customer_id", step=at, **each).filter(ibis._.step <= complete)
    gone = rows.select("customer_id", step=rows.step + months, **{name: -rows[name] for name in each})
    levels = cumulated(rows.union(gone), **dict.fromkeys(each, "sum"))
    pairs = {f"{a}_{b}": (a, b) for b in ORDERED for a in (b, "all")} | {"all_all": ("all", "all")}
    sums = summed_changes(levels, list(each), ["step"], products=pairs).set_index("step").sort_index()
    first = int(sums.index.min()) if len(sums) else complete + 1
    return sums.reindex(pd.RangeIndex(first, complete + 1, name="at"), fill_value=0.0).cumsum()


def _of_kind(counts: pd.DataFrame, kind: str) -> pd.DataFrame:
    n, n_all = counts[kind], counts["all"]
    squares = counts["all_all"], counts[f"{kind}_{kind}"], counts[f"all_{kind}"]
    own = {"n": n, "amount": counts[f"amount_{kind}"] / MINOR_UNITS, "n_all": n_all, "rate": n / n_all.where(n_all > 0)}
    return pd.DataFrame(own | share_of_clusters(n_all, n, squares=squares).columns())


def retention_cost(data: DataSet, moved: pd.DataFrame, *, gross_margin: float = 1.0, months: int = 1) -> pd.DataFrame:
    """Compute what it costs to keep a customer, against the margin that is kept, and to win one.

    Parameters
    ----------
    data
        With ``costs``. Where only some customers were kept, retention cost is unknown: it is booked for all together.
    moved
        As from :func:`cslib.revenue.movements.movements` by month; only ``All`` is used.
    gross_margin
        Share of MRR that is margin.
    months
        Months up to each one that are taken together.

    Returns
    -------
    pandas.DataFrame
        One row per month of ``moved``: ``month``, ``retention_cost`` (amount), ``n_retained`` (customers of the opening
        who still pay at the end, added up over the months), ``crc`` (retention cost / retained), ``margin`` (MRR of the
        retained × gross margin), ``share_of_margin`` (retention cost / margin), ``acquisition_cost``, ``n_new``
        (customers who started) and ``cac`` (as from :func:`cslib.value.prices.acquisition`), ``months`` (taken
        together, as far as there are so many), ``months_retention`` and ``months_acquisition`` (whose costs of the
        kind are known). A month without a row in ``costs`` is unknown, not 0: neither its costs nor its customers
        count. Missing where no month is known. No intervals: these are all costs, no sample.

    Raises
    ------
    MissingTableError
        There is no ``costs``.
    ParameterError
        ``moved`` is not by month.
    """
    data.table("costs")
    rows = monthly(moved)
    rows = rows.set_index(rows["month"].dt.year * 12 + rows["month"].dt.month - 1)
    if data.observed_from:
        rows = rows[rows.index >= first_whole(data.observed_from, "month")]
    booked = spent(data, "retention").reindex(rows.index) / MINOR_UNITS
    cost = booked * np.nan if data.unfiltered else booked
    margin = (rows["opening"] + rows["expansion"] + rows["contraction"] + rows["churn"]) * gross_margin
    each = {"retention_cost": cost, "margin": margin, "n_retained": rows["n_opening"] - rows["n_churned"]}
    known = pd.DataFrame(each | {"months_retention": 1}).where(cost.notna(), 0).astype(float)
    sums = known.assign(months=1).rolling(months, min_periods=1).sum()
    told = ["retention_cost", "margin", "n_retained"]
    sums[told] = sums[told].where(sums["months_retention"] > 0)
    over = sums[["n_retained", "margin"]].where(lambda base: base > 0)
    table = sums.assign(month=rows["month"], crc=sums["retention_cost"] / over["n_retained"])
    table["share_of_margin"] = sums["retention_cost"] / over["margin"]
    table = table.join(acquisition(data, months=months)).fillna({"months_acquisition": 0})[COSTS]
    return table.astype({c: "int64" for c in COSTS if c.startswith("months")}).reset_index(drop=True)
