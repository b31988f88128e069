"""What the engine's work costs, against a bare query of the same rows and against other tools: `make bench`.

Prints one table of one run: medians of three, their ratios, the target, and the peak memory of each way in its own
process. `python tests/benchmarks/bench.py --scale 0.1 --only movements cohorts` is smaller, and of some rows only.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb

ROOT = Path(__file__).parents[2]
DAY = "2025-06-30"
WORLDS = {  # file, rows at full scale, and what writes one
    "usage": (
        20_000_000,
        "select (hash(i) % {tenth})::varchar as customer_id, timestamp '2022-07-01' + to_seconds((hash(i + 7) % 94608000)"
        "::bigint) as occurred_at, 'f' || (hash(i + 13) % 4) as feature from range({n}) t(i) order by occurred_at",
    ),
    "customers": (
        10_000_000,
        "select i::varchar as customer_id, start as started_on, case when start + life <= date '2025-06-30' then start + "
        "life end as churned_on, ['Free', 'Lite', 'Pro', 'Max'][1 + kind] as plan from (select i, (hash(i) % 4)::int as "
        "kind, date '2022-07-01' + (hash(i + 1) % 1095)::int as start, (-ln(((hash(i + 2) % 1000000) + 1) / 1000001) * "
        "(250 + 400 * (hash(i) % 4)))::int as life from range({n}) t(i))",
    ),
    "subscriptions": (
        5_000_000,
        "select * from (select (i // 5)::varchar as customer_id, date '2022-07-01' + (base + 140 * (i % 5))::int as "
        "started_on, case when i % 5 < 4 or hash(i + 3) % 3 = 0 then date '2022-07-01' + (base + 140 * (i % 5) + 140 - "
        "15 * (hash(i + 4) % 2))::int end as ended_on, (1000 + hash(i + 5) % 89000) / 100 as mrr from (select i, hash(i "
        "// 5) % 700 as base from range({n}) t(i))) where started_on < date '2025-06-30'",
    ),
}
MONTHS = "(select unnest(range(date '2022-07-01', date '2025-07-01', interval 1 month)) as month)"
JOIN = (
    "select month, sum(mrr) from (select s.customer_id, m.month, sum(s.mrr) as mrr from '{}' s join "
    + MONTHS
    + " m on "
    "s.started_on <= last_day(m.month::date) and (s.ended_on is null or s.ended_on > last_day(m.month::date)) group by "
    "1, 2) group by 1"
)
SCAN = "select min(customer_id), max(customer_id), min(occurred_at), max(occurred_at), min(feature), max(feature) from '{}'"
REPORTS = ("churn_survival", "cohort_retention", "lifetime_value", "nps_segmentation", "revenue", "scorecard")


def loaded(path):
    import cslib

    return cslib.load({path.stem: path}, as_of=DAY)


def ours(function, path, **options):
    """A reduction of cslib on data that are loaded already, each time without what it found out before."""
    data = loaded(path)

    def anew():
        data.kept.clear()
        return function(data, **options)

    return anew


def cs_retention(path):
    from cslib.retention.cohorts import retention

    return ours(retention, path, source="usage")


def cs_curves(path):
    from cslib.data.lifetimes import lifetimes
    from cslib.stats.survival import survival_curve

    return ours(lambda data: survival_curve(lifetimes(data, segment_by="plan")), path)


def cs_movements(path):
    from cslib.revenue.movements import movements

    data = loaded(path)

    def work():
        data.kept.clear()  # what other analyses of the same data would share
        return movements(data)

    return work


def cs_cohorts(path):
    from cslib.data.customers import mrr_steps
    from cslib.data.lives import lives
    from cslib.retention.revenue import revenue_levels

    data = loaded(path)
    lives(data), mrr_steps(data, "month")  # which retention and movements share
    return lambda: revenue_levels(data)


def cs_load(path):
    return lambda: loaded(path)


def sql(query):
    def prepared(path):
        con = duckdb.connect()
        return lambda: con.execute(query.format(path)).fetchall()

    return prepared


def by_customer(measure):
    return sql(
        f"select count(*), max(n), max(x) from (select customer_id, count(*) n, {measure} x from '{{}}' group by 1)"
    )


def polars_retention(path):
    import polars as pl

    def work():
        rows = pl.scan_parquet(path).select("customer_id", at=pl.col("occurred_at").dt.truncate("1mo")).unique()
        first = pl.col("at").min().over("customer_id").alias("cohort")
        return rows.with_columns(first).group_by("cohort", "at").len().collect()

    return work


def pandas_retention(path):
    import pandas as pd

    def work():
        rows = pd.read_parquet(path, columns=["customer_id", "occurred_at"])
        rows["at"] = rows.pop("occurred_at").to_numpy().astype("datetime64[M]").astype("int64")
        rows = rows.drop_duplicates()
        rows["cohort"] = rows.groupby("customer_id")["at"].transform("min")
        return rows.groupby(["cohort", "at"]).size()

    return work


def lifelines_curves(path):
    import pandas as pd
    from lifelines import KaplanMeierFitter

    def work():
        rows = pd.read_parquet(path, columns=["started_on", "churned_on", "plan"])
        start, end = pd.to_datetime(rows["started_on"]), pd.to_datetime(rows["churned_on"])
        rows["months"] = (end.fillna(pd.Timestamp(DAY)) - start).dt.days / 30.4375
        rows["left"] = end.notna()
        return [KaplanMeierFitter().fit(own["months"], own["left"]) for _, own in rows.groupby("plan")]

    return work


# what, of which world, the ways of doing it with the first as ours, and the target for each other way: at most so many
# times as long as it, or (negative) at least so many times as fast
ROWS = {
    "retention": (
        "monthly retention, {} usage rows", "usage",
        {"cslib": cs_retention, "bare group-by": by_customer("min(occurred_at)"),
         "Polars lazy": polars_retention, "pandas": pandas_retention},
        {"bare group-by": 1.3, "Polars lazy": -2.5, "pandas": -5.0},
    ),
    "curves": (
        "survival curves with bands, {} customers", "customers",
        {"cslib": cs_curves,
         "bare group-by": sql("select plan, started_on, churned_on, count(*) from '{}' group by all"),
         "pandas + lifelines": lifelines_curves},
        {"bare group-by": 1.5, "pandas + lifelines": -20.0},
    ),
    "movements": (
        "MRR movements, {} subscriptions", "subscriptions", {"cslib": cs_movements, "bare join": sql(JOIN)},
        {"bare join": 2.0},
    ),
    "cohorts": (
        "revenue retention by cohort, {} subscriptions", "subscriptions",
        {"cslib": cs_cohorts, "bare group-by": by_customer("sum(mrr)")},
        {"bare group-by": 4.0},
    ),
    "load": ("load and check, {} usage rows", "usage", {"cslib": cs_load, "one scan": sql(SCAN)}, {"one scan": 8.0}),
}  # fmt: skip


def write(folder, name, scale, times=1):
    """Write one world as Parquet, in a process of its own: others would begin with the memory of this one."""
    path = folder / f"{name}{times if times > 1 else ''}" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        child(["written", name, int(WORLDS[name][0] * scale * times), str(path)])
    return path


def written(name, n, path):
    source = WORLDS[name][1].format(n=n, tenth=max(n // 10, 1))
    duckdb.connect().execute(f"copy ({source}) to '{path}' (format parquet, row_group_size 100000)")
    return 0.0, 0.0


def child(arguments):
    """Do one thing in a process of its own: seconds, and the most memory it took, in GB."""
    run = [sys.executable, __file__, "--child", json.dumps(arguments)]
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def measured(name, way, path, repeats):
    work, seconds = ROWS[name][2][way](Path(path)), []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def reports(data, out, *, jobs=0):
    """All reports from the command line: seconds, and the most memory that one of its processes took."""
    run = [sys.executable, "-m", "cslib.cli", "report", "--data", str(data), "--out", str(out), "--jobs", str(jobs)]
    begun = time.perf_counter()
    subprocess.run(run, check=True, capture_output=True)
    return time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def each(data, out):
    """A report for each of a hundred segments: seconds for one."""
    import pandas as pd

    rows = pd.read_csv(data / "customers.csv", dtype=str)
    folder = out / "data"
    shutil.copytree(data, folder)
    rows.assign(manager=[f"M{i % 100:02d}" for i in range(len(rows))]).to_csv(folder / "customers.csv", index=False)
    run = [sys.executable, "-m", "cslib.cli", "report", "revenue", "--data", str(folder), "--out", str(out / "reports")]
    begun = time.perf_counter()
    subprocess.run([*run, "--each", "manager"], check=True, capture_output=True)
    return (time.perf_counter() - begun) / 100, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def papermill(data, out):
    """The same notebooks one after the other, by papermill and nbconvert."""
    begun = time.perf_counter()
    for name in REPORTS:
        made = str(out / f"{name}.ipynb")
        papermill = ["papermill", str(ROOT / "notebooks" / f"{name}.ipynb"), made, "-p", "data", str(data)]
        for tool in (papermill, ["nbconvert", "--to", "html", made]):
            subprocess.run([sys.executable, "-m", *tool], check=True, capture_output=True, cwd=out)
    return time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def of_reports(folder, data, name):
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    return {"reports": reports, "papermill": papermill, "each": each}[name](Path(data), out)


def line(what, way, seconds, memory, ratio="", target="", met=""):
    print(f"| {what} | {way} | {seconds:.2f} s | {memory:.1f} GB | {ratio} | {target} | {met} |", flush=True)


def told(met):
    return "yes" if met else "**no**"


def compared(what, found, targets):
    """Print our way and each other one, with the ratio and whether the target is met."""
    own, *others = found
    line(what, own, *found[own])
    for other in others:
        goal, (theirs, memory) = targets[other], found[other]
        ratio = found[own][0] / theirs if goal > 0 else theirs / found[own][0]
        met = ratio <= goal if goal > 0 else ratio >= -goal
        wanted = f"≤ {goal:g}" if goal > 0 else f"≥ {-goal:g} faster"
        line("", other, theirs, memory, f"{ratio:.2f}", wanted, told(met))


def table(folder, scale, only):
    print("| work | way | median | peak | ratio | target | met |\n|---|---|---|---|---|---|---|")
    for name in [n for n in ROWS if n in only]:
        what, world, ways, targets = ROWS[name]
        path = write(folder, world, scale)
        slow = {"pandas", "pandas + lifelines"}
        found = {way: child(["measured", name, way, str(path), 1 if way in slow else 3]) for way in ways}
        compared(what.format(f"{int(WORLDS[world][0] * scale):,}"), found, targets)
    if "reports" in only:
        ours, theirs = (child(["of_reports", str(folder), str(ROOT / "data"), n]) for n in ("reports", "papermill"))
        compared(
            "all reports, sample", {"cslib": ours, "papermill + nbconvert": theirs}, {"papermill + nbconvert": -4.0}
        )
    if "each" in only:
        seconds, memory = child(["of_reports", str(folder), str(ROOT / "data"), "each"])
        line("revenue report of each of 100 segments", "cslib", seconds, memory, "", "≤ 1.2 s", told(seconds <= 1.2))
    if "million" in only:
        child(["sample", str(folder / "million"), int(1_000_000 * scale)])
        seconds, memory = child(["of_reports", str(folder), str(folder / "million"), "reports"])
        line(
            "all reports, 1 M customers",
            "cslib",
            seconds,
            memory,
            "",
            "≤ 180 s, ≤ 4 GB",
            told(seconds <= 180 and memory <= 4),
        )
    if "long" in only:
        path, small = write(folder, "usage", scale, times=5), write(folder, "usage", scale)
        (few, _), (many, memory) = (child(["measured", "retention", "cslib", str(p), 3]) for p in (small, path))
        ratio, met = many / few, told(many / few <= 6 and memory <= 4)
        line("retention, 5 × as many usage rows", "cslib", many, memory, f"{ratio:.1f}", "≤ 6, ≤ 4 GB", met)


def sample(folder, customers):
    from cslib.sample.write import write_sample

    write_sample(Path(folder), customers=customers, file_format="parquet")
    return 0.0, 0.0


def main():
    every = [*ROWS, "reports", "each", "million", "long"]
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--only", nargs="+", choices=every, default=every)
    options.add_argument("--folder", type=Path)
    options.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        kind, *rest = given.child
        reported = {"of_reports": lambda f, *more: of_reports(Path(f), *more)}
        does = {"measured": measured, "sample": sample, "written": written, **reported}
        print(json.dumps(does[kind](*rest)))
        return
    with tempfile.TemporaryDirectory(prefix="cslib-bench-") as temporary:
        table(given.folder or Path(temporary), given.scale, given.only)


if __name__ == "__main__":
    main()
