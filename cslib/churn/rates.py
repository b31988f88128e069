"""Churn by calendar period: three rates of leaving, and why ways of measuring churn differ.

The engine counts, per period, who came and who left, in one pass; the rates follow from these counts.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammaincinv

from cslib.data.calendar import (
    age_in_months,
    first_whole,
    last_complete,
    ordinal,
    period_ordinal,
    period_start,
)
from cslib.data.customers import with_all, with_segment
from cslib.data.dataset import DataSet
from cslib.data.lives import lives, settled
from cslib.errors import DataError, counted
from cslib.retention.cohorts import retention
from cslib.stats.intervals import Floats, Interval, wilson
from cslib.stats.limits import ABSENT, ALLOWED, TWO_YEARS, UNKNOWN, season_of
from cslib.stats.survival import life_table

METHODS: Final = ("start_of_period", "average_base", "daily_hazard")
ESTIMATES: Final = ["churn_rate", "retention_rate", "ci_lower", "ci_upper"]
RATES: Final = ["segment", "month", "method", "n_start", "n_new", "n_churned", *ESTIMATES]
RECONCILED: Final = ["measure", "n_base", "n_churned", "churn_rate", "explanation"]
FLOWS: Final = ("n_new", "n_left", "n_left_new", "net_days")
YEAR: Final = 12  # months
EPOCH: Final = pd.Timestamp(1970, 1, 1)
Measure = tuple[str, float, float, str]  # name, base, churned, explanation


def churn_rates(data: DataSet, *, segment_by: str = "", period: str = "month") -> pd.DataFrame:
    """Churn rate of every complete period, measured in three ways.

    Parameters
    ----------
    data
        With ``customers`` in dates.
    segment_by
        A column; empty for the whole only.
    period
        ``day``, ``week``, ``month``, ``quarter`` or ``year``.

    Returns
    -------
    pandas.DataFrame
        One row per segment, period and method, from the first period that begins with a customer, and not
        before ``observed_from``: ``segment`` (``All`` first), ``month`` (first day of the period), ``method``,
        ``n_start`` (customers when the period began), ``n_new`` (who came in it), ``n_churned`` (who left in it,
        as the method counts), ``churn_rate`` (missing without a base), ``retention_rate`` (1 less the churn
        rate), ``ci_lower``, ``ci_upper`` (of the churn rate, 95 %).

    Raises
    ------
    DataError
        There is no ``customers``, or it holds tenures.
    ParameterError
        A parameter is outside its choices.

    Notes
    -----
    - ``start_of_period``: customers of the start who left / customers of the start. Wilson score.
    - ``average_base``: all who left, newcomers included / mean of the customers at the start and at the end. It
      passes 1 where more leave than there are on average.
    - ``daily_hazard``: 1 − exp(−all who left / customer-days × days of the period). A customer counts on a day from
      ``started_on`` to the day before ``churned_on``.

    The last two have exact Poisson bounds on the number who left, transformed (above 1 they are cut). Simulated, they
    cover 94.5 to 97 % where ten or more are expected to leave, and up to 99.7 % with fewer: they are never too narrow.

    References
    ----------
    Wilson (1927), JASA 22:209–212; Garwood (1936), Biometrika 28:437–442.

    Examples
    --------
    Two customers begin February; one leaves in it, and a third one comes.

    >>> import pandas as pd, cslib
    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "churned_on": ["2025-02-15", None, None],
    ...                           "started_on": ["2025-01-01", "2025-01-01", "2025-02-15"]})
    >>> rates = churn_rates(cslib.load({"customers": customers}, as_of="2025-02-28"))
    >>> rates[["method", "n_start", "n_churned"]].values.tolist()
    [['start_of_period', 2, 1], ['average_base', 2, 1], ['daily_hazard', 2, 1]]
    >>> rates["churn_rate"].round(3).tolist()
    [0.5, 0.5, 0.393]
    """
    own = _periods(data, segment_by, period)
    by_method = [own.assign(method=m, **columns) for m, columns in _estimates(own).items()]
    return pd.concat(by_method).sort_index(kind="stable", ignore_index=True)[RATES]


def last_month(rates: pd.DataFrame) -> pd.Series[Any] | None:
    """Set the last complete month of all customers against up to twelve before it.

    Parameters
    ----------
    rates
        As from :func:`churn_rates`.

    Returns
    -------
    pandas.Series or None
        Its row of ``start_of_period``, and ``usual`` (the rate of the months before, pooled, and what the season adds
        to it; NaN where there are none), ``n_before`` (how many months that are), ``season`` (``allowed for``, ``none``
        or, with less than two years before it, ``unknown``), ``compared`` (``fewer`` or ``more`` left than usual where
        the interval leaves the usual rate out, else ``alike``; empty where nothing is there to be compared). None where
        no month is complete.

    Notes
    -----
    Season as in :func:`cslib.stats.limits.season_of`; the interval is wider by what it is uncertain.
    """
    rows = rates[(rates["segment"] == "All") & (rates["method"] == "start_of_period")]
    if rows.empty:
        return None
    last, before = rows.iloc[-1], rows.iloc[-13:-1]
    n, season = before["n_start"].sum(), season_of(rows["churn_rate"].iloc[:-1], per_year=12)
    usual = max(0.0, float(before["n_churned"].sum() / n + season.effect[-1])) if n else np.nan
    off = (usual - last["churn_rate"]) / np.sqrt(season.ahead)
    above, below = last["ci_upper"] - last["churn_rate"], last["churn_rate"] - last["ci_lower"]
    against = "fewer" if off > above else "more" if -off > below else "alike"
    known = {"usual": usual, "n_before": len(before), "compared": "" if np.isnan(usual) else against}
    told = ALLOWED if season.kept else ABSENT if len(rows) > TWO_YEARS else UNKNOWN
    return pd.concat([last, pd.Series(known | {"season": told})])


def last_year(rates: pd.DataFrame, *, segment: str = "All", ago: int = 0) -> pd.Series[Any] | None:
    """Pool the last twelve complete months of all customers, or of a segment; or those that ended some months ago.

    Parameters
    ----------
    rates
        As from :func:`churn_rates` by month.
    segment
        One of theirs.
    ago
        Months between their end and that of the last.

    Returns
    -------
    pandas.Series or None
        ``month`` (the last one), ``n_start`` (customers of the months' starts, added up), ``n_churned`` (of these, who
        left in the month), ``churn_rate`` (a month), ``ci_lower``, ``ci_upper`` (Wilson, 95 %). None with fewer months.
    """
    rows = rates[(rates["segment"] == segment) & (rates["method"] == "start_of_period")]
    rows = rows.head(max(len(rows) - ago, 0)).tail(YEAR)
    n, left = float(rows["n_start"].sum()), float(rows["n_churned"].sum())
    if len(rows) < YEAR or not n:
        return None
    ends = {name: float(end[0]) for name, end in wilson([left], [n]).columns().items()}
    return pd.Series({"month": rows["month"].iloc[-1], "n_start": n, "n_churned": left, "churn_rate": left / n, **ends})


def _estimates(own: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Columns of every method, on the same rows."""
    n, left = own["n_start"].to_numpy(float), own["n_left"].to_numpy()
    settled = left - own["n_left_new"].to_numpy()
    score, count = wilson(settled, n), _poisson(left)
    mean = n + (own["n_new"] - own["n_left"]).to_numpy() / 2
    # customers the period would need to give the days there were
    whole = (own["customer_days"] / own["days"]).to_numpy(float)
    average, daily = ([_share(x, base) for x in (left, count.lower, count.upper)] for base in (mean, whole))
    average[2] = np.minimum(average[2], np.maximum(average[0], 1.0))
    rates = ([_share(settled, n), score.lower, score.upper], average, [-np.expm1(-x) for x in daily])
    return {
        method: {"n_churned": x, "churn_rate": r, "retention_rate": 1 - r, "ci_lower": lower, "ci_upper": upper}
        for method, x, (r, lower, upper) in zip(METHODS, (settled, left, left), rates, strict=True)
    }


def _share(x: ArrayLike, base: Floats) -> Floats:
    return np.asarray(x, float) / np.where(base > 0, base, np.nan)


def _poisson(n: ArrayLike) -> Interval:
    """Exact 95 % bounds of the number expected, given the number seen (Garwood)."""
    x, tail = np.asarray(n, float), (1 - 0.95) / 2
    lower = np.where(x > 0, gammaincinv(np.maximum(x, 1), tail), 0.0)
    return Interval(lower, gammaincinv(x + 1, 1 - tail))


def _periods(data: DataSet, segment_by: str, period: str) -> pd.DataFrame:
    """Count, by segment and complete period, the customers at its start, who came, who left, and customer-days."""
    flows, complete = _flows(data, segment_by, period), last_complete(settled(data), period)
    numbers = range(min(flows["at"], default=complete + 1), complete + 1)
    starts = [period_start(n, period) for n in (*numbers, complete + 1)]
    spans = pd.DataFrame({"at": numbers, "month": pd.to_datetime(starts[:-1]), "end": pd.to_datetime(starts[1:])})
    own = flows[["segment"]].drop_duplicates().merge(spans, how="cross").merge(flows, on=["segment", "at"], how="left")
    own = own.fillna(dict.fromkeys(FLOWS, 0)).astype(dict.fromkeys(FLOWS, "int64"))
    net = own["n_new"] - own["n_left"]
    own["n_start"] = net.groupby(own["segment"], sort=False).cumsum() - net
    own["days"] = (own["end"] - own["month"]).dt.days
    own["customer_days"] = own["n_start"] * own["days"] + net * (own["end"] - EPOCH).dt.days + own["net_days"]
    since = first_whole(data.observed_from, period) if data.observed_from else own["at"].min()
    first = own.loc[(own["n_start"] > 0) & (own["at"] >= since), "at"].min()
    return own[own["at"] >= first].reset_index(drop=True)


def _flows(data: DataSet, segment_by: str, period: str) -> pd.DataFrame:
    """Count who came and who left by segment and period, with the sum of day numbers left on less those come on."""
    rows = _dated(data)
    came, left = period_ordinal(rows.started_on, period), period_ordinal(rows.churned_on, period)
    day, last = period_ordinal(rows.started_on, "day"), period_ordinal(rows.churned_on, "day")
    rows = rows.select("customer_id", came=came, left=left, came_day=day, left_day=last)
    rows = with_segment(rows, data, segment_by)
    none, one = (ibis.literal(i, "int64") for i in (0, 1))
    new = rows.select("segment", at=rows.came, n_new=one, n_left=none, n_left_new=none, net_days=-rows.came_day)
    same = (rows.came == rows.left).cast("int64")
    gone = rows.select("segment", at=rows.left, n_new=none, n_left=one, n_left_new=same, net_days=rows.left_day)
    each = new.union(gone.filter(gone["at"].notnull()))
    sums = {c: each[c].sum().cast("int64") for c in FLOWS}
    return with_all(each.group_by(["segment", "at"]).aggregate(**sums).execute())


def _dated(data: DataSet) -> ir.Table:
    data.table("customers")
    if not data.has_dates("customers"):
        why = "customers holds tenures, which know no calendar, so there is no churn by month"
        msg = f"{why}. Supply started_on and churned_on, or use survival_curve."
        raise DataError(msg)
    return lives(data)


def reconcile(data: DataSet, counts: pd.DataFrame, *, month: date | None = None) -> pd.DataFrame:
    """Put the ways of measuring one month's churn side by side, and say why they differ.

    Parameters
    ----------
    data
        With ``customers`` in dates.
    counts
        As from :func:`cslib.data.lifetimes.lifetimes`, or :func:`cslib.data.drift.recent_lives`, of the same data.
    month
        A day of the month; None for the last complete one that begins with a customer.

    Returns
    -------
    pandas.DataFrame
        Five rows, or none where no complete month begins with a customer: ``measure``, ``n_base`` (whom it looks
        at), ``n_churned`` (who of them left; of ``Customers' ages`` the expected number), ``churn_rate`` (0–1;
        missing without a base), ``explanation`` (a sentence).

        - ``Start of the month``: as ``start_of_period`` of :func:`churn_rates`.
        - ``Cohorts added up``: what each cohort of :func:`cslib.retention.cohorts.retention` lost from one month's end
          to the next, summed.
        - ``Newcomers``: who came in the month.
        - ``Daily rate``: as ``daily_hazard``; everybody who was a customer on some day of the month.
        - ``Customers' ages``: what the customers of the start would have lost in a month like all together.

    Raises
    ------
    DataError
        ``customers`` is missing or holds tenures, or ``month`` is not complete or begins without customers.

    Notes
    -----
    A customer of age a on the day before a month, and of age b on its last day, leaves in it with probability
    1 − S(b) / S(a), S being Kaplan–Meier over all ``counts`` (flat past the oldest age seen, which for
    these customers is less than a month). Whether a month is out of the ordinary is judged by :func:`last_month`, which
    allows for the season.
    """
    months = _periods(data, "", "month")
    begun = months[months["n_start"] > 0]
    found = begun[begun["at"] == ordinal(month, "month")] if month else begun.tail(1)
    if found.empty and month:
        msg = f"{month:%B %Y} is not complete, or begins without a customer. Choose another month."
        raise DataError(msg)
    if found.empty:
        return pd.DataFrame(columns=RECONCILED)
    own: Any = found.iloc[0]
    settled, n_all = own.n_left - own.n_left_new, own.n_start + own.n_new
    start = f"{settled:,} of the {counted(own.n_start, 'customer')} at the start of {own.month:%B %Y} left in it."
    new = f"{counted(own.n_left_new, 'customer')} came and left in the month; the two rates above leave them out."
    new = new if own.n_left_new else "Nobody came and left in the month."
    days = f"{own.n_left:,} left, newcomers included, over {counted(own.customer_days, 'day')} as customers"
    rows = [
        ("Start of the month", own.n_start, settled, start),
        _cohorts(data, own),
        ("Newcomers", own.n_new, own.n_left_new, new),
        ("Daily rate", n_all, own.n_left, f"{days}: what a whole month at that pace takes."),
        _ages(data, counts, own),
    ]
    table = pd.DataFrame(rows, columns=[c for c in RECONCILED if c != "churn_rate"])
    daily = _estimates(found)["daily_hazard"]["churn_rate"]
    shares = _share(table["n_churned"], table["n_base"].to_numpy(float))
    table.insert(3, "churn_rate", np.where(table["measure"] == "Daily rate", daily, shares))
    return table


def _cohorts(data: DataSet, own: Any) -> Measure:
    base, kept = _triangle(data, own["at"])
    back = _came_back(data, own)
    missing, lost = own.n_start - base, own.n_left - own.n_left_new - back - (base - kept)
    text = "The same customers by the month they came in, so the same rate."
    if back:
        text = f"The same customers by the month they first came in, minus the {back:,} who came back in it."
    elif missing or lost:
        before = f"Cohorts leave out who came before {data.observed_from}, when churn was not yet recorded"
        text = f"{before}: {counted(missing, 'customer')} of the start, of whom {lost:,} left."
    return "Cohorts added up", base, base - kept, text


def _came_back(data: DataSet, own: Any) -> int:
    """Count who began another life in the month, and is a customer at its end."""
    rows, first, end = lives(data), ibis.date(own.month.date()), ibis.date(own.end.date())
    rows = rows.filter((rows.life > 1) & (rows.started_on >= first) & (rows.started_on < end))
    return int(rows.filter(rows.churned_on.isnull() | (rows.churned_on >= end)).count().execute())


def _triangle(data: DataSet, at: int) -> tuple[int, int]:
    """Sum up, over cohorts, who was retained at the end of the month before, and of them at the end of the month."""
    first, last = (ordinal(date.fromisoformat(data.statistics["customers"][e]), "month") for e in ("first", "last"))
    if data.observed_from and last < first_whole(data.observed_from, "month"):
        return 0, 0  # no cohort began since
    triangle = retention(data, source="customers", max_periods=max(1, at - first))
    cohort = triangle["cohort"].dt.year * 12 + triangle["cohort"].dt.month - 1
    month, later = cohort + triangle["period_index"], triangle["period_index"] > 0
    before, now = (triangle.loc[cells, "n_retained"].sum() for cells in (month == at - 1, (month == at) & later))
    return int(before), int(now)


def _ages(data: DataSet, counts: pd.DataFrame, own: Any) -> Measure:
    base = _base(data, own)
    before, after = (base[age].to_numpy() for age in ("before", "after"))
    loss = 1 - _stay(life_table(counts[counts["segment"] == "All"]), before, after)
    left, expected = int(base["n_left"].sum()), float((base["n"] * loss).sum())
    return "Customers' ages", own.n_start, expected, _against(left, expected)


def _stay(lives: pd.DataFrame, start: Floats, end: Floats) -> Floats:
    """Share that outlives ``end`` of those who outlived ``start``, also past an age at which all seen so far left."""
    n, d = lives["n_at_risk"].to_numpy(float), lives["n_events"].to_numpy(float)
    all_left = (d > 0) & (d == n)
    log_stay = np.cumsum(np.log1p(-np.where(all_left | (d == 0), 0.0, d / np.maximum(n, 1))))
    before, after = (np.searchsorted(lives["duration_months"], m, side="right") - 1 for m in (start, end))
    emptied = np.cumsum(all_left)
    return np.where(emptied[after] > emptied[before], 0.0, np.exp(log_stay[after] - log_stay[before]))


def _base(data: DataSet, own: Any) -> pd.DataFrame:
    """Count the customers at the start of a month, and who left in it, by the age outlived before it and in it."""
    rows, first, end = _dated(data), ibis.date(own.month.date()), ibis.date(own.end.date())
    rows = rows.filter((rows.started_on < first) & (rows.churned_on.isnull() | (rows.churned_on >= first)))
    left = (rows.churned_on < end).fill_null(False).cast("int64")
    last = [ibis.date((moment - pd.Timedelta(days=1)).date()) for moment in (own.month, own.end)]
    before, after = (age_in_months(rows.started_on, day) for day in last)
    rows = rows.select(before=before, after=after, left=left)
    ages = ["before", "after"]
    return rows.group_by(ages).aggregate(n=rows.count(), n_left=rows.left.sum()).order_by(ages).execute()


def _against(left: int, expected: float) -> str:
    if not expected > 0:
        return "At these ages nobody has left, so there is nothing to compare with."
    usual = f"At the pace this report rests on, {expected:,.1f} customers of these ages would have left; {left:,} did"
    return f"{usual}. No season is allowed for, so this is no verdict on the month."
