"""Would we have known? Fit on what was known a year ago, forecast the year, and lay what happened beside it."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cslib.base_value import project, summed
from cslib.lifetime_models import fit_models
from cslib.lifetimes import DAYS_PER_MONTH, lifetimes, unit_months
from cslib.ltv import percentiles
from cslib.tables import DataSet, rewind
from cslib.value_counts import value_counts
from cslib.value_outcomes import came_true
from cslib.value_paths import value_paths

__all__ = ["backtest", "backtest_day"]

COLUMNS: Final = ["segment", "month", "predicted", "ci_lower", "ci_upper", "actual", "measure"]
FEWEST: Final = 20  # customers then present
SEED: Final = 1
Floats = NDArray[np.float64]


def backtest_day(data: DataSet, *, months: int = 12) -> date | None:
    """Return the day so many months before ``as_of``, or None where too little was known by then.

    Parameters
    ----------
    data
        The data set.
    months
        To look back.

    Returns
    -------
    datetime.date or None
        None: customers have no dates, or by then fewer than 20 were present or nobody had been observed for half
        as long as is to be foretold.
    """
    if data.as_of is None or not data.has_dates("customers"):
        return None
    day = (pd.Timestamp(data.as_of) + pd.Timedelta(days=1) - pd.DateOffset(months=months) - pd.Timedelta(days=1)).date()
    table = data.table("customers")
    present = table.filter((table.started_on <= day) & (table.churned_on.isnull() | (table.churned_on > day)))
    known = present.aggregate(n=present.count(), since=present.started_on.min()).execute().iloc[0]
    if known["n"] < FEWEST or (data.observed_from and data.observed_from >= day):
        return None
    since = max(pd.Timestamp(known["since"]), pd.Timestamp(data.observed_from or date.min))
    return day if (pd.Timestamp(day) - since).days / DAYS_PER_MONTH >= months / 2 else None


def backtest(
    data: DataSet, day: date | None, *, segment_by: str = "", months: int = 12, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Forecast customers and revenue from what was known on an earlier day, and compare with what happened.

    Parameters
    ----------
    data
        With ``customers`` in dates, and a source of revenue (:func:`cslib.value_counts.value_counts`).
    day
        From :func:`backtest_day`; with None the result is empty.
    segment_by
        A column; empty for the whole only.
    months
        To foretell.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``month`` (date), ``predicted``, ``ci_lower``, ``ci_upper``, ``actual``, ``measure`` (``active
        customers``, then ``MRR``, or ``revenue`` of the month where orders tell it). Customers present on the day
        alone are followed, new ones are not; ``All`` is the sum of its segments where there are any.

    Notes
    -----
    The interval holds what a bootstrap leaves unknown of survival and price, and chance: who of the present
    customers leaves, Σ p(1 − p), weighted with squared MRR for revenue. It does not hold a change of the times.
    """
    if day is None:
        return pd.DataFrame(columns=COLUMNS)
    past = rewind(data, day)
    lives, values = lifetimes(past, segment_by=segment_by), value_counts(past, segment_by=segment_by)
    models = fit_models(lives, unit_months=unit_months(past))
    paths = value_paths(lives, values, models, horizon_months=months)
    actual = came_true(data, past, segment_by=segment_by, months=months, source=values.source)
    ordered = values.source == "orders"
    active, paid = {}, {}
    for i, (segment, own) in enumerate(paths.items()):
        ahead, rng = project(own, months=months), np.random.default_rng([SEED, i])
        active[segment] = _with_chance(ahead.active, ahead.active_variance, rng)
        paid[segment] = _with_chance(ahead.mrr, ahead.mrr_variance, rng)[:, : -1 if ordered else None]
    tables = [
        _compared(summed(active), actual, "n_active", confidence_level).assign(measure="active customers"),
        _compared(summed(paid), actual, "mrr", confidence_level).assign(measure="revenue" if ordered else "MRR"),
    ]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _with_chance(expected: Floats, variance: Floats, rng: np.random.Generator) -> Floats:
    """Add to each draw, but not to the estimate, who happens to leave."""
    luck = rng.standard_normal((len(expected), 1))
    luck[0] = 0
    return np.asarray(expected + luck * np.sqrt(variance))


def _compared(drawn: dict[str, Floats], actual: pd.DataFrame, column: str, confidence_level: float) -> pd.DataFrame:
    """Lay what was drawn for the last months beside what happened in them; the present month is none."""
    rows = []
    for segment, own in drawn.items():
        known = actual[(actual["segment"] == segment) & (actual["months_ahead"] > 0)]
        ahead = own[:, -len(known) :]
        bounds = [percentiles(month, confidence_level) for month in ahead.T]
        told = zip(known["month"], ahead[0], known[column], bounds, strict=True)
        rows += [{"segment": segment, "month": m, "predicted": p, "actual": a} | b for m, p, a, b in told]
    return pd.DataFrame(rows)
