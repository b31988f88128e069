"""The synthetic business: customers, their lives and all that they leave behind, drawn from the planted truth.

Customers come in chunks, each with its own random stream, so that millions of them never sit in memory; only
uniform numbers are drawn and inverted here, so that the bytes are the same from one version of numpy to the next.
"""
# ruff: noqa: RUF009 - `_levels` makes a dataclass field, not a shared default.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Levels = Mapping[str, float]
Array = NDArray[Any]
People = dict[str, Array]
Rng = np.random.Generator
TABLES = ("customers", "subscriptions", "orders", "usage", "surveys", "touchpoints", "costs")
_CHUNK = 10_000
_NEVER = 10**6  # days after the start: later than any date, yet safe to add to


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
    The README of the sample data is made of this text: see :func:`cslib.sample.write.write_sample`.

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
_FIRST = np.datetime64(TRUTH.first_day, "D")
_DAYS = (TRUTH.as_of - TRUTH.first_day).days + 1
_MONTHS = np.arange(_FIRST.astype("M8[M]"), np.datetime64(TRUTH.as_of, "M") + np.timedelta64(1, "M")).astype("M8[D]")


def draw(customers: int, *, seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Draw the tables of the business piece by piece: those of 10,000 customers at a time, the costs last.

    Parameters
    ----------
    customers
        Number of customers, 1 or more.
    seed
        Whole number, 0 or more.

    Yields
    ------
    tuple of str and DataFrame
        Name of a table out of `TABLES` and its next rows, with the columns of the contract. The rows of
        `customers` are the last of their chunk.

    Notes
    -----
    Churn times are exact: two competing causes with cumulative hazards r·(t/scale)^shape and r·rate·t, where
    r is the product of the ratios in `TRUTH`, are inverted at exponential numbers, piecewise at the first
    webinar; the earlier cause wins and the time is rounded up to whole days.

    Examples
    --------
    >>> [(name, len(rows)) for name, rows in draw(50, seed=7) if name in ("customers", "costs")]
    [('customers', 50), ('costs', 72)]
    """
    ledger = np.zeros((2, len(_MONTHS)))
    for first in range(0, customers, _CHUNK):
        for name, rows in _chunk(_rng(seed, 0, first // _CHUNK), first, min(_CHUNK, customers - first)):
            yield name, rows
            ledger += _ledger(rows) if name == "customers" else 0
    yield "costs", _costs(_rng(seed, 1), ledger)


def _rng(seed: int, *key: int) -> Rng:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _exponential(rng: Rng, size: int) -> Array:
    return np.asarray(-np.log1p(-rng.random(size)))


def _pick(rng: Rng, shares: Mapping[str, float], size: int) -> Array:
    return np.searchsorted(np.cumsum(list(shares.values()))[:-1], rng.random(size), side="right")


def _by(levels: Mapping[str, Any], codes: Array) -> Array:
    return np.array(list(levels.values()))[codes]


def _names(levels: Iterable[str | None], codes: Array) -> Array:
    return np.array(list(levels), dtype=object)[codes]


def _day(when: date) -> int:
    return (when - TRUTH.first_day).days


def _dates(days: Array, known: Array | bool = True) -> Array:
    return np.where(known, _FIRST + days.astype("m8[D]"), np.datetime64("NaT"))


def _poisson(rng: Rng, mean: Array) -> Array:
    uniform, term = rng.random(len(mean)), np.exp(-mean)
    count, total = np.zeros(len(mean), int), term.copy()
    for k in range(1, int(mean.max() + 12 * mean.max() ** 0.5) + 20):
        count += uniform > total
        term *= mean / k
        total += term
    return count


def _arrivals(rng: Rng, per_month: Array | float, until: Array, since: Array | int = 0) -> pd.DataFrame:
    length = np.maximum(until - since, 0)
    row = np.repeat(np.arange(len(length)), _poisson(rng, per_month * length / 30))
    wait = (rng.random(len(row)) * length[row]).astype(int)
    return pd.DataFrame({"row": row, "day": wait + np.broadcast_to(since, length.shape)[row]})


def _in_order(events: Iterable[pd.DataFrame], *last: str) -> pd.DataFrame:
    by = ["row", "day", *last]
    return pd.concat(events).drop_duplicates(by).sort_values(by, ignore_index=True)


def _subscribed(people: People, events: pd.DataFrame) -> pd.DataFrame:
    row, day = events["row"].to_numpy(), events["day"].to_numpy()
    paused = (people["pause"][row] <= day) & (day < people["back"][row])
    return events[(day < people["stay"][row]) & ~paused]


def _dated(people: People, events: pd.DataFrame, when: str, *columns: str) -> pd.DataFrame:
    row = events["row"].to_numpy()
    keys = {"customer_id": people["id"][row], when: _dates(people["start"][row] + events["day"].to_numpy())}
    return pd.DataFrame(keys | {column: events[column].to_numpy() for column in columns})


def _chunk(rng: Rng, first: int, size: int) -> Iterator[tuple[str, pd.DataFrame]]:
    people = _people(rng, first, size)
    # Webinars come before lives: whether a customer attends must not depend on how long it stays.
    webinars = _arrivals(rng, _rate(people, "webinar"), _DAYS - people["start"])
    first_webinar = webinars.groupby("row")["day"].min().reindex(range(size), fill_value=_NEVER)
    people |= _life(rng, people, first_webinar.to_numpy())
    people |= _moves(rng, people)
    touchpoints, periods = _touchpoints(rng, people, webinars), _periods(people)
    yield "subscriptions", _dated(people, periods, "started_on", "ended_on", "mrr", "plan")
    yield "orders", _orders(rng, people, periods)
    yield "usage", _usage(rng, people)
    yield "surveys", _surveys(rng, people, touchpoints)
    yield "touchpoints", _dated(people, touchpoints, "occurred_on", "kind")
    yield "customers", _customers(people)


def _people(rng: Rng, first: int, size: int) -> People:
    traits = ("plan", "region", "channel", "onboarding", "attitude")
    people = {name: _pick(rng, getattr(TRUTH, f"{name}_share"), size) for name in traits}
    cost = _by(TRUTH.acquisition_cost, people["channel"]) * _by(TRUTH.plan_cost_ratio, people["plan"])
    people["id"] = np.array([f"{first + i:07d}" for i in range(1, size + 1)], dtype=object)
    people["cost"] = np.round(cost * (0.7 + 0.6 * rng.random(size)), 2)
    people["seats"] = 0.8 + 0.8 * rng.random(size)
    return people | {"start": _starts(rng, size)}


def _starts(rng: Rng, size: int) -> Array:
    month = np.arange(len(_MONTHS))
    season = 1 + TRUTH.seasonality * np.cos(2 * np.pi * (month + TRUTH.first_day.month - 1) / 12)
    weight = np.cumsum(season * (1 + TRUTH.monthly_growth) ** month)
    edges = np.append((_MONTHS - _FIRST).astype(int), _DAYS)
    # The inverse of a piecewise linear distribution function: evenly spread within each month.
    return np.interp(rng.random(size), np.append(0, weight / weight[-1]), edges).astype(int)


def _life(rng: Rng, people: People, webinar: Array) -> People:
    ratio = np.where(people["start"] >= _day(TRUTH.product_change_on), TRUTH.product_hazard_ratio, 1.0)
    ratio *= _by(TRUTH.plan_hazard_ratio, people["plan"])
    ratio *= _by(TRUTH.attitude_hazard_ratio, people["attitude"])
    voluntary = _leaving(rng, ratio, webinar, TRUTH.voluntary_scale_days, TRUTH.voluntary_shape)
    involuntary = _leaving(rng, ratio, webinar, 30 / TRUTH.involuntary_per_month, 1.0)
    days = np.maximum(np.ceil(np.minimum(voluntary, involuntary)), 1).astype(int)
    observed = _DAYS - people["start"]  # days of which the last is as_of
    cause = np.where(days >= observed, 0, np.where(voluntary <= involuntary, 1, 2))
    return {"stay": np.minimum(days, observed), "cause": cause}


def _leaving(rng: Rng, ratio: Array, webinar: Array, scale: float, shape: float) -> Array:
    used_up = _exponential(rng, len(ratio)) / ratio
    before = (webinar / scale) ** shape
    after = before + (used_up - before) / TRUTH.webinar_hazard_ratio
    return np.asarray(scale * np.where(used_up < before, used_up, after) ** (1 / shape))


def _moves(rng: Rng, people: People) -> People:
    plan, stay, size = people["plan"], people["stay"], len(people["plan"])
    up = np.where(plan < 2, _exponential(rng, size) * 30 / TRUTH.upgrade_per_month, _NEVER)
    down = np.where(plan > 0, _exponential(rng, size) * 30 / TRUTH.downgrade_per_month, _NEVER)
    change = 1 + np.minimum(up, down).astype(int)
    pause = 30 + (_exponential(rng, size) * 30 / TRUTH.pause_per_month).astype(int)
    back = pause + 30 * (1 + (3 * rng.random(size)).astype(int))
    # A pause that would run into churn or past as_of is left out, so that a gap always ends in a return.
    pause, back = np.where(back < stay, [pause, back], _NEVER)
    change = np.where((pause <= change) & (change <= back), _NEVER, change)
    return {"change": change, "step": np.where(up < down, 1, -1), "pause": pause, "back": back}


def _periods(people: People) -> pd.DataFrame:
    size, dearer = len(people["start"]), _day(TRUTH.price_change_on) - people["start"]
    days = np.stack([np.zeros(size, int), np.maximum(dearer, 0), people["change"], people["back"]], axis=1)
    every = pd.DataFrame({"row": np.repeat(np.arange(size), 4), "day": days.ravel()})
    periods = _in_order([_subscribed(people, every)])
    row, day = periods["row"].to_numpy(), periods["day"].to_numpy()
    final = np.append(row[1:] != row[:-1], True)
    end = np.where(final, people["stay"][row], np.append(day[1:], 0))
    end = np.where(day < people["pause"][row], np.minimum(end, people["pause"][row]), end)
    plan = people["plan"][row] + people["step"][row] * (day >= people["change"][row])
    price = _by(TRUTH.list_price, plan) * (1 + TRUTH.price_rise * (day >= dearer[row]))
    ended_on = _dates(people["start"][row] + end, ~final | (people["cause"][row] > 0))
    mrr, name = np.round(price * people["seats"][row], 2), _names(TRUTH.plan_share, plan)
    return periods.assign(end=end, ended_on=ended_on, mrr=mrr, plan=name)


def _customers(people: People) -> pd.DataFrame:
    left = _dates(people["start"] + people["stay"], people["cause"] > 0)
    columns = {"customer_id": people["id"], "started_on": _dates(people["start"]), "churned_on": left}
    columns["churn_kind"] = _names((None, "voluntary", "involuntary"), people["cause"])
    columns["acquisition_cost"] = people["cost"]
    segments = ("plan", "region", "channel", "onboarding")
    return pd.DataFrame(columns | {s: _names(getattr(TRUTH, f"{s}_share"), people[s]) for s in segments})


def _orders(rng: Rng, people: People, periods: pd.DataFrame) -> pd.DataFrame:
    booked = periods.assign(product=periods["plan"], amount=12 * periods["mrr"])
    first = booked[booked["day"] == 0]
    upgraded = (people["change"] * people["step"])[periods["row"]] == periods["day"]
    upsell = booked.assign(amount=12 * periods["mrr"].diff())[upgraded]
    due = [booked[booked["day"].le(d) & booked["end"].gt(d)].assign(day=d) for d in range(365, _DAYS, 365)]
    extra = _subscribed(people, _arrivals(rng, TRUTH.add_on_per_month, people["stay"]))
    fee = TRUTH.add_on_months * first["mrr"].to_numpy()[extra["row"]]
    service = _names(("Training", "Data migration"), (2 * rng.random(len(extra))).astype(int))
    cross_sell = extra.assign(product=service, amount=fee)
    kinds = {"new": first, "renewal": pd.concat(due), "upsell": upsell, "cross_sell": cross_sell}
    orders = _in_order((rows.assign(kind=kind) for kind, rows in kinds.items()), "kind", "product")
    return _dated(people, orders.round({"amount": 2}), "ordered_on", "amount", "kind", "product")


def _usage(rng: Rng, people: People) -> pd.DataFrame:
    to_value = _by(TRUTH.median_days_to_value, people["onboarding"])
    medians: dict[str, Any] = {**TRUTH.feature_median_days, TRUTH.value_feature: to_value}
    uses = (_uses(rng, people, feature, medians[feature]) for feature in TRUTH.feature_share)
    return _dated(people, _subscribed(people, _in_order(uses, "feature")), "occurred_at", "feature")


def _uses(rng: Rng, people: People, feature: str, median: Array | float) -> pd.DataFrame:
    size = len(people["stay"])
    delay = _exponential(rng, size) / np.log(2) * median
    first = np.where(rng.random(size) < TRUTH.feature_share[feature], delay, _NEVER).astype(int)
    further = _arrivals(rng, TRUTH.uses_per_month[feature], people["stay"], first)
    row = further["row"].to_numpy()
    near = (people["cause"][row] == 1) & (people["stay"][row] - further["day"] <= TRUTH.fade_days)
    kept = further[~near | (rng.random(len(row)) >= TRUTH.fade_share)]
    return pd.concat([pd.DataFrame({"row": np.arange(size), "day": first}), kept]).assign(feature=feature)


def _rate(people: People, kind: str) -> Array:
    ratio = _by(TRUTH.ticket_ratio, people["attitude"]) if kind == "ticket" else 1.0
    return np.asarray(np.array(TRUTH.touchpoints_per_month[kind])[people["plan"]] * ratio)


def _touchpoints(rng: Rng, people: People, webinars: pd.DataFrame) -> pd.DataFrame:
    events = {"webinar": webinars[webinars["day"] < people["stay"][webinars["row"]]]}
    for kind in ("community", "review_call", "ticket"):
        events[kind] = _arrivals(rng, _rate(people, kind), people["stay"])
    return _in_order((rows.assign(kind=kind) for kind, rows in events.items()), "kind")


def _surveys(rng: Rng, people: People, touchpoints: pd.DataFrame) -> pd.DataFrame:
    everyone = pd.DataFrame({"row": np.arange(len(people["start"]))})
    first = TRUTH.nps_first_days + (30 * rng.random(len(everyone))).astype(int)
    rounds = [everyone.assign(day=first + wait) for wait in range(0, _DAYS, TRUTH.nps_every_days)]
    tickets = touchpoints[touchpoints["kind"] == "ticket"].assign(day=lambda ticket: ticket["day"] + 1)
    asked = {"nps": pd.concat(rounds), "csat": tickets, "ces": everyone.assign(day=TRUTH.ces_day)}
    answers = (_answers(rng, people, _subscribed(people, rows), survey) for survey, rows in asked.items())
    return _dated(people, _in_order(answers, "survey"), "asked_on", "survey", "score", "answered_on")


def _answers(rng: Rng, people: People, asked: pd.DataFrame, survey: str) -> pd.DataFrame:
    row, size = asked["row"].to_numpy(), len(asked)
    low, high = np.array(TRUTH.scores[survey])[people["attitude"][row]].T
    better = ((high - low + 1) * np.sqrt(rng.random(size))).astype(int)
    replied = asked["day"].to_numpy() + (7 * rng.random(size)).astype(int)
    # Who leaves before the reply never replies: an answer must not know what comes after it.
    answered = rng.random(size) < _by(TRUTH.response_rate, people["attitude"][row])
    answered &= replied < people["stay"][row]
    score = pd.Series(high - better if survey == "ces" else low + better, asked.index, dtype="Int8")
    on = _dates(people["start"][row] + replied, answered)
    return asked.assign(survey=survey, score=score.where(answered), answered_on=on)


def _ledger(customers: pd.DataFrame) -> Array:
    days = [customers[when].dropna().to_numpy() for when in ("started_on", "churned_on")]
    started, left = (np.searchsorted(_MONTHS, day, side="right") - 1 for day in days)
    spent = np.bincount(started, customers["acquisition_cost"], minlength=len(_MONTHS))
    net = np.bincount(started, minlength=len(_MONTHS)) - np.bincount(left, minlength=len(_MONTHS))
    return np.stack([spent, np.cumsum(net)])


def _costs(rng: Rng, ledger: Array) -> pd.DataFrame:
    rate = np.array([[1 + TRUTH.acquisition_overhead], [TRUTH.retention_cost]])
    noise = 1 + np.array([[0.03], [0.05]]) * (2 * rng.random(ledger.shape) - 1)
    amount = np.round(ledger * rate * noise, 2).T.ravel()
    kind = np.tile(np.array(["acquisition", "retention"], dtype=object), len(_MONTHS))
    return pd.DataFrame({"month": np.repeat(_MONTHS, 2), "kind": kind, "amount": amount})
