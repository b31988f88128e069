"""Answers by segment against a bare group-by, at ten million answers: `python tests/benchmarks/surveys.py [folder]`.

Writes surveys.parquet, in which every customer answers once, then prints medians of five runs of
:func:`cslib.surveys.answers.answers` and of plain SQL over the same columns and rows: a group-by of customers, which "one
answer per customer" needs, and one of segment and score, which it does not.
"""

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
from cslib.surveys.answers import answers, measure
from cslib.surveys.scores import scores

PER_CUSTOMER = (
    "select segment, score, count(*) from (select customer_id, max(asked_on) as asked_on, any_value(segment) as segment, "
    "any_value(score) as score from '{path}' where survey = 'nps' and asked_on between '2024-07-01' and '2025-06-30' "
    "group by customer_id) group by 1, 2"
)
PLAIN = "select segment, score, count(*) from '{path}' group by 1, 2"


def write(path, n, seed=1):
    """Four segments, scores 0 to 10, a third without an answer; rows in groups."""
    rng = np.random.default_rng(seed)
    score = pa.array(rng.integers(0, 11, n).astype("int8"), mask=rng.random(n) < 1 / 3)
    asked = pa.array(np.datetime64("2024-07-01") + rng.integers(0, 365, n)).cast(pa.date32())
    table = pa.table(
        {
            "customer_id": pa.array(np.arange(n).astype(str)),
            "asked_on": asked,
            "survey": pa.array(["nps"] * n).dictionary_encode(),
            "score": score.cast(pa.float64()),
            "segment": pa.array(np.array(["Free", "Lite", "Pro", "Max"])[rng.integers(0, 4, n)]),
        }
    )
    pq.write_table(table, path, row_group_size=100_000)


def timed(work, repeats=5):
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def main(folder):
    """Print the medians and their ratios."""
    path = Path(folder) / "surveys.parquet"
    if not path.exists():
        write(path, 10_000_000)
    data, asked = cslib.load({"surveys": path}, as_of="2025-06-30"), measure("nps")
    counted = answers(data, asked, columns=["segment"], compare_to="")
    con = duckdb.connect()
    bare, plain = (timed(lambda q=q: con.execute(q.format(path=path)).fetchall()) for q in (PER_CUSTOMER, PLAIN))
    ours = timed(lambda: answers(data, asked, columns=["segment"], compare_to=""))
    estimates = timed(lambda: scores(counted))
    print(f"answers {ours:.2f} s, bare group-by of customers {bare:.2f} s ({ours / bare:.2f}), ", end="")
    print(f"of segment and score {plain:.2f} s ({ours / plain:.1f}); scores from counts {1000 * estimates:.0f} ms")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
