"""Texts of somebody else, wherever a text can stand, in a page that a browser opens: they stay texts."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cslib.report import batch
from cslib.report.parameters import find_notebooks
from cslib.sample.write import write_sample

OpenReport = Callable[..., Any]
PAYLOADS = [
    "<script>window.hacked=1</script>",
    "<img src=https://e.example/x.png onerror=window.hacked=1>",
    "</td></table></main><svg onload=window.hacked=1>",
    "\"'><a href=javascript:window.hacked=1>x</a>",
    "--><style>body{display:none}</style><!--",
    "]]></script><iframe src=https://e.example>",
    "@import url(https://e.example/x.css);}*{background:url(https://e.example/y)}",
    '=HYPERLINK("https://e.example","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "$\\href{https://e.example}{x}$ **b** [a](https://e.example) `c`",
    "a\u202eb\u2066c\u200fd",
    "bell\x07 esc\x1b[31m del\x7f",
    "&lt;b&gt; &amp; &#60;i&#62;",
    "x" * 300,
    "東京 ñ 🙂",
]
COLUMN = "<b onclick=window.hacked=1>plan</b> =1+1"
UNSEEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]"
SCRIPTS = "() => [window.hacked, document.scripts.length, document.querySelectorAll('head style, iframe, img[src^=http], [onclick], [onerror], [onload]').length]"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Two reports of a small business whose ids, segments, column, file, currency and filter are payloads."""
    write_sample(folder := tmp_path, customers=60)
    ids: dict[str, str] = {}
    for path in folder.glob("*.csv"):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "customer_id" in rows:
            for i, own in enumerate(sorted(set(rows["customer_id"]) - ids.keys())):
                ids[own] = f"{PAYLOADS[i % len(PAYLOADS)]} {own}"
            rows["customer_id"] = rows["customer_id"].map(ids)
        if "plan" in rows:
            kinds = {plan: PAYLOADS[i] for i, plan in enumerate(sorted(set(rows["plan"])))}
            rows["plan"] = [PAYLOADS[i % len(PAYLOADS)] if i % 2 else kinds[p] for i, p in enumerate(rows["plan"])]
            rows = rows.rename(columns={"plan": COLUMN})
        if path.stem == "customers":  # what is set aside is shown as it stands
            rows.loc[rows.index % 4 == 0, "started_on"] = [PAYLOADS[i % len(PAYLOADS)] for i in range(len(rows[::4]))]
        rows.to_csv(path, index=False)
    (folder / "surveys.csv").rename(folder / "<img src=x onerror=alert(1)>.csv")
    (folder / "cslib.toml").write_text(
        f"as_of = 2025-06-30\ncurrency = {json.dumps('<u onclick=window.hacked=1>eur')}\n[customers]\non_fault = 'set_aside'\n"
        f"segments = [{json.dumps(COLUMN)}]\n[surveys]\ntable = {json.dumps('<img src=x onerror=alert(1)>.csv')}\n"
    )
    given = {"data": str(folder), "segment_by": COLUMN, "where": "region!=<script>window.hacked=2</script>"}
    names = ("cohort_retention", "nps_segmentation")
    runs = batch.render_all([n for n in find_notebooks() if n.name in names], out=folder / "out", parameters=given)
    assert [run.error for run in runs] == ["", ""]
    return folder / "out"


@pytest.mark.long
def test_texts_of_somebody_else_stay_texts(open_report: OpenReport, reports: Path) -> None:
    for name in ("index", "cohort_retention", "nps_segmentation"):
        check_page(open_report, reports / f"{name}.html")
    check_files(reports / "cohort_retention")


def check_page(open_report: OpenReport, path: Path) -> None:
    """Nothing of it runs, asks for anything, or tears the page."""
    with open_report(path, width=768) as opened:
        opened.page.mouse.wheel(0, 20_000)
        assert opened.page.evaluate(SCRIPTS) == [None, int(path.stem != "index"), 1]
        assert (opened.requests, opened.complaints) == ([path.resolve().as_uri()], [])
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 768
        assert opened.page.locator("footer, .index main").last.is_visible()
    assert not re.search(UNSEEN, path.read_text(encoding="utf-8"))


def check_files(folder: Path) -> None:
    """No cell is a formula, and no row is torn."""
    found = 0
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert {len(row) for row in rows} == {len(rows[0])}
        texts = [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert all(re.fullmatch(r"-[0-9.]+(e-?[0-9]+)?|-inf", text) for text in texts), texts[:3]
        found += sum(any(payload in cell for payload in PAYLOADS) for row in rows for cell in row)
    assert found > 10
