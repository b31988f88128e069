"""Curves and comparisons whose figures are chosen, for what is said of them."""

import pandas as pd

from cslib.retention.cohorts import COMPARISON
from cslib.stats.intervals import wilson


def curve(**rates):
    """Rates at periods 0 to 13 by segment, of 1,000 customers each."""
    parts = []
    for segment, rate in rates.items():
        k = pd.Series(range(14))
        own = pd.DataFrame({"segment": segment, "period_index": k, "n_customers": 1000})
        own["n_retained"] = (1000 * rate ** (k / 12)).round()
        interval = wilson(own.n_retained, own.n_customers)
        parts.append(own.assign(retention_rate=own.n_retained / 1000, ci_lower=interval.lower, ci_upper=interval.upper))
    return pd.concat(parts, ignore_index=True)


def comparison(p, difference=0.1, *, together=None, half_width=0.05, which="newer half", season=""):
    """One contrast: a test over all shared periods (p), and the difference at the last one with its interval."""
    row = dict.fromkeys(COMPARISON, 0.0)
    row |= {
        "comparison": which,
        "cohort": pd.Timestamp("2024-03-01"),
        "shared_age": 6,
        "p_adjusted": p,
        "season": season,
    }
    row |= {"rate_newer": 0.7, "rate_older": 0.7 - difference, "difference": difference, "n_newer": 60, "n_older": 40}
    row |= {"ci_lower": difference - half_width, "ci_upper": difference + half_width}
    return pd.DataFrame([row | {"periods_difference": difference if together is None else together}])
