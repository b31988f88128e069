"""Sentences of the churn report: what a manager reads first, computed from its tables."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import ParameterError, counted
from cslib.show.display import Card
from cslib.show.formats import FIRM, between, format_value, months, percent, whole
from cslib.stats.intervals import SIGNIFICANT, holm

__all__ = [
    "calibration_finding",
    "churn_answer",
    "churn_cards",
    "churn_finding",
    "churn_subtitle",
    "clear_levels",
    "concordance_sentence",
    "driver_finding",
    "firm_medians",
    "forecast_finding",
    "forecast_gap",
    "forecast_line",
    "hazard_finding",
    "incidence_finding",
    "model_finding",
    "pair_finding",
    "pair_labels",
    "pair_sentences",
    "pair_subtitle",
    "risk_finding",
    "short_reach",
    "summary_table",
    "survival_finding",
    "unobserved_ages",
]

ENOUGH_GROUPS: Final = 5  # of customers by predicted risk
REFERENCE: Final = " (reference)"
WIDE_GAP: Final = 0.1  # between predicted and observed, as a share
HOW_TO_READ_RATIOS: Final = (
    "A ratio of 2 means: such customers leave twice as fast as those of the same age at the reference (hollow point), "
    "all other drivers being equal. Where the bar crosses 1, the difference could be chance. A ratio proves no cause."
)
SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW: Final = 10  # at risk: an age reached by fewer is no firm estimate
HOW_TO_READ_SURVIVAL: Final = (
    "Each line starts at 100 % and steps down as customers leave. Its height at any age is the share that stays longer "
    "than that. The numbers below are the customers still followed at that age: where they are few, the band is wide."
)


def short_reach(reach: int, horizon_months: int) -> str:
    """Say that customers have not been observed long enough for the months ahead that were asked for."""
    asked, known = months(horizon_months), months(reach)
    return f"Customers have not been observed for {asked} yet, so probabilities and forecast look {known} ahead."


def model_finding(models: pd.DataFrame) -> str:
    """State which model of the whole predicts later ages best.

    Parameters
    ----------
    models
        ``FittedModels.table``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    rows = whole(models)
    best = rows[rows["best"]]
    if best.empty:
        return "No model could be fitted"
    name, known = best["model"].iloc[0], best["holdout_score"].notna().iloc[0]
    how = "predicts the later ages best" if known else "has the lowest AIC; later ages are too few to predict"
    return f"{name}, of {counted(len(rows), 'model')}, {how}"


def forecast_finding(forecast: pd.DataFrame) -> str:
    """State how many of the present customers are expected to leave, with the interval.

    Parameters
    ----------
    forecast
        As from ``stats.models.forecast``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    rows = whole(forecast)
    if rows.empty:
        return "No forecast: nobody is a customer today, or they have been observed for less than a month"
    last = rows.iloc[-1]
    n = int(last.n_active)
    lost, least, most = (n - v for v in (last.expected_active, last.active_ci_upper, last.active_ci_lower))
    return (
        f"Of {counted(n, 'customer')} today, about {lost:,.0f} ({least:,.0f} to {most:,.0f}) are expected to leave "
        f"within {months(last.months_ahead)}"
    )


def forecast_gap(forecast: pd.DataFrame, risk: pd.DataFrame, *, split: str = "", strongest: str = "") -> str:
    """Say how the forecast and the sum of the at-risk list go together, or why they differ.

    Parameters
    ----------
    forecast, risk
        As from ``stats.models.forecast`` and ``churn.at_risk.at_risk``, for the same months ahead.
    split
        The column by which the forecast was made, if any.
    strongest
        The column by which customers differ most, if any.

    Returns
    -------
    str
    """
    rows = whole(forecast)
    if rows.empty or risk.empty:
        return ""
    last, listed = rows.iloc[-1], float(risk["p_churn"].sum())
    if last.active_ci_lower <= last.n_active - listed <= last.active_ci_upper:
        return f"The at-risk list, made customer by customer, adds up to {listed:,.0f}: within the interval."
    lost, alike = last.n_active - last.expected_active, f"of one age and {split}" if split else "of one age"
    better = f" Segment by {strongest} to bring the two together." if strongest not in ("", split) else ""
    return (
        f"The probabilities of the at-risk list add up to {listed:,.0f}, not to the {lost:,.0f} forecast: the list "
        f"tells customers apart by all drivers, the forecast takes those {alike} for alike.{better}"
    )


def forecast_line(forecast: pd.DataFrame) -> pd.DataFrame:
    """Put today's customers before the forecast of the whole, as one line with ``ci_lower`` and ``ci_upper``."""
    rows = whole(forecast).rename(columns={"active_ci_lower": "ci_lower", "active_ci_upper": "ci_upper"})
    today = rows.head(1).assign(months_ahead=0)
    today = today.assign(**dict.fromkeys(["expected_active", "ci_lower", "ci_upper"], today["n_active"]))
    columns = ["segment", "months_ahead", "expected_active", "ci_lower", "ci_upper"]
    return pd.concat([today, rows], ignore_index=True)[columns]


def clear_levels(drivers: pd.DataFrame) -> pd.DataFrame:
    """Tell (``clear``) which ratios of ``DriverModel.table`` are more than chance, all levels allowed for (Holm)."""
    return drivers.assign(clear=holm(drivers["p_value"]) < SIGNIFICANT)


def driver_finding(drivers: pd.DataFrame) -> str:
    """State the strongest driver that is more than chance (Holm-adjusted over all levels).

    Parameters
    ----------
    drivers
        ``DriverModel.table``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    clear = drivers[clear_levels(drivers)["clear"]]
    if clear.empty:
        return "No driver clearly raises or lowers the risk of leaving"
    row = clear.loc[np.log(clear["hazard_ratio"]).abs().idxmax()]
    of_term = drivers[drivers["term"] == row.term]
    base = of_term["level"][of_term["level"].str.endswith(REFERENCE)].str.removesuffix(REFERENCE)
    ratio = f"{row.hazard_ratio:.2f} times ({row.ci_lower:.2f} to {row.ci_upper:.2f})"
    if len(base):
        return f"{row.term}: {row.level} customers leave at {ratio} the rate of {base.iloc[0]} ones, all else equal"
    return (
        f"{row.term}: from {row.level.replace(' → ', ' to ')}, the rate of leaving is {ratio} as high, all else equal"
    )


def calibration_finding(calibration: pd.DataFrame) -> str:
    """State whether predicted and observed churn agree, group by group.

    Parameters
    ----------
    calibration
        ``DriverModel.calibration``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    inside = calibration["predicted"].between(calibration["ci_lower"], calibration["ci_upper"])
    gap, n = float((calibration["predicted"] - calibration["observed"]).abs().max()), len(calibration)
    if n < ENOUGH_GROUPS:
        return f"The predictions fall into {counted(n, 'group')} only, too few to judge them by"
    agree = "agree" if inside.mean() >= 0.8 and gap < WIDE_GAP else "do not agree everywhere"
    return (
        f"Predicted and observed churn {agree}: the interval holds the prediction in {int(inside.sum())} of "
        f"{n} groups; the widest gap is {100 * gap:.0f} points"
    )


def concordance_sentence(model_concordance: float) -> str:
    """Say how well a model tells who leaves first; empty where that is not known.

    Parameters
    ----------
    model_concordance
        ``DriverModel.concordance``, 0 to 1.

    Returns
    -------
    str
    """
    if np.isnan(model_concordance):
        return ""
    return (
        f"Of two customers it has not seen, the model knows in {percent(model_concordance)} of cases who leaves first "
        f"(concordance {model_concordance:.2f}; a coin knows it in 50 %)."
    )


def risk_finding(risk: pd.DataFrame, *, capacity: int, horizon_months: int, currency: str = "") -> str:
    """State what the at-risk list holds.

    Parameters
    ----------
    risk
        As from ``churn.at_risk.at_risk``: all present customers, most at risk first.
    capacity
        How many are listed.
    horizon_months, currency
        Of the list.

    Returns
    -------
    str
    """
    if capacity < 1:
        msg = f"capacity is {capacity}. Give the number of customers there is time to call, 1 or more."
        raise ParameterError(msg)
    top, span = risk.head(capacity), months(horizon_months)
    if risk.empty:
        return "Nobody is a customer today, so there is nobody to call."
    expected = f"about {risk['p_churn'].sum():,.0f} of {counted(len(risk), 'customer')} leave within {span}"
    if risk["money_at_risk"].isna().all():
        return f"Expected: {expected}. These data hold no MRR, so the list is sorted by the probability alone."
    if not risk["money_at_risk"].sum():
        return f"Expected: {expected}. No present customer pays anything, so no money is at risk."
    lost, held = (format_value(round(t["money_at_risk"].sum()), "money", currency) for t in (risk, top))
    share = percent(top["money_at_risk"].sum() / risk["money_at_risk"].sum())
    what = f"**The {len(top):,} listed hold {held} of it ({share}).**"
    return f"Expected: {expected}, and with them {lost} a month. {what}"


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
        As from ``data.lifetimes.lifetimes``.
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
        As from ``stats.survival.survival_summary`` and ``stats.survival.compare_segments``; the latter may be empty.
    forecast
        As from ``stats.models.forecast``; may be empty.

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
        As from ``churn.rates.churn_rates``; may be empty.

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
        As from ``stats.survival.survival_at``.
    comparison
        As from ``stats.survival.compare_segments``.

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
        As from ``stats.survival.hazard_by_age``.

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
        As from ``stats.survival.compare_segments``.
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
        As from ``stats.survival.compare_segments``.
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
        As from ``stats.survival.cumulative_incidence``.

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
        As from ``churn.rates.churn_rates``.

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
        As from ``stats.survival.survival_summary`` and ``stats.survival.survival_curve``.

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
        As from ``stats.survival.survival_summary`` and ``stats.survival.survival_curve``.

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
