"""Time retention against one bare group-by of the same rows: python tests/benchmarks/retention.py [customers].

Writes sample data to a temporary folder. Prints medians of five runs and their ratios; load is timed once.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cslib import load
from cslib.retention import cohorts as subject
from cslib.retention.cohorts import retention
from cslib.retention.revenue import revenue_levels
from cslib.sample.write import write_sample


def seconds(run: Callable[[], object], *, repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main(customers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = write_sample(Path(folder), customers=customers, seed=7, file_format="parquet")
        print(f"{customers:,} customers, {rows['usage']:,} uses, {rows['subscriptions']:,} subscriptions")
        start = time.perf_counter()
        data = load(folder)
        print(f"load and check {time.perf_counter() - start:8.2f} s")
        usage, periods = data.table("usage"), data.table("subscriptions")
        by_customer = usage.group_by("customer_id").aggregate(n=usage.count(), first=usage.occurred_at.min())
        bare = seconds(lambda: by_customer.aggregate(n=by_customer.n.max(), first=by_customer["first"].max()).execute())
        print(f"bare group-by of usage {bare:8.2f} s")
        masks = seconds(lambda: retention(data, source="usage"))
        print(f"retention by usage, bit masks {masks:8.2f} s, ratio {masks / bare:.2f}")
        words, subject.MAX_WORDS = subject.MAX_WORDS, 0
        portable = seconds(lambda: retention(data, source="usage"), repeats=3)
        subject.MAX_WORDS = words
        print(f"retention by usage, portable path {portable:8.2f} s, ratio {portable / bare:.2f}")
        by_row = periods.group_by("customer_id").aggregate(mrr=periods.mrr.sum())
        bare = seconds(lambda: by_row.aggregate(mrr=by_row.mrr.max()).execute())
        covered = seconds(lambda: retention(data, source="subscriptions"))
        money = seconds(lambda: revenue_levels(data))
        print(f"bare group-by of subscriptions {bare:8.2f} s")
        print(f"retention by subscriptions {covered:8.2f} s, ratio {covered / bare:.2f}")
        print(f"revenue retention {money:8.2f} s, ratio {money / bare:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
