"""One publication: page, tables and run.json change in one moment, for whoever reads, and whatever stops it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from notebook_world import write

from cslib.errors import ReportError
from cslib.report import engine as reports
from cslib.report import publish as publication
from cslib.report.home import write_index
from cslib.report.publish import new_version, publish, run_folder, version_of

PAGE = """<meta name="cslib-version" content="{id}"><a href="r.versions/{id}/t.csv" download>t</a>
<a href="r.versions/{id}/run.json">run</a>{filler}</html>"""


def filled(folder: Path, run: str, *, slug: str = "r", filler: str = "") -> Path:
    """Fill a run folder as the engine does; every file says of which run it is."""
    version = new_version(folder, slug)
    (version / "run.json").write_text(json.dumps({"slug": slug, "run": run}))
    (version / "t.csv").write_text(f"{run}\n{filler}end")
    (folder / f"{slug}.html").write_text(f"<!-- {run} -->" + PAGE.format(id=version.name, filler=filler))
    return version


def published(out: Path, run: str, *, slug: str = "r", filler: str = "") -> Path:
    with run_folder(out, slug) as folder:
        return publish(folder, slug, filled(folder, run, slug=slug, filler=filler))


def seen(out: Path, slug: str = "r") -> set[str]:
    """Read a page, every file it links to, and what each says of its run; then the addresses that stay."""
    text = (out / f"{slug}.html").read_text()
    assert text.endswith("</html>")
    files = [(out / href).read_text() for href in re.findall(r'href="([^"]+)"', text)]
    assert len(files) == 2
    assert files[0].endswith("end")
    return {text.split("<!-- ")[1].split(" -->")[0], files[0].split("\n")[0], json.loads(files[1])["run"]}


def stable(out: Path, slug: str = "r") -> set[str]:
    """What the addresses that stay say."""
    return {(out / slug / "t.csv").read_text().split("\n")[0], json.loads((out / slug / "run.json").read_text())["run"]}


def test_all_addresses_give_the_last_run(tmp_path: Path) -> None:
    for run in ("1", "2", "3"):
        assert published(tmp_path, run) == tmp_path / "r.html"
        assert seen(tmp_path) | stable(tmp_path) == {run}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r", "r.html", "r.versions"]


def test_a_page_that_was_opened_keeps_its_files(tmp_path: Path) -> None:
    published(tmp_path, "1")
    links = re.findall(r'href="([^"]+)"', (tmp_path / "r.html").read_text())
    published(tmp_path, "2")
    assert (tmp_path / links[0]).read_text() == "1\nend"


def test_old_versions_go_but_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for run in range(25):
        published(tmp_path, str(run))
    assert len(list((tmp_path / "r.versions").iterdir())) == publication.MOST_VERSIONS + 2
    monkeypatch.setattr(publication, "KEPT_SECONDS", -1)
    published(tmp_path, "25")
    assert sorted((v / "t.csv").read_text() for v in (tmp_path / "r.versions").iterdir()) == ["24\nend", "25\nend"]


def publishing(out: Path, begin: int, seconds: float) -> None:
    until, run = time.monotonic() + seconds, begin
    while time.monotonic() < until:
        published(out, str(run := run + 1), filler="x" * 20_000)


def stress(out: Path, *, seconds: float, writers: int) -> tuple[int, int, list[set[str]]]:
    """Read while others publish: how many reads, of how many runs, and what did not agree."""
    published(out, "0")
    own = [
        multiprocessing.get_context("fork").Process(target=publishing, args=(out, i * 10**6, seconds))
        for i in range(writers)
    ]
    for process in own:
        process.start()
    n, runs, torn = 0, set(), []
    while any(process.is_alive() for process in own):
        found = seen(out)
        n, runs = n + 1, runs | found
        torn += [found] * (len(found) > 1)
    for process in own:
        process.join()
        assert process.exitcode == 0
    return n, len(runs), torn


@pytest.mark.long
def test_no_reader_sees_two_runs(tmp_path: Path) -> None:
    """Where the page and the folder were moved one after the other, 90 of 39,592 reads had the table of another run."""
    n, runs, torn = stress(tmp_path, seconds=1.5, writers=1)
    assert torn == []
    assert n > 500
    assert runs > 10
    assert len(seen(tmp_path) | stable(tmp_path)) == 1


def old_layout(out: Path, run: str) -> None:
    """A report as the former version left it."""
    (out / "r").mkdir(parents=True)
    (out / "r" / "run.json").write_text(json.dumps({"slug": "r", "run": run}))
    (out / "r" / "t.csv").write_text(f"{run}\nend")
    (out / "r.html").write_text('<a href="r/t.csv">t</a></html>')


def test_a_folder_of_the_former_version_is_taken_over(tmp_path: Path) -> None:
    old_layout(tmp_path, "old")
    published(tmp_path, "new")
    assert seen(tmp_path) | stable(tmp_path) == {"new"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r", "r.html", "r.versions"]


@pytest.mark.parametrize("copy", ["as it is", "links followed", "links lost"])
def test_a_copy_of_the_folder_works(tmp_path: Path, copy: str) -> None:
    out, there = tmp_path / "out", tmp_path / "there"
    published(out, "1")
    lost = lambda folder, names: [n for n in names if Path(folder, n).is_symlink()]  # noqa: E731
    shutil.copytree(out, there, symlinks=copy == "as it is", ignore=lost if copy == "links lost" else None)
    shutil.rmtree(out)
    assert seen(there) == {"1"}
    write_index(there)  # as at the end of every run
    assert stable(there) == {"1"}
    published(there, "2")
    assert seen(there) | stable(there) == {"2"}


def test_where_there_are_no_links_the_folder_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", none)
    monkeypatch.setattr(Path, "symlink_to", none)
    for run in ("1", "2"):
        published(tmp_path, run)
        assert seen(tmp_path) | stable(tmp_path) == {run}
        assert not (tmp_path / "r").is_symlink()


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_publication_that_fails_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    if not first:
        published(tmp_path, "1")
    move = os.replace

    def faulty(source: Path, target: Path) -> None:
        if target == tmp_path / "r.html":
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", faulty)
    with pytest.raises(OSError, match="No space left"):
        published(tmp_path, "2")
    monkeypatch.undo()
    assert first or seen(tmp_path) | stable(tmp_path) == {"1"}
    assert (tmp_path / "r").exists() is not first
    assert len(list((tmp_path / "r.versions").iterdir())) == (0 if first else 1)
    published(tmp_path, "2")
    assert seen(tmp_path) | stable(tmp_path) == {"2"}


KILLED = """
import os, sys
from pathlib import Path
from cslib.report.publish import new_version, publish, run_folder
moves, move = [], os.replace
def killed(source, target):
    if len(moves) == int(sys.argv[2]): os.kill(os.getpid(), 9)
    moves.append(1); move(source, target)
os.replace = killed
with run_folder(Path(sys.argv[1]), "r") as folder:
    version = new_version(folder, "r")
    (version / "run.json").write_text('{"slug": "r", "run": "2"}')
    (version / "t.csv").write_text("2\\nend")
    (folder / "r.html").write_text("<!-- 2 -->" + sys.argv[3].format(id=version.name, filler=""))
    publish(folder, "r", version)
"""


@pytest.mark.long
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("moves", [0, 1, 2])
def test_kill_9_at_any_moment_leaves_a_whole_report_and_the_next_run_works(
    tmp_path: Path, moves: int, first: bool
) -> None:
    """Moved are the files, the page, the link."""
    if not first:
        published(tmp_path, "1")
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(moves), PAGE]
    done = subprocess.run(command, check=False)
    assert done.returncode == -9
    last = "2" if moves == 2 else "1"
    if not (first and last == "1"):
        assert seen(tmp_path) == {last}
    with run_folder(tmp_path, "other") as live:
        assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == [live]
        if not (first and last == "1"):
            assert seen(tmp_path) | stable(tmp_path) == {last}
        with run_folder(tmp_path, "r"):
            assert live.exists()  # a run under way is left alone
    published(tmp_path, "3")
    assert seen(tmp_path) | stable(tmp_path) == {"3"}


def test_a_page_that_offers_what_is_not_there_is_not_published(tmp_path: Path) -> None:
    published(tmp_path, "1")
    with run_folder(tmp_path, "r") as folder:
        version = filled(folder, "2")
        (version / "t.csv").unlink()
        with pytest.raises(ReportError, match=r"The page offers t\.csv, which is not there"):
            publish(folder, "r", version)
    assert seen(tmp_path) | stable(tmp_path) == {"1"}


@pytest.mark.slow
def test_a_notebook_that_takes_its_table_away_is_no_report(tmp_path: Path) -> None:
    code = "import os, pathlib, pandas as pd\nfrom cslib.show import display as d\n"
    code += "d.table(pd.DataFrame({'a': [1]}), name='gone', caption='T')\n"
    code += "pathlib.Path(os.environ['CSLIB_RUN_DIR'], 'gone.csv').unlink()"
    run = reports.render(write(tmp_path / "n", "x", [("code", code)]), out=tmp_path / "out", parameters={})
    assert run.error == "The page offers gone.csv, which is not there: the notebook has taken it away again."


@pytest.mark.parametrize("there", ["x/mine.txt", "x/run.json", "x.html"])
def test_what_no_report_has_written_is_never_replaced(tmp_path: Path, there: str) -> None:
    mine = tmp_path / "out" / there
    mine.parent.mkdir(parents=True)
    mine.write_text('{"slug": "other"}')
    before = sorted((tmp_path / "out").rglob("*"))
    run = reports.render(write(tmp_path / "n", "x", [("code", "1")]), out=tmp_path / "out", parameters={})
    assert "was not written by a report" in run.error
    with pytest.raises(ReportError, match="was not written by a report"):
        published(tmp_path / "out", "1", slug="x")
    assert mine.read_text() == '{"slug": "other"}'
    assert set(before) <= set((tmp_path / "out").rglob("*"))


def test_files_of_somebody_else_among_the_versions_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "KEPT_SECONDS", -1)
    published(tmp_path, "1")
    (tmp_path / "r.versions" / "mine").mkdir()
    for run in ("2", "3", "4"):
        published(tmp_path, run)
    assert (tmp_path / "r.versions" / "mine").is_dir()
    assert version_of(tmp_path / "nowhere.html") == ""


@pytest.mark.long
def test_two_runs_of_one_report_both_end_well(tmp_path: Path) -> None:
    code = "import pandas as pd\nfrom cslib.show import display as d\nd.table(pd.DataFrame({'a': [1]}), name=name, caption='T')"
    notebook = write(tmp_path / "n", "turning", [("parameters", "name: str = 'one'"), ("code", code)])
    out, runs = tmp_path / "out", []
    publishers = [threading.Thread(target=publishing, args=(out, start, 2)) for start in (0, 10**6)]
    out.mkdir()
    for thread in publishers:
        thread.start()
    for name in ("one", "two"):
        runs.append(reports.render(notebook, out=out, parameters={"name": name}))
    for thread in publishers:
        thread.join()
    assert [r.error for r in runs] == ["", ""]
    assert len(seen(out) | stable(out)) == 1
    names = ["r", "r.html", "r.versions", "turning", "turning.html", "turning.versions"]
    assert sorted(p.name for p in out.iterdir()) == names
