"""Lifetimes, forecasts and rates small enough to work out by hand."""

import numpy as np
import pandas as pd

from cslib.churn.at_risk import stakes


def lives(**segments):
    """Lifetimes by segment: (duration, left, n) each; the whole is their sum."""
    rows = [(s, 0.0, float(d), e, n) for s, each in segments.items() for d, e, n in each]
    parts = pd.DataFrame(rows, columns=["segment", "entry_months", "duration_months", "event_observed", "n"])
    return pd.concat([parts.assign(segment="All"), parts], ignore_index=True)


PRO = [(3, True, 10), (12, True, 20), (24, False, 170)]
LITE = [(3, True, 60), (12, True, 60), (24, False, 80)]


def forecast(expected=(90.0, 80.0), half=5.0):
    rows = [("All", k + 1, 100, e, e - half, e + half) for k, e in enumerate(expected)]
    return pd.DataFrame(
        rows, columns=["segment", "months_ahead", "n_active", "expected_active", "active_ci_lower", "active_ci_upper"]
    )


def rates(last=0.05, *, half=0.01, months=14, usual=0.05):
    each = [usual] * (months - 1) + [last]
    return pd.DataFrame(
        {"segment": "All", "month": pd.date_range("2024-01-01", periods=months, freq="MS"), "method": "start_of_period", "n_start": 1000,
         "n_churned": [1000 * r for r in each], "churn_rate": each, "ci_lower": np.array(each) - half, "ci_upper": np.array(each) + half}
    )  # fmt: skip


RISKS = pd.DataFrame({"p_churn": (0.5, 0.25, 0.25), "money_at_risk": (50.0, 30.0, 20.0), "mrr": (100.0, 120.0, 80.0)})
RISKS = RISKS.assign(reason=None)


def at_stake(money=(50.0, 30.0, 20.0), p=(0.5, 0.25, 0.25), reason=None):
    own = {"p_churn": p, "money_at_risk": money, "mrr": [100.0] * len(p)}
    return stakes(pd.DataFrame(own).assign(reason=reason), capacity=1)
