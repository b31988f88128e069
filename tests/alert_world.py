"""Histories of all KPIs of a business that does not change, drawn as arrays: members, prices, uses and answers."""

import numpy as np
import pandas as pd

from cslib.data.kpi import Target
from cslib.scorecard.alarms import alarms, comparisons
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import scorecard
from cslib.stats.intervals import grown_of_sums, ratio_of_sums, share_of_clusters, wilson
from cslib.surveys.answers import measure
from cslib.surveys.scores import score_interval

CHURN, MONTHS, LAST = 0.03, 37, "2025-06-30"
ASKED = {"nps": 25.0, "csat": 0.6, "response_rate": 0.5}
NAMES = [
    *("mrr", "arpa", "quick_ratio", "upsell_rate", "customer_churn_rate", "customer_retention_rate"),
    *("revenue_churn_rate", "revenue_retention_rate", "nrr", "grr", "nps", "csat", "ces", "response_rate"),
    *("usage_frequency", "active_share", "feature_adoption"),
]
KPIS = {name: catalogue()[name] for name in NAMES}
SEASONS = {
    "none": lambda month: 1 + 0 * month,
    "wave": lambda month: 1 + 0.6 * np.cos(2 * np.pi * month / 12),
    "peak": lambda month: np.where(month % 12 == 0, 2.5, 1.0),
}


def hazards(season):
    """Share of customers who leave, by month."""
    factor = SEASONS[season](np.arange(1 - MONTHS, 1))
    return CHURN * factor / factor.mean()


def targets(season):
    """What is truly reached, and not more: a target is missed by chance as often as it can be."""
    truth = {name: Target(value, np.inf) for name, value in ASKED.items()}
    return truth | {"customer_churn_rate": Target(-np.inf, hazards(season)[-1])}


def drawn(rng, n, season="none", *, last=1.0):
    """A steady number of customers: who leaves is followed by a new one; the last month has so many times the churn."""
    hazard = hazards(season)
    busy = np.sqrt(hazard / CHURN)[:, None]
    hazard[-1] *= last
    gone = rng.random((MONTHS, n)) < hazard[:, None]
    step = np.where(rng.random((MONTHS, n)) < 0.03, 1.3, np.where(rng.random((MONTHS, n)) < 0.02, 1 / 1.3, 1.0))
    price, keen = np.empty((MONTHS + 1, n)), np.empty((MONTHS, n))
    price[0], own = rng.lognormal(4, 1, n), rng.gamma(2, 0.5, n)
    for month in range(MONTHS):
        price[month + 1] = np.where(gone[month], rng.lognormal(4, 1, n), price[month] * step[month])
        keen[month] = own = np.where(gone[month], rng.gamma(2, 0.5, n), own)
    uses = rng.poisson(keen * 4 * busy)
    return {"gone": gone, "price": price, "kept": np.where(gone, 0, price[:-1] * step), "uses": uses}


def rows(kpi, value, n, bounds=(np.nan, np.nan)):
    until = pd.date_range(end=LAST, periods=len(value), freq="ME" if KPIS[kpi].months < 3 else f"{KPIS[kpi].months}ME")
    own = {"kpi": kpi, "segment": "All", "until": until, "months": KPIS[kpi].months, "value": value}
    return pd.DataFrame(own | {"ci_lower": bounds[0], "ci_upper": bounds[1], "n": n})


def sums(x, y):
    return {"x": x.sum(1), "y": y.sum(1), "squares": ((x**2).sum(1), (y**2).sum(1), (x * y).sum(1))}


def both(name, twin, value, n, bounds):
    yield rows(name, value, n, (bounds.lower, bounds.upper))
    yield rows(twin, 1 - value, n, (1 - bounds.upper, 1 - bounds.lower))


def of_movements(world, n):
    gone, price, kept = world["gone"], world["price"], world["kept"]
    yield from both(*("customer_churn_rate", "customer_retention_rate"), gone.mean(1), n, wilson(gone.sum(1), n))
    lost, before = np.maximum(price[:-1] - kept, 0), price[:-1]
    share = lost.sum(1) / before.sum(1)
    bounds = share_of_clusters(**sums(before, lost))
    yield from both("revenue_churn_rate", "revenue_retention_rate", share, n, bounds)
    now, one = price[1:], np.ones_like(price[1:])
    yield rows("mrr", now.sum(1), n)
    arpa = ratio_of_sums(**sums(one, now), n=n)
    yield rows("arpa", now.mean(1), n, (arpa.lower, arpa.upper))
    won = np.where(gone, now, np.maximum(kept - before, 0))
    total, up = np.where(lost.any(1), lost.sum(1), np.nan), np.where(won.any(1), won.sum(1), np.nan)
    ratio, spread = up / total, np.sqrt((won**2).sum(1) / up**2 + (lost**2).sum(1) / total**2)
    yield rows("quick_ratio", ratio, n, (ratio * np.exp(-1.96 * spread), ratio * np.exp(1.96 * spread)))


def of_years(rng, world, n):
    """Of three whole years: what is kept of the price a year before, and who ordered more."""
    ends = [MONTHS - 24, MONTHS - 12, MONTHS]
    then = np.array([world["price"][end - 12] for end in ends])
    here = ~np.array([world["gone"][end - 12 : end].any(0) for end in ends])
    now = np.array([world["price"][end] for end in ends]) * here
    for name, kept in (("nrr", now), ("grr", np.minimum(now, then))):
        bounds = ratio_of_sums(**sums(then, kept), n=n)
        yield rows(name, kept.sum(1) / then.sum(1), n, (bounds.lower, bounds.upper))
    sold = rng.binomial(n, 0.1, 3)
    bounds = wilson(sold, n)
    yield rows("upsell_rate", sold / n, n, (bounds.lower, bounds.upper))


def of_uses(world, n):
    uses = world["uses"].astype(float)
    active, bounds = (uses > 0).astype(float), wilson((uses > 0).sum(1), n)
    yield rows("active_share", active.mean(1), n, (bounds.lower, bounds.upper))
    often = grown_of_sums(**sums(active, uses), n=active.sum(1))
    yield rows("usage_frequency", uses.sum(1) / active.sum(1), active.sum(1), (often.lower, often.upper))
    tried = np.minimum(uses, 5) / 5
    bounds = grown_of_sums(**sums(np.ones_like(tried), tried), n=n)
    yield rows("feature_adoption", tried.mean(1), n, (bounds.lower, bounds.upper))


def of_surveys(rng, n):
    quarters, asked = MONTHS // 3, n // 3
    answered = rng.binomial(asked, ASKED["response_rate"], quarters)
    bounds = wilson(answered, asked)
    yield rows("response_rate", answered / asked, asked, (bounds.lower, bounds.upper))
    worth = np.array([-1] * 7 + [0] * 2 + [1] * 2)
    shares = np.array([*[0.2 / 7] * 7, *[0.35 / 2] * 2, *[0.45 / 2] * 2])
    given = np.array([rng.multinomial(k, shares) for k in answered])
    bounds = score_interval(given, measure("nps"))
    yield rows("nps", 100 * (given @ worth) / answered, answered, (bounds.lower, bounds.upper))
    happy = rng.binomial(answered, ASKED["csat"])
    bounds = wilson(happy, answered)
    yield rows("csat", happy / answered, answered, (bounds.lower, bounds.upper))
    hard = [rng.binomial(9, 0.3, k) + 1.0 for k in answered]
    mean, half = (np.array([f(h) for h in hard]) for f in (np.mean, lambda h: 1.96 * h.std(ddof=1) / np.sqrt(len(h))))
    yield rows("ces", mean, answered, (mean - half, mean + half))


def history(rng, n, season="none", *, last=1.0):
    world = drawn(rng, n, season, last=last)
    parts = [*of_movements(world, n), *of_years(rng, world, n), *of_uses(world, n), *of_surveys(rng, n)]
    return pd.concat(parts, ignore_index=True)


def run(rng, n, season="none", *, last=1.0):
    """The comparisons of one run, and which of them are an alarm."""
    measured = Measured(history(rng, n, season, last=last), {}, KPIS, targets(season))
    compared = comparisons(scorecard(measured), measured.history, KPIS)
    return compared.assign(alarm=alarms(compared))
