"""The bootstrap of customer value: `python tests/benchmarks/value.py`.

Prints medians of five runs of 1,000 draws on the counts of 10,000 and of 10,000,000 customers (each group a thousand
times as large), and what 1,000 draws would take by drawing 100,000 customers anew and fitting lifelines' Kaplan–Meier
and, for the tail, Weibull curve to each draw (three of them are timed), with how wide the two intervals are.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter, WeibullFitter

import cslib.value.paths
from cslib.stats import models as lifetime_models
from cslib.stats.models import fit_models
from cslib.value.ltv import Terms, ltv
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts

sys.path.insert(0, str(Path(__file__).parents[1]))
from value_world import counted

SUMS = ["n", "n_known", "n_involuntary", "n_kind_known", "n_costed", "acquisition_cost", "mrr_now", "mrr_now_squared"]
HORIZON = 60
SEEN = 48


def customers(n, seed=1):
    """Weibull lifetimes in months, four years of starts, log-normal prices."""
    rng = np.random.default_rng(seed)
    life, seen = np.ceil(40 * rng.weibull(0.8, n)), rng.integers(1, SEEN + 1, n)
    duration, left, price = np.minimum(life, seen), life <= seen, np.exp(rng.normal(4, 0.8, n))
    return pd.DataFrame({"duration": duration, "left": left, "price": price})


def drawn(counts, values, models):
    """Value paths with 1,000 draws."""
    return value_paths(counts, values, models, horizon_months=HORIZON)


def scaled(counts, values, factor):
    """Multiply the customers of every group."""
    cells = values.cells.assign(**{c: values.cells[c] * factor for c in SUMS})
    paid = values.paid.assign(**{c: values.paid[c] * factor for c in ("revenue", "n_priced")})
    return counts.assign(n=counts["n"] * factor), replace(values, cells=cells, paid=paid)


def row_draw(rows, rng):
    """One draw the usual way: customers anew, a new curve, a new tail, the mean price of those here at each age."""
    own = rows.iloc[rng.integers(0, len(rows), len(rows))]
    curve = KaplanMeierFitter().fit(own["duration"], own["left"])
    tail = WeibullFitter().fit(own["duration"] + 0.5, own["left"])
    ages = np.arange(HORIZON)
    still = curve.survival_function_at_times(ages.clip(max=SEEN)).to_numpy()
    still *= np.exp(-np.diff(tail.cumulative_hazard_at_times([SEEN + 0.5, *(ages.clip(SEEN) + 0.5)]))).cumprod()
    price = [own.loc[own["duration"] >= age, "price"].mean() for age in ages.clip(max=SEEN)]
    return float(still @ price)


def timed(work, repeats=5):
    """Median seconds, and the result."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds), result


if __name__ == "__main__":
    # one tail for both ways, and no forms beside it
    lifetime_models.MODELS, lifetime_models.CONTRACT_MODELS, cslib.stats.contracts.CONTRACT_MODELS = (
        ("Weibull",),
        (),
        (),
    )
    small = customers(10_000)
    counts, values = counted(small["duration"], small["left"], small["price"])
    spent = {}
    for factor in (1, 1000):
        lives, groups = scaled(counts, values, factor)
        models = fit_models(lives, unit_months=1.0)
        spent[factor], _ = timed(partial(drawn, lives, groups, models))
        print(f"{10_000 * factor:>12,} customers, {len(groups.cells):,} groups: {spent[factor]:.3f} s for 1,000 draws")
    print(f"ratio {spent[1000] / spent[1]:.2f}")
    rows = customers(100_000)
    counts, values = counted(rows["duration"], rows["left"], rows["price"])
    models = fit_models(counts, unit_months=1.0)
    ours, paths = timed(partial(drawn, counts, values, models))
    rng = np.random.default_rng(2)
    theirs, _ = timed(lambda: row_draw(rows, rng), repeats=3)
    print(
        f"100,000 customers: {ours:.3f} s; by rows {1000 * theirs:,.0f} s for 1,000 draws: {1000 * theirs / ours:,.0f} ×"
    )
    own = ltv(paths, Terms(costs=UnitCosts()), horizons=[HORIZON]).iloc[0]
    width = np.std([row_draw(rows, rng) for _ in range(30)]) * 2 * 1.96
    print(f"interval {own.ci_upper - own.ci_lower:.1f} wide; of 30 draws by rows, 3.92 deviations are {width:.1f}")
