"""MRR movements against a bare join, at 5,000,000 subscriptions: `python tests/benchmarks/movements.py [folder]`.

Writes subscriptions.parquet of 1,000,000 customers over 36 months, then prints medians of three runs of
:func:`cslib.revenue.movements.movements`, of :func:`cslib.revenue.movements.trailing`, and of a bare join in the engine of as many rows:
every subscription with the months it covers, summed by customer and month; and the peak memory of the process.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import cslib
from cslib.revenue.movements import movements, trailing

CUSTOMERS, EACH, MONTHS = 1_000_000, 5, 36
JOIN = """
select month, sum(mrr) from (
  select s.customer_id, m.month, sum(s.mrr) as mrr
  from '{path}' s join (select unnest(range(date '2022-07-01', date '2025-07-01', interval 1 month)) as month) m
    on s.started_on <= last_day(m.month::date) and (s.ended_on is null or s.ended_on > last_day(m.month::date))
  group by 1, 2) group by 1
"""


def write(path, seed=1):
    """Five subscriptions per customer, one after the other with a gap here and there; the last may run."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(30, 200, (CUSTOMERS, EACH)) + rng.integers(0, 2, (CUSTOMERS, EACH)) * 20
    starts = rng.integers(0, 400, (CUSTOMERS, 1)) + np.cumsum(lengths, axis=1) - lengths
    ends = starts + lengths - rng.integers(0, 2, lengths.shape) * 15
    first, inside = np.datetime64("2022-07-01"), (starts < MONTHS * 30).ravel()
    dates = [pa.array((first + days.ravel()[inside]).astype("M8[D]")).cast(pa.date32()) for days in (starts, ends)]
    table = pa.table(
        {
            "customer_id": pa.array(np.repeat(np.arange(CUSTOMERS), EACH)[inside].astype(str)),
            "started_on": dates[0],
            "ended_on": dates[1],
            "mrr": pa.array(rng.integers(1000, 90000, inside.sum()) / 100),
        }
    )
    pq.write_table(table, path, row_group_size=100_000)


def timed(work, repeats=3):
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def main(folder):
    """Print the medians and their ratios."""
    path = Path(folder) / "subscriptions.parquet"
    if not path.exists():
        write(path)
    data = cslib.load({"subscriptions": path}, as_of="2025-06-30")
    ours, back = timed(lambda: movements(data)), timed(lambda: trailing(data))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    con = duckdb.connect()
    bare = timed(lambda: con.execute(JOIN.format(path=path)).fetchall())
    print(
        f"{pq.read_metadata(path).num_rows:,} rows: movements {ours:.1f} s, trailing {back:.1f} s, bare join {bare:.1f} s ",
        end="",
    )
    print(f"({ours / bare:.2f} and {back / bare:.2f}); peak {memory:.1f} GB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
