"""The report engine: true runs only, whole publication only, typed parameters."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cslib import reports
from cslib.errors import ParameterError, ReportError
from cslib.parameters import Notebook
from cslib.publish import publish, without_folders

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
    ("code", "import sys, warnings\nimport pandas as pd\nfrom cslib import display as d"),
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
    ("code", ""),
    ("code", "# only a comment"),
]


def write(folder: Path, name: str, cells: list[tuple[str, str]]) -> Notebook:
    tags = {"parameters": ["parameters"], "how": ["how-to-read"]}
    new = {"md": nbformat.v4.new_markdown_cell, "how": nbformat.v4.new_markdown_cell}
    made = [
        new.get(kind, nbformat.v4.new_code_cell)(text, id=f"cell-{i}", metadata={"tags": tags.get(kind, [])})
        for i, (kind, text) in enumerate(cells)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{name}.ipynb")
    return next(n for n in reports.find_notebooks(folder) if n.name == name)


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
    assert sorted(p.name for p in out.iterdir()) == ["who_leaves", "who_leaves.html"]


def test_run_json_says_what_the_report_rests_on(good: tuple[Path, reports.Run]) -> None:
    facts = json.loads((good[0] / "who_leaves" / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "ok"
    assert facts["parameters"] == {
        **{"data": "customer_data", "code": "a = 1 # no comment"},
        **{"months": 9, "share": 0.5, "strict": False},
    }
    assert facts["tables"] == [{"name": "two", "rows": 2, "columns": ["a"]}]
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


def test_a_page_carries_no_foreign_script_style_or_address(html: str) -> None:
    assert html.count("<script") == 1
    assert html.count("<style") == 1
    assert "alert(" not in html
    assert "onclick" not in html
    assert not re.findall(r'(?:src|href)="(?!data:|#|index\.html|who_leaves/)[^"]*"', html)
    assert len(html) < 100_000


def test_an_analysts_own_outputs_are_kept(html: str) -> None:
    assert "<td>own</td>" in html
    assert "plain customer_data" in html
    assert "<i>kept</i>" in html
    assert "data:image/png;base64" in html
    assert html.count("An interactive output is left out") == 2


def test_how_to_read_can_be_folded(html: str) -> None:
    assert re.search(r"<details[^>]*><summary>How to read this</summary><p>Read it <strong>so", html)


def test_noise_goes_to_the_log(good: tuple[Path, reports.Run], html: str) -> None:
    assert "noise" not in html
    assert "UserWarning: noise" in (good[0] / "who_leaves" / "run.log").read_text(encoding="utf-8")


def test_no_file_names_a_folder_of_this_machine(good: tuple[Path, reports.Run]) -> None:
    out = good[0]
    reports.write_index(out)
    for file in [p for p in out.rglob("*") if p.is_file()]:
        text = file.read_text(encoding="utf-8")
        assert "secret" not in text
        for folder in (out.parent, Path.home(), Path.cwd()):
            assert f"{folder}/" not in text, file


def test_the_same_run_gives_the_same_page_but_for_one_line(good: tuple[Path, reports.Run]) -> None:
    pages = [good[0].parent / name / "who_leaves.html" for name in ("first", "out")]
    first, second = (p.read_text(encoding="utf-8").splitlines() for p in pages)
    assert len(first) == len(second)
    assert all("<dt>Run</dt>" in a for a, b in zip(first, second, strict=True) if a != b)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "in the cell: 1 / 0 – ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "stopped itself"),
        ("exit()", "stopped itself"),
        ("import os; os.kill(os.getpid(), 9)", "process died"),
        ("from cslib.errors import DataError; raise DataError('Mend <this>.')", "^Mend <this>.$"),
        ("d.table(df, name='one', caption=''); d.table(df, name='one', caption='')", "'one' is used twice"),
    ],
)
def test_a_run_that_did_not_end_well_is_no_report(tmp_path: Path, code: str, reason: str) -> None:
    before = "import pandas as pd\nfrom cslib import display as d\ndf = pd.DataFrame({'a': [1]})"
    notebook = write(tmp_path / "n", "bad", [("md", "# Bad"), ("code", before), ("code", code), ("code", "1")])
    run = reports.render(notebook, out=tmp_path / "out", parameters={})
    assert not run.ok
    assert run.html is None
    assert re.search(reason, run.error)
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {"bad.failed.json", "bad.failed.log"}


@pytest.fixture
def turning(tmp_path: Path) -> tuple[Notebook, Path]:
    """A notebook that fails when asked to."""
    cells = [
        ("md", "# Turning"),
        ("parameters", "fail: bool = False\nname: str = 'one'"),
        ("code", "import pandas as pd\nfrom cslib import display as d\nd.note('**Fine**', kind='answer')"),
        ("code", "d.table(pd.DataFrame({'a': [1]}), name=name, caption='T')\nif fail: raise ValueError('no')"),
    ]
    return write(tmp_path / "n", "turning", cells), tmp_path / "out"


def test_a_failure_keeps_the_last_good_report(turning: tuple[Notebook, Path]) -> None:
    notebook, out = turning
    reports.render_all([notebook], out=out, parameters={})
    old = {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name != "index.html"}
    reports.render_all([notebook], out=out, parameters={"fail": True})
    assert {p: p.read_bytes() for p in old} == old
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "ValueError: no" in index
    assert '<a href="turning.html">Last good report</a>' in index
    reports.render_all([notebook], out=out, parameters={"name": "two"})
    assert sorted(p.name for p in (out / "turning").iterdir()) == ["run.json", "two.csv"]
    assert sorted(p.name for p in out.iterdir()) == ["index.html", "turning", "turning.html"]
    assert "<strong>Fine</strong>" in (out / "index.html").read_text(encoding="utf-8")


def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = write(tmp_path / "n", "bad", [("md", "# Bad & <worse>"), ("code", "raise ValueError('<no>')")])
    fine = write(tmp_path / "n", "fine", [("md", "# Fine"), ("code", "1")])
    lines: list[str] = []
    runs = reports.render_all([bad, fine], out=tmp_path / "out", parameters={}, progress=lines.append)
    assert [r.ok for r in runs] == [False, True]
    assert [line.split(" in ")[0] for line in lines] == [
        *("bad …", "bad: FAILED. The notebook stopped", "fine …", "fine: done")
    ]
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Bad &amp; &lt;worse&gt;" in index
    assert "There is no earlier report" in index
    assert "1 up to date, 1 failed" in index


def test_a_reader_sees_whole_pages_only(tmp_path: Path) -> None:
    """Publish over and over while somebody reads."""
    whole, seen, stop = "x" * 300_000 + "</html>", [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append((tmp_path / "r.html").read_text().endswith("</html>"))

    def run(i: int) -> None:
        folder = tmp_path / f".run-r-{i}"
        (folder / "r").mkdir(parents=True)
        (folder / "r" / f"{i}.csv").write_text("a\n")
        (folder / "r.html").write_text(whole)
        publish(folder, "r")

    run(0)
    reader = threading.Thread(target=read)
    reader.start()
    for i in range(1, 21):
        run(i)
    stop.set()
    reader.join()
    assert seen
    assert all(seen)
    assert [p.name for p in (tmp_path / "r").iterdir()] == ["20.csv"]


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
    got = reports.parse_parameters(typed, {name: given})[name]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *[("data", 123), ("months", "3.0"), ("months", 3.0), ("months", True), ("months", ""), ("months", "1_0")],
        *[("share", "nan"), ("share", "inf"), ("share", "x"), ("share", ""), ("share", True)],
        *[("strict", "1"), ("strict", 0), ("strict", "")],
    ],
)
def test_values_of_another_type_are_refused(typed: Notebook, name: str, given: Any) -> None:
    with pytest.raises(ParameterError, match=rf"{name}: .* is not "):
        reports.parse_parameters(typed, {name: given})


def test_all_wrong_parameters_are_named_at_once(typed: Notebook) -> None:
    with pytest.raises(ParameterError) as caught:
        reports.parse_parameters(typed, {"month": 1, "share": "x", "strict": "maybe"})
    assert "Did you mean 'months'" in str(caught.value)
    assert "share: 'x' is not a number" in str(caught.value)
    assert "strict: 'maybe' is not true or false" in str(caught.value)


def test_wrong_parameters_are_refused_before_anything_runs(typed: Notebook, tmp_path: Path) -> None:
    other = write(tmp_path / "n", "other", [("parameters", "only_here: int = 1")])
    for given in ({"nothing": "1"}, {"only_here": "x"}):
        with pytest.raises(ParameterError, match=r"nothing|only_here"):
            reports.render_all([typed, other], out=tmp_path / "out", parameters=given)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "source", ["x = 1", "x: int", "x: int = 'a'", "x: list = []", "x: str = f()", "import os", "%magic", "x: int = '"]
)
def test_a_parameters_cell_holds_parameters_only(tmp_path: Path, source: str) -> None:
    with pytest.raises(ReportError, match=r"parameters cell of bad\.ipynb"):
        write(tmp_path, "bad", [("parameters", source)])


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("not json")
    with pytest.raises(ReportError, match=r"x\.ipynb cannot be read"):
        reports.find_notebooks(tmp_path)


@pytest.mark.parametrize("slug", ["", "-x", "../x", "a/b", "index", "Index", "a.b", "a b"])
def test_slugs_stay_inside_the_folder(typed: Notebook, tmp_path: Path, slug: str) -> None:
    if slug:
        with pytest.raises(ParameterError, match="cannot name a report"):
            reports.render(typed, out=tmp_path / "out", parameters={}, slug=slug)
    assert not (tmp_path / "out").exists()


def test_folders_are_taken_out_of_a_text_and_nothing_else() -> None:
    text = 'a /srv/joe/data/x.csv, "file:///srv/joe/y", https://e.org/srv/joe/z, b/srv/joe/c, </srv/joe>'
    clean = 'a data/x.csv, "y", https://e.org/srv/joe/z, b/srv/joe/c, </srv/joe>'
    assert without_folders(text, ["/srv/joe"]) == clean


def test_a_broken_record_does_not_break_the_index(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "run.json").write_text("{")
    assert "0 up to date" in reports.write_index(tmp_path).read_text(encoding="utf-8")
