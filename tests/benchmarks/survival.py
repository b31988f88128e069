"""Churn on counts against churn on rows, at a million customers: `python tests/benchmarks/survival.py [folder]`.

Writes customers.parquet, then prints medians of three runs of curves with bands for four segments and of Weibull
fits, by cslib and by reading the rows into pandas and fitting lifelines per segment; how far they differ; and what
every estimator costs on the counts of 10,000 and of 10,000,000 customers.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from lifelines import KaplanMeierFitter, WeibullFitter

import cslib
from cslib.data.lifetimes import lifetimes, unit_months
from cslib.stats.models import fit_models, forecast
from cslib.stats.survival import (
    DAYS_PER_MONTH,
    compare_segments,
    cumulative_incidence,
    hazard_by_age,
    survival_curve,
    survival_summary,
)

SCALES = {"Free": 250.0, "Lite": 500.0, "Pro": 900.0, "Max": 1800.0}
AS_OF = pd.Timestamp("2025-06-30")


def world(n, seed=1):
    """Weibull lifetimes in days, four plans, starts uniform over three years."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(list(SCALES), n)
    age = rng.integers(0, 1096, n)
    life = np.floor(pd.Series(plan).map(SCALES).to_numpy() * rng.weibull(0.8, n)).astype(int)
    start = AS_OF - pd.to_timedelta(age, unit="D")
    end = (start + pd.to_timedelta(life, unit="D")).where(life <= age)
    rows = {"customer_id": np.arange(n).astype(str), "started_on": start, "churned_on": end, "plan": plan}
    rows |= {"region": rng.choice(["Americas", "EMEA", "APAC"], n), "acquisition_cost": rng.uniform(50, 500, n)}
    return pd.DataFrame(rows)


def write(rows, path):
    """Write Parquet as engines do: days as days, rows in groups."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    for name in ("started_on", "churned_on"):
        table = table.set_column(
            table.column_names.index(name), name, table[name].cast(pa.timestamp("s")).cast(pa.date32())
        )
    pq.write_table(table, path, row_group_size=100_000)


def timed(work, repeats=5):
    """Median seconds, and the result."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds), result


def rows_of(path):
    """Read the rows as a lifelines user would: duration in months, whether churned."""
    rows = pd.read_parquet(path)
    start, end = pd.to_datetime(rows["started_on"]), pd.to_datetime(rows["churned_on"])
    return rows.assign(months=(end.fillna(AS_OF) - start).dt.days / DAYS_PER_MONTH, left=end.notna())


def by_lifelines(path, fitter):
    """Fit one per segment on rows."""
    return {plan: fitter(own["months"], own["left"]) for plan, own in rows_of(path).groupby("plan")}


def main(folder):
    path = folder / "customers.parquet"
    write(world(1_000_000), path)
    data = cslib.load(folder, as_of="2025-06-30")
    ours, curve = timed(lambda: survival_curve(lifetimes(data, segment_by="plan")))
    theirs, fits = timed(lambda: by_lifelines(path, lambda t, e: KaplanMeierFitter().fit(t, e)))
    gap = 0.0
    for plan, fit in fits.items():
        own = curve[curve["segment"] == plan].set_index("duration_months")
        bounds = fit.confidence_interval_.to_numpy()
        expected = np.column_stack([fit.survival_function_.to_numpy(), bounds])
        gap = max(gap, float(np.nanmax(np.abs(own[["survival", "ci_lower", "ci_upper"]].to_numpy() - expected))))
    print(f"curves: {ours:.2f} s, rows and lifelines {theirs:.2f} s, {theirs / ours:.0f} times; differ by {gap:.1e}")

    unit = unit_months(data)
    counts = lifetimes(data, segment_by="plan")
    seconds, models = timed(lambda: fit_models(lifetimes(data, segment_by="plan"), unit_months=unit), repeats=1)
    weibull = {plan: models.fits[plan, "Weibull"] for plan in SCALES}
    theirs, fits = timed(lambda: by_lifelines(path, lambda t, e: WeibullFitter().fit(t + unit / 2, e)), repeats=1)
    apart = max(abs(getattr(weibull[p], a) / getattr(fits[p], a) - 1) for p in SCALES for a in ("lambda_", "rho_"))
    alone = timed(lambda: weibull_only(counts, unit))[0] + timed(lambda: lifetimes(data, segment_by="plan"))[0]
    print(
        f"Weibull: {alone:.2f} s, rows and lifelines {theirs:.2f} s, {theirs / alone:.0f} times; relative {apart:.1e}"
    )
    print(f"six models by segment with their holdout fits: {seconds:.1f} s")

    for n in (10_000, 10_000_000):
        counted = spread(counts, n)
        curve = survival_curve(counted)
        costs = {
            "curves": lambda c=counted: survival_curve(c),
            "summary": lambda k=curve: survival_summary(k),
            "hazard": lambda k=curve: hazard_by_age(k),
            "comparison": lambda k=curve: compare_segments(k),
            "kinds": lambda c=counted: cumulative_incidence(c),
            "forecast": lambda c=counted: forecast(c, models),
        }
        print(f"{n:,} customers:", ", ".join(f"{name} {1000 * timed(work)[0]:.0f} ms" for name, work in costs.items()))


def weibull_only(counts, unit):
    """Fit the Weibull model to each plan's counts."""
    from cslib.stats.models import _collapsed, _fit

    return {plan: _fit(_collapsed(counts[counts["segment"] == plan], unit / 2), "Weibull") for plan in SCALES}


def spread(counts, n):
    """Draw so many customers over the same cells, each cell kept."""
    rng = np.random.default_rng(2)
    share = counts["n"] / counts["n"].sum()
    return counts.assign(n=1 + rng.multinomial(n, share))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
