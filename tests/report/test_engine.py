"""The report engine: true runs only, whole publication only, typed parameters."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from notebook_world import write

from cslib.errors import ParameterError, ReportError
from cslib.report import batch
from cslib.report import engine as reports
from cslib.report import html as page_of
from cslib.report.home import write_index
from cslib.report.parameters import Notebook, find_notebooks, parse_parameters
from cslib.report.publish import public, version_of, without_folders

PARAMETERS = """
data: str = "data"  # where the data are # and more
code: str = "a = 1 # no comment"
months: int = -6  # horizon, in months
share: float = 0.5
strict: bool = False
"""
EVERYTHING = [
    ("md", "# Who **leaves**?\n\nManagers ask this. <script>alert(1)</script> ![x](https://example.com/x.png)"),
    ("parameters", PARAMETERS),
    ("code", "import sys, warnings\nimport pandas as pd\nfrom cslib.show import display as d"),
    (
        "code",
        """d.data_check({"source": data, "as_of": "2025-06-30", "currency": "USD", "fingerprint": "3f9a",
        "tables": [{"table": "customers", "rows": 4000, "first": None, "last": None, "set_aside": 0}],
        "share_censored": 0.47, "notes": [], "warnings": ["11 odd rows"]})""",
    ),
    ("md", "## Answer"),
    ("code", 'd.note(f"**{months} months** is <the> answer", kind="answer")\nd.cards(d.Card("Stay", 0.5))'),
    ("md", "## Limits\n\n### Sub\n\n### Sub\n\n<b onclick='x()'>raw</b> [a](javascript:alert(1))"),
    ("md", "## Limits"),
    ("code", 'd.table(pd.DataFrame({"a": [1, 2]}), name="two", caption="<Two> rows")'),
    ("how", "Read it **so**."),
    ("code", 'print("plain", data)\nwarnings.warn("noise")\npd.DataFrame({"analyst": ["own"]})'),
    ("code", "from IPython.display import HTML, Javascript, display\ndisplay(Javascript('alert(1)'))"),
    ("code", "HTML('<i>kept</i><script>alert(2)</script><img src=https://example.com/y.png>')"),
    ("code", "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])"),
    ("code", 'd.note("Read <b>on</b>.", kind="how_to_read")'),
    ("code", ""),
    ("code", "# only a comment"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, reports.Run]:
    """One report of everything, rendered twice, with a path as its data."""
    base = tmp_path_factory.mktemp("reports")
    notebook = write(base / "notebooks", "who_leaves", EVERYTHING)
    given = {"data": str(base / "secret" / "customer_data"), "months": "9"}
    runs = [reports.render(notebook, out=base / name, parameters=given) for name in ("first", "out")]
    assert [r.error for r in runs] == ["", ""]
    return base / "out", runs[1]


@pytest.fixture(scope="module")
def html(good: tuple[Path, reports.Run]) -> str:
    return (good[0] / "who_leaves.html").read_text(encoding="utf-8")


def test_a_run_says_what_came_of_it(good: tuple[Path, reports.Run]) -> None:
    out, run = good
    assert (run.slug, run.title, run.ok, run.as_of) == ("who_leaves", "Who leaves?", True, "2025-06-30")
    assert run.answer == "**9 months** is <the> answer"
    assert run.html == out / "who_leaves.html"
    assert sorted(p.name for p in (out / "who_leaves").iterdir()) == ["run.json", "run.log", "two.csv"]
    assert sorted(p.name for p in out.iterdir()) == ["who_leaves", "who_leaves.html", "who_leaves.versions"]


def test_run_json_says_what_the_report_rests_on(good: tuple[Path, reports.Run]) -> None:
    facts = json.loads((good[0] / "who_leaves" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "ok"
    assert facts["parameters"] == {
        **{"data": "customer_data", "code": "a = 1 # no comment"},
        **{"months": 9, "share": 0.5, "strict": False},
    }
    assert facts["tables"] == [{"name": "two", "caption": "<Two> rows", "rows": 2, "columns": ["a"]}]
    assert facts["data_check"]["source"] == "customer_data"
    assert facts["versions"]["papermill"]
    assert re.fullmatch(r"[0-9a-f]{64}", facts["notebook_sha256"])


def test_the_answer_and_its_cards_come_first_and_the_data_check_last(html: str) -> None:
    main = html[html.index("<main") :]
    order = ["is &lt;the&gt; answer", "cs-cards", "Managers ask", 'id="limits"', 'id="data-check"', "<footer"]
    assert sorted(order, key=main.index) == order
    assert "<h2" in main
    assert ">Answer</h2>" not in main  # nothing is left under that heading


def test_headings_have_ids_of_their_own(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert {"limits", "limits-2", "sub", "sub-2"} <= set(ids)
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert links <= set(ids)


@pytest.mark.slow
def test_a_data_check_goes_by_its_name(tmp_path: Path) -> None:
    check = f'from cslib.show import display as d\ndata = "a"\n{EVERYTHING[3][1]}'
    early, titled = [("code", check), ("md", "### Data check")], [("md", "## Data check"), ("code", check)]
    for name, cells, expected in (("early", early, "data-check-2"), ("titled", titled, "data-check")):
        run = reports.render(write(tmp_path / name, name, [("md", "# T"), *cells]), out=tmp_path / "out", parameters={})
        page = (tmp_path / "out" / f"{name}.html").read_text(encoding="utf-8")
        assert (run.error, re.findall(r'<section id="([^"]+)"[^>]*>\s*<h2[^>]*>Data check', page)) == ("", [expected])
        assert page.count(' id="data-check"') == 1


def test_a_page_carries_no_foreign_script_style_or_address(html: str) -> None:
    assert html.count("<script") == 1
    assert html.count("<style") == 1
    assert "alert(" not in html
    assert "onclick" not in html
    assert not re.findall(r'(?:src|href)="(?!data:|#|index\.html|who_leaves\.versions/)[^"]*"', html)
    assert len(html) < 100_000


def test_an_analysts_own_outputs_are_kept(html: str) -> None:
    assert "<td>own</td>" in html
    assert "plain customer_data" in html
    assert "<i>kept</i>" in html
    assert "data:image/png;base64" in html
    assert html.count("An interactive output is left out") == 2


def test_how_to_read_can_be_folded(html: str) -> None:
    assert re.search(r"<details[^>]*><summary>How to read this</summary><p>Read it <strong>so", html)


def test_a_notebook_can_say_how_to_read_where_it_draws(html: str) -> None:
    assert "<summary>How to read this</summary><p>Read &lt;b&gt;on&lt;/b&gt;.</p></details>" in html


@pytest.mark.slow
def test_the_subtitle_is_automatic_or_the_notebooks_own(tmp_path: Path, html: str) -> None:
    assert '<p class="subtitle" data-view="all"><span class="cs-parts"><span>4,000 customers</span>' in html
    assert "</span><span><i> · </i>observed until 30 June 2025</span></span></p>" in html
    told = [*EVERYTHING[:4], ("code", 'd.note("**12,400** <orders>", kind="subtitle")'), ("md", "## End\n\nx")]
    run = reports.render(write(tmp_path / "n", "told", told), out=tmp_path / "out", parameters={})
    own = (tmp_path / "out" / "told.html").read_text(encoding="utf-8")
    assert "<span>Observed until 30 June 2025</span><span><i> · </i>12,400 &lt;orders&gt;</span></span></p>" in own
    assert own.count("12,400") == 1
    assert run.ok


def test_noise_goes_to_the_log(good: tuple[Path, reports.Run], html: str) -> None:
    assert "noise" not in html
    assert "UserWarning: noise" in (good[0] / "who_leaves" / "run.log").read_text(encoding="utf-8")


def test_no_file_names_a_folder_of_this_machine(good: tuple[Path, reports.Run]) -> None:
    out = good[0]
    write_index(out)
    for file in [p for p in out.rglob("*") if p.is_file()]:
        text = file.read_text(encoding="utf-8")
        assert "secret" not in text
        for folder in (out.parent, Path.home(), Path.cwd()):
            assert f"{folder}/" not in text, file


def test_the_same_run_gives_the_same_page_but_for_one_line(good: tuple[Path, reports.Run]) -> None:
    pages = [good[0].parent / name / "who_leaves.html" for name in ("first", "out")]
    texts = (p.read_text(encoding="utf-8").replace(version_of(p), "VERSION") for p in pages)
    first, second = (text.splitlines() for text in texts)
    assert len(first) == len(second)
    bound = 'class="bar"'  # to others, once they stand together
    assert all("<dt>Run</dt>" in a or bound in a for a, b in zip(first, second, strict=True) if a != b)


TWICE = """import pandas as pd
from cslib.show import display as d
for _ in range(2):
    d.table(pd.DataFrame({'a': [1]}), name='one', caption='')"""


AFTER_READING = """import cslib
import pandas as pd
rows = pd.DataFrame({'customer_id': ['a'], 'ordered_on': ['2025-01-03'], 'amount': [1]})
cslib.load({'orders': rows}).table('orders').no_such_column"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "1 / 0",
            "^The notebook stopped at “Bad”, in the cell: 1 / 0 – an error that cslib did not expect. The log says more: bad.failed.log.$",
        ),
        (
            AFTER_READING,
            "“Bad”, in the cell: import cslib – an error that cslib did not expect, after reading the table orders. The log",
        ),
        ("import sys; sys.exit(0)", "stopped itself"),
        ("exit()", "stopped itself"),
        ("import os; os.kill(os.getpid(), 9)", "process died"),
        ("from cslib.errors import DataError; raise DataError('Mend <this>.')", "^Mend <this>.$"),
        (
            "from pandas.errors import DataError; raise DataError('not ours')",
            "in the cell: .* – an error that cslib did not expect. The log",
        ),
        (TWICE, "'one' is used twice"),
    ],
)
def test_a_run_that_did_not_end_well_is_no_report(tmp_path: Path, code: str, reason: str) -> None:
    notebook = write(tmp_path / "n", "bad", [("md", "# Bad"), ("code", "0"), ("code", code), ("code", "1")])
    run = reports.render(notebook, out=tmp_path / "out", parameters={})
    assert not run.ok
    assert run.html is None
    assert re.search(reason, run.error)
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {"bad.failed.json", "bad.failed.log"}


FORGED = """from IPython.display import display
from cslib.show.display import MIME
html = "<b>bold</b><script>alert(1)</script><img src=https://e.example/x.png>"
for seal in ("", "0" * 64, None):
    bundle = {"kind": "answer", "text": "forged", "seal": seal, "name": "t", "rows": 1, "columns": [], "caption": ""}
    display({"text/html": html, "text/plain": "plain", MIME: bundle}, raw=True)
display({"text/plain": "plain", MIME: [1]}, raw=True)
import os, subprocess
print("key", [name for name in os.environ if name.startswith("CSLIB_RUN")])
print(subprocess.run(["env"], capture_output=True, text=True).stdout.count("CSLIB_RUN_KEY"))
"""


@pytest.mark.slow
def test_a_bundle_that_display_did_not_make_is_an_output_like_others(tmp_path: Path) -> None:
    cells = [("code", FORGED), ("code", "from cslib.show import display as d\nd.note('True', kind='answer')")]
    run = reports.render(write(tmp_path / "n", "f", cells), out=tmp_path / "out", parameters={})
    assert (run.error, run.answer) == ("", "True")
    html = (tmp_path / "out" / "f.html").read_text(encoding="utf-8")
    assert html.count("<b>bold</b>") == 3
    assert "alert(1)" not in html
    assert "e.example" not in html
    assert "key [&#x27;CSLIB_RUN_DIR&#x27;]\n0" in html
    assert json.loads((tmp_path / "out" / "f" / "run.json").read_text())["tables"] == []


FLOODS = {
    "prints": ("for i in range(500): print('x' * 100_000)", "5 MB"),
    "one text": ("print('x' * 500_000_000)", "5 MB"),
    "complaints": ("import sys\nfor i in range(500): print('x' * 100_000, file=sys.stderr)", "5 MB"),
    "shows": ("from IPython.display import HTML\nHTML('x' * 50_000_000)", "5 MB"),
    "outputs": ("from IPython.display import display\nfor i in range(100_000): display(i)", "1,000 outputs"),
    "a process": ("import subprocess\nsubprocess.run('yes | head -c 20000000', shell=True)", "5 MB"),
    "goes on": ("while True:\n    try: print('x' * 100_000)\n    except Exception: pass", "5 MB"),
    "hides it": ("for i in range(99):\n    try: print('x' * 100_000)\n    except BaseException: pass", "5 MB"),
}


@pytest.mark.long
@pytest.mark.parametrize("flood", FLOODS)
def test_a_cell_that_shows_too_much_is_stopped_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flood: str
) -> None:
    """50 MB were told as "longer than 3600 s", after half a gigabyte of memory, or not at all."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, ipykernel does not pass on what processes print
    code, most = FLOODS[flood]
    notebook = write(tmp_path / "n", "flood", [("md", "# F"), ("code", code), ("code", "1")])
    begun = time.monotonic()
    run = reports.render(notebook, out=tmp_path / "out", parameters={})
    assert f"printed or showed more than {most}, the most that a report takes of a cell. Show less" in run.error
    assert time.monotonic() - begun < 30
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) < 1_100_000


@pytest.mark.long
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (reports.Limits(cell=1), r"it took longer than 1 s \(--cell-limit\)"),
        (reports.Limits(report=2), r"the report took longer than 2 s in all \(--report-limit\)"),
    ],
)
def test_each_limit_is_named(tmp_path: Path, limits: reports.Limits, why: str) -> None:
    notebook = write(
        tmp_path / "n", "late", [("code", "import time; time.sleep(0.7)")] * 2 + [("code", "time.sleep(60)")]
    )
    run = reports.render(notebook, out=tmp_path / "out", parameters={}, limits=limits)
    assert re.search(rf"in the cell: time.sleep\(60\) – {why}", run.error)


@pytest.mark.slow
def test_a_report_whose_data_are_missing_is_not_made(tmp_path: Path) -> None:
    code = "from cslib.errors import MissingTableError; raise MissingTableError('Add <surveys>.csv')"
    notebook = write(tmp_path / "n", "lacking", [("md", "# Lacking"), ("code", code)])
    (run,) = batch.render_all([notebook], out=tmp_path / "out", parameters={})
    assert (run.ok, run.lacks_data) == (False, True)
    assert str(run) == "lacking: not made. Add <surveys>.csv"
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Not made: Add &lt;surveys&gt;.csv" in index
    assert "ailed" not in index.split("<main")[1]


@pytest.mark.long
def test_data_that_were_there_and_are_gone_are_a_failure(tmp_path: Path) -> None:
    fine = write(tmp_path / "n", "lacking", [("md", "# Lacking"), ("code", "1")])
    assert reports.render(fine, out=tmp_path / "out", parameters={}).ok
    code = "from cslib.errors import MissingTableError; raise MissingTableError('gone')"
    again = write(tmp_path / "n", "lacking", [("md", "# Lacking"), ("code", code)])
    run = reports.render(again, out=tmp_path / "out", parameters={})
    assert (run.ok, run.lacks_data) == (False, False)


@pytest.fixture
def turning(tmp_path: Path) -> tuple[Notebook, Path]:
    """A notebook that fails when asked to."""
    cells = [
        ("md", "# Turning"),
        ("parameters", "fail: bool = False\nname: str = 'one'"),
        ("code", "import pandas as pd\nfrom cslib.show import display as d\nd.note('**Fine**', kind='answer')"),
        ("code", "d.table(pd.DataFrame({'a': [1]}), name=name, caption='T')\nif fail: raise ValueError('no')"),
    ]
    return write(tmp_path / "n", "turning", cells), tmp_path / "out"


@pytest.mark.long
def test_a_failure_keeps_the_last_good_report(turning: tuple[Notebook, Path]) -> None:
    notebook, out = turning
    batch.render_all([notebook], out=out, parameters={})
    old = {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name != "index.html"}
    batch.render_all([notebook], out=out, parameters={"fail": True})
    assert {p: p.read_bytes() for p in old} == old
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "an error that cslib did not expect" in index
    assert '<a href="turning.html">Last good report</a>' in index
    batch.render_all([notebook], out=out, parameters={"name": "two"})
    assert sorted(p.name for p in (out / "turning").iterdir()) == ["run.json", "two.csv"]
    assert sorted(p.name for p in out.iterdir()) == ["index.html", "turning", "turning.html", "turning.versions"]
    assert "<strong>Fine</strong>" in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = write(tmp_path / "n", "bad", [("md", "# Bad & <worse>"), ("code", "raise ValueError('<no>')")])
    fine = write(tmp_path / "n", "fine", [("md", "# Fine"), ("code", "1")])
    lines: list[str] = []
    runs = batch.render_all([bad, fine], out=tmp_path / "out", parameters={}, say=lines.append, jobs=1)
    assert [r.ok for r in runs] == [False, True]
    assert [line.split(" in ")[0] for line in lines] == [
        *("bad …", "bad: FAILED. The notebook stopped at “Bad & <worse>”,", "fine …", "fine: done")
    ]
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Bad &amp; &lt;worse&gt;" in index
    assert "There is no earlier report" in index
    assert "2 reports, 1 failed" in index
    assert "1 report</p>" in write_index(good_only(tmp_path / "out")).read_text(encoding="utf-8")


def good_only(out: Path) -> Path:
    for file in out.glob("*.failed.*"):
        file.unlink()
    return out


@pytest.mark.slow
@pytest.mark.parametrize("last", ["1", "raise KeyError('later')"])
def test_the_cell_that_raised_is_blamed(tmp_path: Path, last: str) -> None:
    cells = [("md", "# M"), ("raises", "1 / 0  # meant to"), ("code", "2"), ("code", last)]
    run = reports.render(write(tmp_path / "n", "middle", cells), out=tmp_path / "out", parameters={})
    assert "in the cell: 1 / 0  # meant to – an error that" in run.error


@pytest.mark.slow
def test_each_cell_is_counted_once_and_a_failed_report_to_its_end(tmp_path: Path) -> None:
    bad = write(tmp_path / "n", "bad", [("parameters", "x: int = 1"), ("code", "1 / 0"), ("code", ""), ("code", "2")])
    fine = write(tmp_path / "n", "fine", [("md", "# Fine"), ("code", "1"), ("code", "2")])
    steps: list[float] = []
    batch.render_all([bad, fine], out=tmp_path / "out", parameters={"x": 2}, progress=steps.append)
    assert (bad.cells, fine.cells) == (3, 2)
    assert steps == sorted(steps)
    assert set(steps) >= {0.2, 0.6, 0.8, 1.0}
    assert steps[-1] == 1


@pytest.mark.slow
def test_a_fault_of_the_engine_fails_one_report_and_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (write(tmp_path / "n", name, [("md", f"# {name}"), ("code", "1")]) for name in ("one", "two"))
    whole = page_of.page

    def faulty(notebook: Any, facts: Any, **how: Any) -> str:
        return whole(notebook, facts, **how) if facts["slug"] == "two" else str({}["<no>"])

    monkeypatch.setattr(page_of, "page", faulty)
    runs = batch.render_all([one, two], out=tmp_path / "out", parameters={})
    assert [r.ok for r in runs] == [False, True]
    assert runs[0].error == (
        "The report could not be put together: an error that cslib did not expect. The log says more: one.failed.log."
    )
    assert "Traceback" in (tmp_path / "out" / "one.failed.log").read_text(encoding="utf-8")
    assert "could not be put together" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_attached_picture_leaves_its_words(tmp_path: Path) -> None:
    notebook = write(tmp_path / "n", "a", [("md", "# A\n\n![the <plan>](attachment:x.png)"), ("code", "1")])
    run = reports.render(notebook, out=tmp_path / "out", parameters={})
    assert run.error == ""
    assert "the &lt;plan&gt;" in (tmp_path / "out" / "a.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_day_that_is_none_is_said(tmp_path: Path) -> None:
    code = "from cslib.show import display\ndisplay.data_check({'as_of': '2025-13-01', 'tables': []})"
    run = reports.render(write(tmp_path / "n", "d", [("code", code)]), out=tmp_path / "out", parameters={})
    assert run.error == "as_of is '2025-13-01', which is no date. Write it as YYYY-MM-DD."


@pytest.mark.parametrize("place", ["afile", "afile/below", "/proc/x"])
def test_a_folder_that_cannot_be_is_refused_before_anything_runs(typed: Notebook, tmp_path: Path, place: str) -> None:
    (tmp_path / "afile").write_text("mine")
    for call in (
        lambda out: batch.render_all([typed], out=out, parameters={}),
        lambda out: write_index(out),
    ):
        with pytest.raises(ParameterError, match=r"--out .* (is a file|cannot be written \(.*\))\. Name a folder\."):
            call(tmp_path / place)
    assert (tmp_path / "afile").read_text() == "mine"


SECRET = "postgresql://joe:pa:ss/w%40rd@db.example/shop?sslpassword=hush&x=1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SECRET, "postgresql://db.example/shop"),
        ("postgresql://joe@db.example/shop", "postgresql://db.example/shop"),
        ("https://b.example/x.parquet?X-Amz-Signature=1f", "https://b.example/x.parquet"),
        ("mysql://joe:p?x@db/shop", "mysql://…"),
        ("duckdb:///srv/joe/x.db", "duckdb://x.db"),
        ("../../../tmp/x/", "x"),
        ("./a/../b", "b"),
        ("~/data", "data"),
        ("C:\\Users\\joe\\data", "data"),
        ("plan=a/b", "plan=a/b"),
        ("see https://joe:pw@h/x?t=1.", "see https://h/x."),
        (12, 12),
    ],
)
def test_what_of_a_value_is_published(value: object, shown: object) -> None:
    assert public(value) == shown


@pytest.mark.slow
@pytest.mark.parametrize("fail", [False, True])
def test_no_secret_is_published(tmp_path: Path, fail: bool) -> None:
    cells = [
        ("md", "# S\n\nFrom [here](https://joe:veiled@e.example/p?token=veiled)"),
        ("parameters", "data: str = ''\nfail: bool = False\nother: str = ''"),
        ("code", "import pandas as pd\nfrom cslib.show import display as d\nprint(data, other)"),
        (
            "code",
            "d.data_check({'source': data, 'as_of': None, 'tables': [], 'warnings': [f'no {data}'], 'notes': []})",
        ),
        (
            "code",
            "d.note(f'<{data}> \"{other}\"', kind='answer')\nif fail: raise ValueError(f'cannot open {data!r}, {other}')",
        ),
    ]
    notebook, out = write(tmp_path / "n", "s", cells), tmp_path / "out"
    secret = SECRET.replace("w%40rd", 'w"<&>rd')
    given = {"data": secret, "fail": fail, "other": "../../../hushed/x"}
    run = batch.render_all([notebook], out=out, parameters=given)[0]
    assert run.ok is not fail
    for file in [p for p in out.rglob("*") if p.is_file()]:
        text = file.read_text(encoding="utf-8")
        for word in ("joe", "pa:ss", "hush", "veiled", "x=1", "../"):
            assert word not in text, (file, word)
    assert ("The log says more: s.failed.log." in run.error) if fail else ("db.example/shop" in run.answer)
    log = out / "s.failed.log"
    assert not fail or "db.example/shop" in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_pictures_are_pictures_and_links_lead_out(tmp_path: Path) -> None:
    png = base64.encodebytes(b"\x89PNG" * 30).decode()
    bad = 'x\\" onerror=\\"alert(1)'
    links = [
        *("https://e.example/a", "mailto:a@e.example", "#top", "other.html"),
        *("javascript:alert(1)", "JAVA&#10;SCRIPT:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"),
    ]
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    cells = [
        ("code", "from IPython.display import display, HTML"),
        ("code", f'display({{"image/png": """{png}""", "text/plain": "good"}}, raw=True)'),
        ("code", f'display({{"image/png": "{bad}", "text/plain": "bad picture"}}, raw=True)'),
        ("code", f"HTML({anchors!r})"),
    ]
    run = reports.render(write(tmp_path / "n", "f", cells), out=tmp_path / "out", parameters={})
    assert run.error == ""
    html = (tmp_path / "out" / "f.html").read_text(encoding="utf-8")
    assert f'src="data:image/png;base64,{"".join(png.split())}"' in html
    assert "bad picture" in html
    assert "onerror" not in html
    assert re.findall(r'<a href="([^"]*)">x</a>', html) == links[:4]


@pytest.fixture
def typed(tmp_path: Path) -> Notebook:
    return write(tmp_path / "n", "typed", [("parameters", PARAMETERS)])


def test_parameters_are_read_as_declared(typed: Notebook) -> None:
    assert [(p.name, p.type, p.default, p.help) for p in typed.parameters] == [
        ("data", str, "data", "where the data are # and more"),
        ("code", str, "a = 1 # no comment", ""),
        ("months", int, -6, "horizon, in months"),
        ("share", float, 0.5, ""),
        ("strict", bool, False, ""),
    ]
    assert typed.title == "Typed"


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        *[("data", "00123", "00123"), ("data", "no", "no"), ("data", "12:30:00", "12:30:00")],
        *[("months", "012", 12), ("months", " -3 ", -3), ("months", 4, 4)],
        *[("share", "1e-3", 0.001), ("share", 1, 1.0), ("share", "2", 2.0)],
        *[("strict", "YES", True), ("strict", "false", False), ("strict", True, True)],
    ],
)
def test_values_become_the_declared_type(typed: Notebook, name: str, given: Any, value: Any) -> None:
    got = parse_parameters(typed, {name: given})[name]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *[("data", 123), ("months", "3.0"), ("months", 3.0), ("months", True), ("months", ""), ("months", "1_0")],
        *[("share", "nan"), ("share", "inf"), ("share", "x"), ("share", ""), ("share", True)],
        *[
            ("months", "٣"),
            ("months", "9" * 5000),
            ("share", "١.٥"),
            ("share", "1_0"),
            ("share", 10**400),
            ("share", "1e999"),
        ],
        *[("strict", "1"), ("strict", 0), ("strict", "")],
    ],
)
def test_values_of_another_type_are_refused(typed: Notebook, name: str, given: Any) -> None:
    with pytest.raises(ParameterError, match=rf"{name}: .* is not "):
        parse_parameters(typed, {name: given})


def test_all_wrong_parameters_are_named_at_once(typed: Notebook) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_parameters(typed, {"month": 1, "share": "x", "strict": "maybe"})
    assert "Did you mean 'months'" in str(caught.value)
    assert "share: 'x' is not a number" in str(caught.value)
    assert "strict: 'maybe' is not true or false" in str(caught.value)


def test_wrong_parameters_are_refused_before_anything_runs(typed: Notebook, tmp_path: Path) -> None:
    other = write(tmp_path / "n", "other", [("parameters", "only_here: int = 1")])
    for given in ({"nothing": "1"}, {"only_here": "x"}):
        with pytest.raises(ParameterError, match=r"nothing|only_here"):
            batch.render_all([typed, other], out=tmp_path / "out", parameters=given)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "source", ["x = 1", "x: int", "x: int = 'a'", "x: list = []", "x: str = f()", "import os", "%magic", "x: int = '"]
)
def test_a_parameters_cell_holds_parameters_only(tmp_path: Path, source: str) -> None:
    with pytest.raises(ReportError, match=r"parameters cell of bad\.ipynb"):
        write(tmp_path, "bad", [("parameters", source)])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x: int = 1  # n [5 to 1]", "[5 to 1] is no range"),
        ("x: int = 0  # n [1 to 5]", "x is 0. Did you mean 1"),
        ("x: int = 1  # n [a or b]", "[a or b] does not go with a whole number"),
        ("x: str = ''  # n [1 to 5]", "[1 to 5] does not go with text"),
        ("x: str = ''  # see [there]", "does not say what is allowed"),
    ],
)
def test_what_is_allowed_must_go_with_its_parameter(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(ReportError, match=re.escape(why)):
        write(tmp_path, "bad", [("parameters", source)])


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("not json")
    with pytest.raises(ReportError, match=r"x\.ipynb cannot be read"):
        find_notebooks(tmp_path)


@pytest.mark.parametrize("slug", ["", "-x", "../x", "a/b", "index", "Index", "a.b", "a b"])
def test_slugs_stay_inside_the_folder(typed: Notebook, tmp_path: Path, slug: str) -> None:
    with pytest.raises(ParameterError, match="cannot name a report"):
        reports.render(typed, out=tmp_path / "out", parameters={}, slug=slug)
    assert not (tmp_path / "out").exists()


def test_folders_are_taken_out_of_a_text_and_nothing_else() -> None:
    text = 'a /srv/joe/data/x.csv, "file:///srv/joe/y", https://e.org/srv/joe/z, b/srv/joe/c, </srv/joe>'
    clean = 'a data/x.csv, "y", https://e.org/srv/joe/z, b/srv/joe/c, </srv/joe>'
    assert without_folders(text, ["/srv/joe"]) == clean


def test_a_notebook_whose_name_cannot_name_a_report_is_refused_at_once(typed: Notebook, tmp_path: Path) -> None:
    odd = write(tmp_path / "n", "my notes", [("code", "1")])
    with pytest.raises(ParameterError, match="'my notes' cannot name a report"):
        batch.render_all([typed, odd], out=tmp_path / "out", parameters={})
    assert not (tmp_path / "out").exists()


GOOD = {"slug": "x", "title": "T", "ended": "2025-07-01T06:00:12Z", "data_check": {"warnings": []}}


@pytest.mark.parametrize(
    "record",
    [
        *("{", "", "[]", "3", "null", '"x"', "{}", "[" * 100_000),
        *(json.dumps({k: v for k, v in GOOD.items() if k != gone}) for gone in ("slug", "title", "ended")),
        *(json.dumps(GOOD | odd) for odd in ({"slug": "../y"}, {"slug": 3}, {"ended": "soon"}, {"ended": 3})),
        *(json.dumps(GOOD | odd) for odd in ({"data_check": []}, {"data_check": {"warnings": 3}})),
    ],
    ids=lambda text: text[:60],
)
def test_a_broken_or_foreign_record_does_not_break_the_index(tmp_path: Path, record: str) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.html").write_text("")
    (tmp_path / "x" / "run.json").write_text(record)
    (tmp_path / "x.failed.json").write_text(record)
    (tmp_path / "y" / "run.json").write_text(json.dumps(GOOD | {"slug": "y", "title": "Good"}))
    index = write_index(tmp_path).read_text(encoding="utf-8")
    assert "1 report</p>" in index
    assert '<a href="y.html">Good</a>' in index
