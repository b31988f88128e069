"""Sentences on what drives churn and what comes next: models, forecast, drivers, whom to call."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from cslib.errors import ParameterError, counted
from cslib.formats import format_value
from cslib.intervals import SIGNIFICANT, holm
from cslib.sentences import percent

__all__ = [
    *(
        "calibration_finding",
        "clear_levels",
        "concordance_sentence",
        "driver_finding",
        "forecast_finding",
        "forecast_gap",
    ),
    *("forecast_line", "model_finding", "months", "risk_finding", "short_reach", "whole"),
]

ENOUGH_GROUPS: Final = 5  # of customers by predicted risk
REFERENCE: Final = " (reference)"
WIDE_GAP: Final = 0.1  # between predicted and observed, as a share
HOW_TO_READ_RATIOS: Final = (
    "A ratio of 2 means: such customers leave twice as fast as those of the same age at the reference (hollow point), "
    "all other drivers being equal. Where the bar crosses 1, the difference could be chance. A ratio proves no cause."
)


def months(value: float) -> str:
    """Write an age or a span in months, to one decimal."""
    text = f"{value:.1f}".removesuffix(".0").replace("-", "−")
    return f"{text} month" if text == "1" else f"{text} months"


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of all customers together."""
    return table[table["segment"] == "All"]


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
        As from ``forecasts.forecast``.

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
        As from ``forecasts.forecast`` and ``at_risk.at_risk``, for the same months ahead.
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
        As from ``at_risk.at_risk``: all present customers, most at risk first.
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
