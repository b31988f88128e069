"""Kernels are forks of one warm process: alone with what they have, started anew where there is none, gone with us."""

import html
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from rows_world import ENDLESS

from cslib.errors import ParameterError
from cslib.report import batch, forks, kernels
from cslib.report.parameters import Notebook, find_notebooks


def write(folder: Path, **sources: str) -> list[Notebook]:
    """A notebook of one cell for each name."""
    folder.mkdir()
    for name, source in sources.items():
        cells = [nbformat.v4.new_markdown_cell(f"# {name}"), nbformat.v4.new_code_cell(source)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    return find_notebooks(folder)


def errors(notebooks: list[Notebook], out: Path, **asked: int) -> list[str]:
    return [run.error for run in batch.render_all(notebooks, out=out, parameters={}, **asked)]


LEAVES = """
import os, sys, json, pathlib
assert "lifelines" in sys.modules
assert not hasattr(json, "left")
json.left = os.environ["LEFT"] = "something"
pathlib.Path("{}").open("a").write(f"{{os.getpid()}} {{os.getppid()}}\\n")
"""


@pytest.mark.long
@pytest.mark.skipif(not kernels.FORKS, reason="kernels are forked on Linux only")
def test_every_kernel_is_its_own_fork(tmp_path):
    source = LEAVES.format(tmp_path / "pids")
    assert errors(write(tmp_path / "n", one=source, three=source, two=source), tmp_path / "out", jobs=2) == ["", "", ""]
    own, parents = zip(*(line.split() for line in (tmp_path / "pids").read_text().splitlines()), strict=True)
    assert len(set(own)) == 3
    assert len(set(parents)) == 1
    assert "LEFT" not in os.environ


STATE = """
import json, pathlib, matplotlib, pandas as pd, ibis, warnings
import cslib.scorecard.study, cslib.surveys.study, matplotlib.pyplot, lifelines, seaborn
options = {"pandas": {k: str(pd.get_option(k)).lower() for k in pd._config.config._registered_options}}
options |= {"matplotlib": {k: str(v) for k, v in matplotlib.rcParams.items()}, "ibis": str(ibis.options)}
options |= {"warnings": sorted({str(f[:3]) for f in warnings.filters}), "backend": matplotlib.get_backend()}
pathlib.Path(OUT).write_text(json.dumps(options))
"""


@pytest.mark.long
@pytest.mark.skipif(not kernels.FORKS, reason="kernels are forked on Linux only")
def test_a_fork_is_as_a_kernel_that_starts_anew(tmp_path, monkeypatch):
    """Libraries find out at their import whether they are in a kernel."""
    found = {}
    for name, possible in (("forked", True), ("anew", False)):
        monkeypatch.setattr(kernels, "FORKS", possible)
        source = f"OUT = {str(tmp_path / name)!r}\n{STATE}"
        assert errors(write(tmp_path / f"n{name}", one=source), tmp_path / "out") == [""]
        found[name] = json.loads((tmp_path / name).read_text())
    assert found["forked"] == found["anew"]


@pytest.mark.long
def test_where_nothing_can_be_forked_kernels_start_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "FORKS", False)
    assert errors(write(tmp_path / "n", one="import os; assert os.getppid() == " + str(os.getpid())), tmp_path) == [""]


@pytest.mark.long
@pytest.mark.skipif(not kernels.FORKS, reason="kernels are forked on Linux only")
def test_another_process_takes_the_place_of_one_that_died(tmp_path):
    first = forks.warm()
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait()
    assert errors(write(tmp_path / "n", one="1"), tmp_path / "out") == [""]
    assert forks.warm() is not first


@pytest.mark.slow
def test_a_notebook_may_have_processes_of_its_own(tmp_path):
    code = "import multiprocessing as m, os; p = m.get_context('fork').Process(target=os.getpid); p.start(); p.join()"
    assert errors(write(tmp_path / "n", one=f"{code}; assert p.exitcode == 0"), tmp_path / "out") == [""]


SHARED = """
from pathlib import Path
import cslib as cs
tables = cs.load(data, as_of=as_of, where="plan=a")
con = tables.table("orders").get_backend()
file = con.raw_sql("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchone()[0]
assert (Path(file or "").name if share else file) == (share or None), file
assert tables.statistics["orders"]["rows"] == 1
"""


def sharing(folder: Path, **names: str) -> list[Notebook]:
    """Notebooks that expect to find their data in a file of that name, or to load them."""
    folder.mkdir()
    for name, share in names.items():
        given = f'data: str = ""\nas_of: str = ""\nshare: str = "{share}"'
        cells = [nbformat.v4.new_code_cell(given, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(SHARED)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    return find_notebooks(folder)


@pytest.fixture
def orders(tmp_path):
    (tmp_path / "own").mkdir()
    table = "customer_id,ordered_on,amount,plan\n1,2025-01-01,5,a\n2,2025-01-02,6,b\n"
    (tmp_path / "own" / "orders.csv").write_text(table)
    return tmp_path / "own"


@pytest.mark.long
def test_data_are_loaded_once_for_all_reports(tmp_path, orders):
    notebooks, kept = sharing(tmp_path / "n", one="data.cslib", two="data.cslib"), tmp_path / "kept.cslib"
    given = {"data": str(orders), "as_of": "2025-01-31"}
    runs = batch.render_all(notebooks, out=tmp_path / "out", parameters=given)
    assert [run.error for run in runs] == ["", ""]
    assert not list((tmp_path / "out").glob(".run-*"))
    runs = batch.render_all(
        notebooks, out=tmp_path / "out", parameters=given | {"share": "kept.cslib"}, keep_snapshot=kept
    )
    assert [run.error for run in runs] == ["", ""]
    (orders / "orders.csv").unlink()
    again = given | {"data": str(kept), "share": "kept.cslib"}
    assert batch.render_all(notebooks[:1], out=tmp_path / "out", parameters=again)[0].ok


ASKED = """
import os, cslib as cs, pandas as pd
folder, day = os.environ["CSLIB_SHARED"], pd.Timestamp("2025-01-01")
before = set(os.listdir(folder))
cs.load({"orders": pd.DataFrame({"customer_id": [1], "ordered_on": [day], "amount": [5.0]})}, as_of="2025-01-31")
assert bool(before) == FOUND and len(set(os.listdir(folder)) - before) < (3 if FOUND else 99)
"""


@pytest.mark.long
def test_a_kernel_finds_the_queries_of_another_and_none_stays(tmp_path):
    first, second = (ASKED.replace("FOUND", str(found)) for found in (False, True))
    assert errors(write(tmp_path / "n", one=first, two=second), tmp_path / "out", jobs=1) == ["", ""]
    assert not [*(tmp_path / "out").glob(".run-*")]


@pytest.mark.long
def test_one_report_alone_loads_for_itself(tmp_path, orders):
    sharing(tmp_path / "n", one="")
    own = begun(tmp_path, "", "--data", str(orders), "-p", "as_of=2025-01-31")
    _, said = own.communicate(timeout=60)
    assert own.returncode == 0, said
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.long
def test_a_fault_of_the_data_is_told_by_every_report(tmp_path, orders):
    (orders / "orders.csv").write_text("customer_id,ordered_on,amount,plan\n1,yesterday,5,a\n")
    notebooks = sharing(tmp_path / "n", one="", two="")
    runs = batch.render_all(notebooks, out=tmp_path / "out", parameters={"data": str(orders)})
    assert all("orders.ordered_on" in run.error for run in runs)


EACH = """
import cslib as cs
tables = cs.load(data, as_of=as_of, where=where)
print("of", tables.table("orders").plan.execute().tolist(), where)
"""


def each(folder: Path) -> list[Notebook]:
    folder.mkdir()
    given = 'data: str = ""\nas_of: str = ""\nwhere: str = ""'
    cells = [nbformat.v4.new_code_cell(given, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(EACH)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "one.ipynb")
    return find_notebooks(folder)


SLUGS = [f"one-plan-{value}" for value in ("missing", "a", "a-2", "say-no", "x-and-y", "u", "other")]


@pytest.mark.long
def test_each_value_gets_its_reports(tmp_path, orders):
    values = ["a", "A", "x and y", 'say "no"', "ü", "", "東京"]
    plans = pd.DataFrame({"customer_id": range(7), "ordered_on": "2025-01-01", "amount": 1, "plan": values})
    plans.to_csv(orders / "orders.csv", index=False)
    given = {"data": str(orders), "where": "customer_id!=9"}
    runs = batch.render_all(each(tmp_path / "n"), out=tmp_path / "out", parameters=given, each="plan")
    assert [(run.slug, run.error) for run in runs] == [(slug, "") for slug in SLUGS]
    for run, value in zip(runs, ["(missing)", "A", "a", 'say "no"', "x and y", "ü", "東京"], strict=True):
        shown = html.unescape(run.html.read_text())
        assert f"of {[None if value == '(missing)' else value]}" in shown
        assert json.loads((tmp_path / "out" / run.slug / "run.json").read_text())["group"] == f"plan: {value}"
    index = html.unescape((tmp_path / "out" / "index.html").read_text())
    assert [index.count(f'<h2 class="group">plan: {v}</h2>') for v in ("ü", "A", "a", "x and y")] == [1, 1, 1, 1]


def test_a_column_that_is_none_is_refused_before_anything_runs(tmp_path, orders):
    given = {"data": str(orders)}
    notebooks = each(tmp_path / "n")
    with pytest.raises(ParameterError, match="each='plam': no table has the column 'plam'.*plan"):
        batch.render_all(notebooks, out=tmp_path / "out", parameters=given, each="plam")
    many = pd.DataFrame({"customer_id": range(501), "ordered_on": "2025-01-01", "amount": 1, "plan": range(501)})
    many.to_csv(orders / "orders.csv", index=False)
    with pytest.raises(ParameterError, match="plan has 501 values.*at most 500"):
        batch.render_all(notebooks, out=tmp_path / "out", parameters=given, each="plan")
    with pytest.raises(ParameterError, match="--each needs notebooks with the parameters"):
        batch.render_all(write(tmp_path / "m", one="1"), out=tmp_path / "out", parameters={}, each="plan")
    assert not list((tmp_path / "out").glob("*.html")) or "one" not in (tmp_path / "out" / "index.html").read_text()


RUN = """
import sys, time
from pathlib import Path
from cslib.cli import main
from cslib.report import parameters
found = parameters.find_notebooks(Path(sys.argv[1]))
parameters.find_notebooks = lambda: found
main(["report", "--out", sys.argv[2], "--jobs", "2", *sys.argv[3:]])
"""


def started(tmp_path, source):
    """A run of two reports and one that waits, once both kernels are at work."""
    write(tmp_path / "n", one=source, two=source, waits=source)
    command = [sys.executable, "-c", RUN, str(tmp_path / "n"), str(tmp_path / "out")]
    own = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (tmp_path / "pids").exists() or len((tmp_path / "pids").read_text().split()) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    return own


def gone(pid):
    try:
        return "zombie" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


SLEEPS = "import os, time; open({!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)"


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_stops_us_stops_all_kernels(tmp_path, number):
    own = started(tmp_path, SLEEPS.format(str(tmp_path / "pids")))
    own.send_signal(number)
    _, said = own.communicate(timeout=20)
    pids, until = (tmp_path / "pids").read_text().split(), time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(pids) == 2  # the third was never begun
    if number != signal.SIGKILL:
        assert own.returncode == 1
        assert "Traceback" not in said
        notes = [json.loads((tmp_path / "out" / f"{n}.failed.json").read_text()) for n in ("one", "two")]
        assert [n["error"] for n in notes] == ["It was stopped before its end."] * 2
        assert not list((tmp_path / "out").glob(".run-*"))
        assert "It was stopped" in (tmp_path / "out" / "index.html").read_text()


SLOW_PAGE = """
import cslib.report.html as made, time
whole = made.page
def page(*given, **how):
    open({!r}, "a").write("1\\n2\\n")
    time.sleep(2)
    return whole(*given, **how)
made.page = page
"""


def begun(tmp_path, more, *options):
    """A run of its own folder for temporary files."""
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-c", more + RUN, str(tmp_path / "n"), str(tmp_path / "out"), *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )


def alive(folder):
    """Processes that have this folder for their temporary files: a kernel has it from who started it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found += [path] * (f"TMPDIR={folder}".encode() in path.read_bytes())
    return found


def stopped(tmp_path, own):
    assert alive(tmp_path / "tmp")
    own.send_signal(signal.SIGTERM)
    _, said = own.communicate(timeout=30)
    assert "Traceback" not in said
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list((tmp_path / "out").glob(".run-*"))
    until = time.monotonic() + 10
    while alive(tmp_path / "tmp"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return own.returncode


@pytest.mark.long
def test_sigterm_while_data_are_read_leaves_nothing(tmp_path):
    sharing(tmp_path / "n", one="", two="")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cslib.toml").write_text(ENDLESS)
    own = begun(tmp_path, "", "--data", str(tmp_path / "data"))
    assert own.stderr.readline() == "data …\n"
    time.sleep(1)
    assert stopped(tmp_path, own) == 1


@pytest.mark.long
def test_sigterm_while_a_page_is_made_leaves_nothing(tmp_path):
    write(tmp_path / "n", one="1", two="2")
    own = begun(tmp_path, SLOW_PAGE.format(str(tmp_path / "pids")))
    until = time.monotonic() + 60
    while not (tmp_path / "pids").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert stopped(tmp_path, own) == 1
