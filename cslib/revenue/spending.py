"""Orders by kind and costs by month: upsell and cross-sell rates, what it costs to keep and to win a customer."""

from __future__ import annotations

from typing import Final

import pandas as pd

from cslib.data.calendar import first_whole, last_complete, monthly, observed, period_ordinal, period_start
from cslib.data.customers import MINOR_UNITS, exact_sum
from cslib.data.dataset import DataSet
from cslib.errors import MissingTableError
from cslib.stats.intervals import wilson
from cslib.value.prices import acquisition, spent

CONVERSIONS: Final = ["month", "kind", "n", "amount", "n_all", "rate", "ci_lower", "ci_upper"]
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
        without orders), ``ci_lower``, ``ci_upper`` (Wilson). Orders without a kind are not counted; those with a
        negative amount (refunds) count in the amount only.

    Raises
    ------
    MissingTableError
        There is no ``orders``, or it has no ``kind``.
    """
    orders = data.table("orders")
    if not has_kinds(data):
        whose = data.label or "the data set"
        msg = f"orders of {whose} have no column kind (new, renewal, upsell, cross_sell). Add it."
        raise MissingTableError(msg)
    rows = orders.filter(orders.kind.notnull()).mutate(at=period_ordinal(orders.ordered_on, "month"))
    sums = {"n": (rows.amount.fill_null(0) >= 0).sum(), "amount": exact_sum(rows.amount)}
    found = rows.group_by(["at", "kind"]).aggregate(**sums).execute()
    complete = last_complete(observed(data), "month")
    found = found[found["at"] <= complete]
    if found.empty:
        return pd.DataFrame(columns=CONVERSIONS)
    numbers = pd.RangeIndex(found["at"].min(), complete + 1)
    kinds = ["new", "renewal", "upsell", "cross_sell"]
    wide = {c: _spread(found, c, kinds, numbers).rolling(months, min_periods=1).sum() for c in ("n", "amount")}
    counts = pd.DataFrame({c: frame.stack() for c, frame in wide.items()}).reset_index()
    counts["n_all"] = counts.groupby("at")["n"].transform("sum")
    rate = counts["n"] / counts["n_all"].where(counts["n_all"] > 0)
    starts = [pd.Timestamp(period_start(int(at), "month")) for at in counts["at"]]
    table = counts.assign(month=starts, rate=rate, **wilson(counts["n"], counts["n_all"]).columns())
    return table.astype({"n": "int64", "n_all": "int64"})[CONVERSIONS]


def _spread(found: pd.DataFrame, column: str, kinds: list[str], numbers: pd.RangeIndex) -> pd.DataFrame:
    wide = found.pivot_table(index="at", columns="kind", values=column, aggfunc="sum")
    return wide.reindex(index=numbers, columns=kinds).fillna(0.0).rename_axis(index="at", columns="kind")


def retention_cost(data: DataSet, moved: pd.DataFrame, *, gross_margin: float = 1.0, months: int = 1) -> pd.DataFrame:
    """Compute what it costs to keep a customer, against the margin that is kept, and to win one.

    Parameters
    ----------
    data
        With ``costs``.
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
    cost = spent(data, "retention").reindex(rows.index) / MINOR_UNITS
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
