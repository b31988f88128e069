"""The planted truth of the sample data: what a sound analysis of them finds."""
# ruff: noqa: RUF009 - `_levels` makes a dataclass field, not a shared default.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

__all__ = ["TRUTH", "Truth"]

Levels = Mapping[str, float]


def _levels(**values: Any) -> Any:
    return field(default_factory=lambda: MappingProxyType(values))


@dataclass(frozen=True)
class Truth:
    """The planted parameters. A month is 30 days in every rate, a year 365; days count from the start.

    Every hazard ratio multiplies the whole hazard, voluntary and involuntary alike, so that it is also the
    ratio that a Cox regression on churn of any kind estimates once the other terms are in it. Leave attitude
    out, and every ratio moves a little towards 1.

    Attributes
    ----------
    first_day
        The first customers start on this day.
    as_of
        Last fully observed day. Everything later is cut off and the customer is still one.
    currency
        Of every amount.
    monthly_growth
        Customers won grow by this share from one month to the next.
    seasonality
        January wins this share more than the growth says, July this share less.
    plan_share
        Plan at the start. Later changes of plan leave the hazard as it was.
    plan_hazard_ratio
        Against Starter, the same at every age. Seen in survival curves by plan.
    list_price
        USD a month, times a factor between 0.8 and 1.6 that stays with the customer.
    region_share
        Region has no effect on anything: hazard ratio 1. A difference between regions is chance.
    channel_share
        Where the customer came from. No effect on churn.
    acquisition_cost
        USD for a Starter by channel, times `plan_cost_ratio`, give or take 30 %.
    plan_cost_ratio
        Winning a larger customer costs more.
    onboarding_share
        How the customer was set up. No effect on churn, only on time to value.
    voluntary_shape
        Weibull shape of voluntary churn; below 1: the hazard falls with age.
    voluntary_scale_days
        Weibull scale in days for a Starter, promoter, before the product change, no webinar attended.
    involuntary_per_month
        Constant hazard of a failed payment for that same customer.
    product_change_on
        Customers who start on this day or later got the better product.
    product_hazard_ratio
        Of customers who start after the change against those before. Seen when cohorts are compared.
    attitude_share
        Lasting attitude at the start, not a column. Survivors are happier, because detractors leave.
    attitude_hazard_ratio
        Against promoters. Seen in survival after an NPS answer, at risk from the day of the answer.
    response_rate
        Probability of an answer by attitude: the raw score of those who answer is too good.
    scores
        Lowest and highest score a promoter, a passive and a detractor gives, leaning to the good end.
    nps_first_days
        The first NPS invitation goes out 30 to 59 days after the start: from this day on, over one month.
    nps_every_days
        Days between NPS invitations. CSAT is asked on the day after a ticket.
    ces_day
        Days from the start to the CES invitation, one per customer, about the set-up.
    touchpoints_per_month
        For a Starter, Team and Enterprise, at random times. Only webinars change the hazard.
    ticket_ratio
        Unhappy customers open more tickets: tickets go with churn but do not cause it.
    webinar_hazard_ratio
        From the day of the first webinar on. Ever against never shows far less, for the wrong reason:
        who stays long has more chances to attend. Seen when attendance enters a Cox regression in time.
    value_feature
        The first use of it is when a customer gets value. It does not change the hazard.
    median_days_to_value
        Median of the exponential delay before that first use, were there no churn.
    feature_share
        Share of customers who would ever use the feature. Seen in 1 - Kaplan-Meier of the first use.
    feature_median_days
        Median of the exponential delay before the first use, for those who would.
    uses_per_month
        Further uses after the first; one row per customer, day and feature.
    fade_days
        Before voluntary churn, uses thin out over this many days.
    fade_share
        Share of these uses that do not happen.
    price_change_on
        All running customers pay the new list price from this day on.
    price_rise
        The rise of the list price.
    upgrade_per_month
        To the next larger plan; a customer changes plan at most once.
    downgrade_per_month
        To the next smaller plan.
    pause_per_month
        After the first month; at most one pause, of 30, 60 or 90 days, and only if the customer comes back.
    add_on_per_month
        Cross-sold services, paid once and no part of MRR.
    add_on_months
        Price of such a service in months of the MRR at the start.
    acquisition_overhead
        Acquisition costs of a month: what its new customers cost, plus this share, give or take 3 %.
    retention_cost
        USD per customer and month, by customers on the last day of the month, give or take 5 %.

    Notes
    -----
    The README of the sample data is made of this text: see :func:`cslib.sample.write_sample`.

    Examples
    --------
    >>> TRUTH.plan_hazard_ratio["Enterprise"], TRUTH.webinar_hazard_ratio
    (0.35, 0.8)
    """

    first_day: date = date(2022, 7, 1)
    as_of: date = date(2025, 6, 30)
    currency: str = "USD"
    monthly_growth: float = 0.02
    seasonality: float = 0.15
    plan_share: Levels = _levels(Starter=0.55, Team=0.33, Enterprise=0.12)
    plan_hazard_ratio: Levels = _levels(Starter=1.0, Team=0.6, Enterprise=0.35)
    list_price: Levels = _levels(Starter=49.0, Team=199.0, Enterprise=899.0)
    region_share: Levels = _levels(Americas=0.45, EMEA=0.35, APAC=0.2)
    channel_share: Levels = _levels(Organic=0.4, Paid=0.35, Partner=0.25)
    acquisition_cost: Levels = _levels(Organic=120.0, Paid=420.0, Partner=240.0)
    plan_cost_ratio: Levels = _levels(Starter=1.0, Team=2.5, Enterprise=8.0)
    onboarding_share: Levels = _levels(guided=0.4, **{"self-serve": 0.6})
    voluntary_shape: float = 0.7
    voluntary_scale_days: float = 800.0
    involuntary_per_month: float = 0.01
    product_change_on: date = date(2024, 1, 1)
    product_hazard_ratio: float = 0.65
    attitude_share: Levels = _levels(promoter=0.4, passive=0.35, detractor=0.25)
    attitude_hazard_ratio: Levels = _levels(promoter=1.0, passive=1.5, detractor=2.5)
    response_rate: Levels = _levels(promoter=0.6, passive=0.5, detractor=0.35)
    scores: Mapping[str, tuple[tuple[int, int], ...]] = _levels(
        nps=((9, 10), (7, 8), (0, 6)), csat=((3, 5), (2, 5), (1, 4)), ces=((1, 6), (2, 8), (4, 10))
    )
    nps_first_days: int = 30
    nps_every_days: int = 182
    ces_day: int = 14
    touchpoints_per_month: Mapping[str, tuple[float, float, float]] = _levels(
        webinar=(0.05, 0.07, 0.1), community=(0.06,) * 3, review_call=(0.01, 0.08, 0.3), ticket=(0.12,) * 3
    )
    ticket_ratio: Levels = _levels(promoter=1.0, passive=1.4, detractor=2.0)
    webinar_hazard_ratio: float = 0.8
    value_feature: str = "reports"
    median_days_to_value: Levels = _levels(guided=8.0, **{"self-serve": 30.0})
    feature_share: Levels = _levels(dashboard=0.95, reports=1.0, export=0.45, api=0.25, automation=0.15)
    feature_median_days: Levels = _levels(dashboard=2.0, export=45.0, api=60.0, automation=90.0)
    uses_per_month: Levels = _levels(dashboard=1.2, reports=0.7, export=0.6, api=0.7, automation=0.7)
    fade_days: int = 45
    fade_share: float = 0.5
    price_change_on: date = date(2024, 4, 1)
    price_rise: float = 0.08
    upgrade_per_month: float = 0.015
    downgrade_per_month: float = 0.004
    pause_per_month: float = 0.006
    add_on_per_month: float = 0.02
    add_on_months: float = 2.0
    acquisition_overhead: float = 0.12
    retention_cost: float = 12.0


TRUTH = Truth()
