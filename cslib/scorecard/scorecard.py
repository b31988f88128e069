"""The scorecard: of every KPI the last value beside those before, its target, and whether it moved beyond noise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cslib.scorecard.catalogue import PASS_ONE, Kpi, Target
from cslib.scorecard.history import Measured
from cslib.stats.intervals import Interval, z_value

__all__ = ["by_segment", "control_limits", "scorecard"]

COLUMNS: Final = [
    *("kpi", "period", "value", "ci_lower", "ci_upper", "n", "unit", "previous", "target", "status", "definition"),
    *(
        "target_upper",
        "year_before",
        "limit_lower",
        "limit_upper",
        "change",
        "until",
        "months",
        "direction",
        "label",
        "group",
    ),
]
WHOLE: Final = "All"
ENOUGH: Final = 8  # past periods from which limits are drawn
MOST: Final = 24  # and how many of the last are used
SIGMAS: Final = 2.66  # 3 / 1.128: three standard deviations, in mean moving ranges
YEAR: Final = 12
NO_SPREAD: Final = 1e-9  # narrower limits are rounding


def control_limits(past: ArrayLike, *, error: float = 0.0, grows: bool = False) -> Interval:
    """Limits within which the next value of a series lies while nothing but chance moves it.

    Parameters
    ----------
    past
        Values of disjoint periods, the earliest first; missing ones are passed over. The last 24 count.
    error
        Standard error of one value: limits are at least three of it away from the mean.
    grows
        Whether each value follows from the one before it, as MRR does: then the limits are of its relative change.

    Returns
    -------
    Interval
        Of one value; missing with fewer than eight values (or changes), where all were alike, or where one that grows
        was not above 0.

    Notes
    -----
    Individuals chart: mean ± 2.66 × mean moving range, which is three standard deviations of independent normal values;
    of changes no less than three of their own, because small businesses do not change in many months.
    Simulated with 24 such values, 1 % of the next ones lie outside, with 12 2 % and with 8 3 % (0.27 % if the limits
    were known).

    References
    ----------
    Shewhart (1931), Economic Control of Quality; NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.2.

    Examples
    --------
    Eight values that move by 1 each time, about 4.5:

    >>> limits = control_limits([4, 5, 4, 5, 4, 5, 4, 5])
    >>> round(float(limits.lower), 2), round(float(limits.upper), 2)
    (1.84, 7.16)
    """
    values = np.asarray(past, float)
    values = values[np.isfinite(values)][-MOST - grows :]
    nothing = Interval(np.asarray(np.nan), np.asarray(np.nan))
    if grows and (len(values) < ENOUGH + 1 or (values <= 0).any()):
        return nothing
    series = np.diff(np.log(values)) if grows else values
    if len(series) < ENOUGH:
        return nothing
    half = max(SIGMAS * np.abs(np.diff(series)).mean(), 3 * (series.std(ddof=1) if grows else error))
    if not half > NO_SPREAD:
        return nothing
    ends = series.mean() + half * np.array([-1, 1])
    lower, upper = values[-1] * np.exp(ends) if grows else ends
    return Interval(np.asarray(lower), np.asarray(upper))


def scorecard(measured: Measured) -> pd.DataFrame:
    """Make one row of every KPI of the catalogue.

    Parameters
    ----------
    measured
        As from :func:`cslib.scorecard.history.measure_all`.

    Returns
    -------
    pandas.DataFrame
        ``kpi``, ``period`` (text), ``value``, ``ci_lower``, ``ci_upper``, ``n``, ``unit``, ``previous`` (the period
        just before, as long), ``target`` (what is to be reached at least, or stayed under at most; of a band the lower
        end), ``status`` (``met``; ``missed``; ``not clear``: the interval spans the target or is not known; ``no
        target``; ``not measured: …`` with the reason), ``definition``, ``target_upper`` (of a band), ``year_before``
        (the same period of the year before), ``limit_lower``, ``limit_upper`` (see :func:`control_limits`; missing with
        fewer than eight disjoint periods), ``change`` (``higher`` or ``lower``: by more than noise; ``noise``; empty:
        not known), ``until`` (last day of the period), ``months``, ``direction``, ``label``, ``group``.

    Notes
    -----
    A change is more than noise where the value lies outside the limits and its interval, too, leaves out their middle.
    Without limits, where the interval of its difference from the previous period leaves out 0, made of the two
    intervals as of independent periods (Zou and Donner 2008, Statistics in Medicine 27:1693–1702). Customer value,
    which rests on nearly the same customers as before, is not judged.
    """
    rows = []
    for name, kpi in measured.kpis.items():
        own = measured.history[(measured.history["kpi"] == name) & (measured.history["segment"] == WHOLE)]
        fixed: dict[str, Any] = {
            "kpi": name,
            "unit": kpi.unit,
            "definition": kpi.formula,
            "label": kpi.label,
            "group": kpi.group,
        }
        fixed |= {"direction": kpi.direction} | _ends(kpi, measured.targets.get(name))
        rows.append(fixed | _standing(own.reset_index(drop=True), kpi, measured, name))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "months": "Int64"})


def _ends(kpi: Kpi, target: Target | None) -> dict[str, float]:
    ends = [e for e in (target.low, target.high) if np.isfinite(e)] if target else []
    return {"target": ends[0] if ends else np.nan, "target_upper": ends[1] if len(ends) == 2 else np.nan}


def _standing(own: pd.DataFrame, kpi: Kpi, measured: Measured, name: str) -> dict[str, Any]:
    if own.empty:
        return {"period": "", "status": f"not measured: {measured.reasons[name]}", "change": ""}
    now = own.iloc[-1]
    known = {c: now[c] for c in ("value", "ci_lower", "ci_upper", "n", "until")}
    known |= {"period": _period(now, kpi), "months": int(now["months"])}
    if pd.isna(now["value"]):
        return {**known, "status": f"not measured: {kpi.blank}", "change": ""}
    spaced = own[_months_before(own, now) % kpi.months == 0]
    past = spaced.iloc[:-1]
    before = past[_months_before(past, now) == kpi.months]
    limits = control_limits(past["value"], error=_error(past, now), grows=kpi.grows)
    return {
        **known,
        "previous": _first(before),
        "year_before": _first(own[_months_before(own, now) == YEAR]),
        "limit_lower": max(float(limits.lower), -100.0 if name == "nps" else 0.0),
        "limit_upper": min(float(limits.upper), _highest(name, kpi)),
        "change": "" if kpi.group == "value" else _change(now, kpi, before, limits),
        "status": _status(now, kpi, measured.targets.get(name)),
    }


def _error(past: pd.DataFrame, now: pd.Series[Any]) -> float:
    """Give the mean standard error of past values, each brought to the number of customers there are now."""
    errors = (past["ci_upper"] - past["ci_lower"]).astype(float) / 2 / z_value(0.95)
    if errors.isna().all() or pd.isna(now["n"]) or not now["n"]:
        return 0.0
    return float((errors * np.sqrt(past["n"].astype(float) / float(now["n"]))).mean())


def _highest(name: str, kpi: Kpi) -> float:
    return 100.0 if name == "nps" else 1.0 if kpi.unit == "percent" and name not in PASS_ONE else np.inf


def _months_before(own: pd.DataFrame, now: pd.Series[Any]) -> pd.Series[int]:
    """Whole months from the end of each period to that of the last; 0 where no calendar is known."""
    if pd.isna(now["until"]):
        return pd.Series(0, index=own.index)
    return (now["until"].year - own["until"].dt.year) * 12 + now["until"].month - own["until"].dt.month


def _first(rows: pd.DataFrame) -> float:
    return float(rows["value"].iloc[0]) if len(rows) else np.nan


def _period(now: pd.Series[Any], kpi: Kpi) -> str:
    until, months = now["until"], int(now["months"])
    if pd.isna(until):
        return "as recorded"
    if kpi.group == "value" or not months:
        return f"as of {until.day} {until:%B %Y}"
    if months == 1:
        return f"{until:%B %Y}"
    if kpi.months == YEAR:
        return f"{months} months to {until:%B %Y}"
    begun = until.replace(day=1) - pd.DateOffset(months=months - 1)
    return f"{begun:%B}{'' if begun.year == until.year else f' {begun:%Y}'} to {until:%B %Y}"


def _reach(row: pd.Series[Any], kpi: Kpi) -> tuple[float, float]:
    """Give the ends of the interval: the value itself where it is counted, and no end where one is not known."""
    low, high = row["ci_lower"], row["ci_upper"]
    if kpi.exact:
        return row["value"], row["value"]
    return (-np.inf if pd.isna(low) else low), (np.inf if pd.isna(high) else high)


def _status(now: pd.Series[Any], kpi: Kpi, target: Target | None) -> str:
    if target is None:
        return "no target"
    low, high = _reach(now, kpi)
    if low >= target.low and high <= target.high:
        return "met"
    return "missed" if high < target.low or low > target.high else "not clear"


def _change(now: pd.Series[Any], kpi: Kpi, before: pd.DataFrame, limits: Interval) -> str:
    value, (low, high) = now["value"], _reach(now, kpi)
    if np.isfinite(limits.lower):
        middle = float(limits.lower + limits.upper) / 2
        inside = limits.lower <= value <= limits.upper
        return "noise" if inside or low <= middle <= high else "higher" if value > middle else "lower"
    ends = ["ci_lower", "ci_upper"]
    if before.empty or now[ends].isna().any() or before.iloc[0][ends].isna().any():
        return ""
    then = before.iloc[0]
    apart, up = value - then["value"], value > then["value"]
    margin = np.hypot(value - (low if up else high), then["value"] - then["ci_upper" if up else "ci_lower"])
    return "noise" if abs(apart) <= margin else "higher" if up else "lower"


def by_segment(measured: Measured) -> pd.DataFrame:
    """Last value of every KPI by segment.

    Parameters
    ----------
    measured
        As from :func:`cslib.scorecard.history.measure_all`.

    Returns
    -------
    pandas.DataFrame
        ``kpi``, ``segment``, ``value``, ``ci_lower``, ``ci_upper``, ``n``: of the period that the scorecard shows.
        Orders and costs, which know no segment, are not there.
    """
    history = measured.history
    last = history["kpi"].map(history[history["segment"] == WHOLE].groupby("kpi")["until"].max())
    current = (history["until"] == last) | last.isna()  # without a calendar there is one period
    parts = history[(history["segment"] != WHOLE) & current]
    return parts[["kpi", "segment", "value", "ci_lower", "ci_upper", "n"]].reset_index(drop=True)
