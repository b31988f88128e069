"""The scorecard: of every KPI the last value beside those before, its target, and whether it moved beyond noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cslib.data.kpi import Kpi, Target
from cslib.scorecard.history import TOLD, WHOLE, Measured
from cslib.stats.intervals import beyond_last, last_from_before, margin_of_difference, z_value
from cslib.stats.limits import ABSENT, ALLOWED, TWO_YEARS, UNKNOWN, Limits, control_limits

COLUMNS: Final = [
    *("kpi", "period", "value", "ci_lower", "ci_upper", "n", "unit", "previous", "target", "status", "definition"),
    *("target_upper", "year_before", "limit_lower", "limit_upper", "change", "season", "until", "months"),
    *("direction", "label", "group"),
    *("judged_over", "value_12m", "ci_lower_12m", "ci_upper_12m", "n_12m", "status_alone", "trend"),
    *("before_12m", "of_all_12m", "of_all_lower_12m", "of_all_upper_12m", "tells", "last_change", "last_before"),
    *("last_beyond", "last_beyond_in"),
]
OF_YEAR: Final = ("value", "ci_lower", "ci_upper", "n", "before", "of_all", "of_all_lower", "of_all_upper")
YEAR: Final = 12
MOST: Final = 8  # headline cards
HEADLINES: Final = (
    *("mrr", "nrr", "customer_churn_rate", "ltv", "nps", "active_share", "time_to_value", "quick_ratio", "arpa"),
    *("grr", "revenue_churn_rate", "csat", "ltv_to_cac", "feature_adoption", "usage_frequency", "ces", "cac"),
)
WORSE: Final = {"up": "lower", "down": "higher"}
TRENDS: Final = {"rising": "higher", "falling": "lower"}
BETTER, WORSENED, USUAL, UNSURE = "better", "worse", "as usual", "may be chance"  # a change; empty: not judged


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
        target``; ``not set up: …`` with what has to be set; ``not measured: …`` with the reason), ``definition``,
        ``target_upper`` (of a band), ``year_before`` (the same period of the year before), ``limit_lower``,
        ``limit_upper`` (see :func:`cslib.stats.limits.control_limits`; missing with fewer than eight disjoint
        periods), ``change`` (``higher`` or ``lower``: by more than noise; ``noise``; empty: not known), ``season`` (of
        that change: ``allowed for``, the value was compared with the same time of earlier years; ``none`` shows;
        ``unknown``: there are too few years to tell; empty where it has none, such as a whole year), ``until`` (last
        day of the period), ``months``, ``direction``, ``label``, ``group``, ``judged_over`` (``12 months`` where
        the status is of these; else empty); of a KPI with a target that its topic also
        measures over 12 months, ``value_12m``, ``ci_lower_12m``, ``ci_upper_12m``, ``n_12m`` (of a monthly KPI added
        up over the months), ``before_12m`` (of the 12 months before), ``of_all_12m``, ``of_all_lower_12m``,
        ``of_all_upper_12m`` (weighted to everybody asked, where those who answered clearly differ) and
        ``status_alone`` (as ``status``, of the last period alone; else empty, as where that is not measured);
        ``last_change`` (of a survey score: ``higher`` or ``lower`` where the last period clearly differs from all
        before it together, ``last_before``; else empty), ``last_beyond`` and ``last_beyond_in`` (value and period that
        lay furthest on the same side, further than the last, if one did),
        ``trend`` (``rising`` or ``falling`` where its topic finds a clear change of these 12 months from those before;
        else empty); ``tells`` (whether the limits exclude enough to call a value within them usual: they do not where
        they are further apart than their middle, or than a quarter of the scale of a KPI that can be below 0).

    Notes
    -----
    A target is judged by the last 12 months where the topic of the KPI measures them, else by the last period: by one
    rule whatever the data, so that segments compare. No target is met that the score weighted to everybody asked
    misses: it is not clear then.

    A change is more than noise where the value lies outside the limits and its interval, too, leaves out their middle.
    Without limits, where the interval of its difference from the same period of the year before, or where there is
    none from the previous period, leaves out 0, made of the two intervals as of independent periods (Zou and Donner
    2008, Statistics in Medicine 27:1693–1702). Customer value, which rests on nearly the same customers as before, is
    not judged.

    A season is allowed for from 24 months on (see :func:`cslib.stats.limits.season_of`), of what grows, such as MRR,
    from 24 changes. With 24 to 35 months of quarters, a season is part of the usual range instead.

    Simulated with a season of ± 60 % or a yearly peak of 2.5 times, three years and a month that ends at the peak, 300
    customers (60 worlds) and 3,000 (30): churn was said to have moved in 3 to 5 % and in none, where 20 to 47 and 50 to
    100 % were without earlier years; uses per customer in none (72 to 100 %), the others in 0 to 7 %. Churn that
    doubles in the last month is found as often as without allowing for a season where there is none (42 % of 300, all
    of 3,000 customers), and with a season in 37 to 42 % and in 97 % or more; doubled for three months by then in 35 %
    and always, with a season in 30 and 73 %.
    """
    rows = []
    for name, kpi in measured.kpis.items():
        fixed = {c: getattr(kpi, c) for c in ("unit", "label", "group", "direction")}
        fixed |= {
            "kpi": name,
            "definition": kpi.formula,
            "judged_over": "",
            "status_alone": "",
            "trend": "",
            "tells": False,
            "last_change": "",
        }
        fixed |= _ends(measured.targets.get(name))
        rows.append(fixed | _last(measured.of_all(name), kpi, measured))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "months": "Int64", "n_12m": "Int64"})


def _ends(target: Target | None) -> dict[str, float]:
    ends = target.ends if target else ()
    return {"target": ends[0] if ends else np.nan, "target_upper": ends[1] if len(ends) == 2 else np.nan}


def _last(own: pd.DataFrame, kpi: Kpi, measured: Measured) -> dict[str, Any]:
    if own.empty:
        return {"period": "", "status": f"not measured: {measured.reasons[kpi.id]}", "change": "", "season": ""}
    now = own.iloc[-1]
    known = {c: now[c] for c in ("value", "ci_lower", "ci_upper", "n", "until")}
    known |= {"period": _period(now, kpi), "months": int(now["months"])}
    if pd.isna(now["value"]):
        silent = {"status": f"not measured: {kpi.blank}", "change": "", "season": ""}
        of_year = _on_target(now, kpi, measured) | {"status_alone": "", "trend": _trend(kpi, measured)}
        return known | silent | (of_year if "judged_over" in of_year else {})
    past = periods_before(own, now, kpi.months)
    year_before = _first(own[_months_before(own, now) == YEAR])
    known |= {"previous": _first(past[past.index == 1]), "year_before": year_before}
    apart = _from_before(now, past, kpi)
    return {
        **known,
        **_judged(now, past, kpi),
        **apart,
        **_on_target(now, kpi, measured),
        "trend": _trend(kpi, measured),
    }


def _from_before(now: pd.Series[Any], past: pd.DataFrame, kpi: Kpi) -> dict[str, Any]:
    """Hold the last period of a survey score against all before it together, as its report does."""
    columns = ["value", "ci_lower", "ci_upper", "n"]
    known = past[columns].dropna().astype(float)
    if not (kpi.over_year and kpi.group == "sentiment") or known.empty or now[columns].isna().any():
        return {}
    values = {c: [*known[c], float(now[c])] for c in columns}
    before, clear = last_from_before(*values.values())
    told = {"last_before": before, "last_change": ("higher" if now["value"] > before else "lower") if clear else ""}
    place = beyond_last(values["value"], values["n"], before)
    if place is None:
        return told
    then = past.loc[known.index[place]]
    return {**told, "last_beyond": then["value"], "last_beyond_in": _period(then, kpi)}


def _judged(now: pd.Series[Any], past: pd.DataFrame, kpi: Kpi) -> dict[str, Any]:
    """Tell whether the value moved, and what the season has to do with it."""
    per_year, (least, most) = YEAR // kpi.months, kpi.reach
    limits = control_limits(past["value"], error=errors_of(past, now), grows=kpi.grows, per_year=per_year)
    year_before = past[past.index == per_year].dropna(subset="value")
    change = "" if kpi.group == "value" else _change(now, kpi, earlier(past, per_year), limits)
    ends = {"limit_lower": max(limits.lower, least), "limit_upper": min(limits.upper, most)}
    ends["tells"] = _tells(**ends, scale=most - least if least < 0 else np.inf)
    if not change or kpi.months == YEAR:
        return {**ends, "change": change, "season": ""}
    limited = bool(np.isfinite(limits.lower))
    known = (len(past) - kpi.grows) * kpi.months >= TWO_YEARS if limited else len(year_before) > 0
    taken = limits.seasonal or not limited
    return {**ends, "change": change, "season": (ALLOWED if taken else ABSENT) if known else UNKNOWN}


def _tells(limit_lower: float, limit_upper: float, *, scale: float) -> bool:
    """Whether a usual range is narrow enough to exclude something."""
    most = scale / 4 if np.isfinite(scale) else (limit_lower + limit_upper) / 2
    return bool(limit_upper - limit_lower <= most)


def periods_before(own: pd.DataFrame, now: pd.Series[Any], months: int) -> pd.DataFrame:
    """Earlier periods that overlap neither each other nor the last, the earliest first; the index counts back to it."""
    apart = _months_before(own, now)
    past = own.set_index(apart // months)[(apart % months == 0) & (apart > 0)]
    return past.reindex(range(past.index.max(), 0, -1)) if len(past) else past


def earlier(past: pd.DataFrame, per_year: int) -> pd.DataFrame:
    """Choose the period that the last is compared with: the same of the year before, or else the one before."""
    year_before = past[past.index == per_year].dropna(subset="value")
    return year_before if len(year_before) else past[past.index == 1]


def errors_of(past: pd.DataFrame, now: pd.Series[Any]) -> pd.Series[float] | float:
    """Give the standard errors of past values, each brought to the number of customers there are now."""
    errors = (past["ci_upper"] - past["ci_lower"]).astype(float) / 2 / z_value(0.95)
    if errors.isna().all() or pd.isna(now["n"]) or not now["n"]:
        return 0.0
    return errors * np.sqrt(past["n"].astype(float) / float(now["n"]))


def _months_before(own: pd.DataFrame, now: pd.Series[Any]) -> npt.NDArray[Any]:
    """Whole months from the end of each period to that of the last; 0 where no calendar is known."""
    last = now["until"]
    if pd.isna(last):
        return np.zeros(len(own), int)
    ends = pd.DatetimeIndex(own["until"])
    return np.asarray((last.year - ends.year) * 12 + last.month - ends.month)


def has_value(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows of a scorecard have a value, of the last period or of the year that judges the target."""
    return table["value"].notna() | (table["judged_over"] == TOLD)


def _first(rows: pd.DataFrame, column: str = "value") -> float:
    return float(rows[column].iloc[0]) if len(rows) else np.nan


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


def reach_of(row: pd.Series[Any], kpi: Kpi) -> tuple[float, float]:
    """Give the ends of the interval: the value itself where it is counted, and no end where one is not known."""
    low, high = row["ci_lower"], row["ci_upper"]
    if kpi.exact:
        return row["value"], row["value"]
    return (-np.inf if pd.isna(low) else low), (np.inf if pd.isna(high) else high)


def _of_year(kpi: Kpi, measured: Measured) -> pd.DataFrame:
    return measured.years[(measured.years["kpi"] == kpi.id) & (measured.years["segment"] == WHOLE)]


def _trend(kpi: Kpi, measured: Measured) -> str:
    return "".join(_of_year(kpi, measured)["trend"].dropna())


def _on_target(now: pd.Series[Any], kpi: Kpi, measured: Measured) -> dict[str, Any]:
    """Judge the target by the last 12 months where its topic measures them, else by the last period."""
    target = measured.targets.get(kpi.id)
    if target is None:
        return {"status": "no target"}
    if kpi.unset:
        return {"status": f"not set up: {kpi.unset}"}
    own = _of_year(kpi, measured)
    year = {f"{c}_12m": _first(own, c) for c in OF_YEAR}
    alone = target.judge(*reach_of(now, kpi))
    if np.isnan(year["value_12m"]):
        return {**year, "status": alone}
    over_year = target.judge(year["ci_lower_12m"], year["ci_upper_12m"], of_all=year["of_all_12m"])
    return {**year, "status": over_year, "judged_over": TOLD, "status_alone": alone}


def aimed(row: Any) -> Target:
    """Give the target of a row, whose ends are missing where it has none."""
    if pd.notna(row.target_upper):
        return Target(row.target, row.target_upper)
    return Target(row.target, np.inf) if row.direction == "up" else Target(-np.inf, row.target)


def decided(row: Any) -> tuple[float, float, float]:
    """Give the value and the interval by which the target of a row is judged."""
    if row.judged_over:
        return row.value_12m, row.ci_lower_12m, row.ci_upper_12m
    return row.value, row.ci_lower, row.ci_upper


def missed_by(row: Any) -> float:
    """How far the value that is judged lies from its target, in shares of it; below 0 where it is on the good side."""
    value, *_ = decided(row)
    if pd.notna(row.target_upper):
        beyond = max(row.target - value, value - row.target_upper)
    else:
        beyond = row.target - value if row.direction == "up" else value - row.target
    ends = [e for e in (row.target, row.target_upper, value) if np.isfinite(e)]
    return float(beyond / (max(map(abs, ends), default=1.0) or 1.0))


def _change(now: pd.Series[Any], kpi: Kpi, before: pd.DataFrame, limits: Limits) -> str:
    value, (low, high) = now["value"], reach_of(now, kpi)
    if np.isfinite(limits.lower):
        middle = float(limits.lower + limits.upper) / 2
        inside = limits.lower <= value <= limits.upper
        return "noise" if inside or low <= middle <= high else "higher" if value > middle else "lower"
    ends = ["ci_lower", "ci_upper"]
    if before.empty or now[ends].isna().any() or before.iloc[0][ends].isna().any():
        return ""
    then = before.iloc[0]
    up = value > then["value"]
    return "noise" if abs(value - then["value"]) <= margin_between(now, then) else "higher" if up else "lower"


def change_of(row: Any) -> str:
    """Say of a row of the scorecard, in one of four words, how it changed.

    Returns
    -------
    str
        ``better`` or ``worse`` (by more than chance: of the last period, of 12 months from those before, or of a survey
        from all before); ``as usual`` (inside a usual range that tells something); ``may be chance`` (too close or
        too few to tell); empty: not judged. What is to stay in a band is better inside its target and worse outside.
    """
    moved = row.change if row.change in WORSE.values() else TRENDS.get(row.trend, "")
    moved = moved or (row.last_change if row.last_change in WORSE.values() else "")
    if not moved:
        known = bool(np.isfinite(row.limit_lower) and row.tells and row.limit_lower <= row.value <= row.limit_upper)
        return (USUAL if known else UNSURE) if row.change or row.judged_over else ""
    if row.direction == "band":
        return UNSURE if pd.isna(row.target) else WORSENED if missed_by(row) > 0 else BETTER
    return WORSENED if moved == WORSE[row.direction] else BETTER


def slipping(table: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """Find what is no clear change and has become worse in each of the last periods, by more than between any two.

    Parameters
    ----------
    table
        As from :func:`scorecard`.
    measured
        What it is made of.

    Returns
    -------
    pandas.DataFrame
        Rows of the table, with ``periods`` (two or more, each worse than the one before it) and ``since`` (the value
        before these, which is none that stood out by itself). Without what grows, or is held against the same time of
        earlier years only.

    Notes
    -----
    The value before these is chosen by looking, so that the difference is no finding: simulated with twelve periods of
    nothing but chance, 1 % of KPIs are here.
    """
    still = (table["trend"] == "") & ~table["last_change"].isin([*WORSE.values()])
    calm = table[(table["change"] == "noise") & still & (table["season"] != ALLOWED)]
    found = []
    for _, now in calm[calm["direction"].isin([*WORSE])].iterrows():
        kpi = measured.kpis[now["kpi"]]
        past = periods_before(measured.of_all(kpi.id), now, kpi.months)
        start = len(past) - _falls(now, past) if len(past) else 0
        before = past.iloc[start:]
        if 0 < start < len(past) and _single(now["value"], *past["value"].iloc[start - 1 : start + 1]):
            continue
        if len(before) > 1 and not kpi.grows and _apart(now, before.iloc[0]):
            found.append({**now, "periods": len(before), "since": float(before["value"].iloc[0])})
    return pd.DataFrame(found, columns=[*table.columns, "periods", "since"])


def _falls(now: pd.Series[Any], past: pd.DataFrame) -> int:
    """Count the last periods of which each is worse than the one before it."""
    steps = np.diff([*past["value"].astype(float), now["value"]])
    worse = steps < 0 if now["direction"] == "up" else steps > 0
    return int(np.argmin(worse[::-1])) if not worse.all() else len(worse)


def _single(now: float, before: float, first: float) -> bool:
    """Whether a run began at a single good period: the one before it was nearer to what is now."""
    return abs(before - now) < abs(before - first)


def _apart(now: pd.Series[Any], then: pd.Series[Any]) -> bool:
    """Whether two values differ by more than their two intervals allow."""
    ends = [row[end] for row in (now, then) for end in ("ci_lower", "ci_upper")]
    return not pd.isna(ends).any() and bool(abs(now["value"] - then["value"]) > margin_between(now, then))


def margin_between(now: pd.Series[Any], then: pd.Series[Any]) -> float:
    """Give what the difference of two values must pass, made of the ends of their intervals that face each other."""
    high, low = (now, then) if now["value"] > then["value"] else (then, now)
    return float(margin_of_difference(high["value"], high["ci_lower"], low["value"], low["ci_upper"]))


def told_by(table: pd.DataFrame, kpis: Mapping[str, Kpi]) -> dict[str, str]:
    """Tell which KPIs say nothing of their own, and which one says it: 1 less it, or the same another way.

    Parameters
    ----------
    table
        As from :func:`scorecard`.
    kpis
        As from :func:`cslib.scorecard.catalogue.catalogue`.

    Returns
    -------
    dict of str to str
        By the KPI that need not be shown, the one that is: of two the one with a target, else the first. Where both
        have a target, neither is here.
    """
    rows, found = {str(row.kpi): row for row in table.itertuples()}, dict[str, str]()
    for place, (name, kpi) in enumerate((name, kpis[name]) for name in rows):
        family = [o for o in list(rows)[:place] if kpi.twin and kpi.twin in (o, kpis[o].twin) and o not in found]
        same = (o for o in family if _told(kpi, rows[name], rows[o]) or _same(rows[o], rows[name]))
        other = next(same, "")
        aimed = [pd.notna(rows[o].target) for o in (other, name) if o]
        if other and not all(aimed):
            found |= {other: name} if aimed[1] else {name: other}
    return found


def _told(kpi: Kpi, one: Any, other: Any) -> bool:
    """Whether another KPI tells this one, too: 1 less it, or a form of it that has no target of its own."""
    form = kpi.form and bool(pd.notna(other.value) and pd.isna(one.target))
    return other.kpi == kpi.twin and (kpi.mirror or form)


def _same(one: Any, other: Any) -> bool:
    """Whether two KPIs are the same figure, in the same unit and with the same interval."""
    own, its = ((r.value, r.ci_lower, r.ci_upper) for r in (one, other))
    return bool(one.unit == other.unit and pd.notna(one.value) and np.array_equal(own, its, equal_nan=True))


def headlines(table: pd.DataFrame, kpis: Mapping[str, Kpi]) -> pd.DataFrame:
    """Choose the eight KPIs that head the report.

    Parameters
    ----------
    table
        As from :func:`scorecard`.
    kpis
        As from :func:`cslib.scorecard.catalogue.catalogue`.

    Returns
    -------
    pandas.DataFrame
        Rows of the table, measured, without those whose target is not judged because something is not set: those with a
        target first, then others in the order of ``HEADLINES`` and of the catalogue, but no twins. They stand in that
        order, whichever have a target.
    """
    place = {name: i for i, name in enumerate(dict.fromkeys([*HEADLINES, *kpis]))}
    unset = table["kpi"].isin([name for name, kpi in kpis.items() if kpi.unset]) & table["target"].notna()
    hidden = table["kpi"].isin(told_by(table, kpis)) | unset
    rows = table[has_value(table) & ~hidden]
    rows = rows.assign(place=rows["kpi"].map(place), aimed=rows["target"].notna())
    rows = rows.sort_values(["aimed", "place"], ascending=[False, True])
    main = rows["kpi"].map({name: not kpi.twin for name, kpi in kpis.items()})
    chosen = rows[rows["aimed"] | main].head(MOST).sort_values("place")
    return chosen.drop(columns=["place", "aimed"]).reset_index(drop=True)
