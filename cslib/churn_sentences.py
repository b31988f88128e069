"""Sentences of the churn report: what a manager reads first, computed from its tables."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.display import Card
from cslib.errors import counted
from cslib.formats import format_value
from cslib.sentences import FIRM, SIGNIFICANT, percent

__all__ = [
    *(
        "calibration_finding",
        "churn_answer",
        "churn_cards",
        "churn_finding",
        "churn_subtitle",
        "concordance_sentence",
        "driver_finding",
    ),
    *(
        "forecast_finding",
        "forecast_line",
        "hazard_finding",
        "incidence_finding",
        "model_finding",
        "pair_finding",
        "pair_labels",
    ),
    *("pair_sentences", "pair_subtitle", "risk_finding", "summary_table", "survival_finding"),
]


def _span_of(lower: float, upper: float) -> str:
    """Write an interval of months, of which a bound may not be known."""
    ends = [f"{v:.1f}".replace("-", "−") for v in (lower, upper)]
    if np.isnan(upper):
        return "not known" if np.isnan(lower) else f"{ends[0]} or more"
    return f"up to {ends[1]}" if np.isnan(lower) else " to ".join(ends)


def _months(value: float) -> str:
    """Write an age or a span in months, to one decimal."""
    text = f"{value:.1f}".removesuffix(".0").replace("-", "−")
    return f"{text} month" if text == "1" else f"{text} months"


def _between(lower: float, upper: float) -> str:
    """Write an interval of shares."""
    return f"{percent(lower).removesuffix(' %')} to {percent(upper)}"


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["segment"] == "All"]


def churn_subtitle(counts: pd.DataFrame, *, n_customers: int) -> str:
    """Say in one line whom the report is about.

    Parameters
    ----------
    counts
        As from ``lifetimes.lifetimes``.
    n_customers
        Rows of ``customers``: those not in the counts had left before records began.

    Returns
    -------
    str
    """
    whole = _whole(counts)
    n, left = int(whole["n"].sum()), int(whole.loc[whole["event_observed"], "n"].sum())
    text = f"{counted(n, 'customer')}, of whom {left:,} left"
    if n < n_customers:
        text += f" · {counted(n_customers - n, 'customer')} left before records began and are not counted"
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
    pairs = _clear(comparison)
    found = f"{_apart(pairs.iloc[0])}." if len(pairs) else ""
    if len(comparison) and not found:
        found = "No segment clearly stays longer than another."
    ahead = f"{forecast_finding(forecast)}." if len(_whole(forecast)) else ""
    return " ".join(filter(None, [_stay(_whole(summary).iloc[0]), found, ahead]))


def _stay(row: pd.Series[Any]) -> str:
    n = counted(int(row.n_customers), "customer")
    if not row.n_events:
        return "**Nobody has left yet**: " + (
            f"all {n} are still here." if row.n_customers > 1 else f"{n} is still here."
        )
    if pd.notna(row.median_months):
        interval = f"95 % interval {_span_of(row.median_ci_lower, row.median_ci_upper)}, {n}"
        return f"**Half of all customers leave within {_months(row.median_months)}** ({interval})."
    if pd.notna(row.survival_12m):
        interval = _between(row.survival_12m_ci_lower, row.survival_12m_ci_upper)
        stay = f"**{percent(row.survival_12m)} of customers stay longer than 12 months**"
        return f"{stay} (95 % interval {interval}, {n}); fewer than half leave within the time observed."
    return f"**{int(row.n_events):,} of {n} left so far**, fewer than half at any age seen."


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
    row = _whole(summary).iloc[0]
    n = int(row.n_customers)
    kept = Card(
        "Stay longer than 12 months", row.survival_12m, "percent",
        row.survival_12m_ci_lower, row.survival_12m_ci_upper, n, detail=_unseen(row.survival_12m),
    )  # fmt: skip
    half = Card("Half leave within", row.median_months, "months", row.median_ci_lower, row.median_ci_upper, n)
    label = f"Mean stay in the first {_months(row.tau_months)}"
    mean = Card(label, row.rmst_months, "months", row.rmst_ci_lower, row.rmst_ci_upper, n)
    return [kept, half if pd.notna(row.median_months) else mean, *_last_month(rates), *_ahead(forecast)]


def _unseen(value: float) -> str:
    return "" if pd.notna(value) else "no customer observed that long"


def _last_month(rates: pd.DataFrame) -> list[Card]:
    rows = _default(rates)
    if rows.empty:
        return []
    last = rows.iloc[-1]
    detail = "" if np.isnan(usual := _usual(rows)) else f"{percent(usual)} a month in the {_span(rows)} before"
    label = f"Customer churn, {last.month:%B %Y}"
    return [Card(label, last.churn_rate, "percent", last.ci_lower, last.ci_upper, int(last.n_start), detail=detail)]


def _default(rates: pd.DataFrame) -> pd.DataFrame:
    return _whole(rates)[_whole(rates)["method"] == "start_of_period"] if len(rates) else rates


def _usual(rows: pd.DataFrame) -> float:
    """Pool the churn rate of up to twelve months before the last."""
    before = rows.iloc[-13:-1]
    n = before["n_start"].sum()
    return float(before["n_churned"].sum() / n) if n else np.nan


def _span(rows: pd.DataFrame) -> str:
    return counted(min(len(rows) - 1, 12), "month")


def _ahead(forecast: pd.DataFrame) -> list[Card]:
    rows = _whole(forecast)
    if rows.empty:
        return []
    last = rows.iloc[-1]
    n = int(last.n_active)
    label = f"Expected to leave within {_months(last.months_ahead)}"
    detail = f"{percent(1 - last.expected_active / n)} of today's customers" if n else ""
    lost = [n - v for v in (last.expected_active, last.active_ci_upper, last.active_ci_lower)]
    return [Card(label, round(lost[0]), "number", round(lost[1]), round(lost[2]), n, detail=detail)]


def survival_finding(at: pd.DataFrame, summary: pd.DataFrame) -> str:
    """State what the survival curves show: the whole, or the segment that stays longest against the shortest.

    Parameters
    ----------
    at
        As from ``survival.survival_at``.
    summary
        As from ``survival.survival_summary``.

    Returns
    -------
    str
        One sentence, fit for a chart's title. The age is the latest of 12, 6, 3 and 1 months that
        most of the firm segments (30 customers) have reached.
    """
    firm = summary.loc[summary["n_customers"] >= FIRM, "segment"]
    known = at[at["segment"].isin(firm if len(firm) else summary["segment"]) & at["survival"].notna()]
    parts = known[known["segment"] != "All"]
    rows = parts if parts["segment"].nunique() > 1 else _whole(known)
    reached = rows.groupby("duration_months")["segment"].nunique()
    ages = [m for m in (12, 6, 3, 1) if reached.get(m, 0) and reached[m] == reached.max()]
    if not ages:
        return "Too few customers, or too short a time, to say how many stay"
    rows = rows[rows["duration_months"] == ages[0]].sort_values("survival", kind="stable")
    low, high = rows.iloc[0], rows.iloc[-1]
    if low.segment == high.segment:
        return f"{percent(low.survival)} of customers stay longer than {_months(ages[0])}"
    return (
        f"{percent(high.survival)} of {high.segment} customers stay longer than {_months(ages[0])}, "
        f"{percent(low.survival)} of {low.segment}"
    )


def hazard_finding(hazard: pd.DataFrame) -> str:
    """State when customers leave: early or late, as far as the intervals tell.

    Parameters
    ----------
    hazard
        As from ``survival.hazard_by_age``.

    Returns
    -------
    str
        One sentence, fit for a chart's title; the later age is 12 months, or the last with 30 at risk.
    """
    rows = _whole(hazard)
    rows = rows[rows["n_at_risk"] >= FIRM]
    if len(rows) < 2 or not rows["n_events"].sum():
        return "Too few customers left to say at what age they leave"
    first, later = rows.iloc[0], rows[rows["duration_months"] < 12].iloc[-1]
    early, late = percent(first.hazard), percent(later.hazard)
    age = f"month {later.duration_months + 0.5:.0f}"
    pace = f"{early} a month in the first month, {late} in {age}"
    if first.ci_lower > later.ci_upper:
        return f"The first month is the riskiest: customers leave at {pace}"
    if first.ci_upper < later.ci_lower:
        return f"The risk grows with age: customers leave at {pace}"
    return f"The risk hardly changes with age: customers leave at {pace}"


def _clear(comparison: pd.DataFrame) -> pd.DataFrame:
    """Keep the pairs that differ by more than chance in months stayed, the widest first."""
    pairs = comparison[comparison["segment_a"] != "All"]
    pairs = pairs[(pairs["p_adjusted"] < SIGNIFICANT) & ((pairs["ci_lower"] > 0) | (pairs["ci_upper"] < 0))]
    return pairs.sort_values("rmst_difference_months", ascending=False, key=abs, kind="stable")


def _apart(pair: pd.Series[Any]) -> str:
    return (
        f"{pair.segment_a} customers stay {_months(pair.rmst_difference_months)} longer than {pair.segment_b} ones "
        f"over their first {_months(pair.tau_months)} ({_span_of(pair.ci_lower, pair.ci_upper)})"
    )


def pair_finding(comparison: pd.DataFrame) -> str:
    """State the widest clear difference between segments, or that there is none; fit for a chart's title.

    Parameters
    ----------
    comparison
        As from ``survival.compare_segments``.
    """
    pairs = _clear(comparison)
    return _apart(pairs.iloc[0]) if len(pairs) else "No segment clearly stays longer than another"


def pair_labels(comparison: pd.DataFrame, *, most: int = 12) -> pd.DataFrame:
    """Name the pairs of segments for a chart: the widest differences, at most so many, as ``pair``."""
    pairs = comparison[(comparison["segment_a"] != "All") & comparison["rmst_difference_months"].notna()]
    pairs = pairs.sort_values("rmst_difference_months", ascending=False, key=abs, kind="stable").head(most)
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
    if unclear and len(pairs) > 1:
        sentences.append(f"{unclear} of {len(pairs)} pairs show no clear difference in months stayed.")
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
    rows = _whole(incidence)
    age = next((m for m in (12, 6, 3, 1) if rows["duration_months"].max() >= m), None)
    if age is None:
        return "Too short a time to tell kinds of churn apart"
    last = rows[rows["duration_months"] <= age].groupby("churn_kind", sort=False).tail(1)
    parts = [f"{percent(row.incidence)} of customers to {row.churn_kind} churn" for _, row in last.iterrows()]
    lost = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"Within {_months(age)} the business loses {lost}"


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
    rows = _whole(models)
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
        As from ``forecasts.forecast``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    rows = _whole(forecast)
    if rows.empty:
        return "No forecast: no model could be fitted"
    last = rows.iloc[-1]
    n = int(last.n_active)
    lost, least, most = (n - v for v in (last.expected_active, last.active_ci_upper, last.active_ci_lower))
    return (
        f"Of {counted(n, 'customer')} today, about {lost:,.0f} ({least:,.0f} to {most:,.0f}) are expected to leave "
        f"within {_months(last.months_ahead)}"
    )


def driver_finding(drivers: pd.DataFrame) -> str:
    """State the strongest driver that is more than chance.

    Parameters
    ----------
    drivers
        ``DriverModel.table``.

    Returns
    -------
    str
        One sentence, fit for a chart's title.
    """
    clear = drivers[(drivers["ci_lower"] > 1) | (drivers["ci_upper"] < 1)]
    if clear.empty:
        return "No driver clearly raises or lowers the risk of leaving"
    row = clear.loc[np.log(clear["hazard_ratio"]).abs().idxmax()]
    of_term = drivers[drivers["term"] == row.term]
    base = of_term[of_term["ci_lower"].isna()]["level"].str.removesuffix(" (reference)")
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
    inside = (calibration["ci_lower"] <= calibration["predicted"]) & (
        calibration["predicted"] <= calibration["ci_upper"]
    )
    gap = (calibration["predicted"] - calibration["observed"]).abs().max()
    agree = "agree" if inside.mean() >= 0.8 else "do not agree everywhere"
    return (
        f"Predicted and observed churn {agree}: the interval holds the prediction in {int(inside.sum())} of "
        f"{counted(len(calibration), 'group')}; the widest gap is {100 * gap:.0f} points"
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
    pairs = (
        f"Of two customers it has not seen, the model knows in {percent(model_concordance)} of cases who leaves first"
    )
    return f"{pairs} (concordance {model_concordance:.2f}; a coin knows it in 50 %)."


def risk_finding(risk: pd.DataFrame, *, capacity: int, horizon_months: int, currency: str = "") -> str:
    """State what the at-risk list holds.

    Parameters
    ----------
    risk
        As from ``at_risk.at_risk``: all present customers, most at risk first.
    capacity
        How many are listed.
    horizon_months, currency
        Of the list.

    Returns
    -------
    str
    """
    top, span = risk.head(capacity), _months(horizon_months)
    if risk.empty:
        return "Nobody is a customer today, so there is nobody to call."
    expected = f"about {risk['p_churn'].sum():,.0f} of {counted(len(risk), 'customer')} leave within {span}"
    if risk["money_at_risk"].isna().all():
        return f"Expected: {expected}. These data hold no MRR, so the list is sorted by the probability alone."
    lost, held = (format_value(round(t["money_at_risk"].sum()), "money", currency) for t in (risk, top))
    share = percent(top["money_at_risk"].sum() / risk["money_at_risk"].sum()) if risk["money_at_risk"].sum() else "0 %"
    return (
        f"Expected: {expected}, with {lost} of monthly margin. **The {len(top)} listed hold {held} of it ({share}).**"
    )


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
    text = (
        f"{percent(last.churn_rate)} of customers left in {last.month:%B %Y} ({_between(last.ci_lower, last.ci_upper)})"
    )
    if np.isnan(usual):
        return text
    word = "fewer than" if usual > last.ci_upper else "more than" if usual < last.ci_lower else "much as"
    return f"{text}, {word} in the {_span(rows)} before ({percent(usual)} a month)"


SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW: Final = 10  # at risk: an age reached by fewer is no firm estimate
HOW_TO_READ_SURVIVAL: Final = (
    "Each line starts at 100 % and steps down as customers leave. Its height at any age is the share that stays longer "
    "than that. The numbers below are the customers still followed at that age: where they are few, the band is wide."
)
HOW_TO_READ_RATIOS: Final = (
    "A ratio of 2 means: at any age, such customers leave twice as fast as those of the reference (hollow point), all "
    "other drivers being equal. Where the bar crosses 1, the difference could be chance. A ratio proves no cause."
)


def summary_table(summary: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for its readers: one column per quantity, its interval in brackets.

    Parameters
    ----------
    summary, curve
        As from ``survival.survival_summary`` and ``survival.survival_curve``. A median that fewer than ten
        customers were observed to is said to rest on few.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``customers``, ``left``, and as text the median, the mean stay and survival at 12 months.
    """
    tau = _months(summary["tau_months"].iloc[0])
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
    at_risk = curve.set_index(["segment", "duration_months"])["n_at_risk"]
    medians = list(zip(summary["segment"], summary["median_months"], strict=True))
    few = [at_risk.get(key, FEW) < FEW for key in medians]
    label = next(iter(quantities))
    return table.assign(**{label: table[label].where(~np.array(few), table[label] + ", few observed")})


def _estimate(value: float, lower: float, upper: float, unit: str) -> str:
    if np.isnan(value):
        return "not reached"
    write = percent if unit == "percent" else lambda v: f"{v:.1f}"
    bounds = [write(v).removesuffix(" %") if np.isfinite(v) else "?" for v in (lower, upper)]
    return f"{write(value)} ({' to '.join(bounds)})" if np.isfinite([lower, upper]).any() else write(value)


def pair_subtitle(comparison: pd.DataFrame) -> str:
    """Say over how many months segments are compared, and what the test of all of them says."""
    row = comparison.iloc[0]
    power = f"{-np.floor(-row.log10_p_value):.0f}".translate(SUPERSCRIPT) if row.log10_p_value < -3 else ""
    p = f"p below 10{power}" if power else f"p = {row.p_value:.3f}"
    test = f"Log-rank test of all segments: {p}." if pd.notna(row.p_value) else "Too few left for a test."
    return f"Difference in months stayed of the first {_months(row.tau_months)}. Bars: 95 % intervals. {test}"


def forecast_gap(forecast: pd.DataFrame, risk: pd.DataFrame, *, split: str = "", strongest: str = "") -> str:
    """Explain why the forecast and the sum of the at-risk list differ; empty where the interval holds both.

    Parameters
    ----------
    forecast, risk
        As from ``forecasts.forecast`` and ``at_risk.at_risk``, for the same months ahead.
    split
        The column by which the forecast was made, if any.
    strongest
        The column by which customers differ most, if any.

    Returns
    -------
    str
    """
    rows = _whole(forecast)
    if rows.empty or risk.empty:
        return ""
    last, listed = rows.iloc[-1], float(risk["p_churn"].sum())
    if last.active_ci_lower <= last.n_active - listed <= last.active_ci_upper:
        return ""
    lost, alike = last.n_active - last.expected_active, f"of one age and {split}" if split else "of one age"
    better = f" Segment by {strongest} to bring the two together." if strongest not in ("", split) else ""
    return (
        f"The probabilities of the at-risk list add up to {listed:,.0f}, not to the {lost:,.0f} forecast: the list "
        f"tells customers apart by all drivers, the forecast takes those {alike} for alike.{better}"
    )


def forecast_line(forecast: pd.DataFrame) -> pd.DataFrame:
    """Put today's customers before the forecast of the whole, as one line with ``ci_lower`` and ``ci_upper``."""
    rows = _whole(forecast).rename(columns={"active_ci_lower": "ci_lower", "active_ci_upper": "ci_upper"})
    today = rows.head(1).assign(months_ahead=0)
    today = today.assign(**dict.fromkeys(["expected_active", "ci_lower", "ci_upper"], today["n_active"]))
    columns = ["segment", "months_ahead", "expected_active", "ci_lower", "ci_upper"]
    return pd.concat([today, rows], ignore_index=True)[columns]
