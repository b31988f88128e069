"""A folder of reports as runs of the scorecard leave it, without running one."""

import json

import numpy as np
import pandas as pd

from cslib.data.kpi import OVER_YEAR, Target
from cslib.report.publish import point
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import scorecard
from cslib.show.display import write_csv

KPIS = catalogue()
AT_LEAST_95 = {"nrr": Target(0.95, np.inf)}


def series(kpi, values, *, until, half=0.01, n=1000):
    """A history of consecutive periods that do not overlap, with intervals of so much to either side."""
    step = KPIS[kpi].months
    ends = pd.date_range(end=until, periods=len(values), freq=f"{step}ME")
    value = np.array(values, float)
    half = np.nan if KPIS[kpi].exact else half
    own = {"kpi": kpi, "segment": "All", "until": ends, "months": step, "value": value}
    return pd.DataFrame(own | {"ci_lower": value - half, "ci_upper": value + half, "n": n})


def calm(until, *, months=24, last=None):
    """Churn of 2.9 and 3.1 % in turn, and what the last months had instead."""
    values = [0.029, 0.031] * (months // 2)
    return series("customer_churn_rate", values + list(last or []), until=until, half=0.004)


def nrr(until, *values, half=0.02):
    """NRR of the months up to a day, of which each is of the year before it."""
    ends = pd.date_range(end=until, periods=len(values), freq="ME")
    own = {"kpi": "nrr", "segment": "All", "until": ends, "months": 12, "value": values}
    bounds = {"ci_lower": np.array(values) - half, "ci_upper": np.array(values) + half}
    return pd.DataFrame(own | bounds | {"n": 1000})


def write_run(
    out, *history, as_of, targets=AT_LEAST_95, years=(), slug="scorecard", given=None, number=0, **facts
):  # fmt: skip
    """Publish a run: its version, its page and the link to it."""
    rows = pd.concat(history, ignore_index=True)
    reasons = dict.fromkeys(KPIS, "needs data")
    table = scorecard(Measured(rows, reasons, KPIS, targets, "USD", pd.DataFrame(years, columns=OVER_YEAR)))
    version = f"{as_of.replace('-', '')}T050000-{number:08x}"
    folder = out / f"{slug}.versions" / version
    folder.mkdir(parents=True)
    write_csv(table, folder / "kpis.csv")
    write_csv(rows, folder / "kpi_history.csv")
    record = {"status": "ok", "slug": slug, "label": "Scorecard", "notebook": "scorecard", "as_of": as_of}
    record |= {"title": "Where do we stand?", "parameters": {"data": "data", "where": ""} | (given or {})}
    record |= {"ended": f"{as_of}T05:00:00Z", "data_check": {"currency": "USD"}} | facts
    (folder / "run.json").write_text(json.dumps(record))
    page = f'<meta name="cslib-version" content="{version}"><h2 id="retention-title"></h2><section id="retention">'
    (out / f"{slug}.html").write_text(page)
    point(out, slug)
    return folder


def fail(out, slug="revenue", *, started="2025-06-03T05:00:00Z", error="The table orders is empty."):
    record = {"status": "failed", "slug": slug, "label": "Revenue", "title": "What recurs?", "error": error}
    (out / f"{slug}.failed.json").write_text(json.dumps(record | {"started": started, "ended": started}))
