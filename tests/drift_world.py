"""Customers of three years, 2023 to 2025, whose hazard depends on calendar time or on age."""

import numpy as np
import pandas as pd

import cslib as cs

MONTHS = 36
FIRST, LAST = pd.Timestamp("2023-01-01"), "2025-12-31"
GRID = np.linspace(0, MONTHS, 361)


def constant(calendar, age):
    return 0.04 + 0 * age


def ageing(calendar, age):
    return np.where(age < 3, 0.1, np.where(age < 12, 0.04, 0.015))


def seasonal(calendar, age):
    return 0.04 * (1 + 0.6 * np.sin(2 * np.pi * calendar / 12)) + 0 * age


def rising(calendar, age):
    return 0.03 + 0.05 * calendar / MONTHS + 0 * age


def stepped(calendar, age):
    return np.where(calendar < MONTHS - 12, 0.04, 0.08) + 0 * age


def customers(rng, n, hazard, *, growing=False, **more):
    """Starts spread over three years, or ever more of them; each leaves at its hazard (by calendar month and age)."""
    start = MONTHS * (np.sqrt(rng.random(n)) if growing else rng.random(n))
    each = hazard(GRID[None, :], np.maximum(GRID[None, :] - start[:, None], 0)) * (GRID[None, :] > start[:, None])
    gone = np.cumsum(each, axis=1) * GRID[1] > rng.exponential(size=n)[:, None]
    end = np.maximum(GRID[gone.argmax(axis=1)] - GRID[1] * rng.random(n), start)
    begun, left = (FIRST + pd.to_timedelta((months * 1096 / MONTHS).astype(int), unit="D") for months in (start, end))
    ids, left = [f"c{i}" for i in range(n)], left.where(gone.any(axis=1))
    return pd.DataFrame({"customer_id": ids, "started_on": begun, "churned_on": left, "mrr": 100.0} | more)


def loaded(*args, **more):
    return cs.load({"customers": customers(*args, **more)}, as_of=LAST)


def counted(rng, n, hazard, *, growing=False):
    """The same worlds as counts by month of age and calendar month, drawn at once: at risk, and left."""
    weight = np.arange(1, MONTHS + 1) if growing else np.ones(MONTHS)
    started, here = rng.multinomial(n, weight / weight.sum()), np.zeros(MONTHS, int)
    at_risk, left = np.zeros((2, MONTHS, MONTHS))
    for month in range(MONTHS):
        cohorts = np.arange(month + 1)
        here[month] = started[month]
        age = month - cohorts
        gone = rng.binomial(here[cohorts], hazard(month, age) * np.where(age, 1, 0.5))
        at_risk[age, month], left[age, month] = here[cohorts], gone
        here[cohorts] -= gone
    return at_risk, left
