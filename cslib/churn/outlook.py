"""What is to be expected of today's customers: their forecast, and how it goes with the list of those at risk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from cslib.data.dataset import DataSet
from cslib.data.lifetimes import lifetimes
from cslib.stats.models import FittedModels, fit_models, forecast

__all__ = ["Outlook", "forecast_customers"]

BOUNDS: Final = {"active_ci_lower": "ci_lower", "active_ci_upper": "ci_upper"}


def forecast_customers(
    data: DataSet, counts: pd.DataFrame, models: FittedModels, *, segment_by: str, split: str, horizon_months: int
) -> pd.DataFrame:
    """Forecast today's customers, those of all together as the sum over a column in which they differ.

    Parameters
    ----------
    data
        With ``customers``.
    counts, models
        As from :func:`cslib.data.lifetimes.lifetimes` by ``segment_by``, and :func:`cslib.stats.models.fit_models`.
    segment_by
        A column; empty for the whole only.
    split
        The column over which the whole is summed, such as ``DriverModel.split``: customers of one age who differ in
        it do not leave alike. Empty: that of ``segment_by``.
    horizon_months
        Months ahead.

    Returns
    -------
    pandas.DataFrame
        As from :func:`cslib.stats.models.forecast`.
    """
    when: Any = {"horizon_months": horizon_months, "as_of": data.as_of}
    own = forecast(counts, models, **when)
    if split in ("", segment_by):
        return own
    finer = lifetimes(data, segment_by=split).query("segment != 'All'")
    summed = forecast(finer, fit_models(finer, unit_months=models.unit_months), **when)
    return pd.concat([summed[summed["segment"] == "All"], own[own["segment"] != "All"]])


@dataclass(frozen=True)
class Outlook:
    """How many of all of today's customers are expected to leave.

    Attributes
    ----------
    n_active
        Customers today.
    months_ahead
        Within so many months.
    lost, ci_lower, ci_upper
        Customers expected to leave.
    share_lost
        Of today's, 0–1.
    line
        Today and each month ahead: ``segment``, ``months_ahead``, ``expected_active``, ``ci_lower``, ``ci_upper``.
    """

    n_active: int
    months_ahead: int
    lost: float
    ci_lower: float
    ci_upper: float
    share_lost: float
    line: pd.DataFrame = field(repr=False, compare=False)

    @classmethod
    def of(cls, forecast: pd.DataFrame) -> Self | None:
        """Sum up a forecast as from :func:`forecast_customers`; None where there is none of the whole."""
        rows = forecast[forecast["segment"] == "All"]
        if rows.empty:
            return None
        last = rows.iloc[-1]
        n = int(last["n_active"])
        lost, lower, upper = (float(n - last[c]) for c in ("expected_active", "active_ci_upper", "active_ci_lower"))
        share = float(1 - last["expected_active"] / n) if n else np.nan
        return cls(n, int(last["months_ahead"]), lost, lower, upper, share, _with_today(rows.rename(columns=BOUNDS)))

    def holds(self, expected_churned: float) -> bool:
        """Tell whether a number of customers who leave, such as the sum of a list, lies within the interval."""
        return self.ci_lower <= expected_churned <= self.ci_upper


def _with_today(rows: pd.DataFrame) -> pd.DataFrame:
    now = rows.head(1).assign(months_ahead=0)
    now = now.assign(**dict.fromkeys(["expected_active", *BOUNDS.values()], now["n_active"]))
    columns = ["segment", "months_ahead", "expected_active", *BOUNDS.values()]
    return pd.concat([now, rows], ignore_index=True)[columns]
