"""Sentences of the churn report: what a manager reads first, computed from its tables."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.display import Card
from cslib.errors import counted
from cslib.intervals import SIGNIFICANT
from cslib.outlook_sentences import forecast_finding, months, whole
from cslib.sentences import FIRM, between, percent

__all__ = [
    *("churn_answer", "churn_cards", "churn_finding", "churn_subtitle", "firm_medians", "hazard_finding"),
    *("incidence_finding", "pair_finding", "pair_labels", "pair_sentences", "pair_subtitle", "summary_table"),
    *("survival_finding", "unobserved_ages"),
]

SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW: Final = 10  # at risk: an age reached by fewer is no firm estimate
HOW_TO_READ_SURVIVAL: Final = (
    "Each line starts at 100 % and steps down as customers leave. Its height at any age is the share that stays longer "
    "than that. The numbers below are the customers still followed at that age: where they are few, the band is wide."
)


def _span_of(lower: float, upper: float) -> str:
    """Write an interval of months, of which a bound may not be known."""
    ends = [f"{v:.1f}".replace("-", "−") for v in (lower, upper)]
    if np.isnan(upper):
        return "not known" if np.isnan(lower) else f"{ends[0]} or more"
    return f"up to {ends[1]}" if np.isnan(lower) else " to ".join(ends)


def churn_subtitle(counts: pd.DataFrame, *, n_customers: int, observed_from: date | None = None) -> str:
    """Say in one line whom the report is about.

    Parameters
    ----------
    counts
        As from ``lifetimes.lifetimes``.
    n_customers
        Rows of ``customers``: those not in the counts had left before records began.
    observed_from
        The day on which they began, where it is declared.

    Returns
    -------
    str
    """
    lives = whole(counts)
    n, left = int(lives["n"].sum()), int(lives.loc[lives["event_observed"], "n"].sum())
    text = f"{counted(n, 'customer')}, of whom {left:,} left"
    text += f" · observed from {observed_from}" if observed_from else ""
    if n < n_customers:
        text += f" · {counted(n_customers - n, 'customer')} had left before and are not counted"
    return text


def churn_answer(summary: pd.DataFrame, comparison: pd.DataFrame, forecast: pd.DataFrame) -> str:
    """Answer "who leaves, when, and what comes next?" in at most three sentences.

    Parameters
    ----------
    summary, comparison
        As from ``survival.survival_summary`` and ``survival.compare_segments``; the latter may be empty.
    forecast
        As from ``forecasts.forecast``; may be empty.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    found = f"{pair_finding(comparison)}." if len(comparison) else ""
    ahead = f"{forecast_finding(forecast)}." if len(whole(forecast)) else ""
    return " ".join(filter(None, [_stay(whole(summary).iloc[0]), found, ahead]))


def _stay(row: pd.Series[Any]) -> str:
    n = counted(int(row.n_customers), "customer")
    if not row.n_events:
        who = f"all {n} are" if row.n_customers > 1 else f"{n} is"
        return f"**Nobody has left yet**: {who} still here."
    if pd.notna(row.median_months):
        known = np.isfinite([row.median_ci_lower, row.median_ci_upper]).any()
        interval = f"95 % interval {_span_of(row.median_ci_lower, row.median_ci_upper)}, {n}" if known else n
        return f"**Half of all customers leave within {months(row.median_months)}** ({interval})."
    if row.n_events == row.n_customers:
        many = f"**All {n} left**, too few to say how long they stay."
        return many if row.n_customers > 1 else f"**The one {n[2:]} left.**"
    if pd.notna(row.survival_12m):
        interval = between(row.survival_12m_ci_lower, row.survival_12m_ci_upper)
        stay = f"**{percent(row.survival_12m)} of customers stay longer than 12 months**"
        return f"{stay} (95 % interval {interval}, {n}); when half will have left cannot be told yet."
    return f"**{int(row.n_events):,} of {n} left so far**; when half of them leave cannot be told yet."


def churn_cards(summary: pd.DataFrame, rates: pd.DataFrame, forecast: pd.DataFrame) -> list[Card]:
    """Make the headline cards: survival at 12 months, median or mean stay, churn of the last month, forecast.

    Parameters
    ----------
    summary, forecast
        As for :func:`churn_answer`.
    rates
        As from ``churn.churn_rates``; may be empty.

    Returns
    -------
    list of Card
        Those that the data can tell.
    """
    row = whole(summary).iloc[0]
    n = int(row.n_customers)
    bounds = (row.survival_12m_ci_lower, row.survival_12m_ci_upper)
    unseen = "" if pd.notna(row.survival_12m) else "no customer observed that long"
    kept = Card("Stay longer than 12 months", row.survival_12m, "percent", *bounds, n, detail=unseen)
    label = "Months until half have left"
    half = Card(label, row.median_months, ci_lower=row.median_ci_lower, ci_upper=row.median_ci_upper, n=n)
    label = f"Mean months stayed of the first {months(row.tau_months).split()[0]}"
    mean = Card(label, row.rmst_months, ci_lower=row.rmst_ci_lower, ci_upper=row.rmst_ci_upper, n=n)
    return [kept, half if pd.notna(row.median_months) else mean, *_last_month(rates), *_ahead(forecast)]


def _last_month(rates: pd.DataFrame) -> list[Card]:
    rows = _default(rates)
    if rows.empty:
        return []
    last = rows.iloc[-1]
    detail = "" if np.isnan(usual := _usual(rows)) else f"{percent(usual)} a month in the {_span(rows)} before"
    label = f"Customer churn, {last.month:%B %Y}"
    return [Card(label, last.churn_rate, "percent", last.ci_lower, last.ci_upper, int(last.n_start), detail=detail)]


def _default(rates: pd.DataFrame) -> pd.DataFrame:
    return whole(rates)[whole(rates)["method"] == "start_of_period"] if len(rates) else rates


def _usual(rows: pd.DataFrame) -> float:
    """Pool the churn rate of up to twelve months before the last."""
    before = rows.iloc[-13:-1]
    n = before["n_start"].sum()
    return float(before["n_churned"].sum() / n) if n else np.nan


def _span(rows: pd.DataFrame) -> str:
    return counted(min(len(rows) - 1, 12), "month")


def _ahead(forecast: pd.DataFrame) -> list[Card]:
    rows = whole(forecast)
    if rows.empty:
        return []
    last = rows.iloc[-1]
    n = int(last.n_active)
    label = f"Expected to leave within {months(last.months_ahead)}"
    detail = f"{percent(1 - last.expected_active / n)} of today's customers" if n else ""
    lost = [n - v for v in (last.expected_active, last.active_ci_upper, last.active_ci_lower)]
    return [Card(label, round(lost[0]), "number", round(lost[1]), round(lost[2]), n, detail=detail)]


def survival_finding(at: pd.DataFrame, comparison: pd.DataFrame) -> str:
    """State what the survival curves show: the two segments that differ most, if by more than chance, or the whole.

    Parameters
    ----------
    at
        As from ``survival.survival_at``.
    comparison
        As from ``survival.compare_segments``.

    Returns
    -------
    str
        One sentence, fit for a chart's title, at the latest of 12, 6, 3 and 1 months that is observed.
    """
    known = at[at["survival"].notna()].set_index(["duration_months", "segment"])["survival"]
    pairs = _clear(comparison)
    for names in [*([tuple(pairs[["segment_a", "segment_b"]].iloc[0])] if len(pairs) else []), ("All",)]:
        age = next((m for m in (12, 6, 3, 1) if all((m, name) in known.index for name in names)), None)
        if age is not None:
            first = f"{percent(known[age, names[0]])} of {f'{names[0]} ' * (len(names) > 1)}customers"
            second = f", {percent(known[age, names[1]])} of {names[1]}" if len(names) > 1 else ""
            return f"{first} stay longer than {months(age)}{second}"
    return "Too short a time to say how many stay"


def hazard_finding(hazard: pd.DataFrame) -> str:
    """State when in their first year customers leave, and what comes after, as far as the intervals tell.

    Parameters
    ----------
    hazard
        As from ``survival.hazard_by_age``.

    Returns
    -------
    str
        One sentence, fit for a chart's title; the later age is 12 months, or the last with 30 at risk.
    """
    rows = whole(hazard)
    rows = rows[rows["n_at_risk"] >= FIRM]
    if len(rows) < 2 or not rows["n_events"].sum():
        return "Too few customers are observed, or have left, to say at what age they leave"
    first, later, last = rows.iloc[0], rows[rows["duration_months"] < 12].iloc[-1], rows.iloc[-1]
    early, late, age = percent(first.hazard), percent(later.hazard), _month_of(later)
    pace = f"{early} a month in the first month, {late} in {age}"
    if last.ci_lower > later.ci_upper:
        pace += f", and up to {percent(last.hazard)} by {_month_of(last)}"
    if first.ci_lower > later.ci_upper:
        return f"The first month is the riskiest of the year: customers leave at {pace}"
    if first.ci_upper < later.ci_lower:
        return f"The risk grows with age: customers leave at {pace}"
    return f"The risk hardly changes in the first year: customers leave at {pace}"


def _month_of(row: pd.Series[Any]) -> str:
    return f"month {row.duration_months + 0.5:.0f}"


def _clear(comparison: pd.DataFrame) -> pd.DataFrame:
    """Keep the pairs that differ by more than chance in months stayed, the widest first."""
    pairs = _widest(comparison)
    return pairs[pairs["clear"]]


def _widest(comparison: pd.DataFrame) -> pd.DataFrame:
    """Sort the pairs by months apart, the widest first, and tell which are more than chance (``clear``)."""
    pairs = comparison[comparison["segment_a"] != "All"]
    clear = (pairs["p_adjusted"] < SIGNIFICANT) & ((pairs["ci_lower"] > 0) | (pairs["ci_upper"] < 0))
    return pairs.assign(clear=clear).sort_values("rmst_difference_months", ascending=False, key=abs, kind="stable")


def _apart(pair: pd.Series[Any]) -> str:
    return (
        f"{pair.segment_a} customers stay {months(pair.rmst_difference_months)} longer than {pair.segment_b} ones "
        f"over their first {months(pair.tau_months)} ({_span_of(pair.ci_lower, pair.ci_upper)})"
    )


def pair_finding(comparison: pd.DataFrame) -> str:
    """State the widest clear difference between segments, or that there is none; fit for a chart's title.

    Parameters
    ----------
    comparison
        As from ``survival.compare_segments``.
    """
    pairs = _clear(comparison)
    if len(pairs):
        return _apart(pairs.iloc[0])
    apart, tau = comparison[comparison["segment_a"] != "All"], months(comparison["tau_months"].iloc[0])
    if apart["rmst_difference_months"].isna().all():
        return f"No two segments have been observed for {tau}, so their mean stay cannot be compared"
    if (comparison["p_adjusted"] < SIGNIFICANT).any():
        return f"Segments do not leave at the same rate, but over {tau} none clearly stays longer than another"
    return "No segment clearly stays longer than another"


def pair_labels(comparison: pd.DataFrame, *, most: int = 12) -> pd.DataFrame:
    """Name pairs of segments for a chart (``pair``), the widest first, and tell which are no chance (``clear``)."""
    pairs = _widest(comparison).dropna(subset="rmst_difference_months").head(most)
    return pairs.assign(pair=pairs["segment_a"] + " against " + pairs["segment_b"])


def pair_sentences(comparison: pd.DataFrame, *, most: int = 5) -> list[str]:
    """State the clear differences between segments that :func:`pair_finding` leaves, and count the others.

    Parameters
    ----------
    comparison
        As from ``survival.compare_segments``.
    most
        Sentences about single pairs.

    Returns
    -------
    list of str
    """
    pairs, clear = comparison[comparison["segment_a"] != "All"], _clear(comparison)
    if pairs.empty:
        return []
    sentences = [f"{_apart(pair)}." for _, pair in clear.iloc[1 : 1 + most].iterrows()]
    unclear, rest = len(pairs) - len(clear), len(clear) - 1 - most
    if rest > 0:
        sentences.append(f"{counted(rest, 'further pair')} of segments differ by more than chance.")
    if 0 < unclear < len(pairs):
        verb = "shows" if unclear == 1 else "show"
        sentences.append(f"{unclear} of {len(pairs)} pairs {verb} no clear difference in months stayed.")
    return sentences


def incidence_finding(incidence: pd.DataFrame) -> str:
    """State how much is lost to each kind of churn by 12 months, or by the latest of 6, 3 and 1 observed.

    Parameters
    ----------
    incidence
        As from ``competing.cumulative_incidence``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    rows = whole(incidence)
    age = next((m for m in (12, 6, 3, 1) if rows["duration_months"].max() >= m), None)
    if age is None:
        return "Too short a time to tell kinds of churn apart"
    last = rows[rows["duration_months"] <= age].groupby("churn_kind", sort=False).tail(1)
    last = last[last["incidence"].notna()]
    if last.empty:
        return "Kinds of churn cannot be told from the start: early ages were never observed"
    first, *others = (f"to {_kind(row.churn_kind)}" for _, row in last.iterrows())
    shares = [percent(share) for share in last["incidence"]]
    more = "".join(f", {share} {kind}" for share, kind in zip(shares[1:], others, strict=True))
    return f"Within {months(age)}, {shares[0]} of customers are lost {first}{more}"


def _kind(name: str) -> str:
    return "churn of unknown kind" if name == "not recorded" else f"{name} churn"


def churn_finding(rates: pd.DataFrame) -> str:
    """State the churn rate of the last month against the twelve before.

    Parameters
    ----------
    rates
        As from ``churn.churn_rates``.

    Returns
    -------
    str
        One sentence, fit for a chart's title. Higher or lower only where the interval of the last month leaves
        out the pooled rate of the months before.
    """
    rows = _default(rates)
    if rows.empty or np.isnan(rows.iloc[-1].churn_rate):
        return "No month is fully observed yet, so there is no churn rate"
    last, usual = rows.iloc[-1], _usual(rows)
    interval = between(last.ci_lower, last.ci_upper)
    text = f"{percent(last.churn_rate)} of customers left in {last.month:%B %Y} ({interval})"
    if np.isnan(usual):
        return text
    word = "fewer than" if usual > last.ci_upper else "more than" if usual < last.ci_lower else "much as"
    return f"{text}, {word} in the {_span(rows)} before ({percent(usual)} a month)"


def summary_table(summary: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for its readers: one column per quantity, its interval in brackets.

    Parameters
    ----------
    summary, curve
        As from ``survival.survival_summary`` and ``survival.survival_curve``.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``customers``, ``left``, and as text the median, the mean stay and survival at 12 months.
    """
    tau = months(summary["tau_months"].iloc[0])
    quantities = {
        "half leave within, months": ("median_months", "median", "number"),
        f"mean stay in the first {tau}": ("rmst_months", "rmst", "number"),
        "stay longer than 12 months": ("survival_12m", "survival_12m", "percent"),
    }
    table = summary[["segment", "n_customers", "n_events"]].set_axis(["segment", "customers", "left"], axis=1)
    for label, (value, bounds, unit) in quantities.items():
        lower, upper = summary[f"{bounds}_ci_lower"], summary[f"{bounds}_ci_upper"]
        each = zip(summary[value], lower, upper, strict=True)
        table[label] = [_estimate(v, least, most, unit) for v, least, most in each]
    label = next(iter(quantities))
    reached = summary["segment"].map(curve.groupby("segment")["survival"].last()).notna()
    return table.assign(**{label: table[label].where(summary["median_months"].notna() | ~reached, "not reached")})


def firm_medians(summary: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out medians to which fewer than ten customers were observed: a curve may fall by half for one of them.

    Parameters
    ----------
    summary, curve
        As from ``survival.survival_summary`` and ``survival.survival_curve``.

    Returns
    -------
    pandas.DataFrame
        The summary, such medians and their bounds missing.
    """
    at_risk = curve.set_index(["segment", "duration_months"])["n_at_risk"]
    few = [at_risk.get(key, FEW) < FEW for key in zip(summary["segment"], summary["median_months"], strict=True)]
    medians = ["median_months", "median_ci_lower", "median_ci_upper"]
    return summary.assign(**{c: summary[c].mask(pd.Series(few, index=summary.index)) for c in medians})


def unobserved_ages(curve: pd.DataFrame) -> str:
    """Name the segments whose survival from the start cannot be told, as early ages were not observed; else empty."""
    lost = [str(s) for s, own in curve.groupby("segment", sort=False) if own["survival"].isna().any()]
    if not lost:
        return ""
    who = "all customers" if "All" in lost else ", ".join(lost)
    return (
        f"For {who}, how long customers stay from their start cannot be told: nobody was under observation at some "
        "early age when records began. The rate of leaving by age and the forecast use the ages that were."
    )


def _estimate(value: float, lower: float, upper: float, unit: str) -> str:
    if np.isnan(value):
        return "not known"
    write = percent if unit == "percent" else lambda v: f"{v:.1f}"
    bounds = [write(v).removesuffix(" %") if np.isfinite(v) else "?" for v in (lower, upper)]
    return f"{write(value)} ({' to '.join(bounds)})" if np.isfinite([lower, upper]).any() else write(value)


def pair_subtitle(comparison: pd.DataFrame) -> str:
    """Say over how many months segments are compared, and what the test of all of them says."""
    row = comparison.iloc[0]
    power = f"{-np.floor(-row.log10_p_value):.0f}".translate(SUPERSCRIPT) if row.log10_p_value < -3 else ""
    p = f"p below 10{power}" if power else f"p = {row.p_value:.3f}"
    test = f"Log-rank test of all segments: {p}." if pd.notna(row.p_value) else "Too few left for a test."
    return (
        f"Difference in months stayed of the first {months(row.tau_months)}. Bars: 95 % intervals, in colour where "
        f"more than chance. {test}"
    )
