"""Did newer cohorts really change? A test over the first periods that all cohorts share."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from cslib.cohorts import CONTRACTUAL, Spans, active_periods, default_source, read_spans, retention
from cslib.counts import ordinal, period_start
from cslib.intervals import holm, log_rank, newcombe
from cslib.tables import DataSet

__all__ = ["compare_cohorts", "empty_comparison"]

SHARED_AGES: Final = {"day": 30, "week": 12, "month": 6, "quarter": 2, "year": 1}
SMALLEST: Final = 20  # customers, and
EXPECTED: Final = 5  # losses, that a group wants for a chi-squared test
COMPARISON: Final = [
    *(
        "comparison",
        "cohort",
        "n_cohorts",
        "n_too_young",
        "shared_age",
        "test",
        "statistic",
        "df",
        "p_value",
        "p_adjusted",
    ),
    *("periods_difference", "n_newer", "n_older", "rate_newer", "rate_older", "difference", "ci_lower", "ci_upper"),
]


def compare_cohorts(data: DataSet, *, source: str = "", period: str = "month", max_shared_age: int = 0) -> pd.DataFrame:
    """Test whether newer cohorts are retained differently from older ones.

    Parameters
    ----------
    data, source, period
        As in :func:`cslib.cohorts.retention`; retained always means ``on``.
    max_shared_age
        Cohorts are compared over their first periods only, so that all had the same time: up to this many
        (by default about half a year: 30 days, 12 weeks, 6 months, 2 quarters or 1 year), or half the
        observed span where that is shorter. Cohorts younger than that stand aside.

    Returns
    -------
    pandas.DataFrame
        One row each for ``all cohorts``, ``newer half`` and ``newest cohort`` (against all older ones):
        ``comparison``, ``cohort`` (first of the newer ones), ``n_cohorts``, ``n_too_young``,
        ``shared_age`` (periods), ``test``, ``statistic``, ``df``, ``p_value``, ``p_adjusted`` (Holm over
        the rows), ``periods_difference`` (mean periods retained of the shared ones, newer less older),
        ``n_newer``, ``n_older``, ``rate_newer``, ``rate_older`` (retained at the shared age,
        0–1), ``difference``, ``ci_lower``, ``ci_upper`` (of that difference alone; 95 % Newcombe). Empty
        with fewer than two cohorts old enough.

    Notes
    -----
    With declared churn (a ``customers`` table) a log-rank test on the periods until the customer leaves for
    good. Otherwise, because activity comes and goes and a pause at the right edge looks like a loss, the mean
    number of retained periods per customer is compared (chi-squared, one-way analysis of variance on
    customers). The test speaks of all periods up to the shared age, the difference of the last one. Cohorts
    too small for a test are joined with the next. A first quarter or year that the data do not cover from its
    beginning is left out: its customers had less time in it. Orders or usage cut off at a date make old
    customers look like the first cohorts: give ``observed_from`` then.
    """
    source = source or default_source(data)
    spans = read_spans(data, source, period)
    most = max_shared_age or SHARED_AGES[period]
    shown, too_young = _shared(retention(data, source=source, period=period, max_periods=most), data, spans, most)
    age = int(shown.columns[-1])
    merged = _merge(shown, shown)
    groups = _groups(list(merged.index)) if len(merged) > 1 and age > 0 else {}
    tests = _tests(data, spans, shown, groups)
    rows = [
        {"comparison": name, "cohort": min(newer), "n_cohorts": len(merged), "n_too_young": too_young}
        | {"shared_age": age, **tests[name], **_difference(merged, newer, age)}
        for name, newer in groups.items()
    ]
    result = pd.DataFrame(rows, columns=COMPARISON)
    return result.assign(p_adjusted=holm(result["p_value"]))


def empty_comparison() -> pd.DataFrame:
    """Return a comparison without rows, for data that know no cohorts."""
    return pd.DataFrame(columns=COMPARISON)


def _tests(
    data: DataSet, spans: Spans, shown: pd.DataFrame, groups: dict[str, list[pd.Timestamp]]
) -> dict[str, dict[str, object]]:
    """Test each group of newer cohorts against the older ones over all shared periods."""
    age = int(shown.columns[-1])
    if not groups:
        return {}
    if not _declared(data, spans.source):
        sums = _merge(active_periods(spans, age).reindex(shown.index), shown)
        return {name: _means(sums, newer) for name, newer in groups.items()}
    left = shown
    if spans.source == "subscriptions":
        churn = retention(data, source="customers", period=spans.period, max_periods=age)
        left = _wide(churn, age).reindex(shown.index).dropna()
    left = _merge(left, shown)
    return {name: _log_rank(left, newer) for name, newer in groups.items()}


def _declared(data: DataSet, source: str) -> bool:
    """Tell whether the data declare who left; a derived churn knows with hindsight who only paused."""
    return source in CONTRACTUAL and data.has_dates("customers") and "customers" not in data.derived


def _starts(shown: pd.DataFrame) -> pd.Series[Any]:
    """Join cohorts too small to be tested with the next ones; give each the first day of its group.

    A chi-squared test wants about five expected losses, and some twenty customers, in every group.
    """
    lost = float((shown[-1] - shown[shown.columns[-1]]).sum())
    need = max(SMALLEST, EXPECTED * float(shown[-1].sum()) / lost if lost else 0.0)
    starts, start, size = [], None, 0.0
    for day, n in shown[-1].items():
        start = day if start is None else start
        starts.append(start)
        size += n
        if size >= need:
            start, size = None, 0.0
    if start is not None:  # the newest are too few by themselves
        whole = [s for s in starts if s != start]
        starts = [whole[-1] if whole and s == start else s for s in starts]
    return pd.Series(starts, index=shown.index)


def _merge(table: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    return table.groupby(_starts(shown).reindex(table.index)).sum()


def _wide(triangle: pd.DataFrame, age: int) -> pd.DataFrame:
    """Retained by cohort and period up to an age, sizes in column −1."""
    wide = triangle.pivot(index="cohort", columns="period_index", values="n_retained").astype(float)
    wide.insert(0, -1, triangle.groupby("cohort")["n_customers"].first())
    return wide.reindex(columns=range(-1, age + 1))


def _shared(triangle: pd.DataFrame, data: DataSet, spans: Spans, most: int) -> tuple[pd.DataFrame, int]:
    """Cut a triangle to the cohorts that reached the shared age, and count those too young."""
    oldest = spans.complete - ordinal(triangle["cohort"].min().date(), spans.period)
    age = max(0, min(most, max(oldest // 2, 1)))
    wide = _wide(triangle, age)
    begun = date.fromisoformat(data.statistics[spans.source]["first"])
    late_start = ordinal(begun, "month") > ordinal(period_start(spans.lowest, spans.period), "month")
    if spans.period in ("quarter", "year") and late_start:
        wide = wide[wide.index > pd.Timestamp(period_start(spans.lowest, spans.period))]
    old_enough = wide.dropna()
    return old_enough, len(wide) - len(old_enough)


def _groups(cohorts: list[pd.Timestamp]) -> dict[str, list[pd.Timestamp]]:
    half = cohorts[len(cohorts) // 2 :]
    groups = {"all cohorts": cohorts, "newer half": half, "newest cohort": cohorts[-1:]}
    return groups if len(half) > 1 else {"newest cohort": cohorts[-1:]}


def _split(table: pd.DataFrame, newer: list[pd.Timestamp]) -> pd.DataFrame:
    """Every cohort a row of its own, or two rows: older and newer."""
    of_newer = table.index.isin(newer)
    return table if of_newer.all() else table.groupby(of_newer).sum()


def _log_rank(table: pd.DataFrame, newer: list[pd.Timestamp]) -> dict[str, object]:
    left = _split(table, newer).to_numpy(float)
    result = log_rank(left[:, :-1], left[:, :-1] - left[:, 1:])
    return {"test": "log-rank", "statistic": result.statistic, "df": result.df, "p_value": result.p_value}


def _means(sums: pd.DataFrame, newer: list[pd.Timestamp]) -> dict[str, object]:
    groups = _split(sums, newer)
    n, x, xx = (groups[c].to_numpy(float) for c in ("n", "x", "xx"))
    within = float((xx - x**2 / n).sum() / max(n.sum() - len(n), 1))
    between = float((n * (x / n - x.sum() / n.sum()) ** 2).sum())
    statistic, df = (between / within if within > 0 else np.nan), len(n) - 1
    p = float(chdtrc(df, statistic)) if within > 0 else np.nan
    return {"test": "mean retained periods", "statistic": statistic, "df": df, "p_value": p}


def _difference(table: pd.DataFrame, newer: list[pd.Timestamp], age: int) -> dict[str, object]:
    if len(newer) == len(table):
        return {}
    older, new = _split(table, newer)[[age, -1]].to_numpy(float)
    stayed = _split(table, newer)[list(range(1, age + 1))].sum(axis=1).to_numpy(float)
    interval = newcombe((new[0], older[0]), (new[1], older[1]))
    return {
        "periods_difference": stayed[1] / new[1] - stayed[0] / older[1],
        "n_newer": int(new[1]),
        "n_older": int(older[1]),
        "rate_newer": new[0] / new[1],
        "rate_older": older[0] / older[1],
        "difference": new[0] / new[1] - older[0] / older[1],
        "ci_lower": float(interval.lower),
        "ci_upper": float(interval.upper),
    }
