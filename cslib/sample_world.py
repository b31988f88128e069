"""The synthetic business: customers, their lives and all that they leave behind, drawn from the planted truth.

Customers come in chunks, each with its own random stream, so that millions of them never sit in memory; only
uniform numbers are drawn and inverted here, so that the bytes are the same from one version of numpy to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cslib.sample_truth import TRUTH

__all__ = ["TABLES", "draw"]

Array = NDArray[Any]
People = dict[str, Array]
Rng = np.random.Generator

TABLES = ("customers", "subscriptions", "orders", "usage", "surveys", "touchpoints", "costs")
_CHUNK = 10_000
_NEVER = 10**6  # days after the start: later than any date, yet safe to add to
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
    columns = {
        "customer_id": people["id"],
        "started_on": _dates(people["start"]),
        "churned_on": _dates(people["start"] + people["stay"], people["cause"] > 0),
        "churn_kind": _names((None, "voluntary", "involuntary"), people["cause"]),
        "acquisition_cost": people["cost"],
    }
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
