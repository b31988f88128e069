"""Reading data has a time: what never ends is stopped and named."""

import os
import subprocess
import sys
import time

import ibis
import pytest
from click.testing import CliRunner
from rows_world import ENDLESS

from cslib import check, load
from cslib.cli import main
from cslib.data.limit import LOAD_LIMIT, Limit
from cslib.errors import DataError, LimitError, ParameterError
from cslib.report import batch
from cslib.report.parameters import find_notebooks

MESSAGE = r"^customers was not read and checked within 1 s\. .*WITH RECURSIVE.*--load-limit"


@pytest.fixture
def endless(tmp_path):
    (tmp_path / "cslib.toml").write_text(ENDLESS)
    (tmp_path / "orders.csv").write_text("customer_id,ordered_on,amount\n1,2025-01-01,1\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("read", [load, check])
def test_a_query_without_an_end_is_stopped_and_named(endless, monkeypatch, read):
    monkeypatch.setenv(LOAD_LIMIT, "1")
    begun = time.monotonic()
    with pytest.raises(LimitError, match=MESSAGE):
        read(endless)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_the_command_line_says_the_same(endless, monkeypatch):
    monkeypatch.delenv(LOAD_LIMIT, raising=False)
    result = CliRunner().invoke(main, ["check", str(endless), "--load-limit", "1"])
    assert result.exit_code == 1
    assert "customers was not read and checked within 1 s" in result.output


@pytest.mark.long
def test_sigterm_ends_a_check_and_leaves_nothing(endless):
    (folder := endless / "tmp").mkdir()
    command = [sys.executable, "-m", "cslib.cli", "check", str(endless)]
    env = {**os.environ, "TMPDIR": str(folder)}
    own = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(folder.iterdir()):  # the engine has begun
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(0.5)
    own.terminate()
    _, said = own.communicate(timeout=20)
    assert (own.returncode, said.strip()) == (1, "Aborted!")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_every_report_says_that_its_data_took_too_long_and_nobody_waits_twice(endless, monkeypatch):
    monkeypatch.setenv(LOAD_LIMIT, "1")
    chosen, begun = [n for n in find_notebooks() if n.name in ("revenue", "scorecard")], time.monotonic()
    runs = batch.render_all(chosen, out=endless / "out", parameters={"data": str(endless)})
    assert [run.error.split(". ")[0] for run in runs] == ["customers was not read and checked within 1 s"] * 2
    assert time.monotonic() - begun < 15
    assert (endless / "out" / "index.html").read_text().count("customers was not read") == 2


@pytest.mark.parametrize("given", ["0", "-1", "soon", "1.5", "٣", "9" * 12 + "x"])
def test_a_limit_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv(LOAD_LIMIT, given)
    with pytest.raises(ParameterError, match=f"{LOAD_LIMIT} is .*number of seconds"):
        Limit()


def test_a_fault_in_time_stays_what_it_is(monkeypatch):
    monkeypatch.setenv(LOAD_LIMIT, "60")
    con = ibis.duckdb.connect()
    with pytest.raises(DataError, match="no such"), Limit().of(con, "orders"):
        DataError.when(True, "no such")


def test_what_comes_too_late_is_late_whether_or_not_it_failed(monkeypatch):
    monkeypatch.setenv(LOAD_LIMIT, "1")
    limit = Limit()
    limit._until = time.monotonic() - 1
    with pytest.raises(LimitError, match="orders was not read"), limit.of(ibis.duckdb.connect(), "orders"):
        pass
