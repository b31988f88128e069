import os
import pty
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from cslib.cli import main
from cslib.report import batch
from cslib.report.engine import Run


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on\n1,2025-01-01,\n2,2025-01-09,2025-03-01\n"
    )
    return tmp_path


def test_check_passes_and_tells_what_there_is(folder):
    result = run("check", folder)
    assert result.exit_code == 0
    assert "0 errors" in result.output
    assert "customers 2 rows" in result.output


def test_check_lists_faults_and_fails(folder):
    (folder / "orders.csv").write_text("customer_id,ordered_on,amount\n,2025-01-01,x\n")
    result = run("check", folder)
    assert result.exit_code == 1
    assert "error: orders.customer_id has 1 row with no id" in result.output
    assert "error: orders.amount has 1 row with a value that is no number" in result.output


def test_rows_with_faults_are_written_for_their_owner(folder, tmp_path):
    (folder / "customers.csv").write_text("customer_id,started_on,churned_on\n1,2025-01-01,\n")
    (folder / "orders.csv").write_text("customer_id,ordered_on,amount\n1,2025-01-01,5\n2,soon,=1+1\n3,2025-01-02,6\n")
    done = run("check", folder, "--rows", tmp_path / "out")
    assert done.exit_code == 1
    assert "orders.csv: 1 row of orders with a fault" in done.output
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["orders.csv"]
    written = (tmp_path / "out" / "orders.csv").read_text()
    assert written.splitlines() == ["reason,row,customer_id,ordered_on,amount", "ordered_on: unreadable,2,2,soon,'=1+1"]
    again = run("check", folder, "--rows", tmp_path / "out").output
    assert "1 row of orders with a fault (in place of those of an earlier check)" in again
    (folder / "orders.csv").unlink()
    sound = run("check", folder, "--rows", tmp_path / "out").output
    assert "No row has a fault of its own." in sound
    assert "orders.csv: of an earlier check" in sound


def test_rows_with_faults_are_written_over_nothing_else(folder, tmp_path):
    text = "customer_id,ordered_on,amount\n1,2025-01-01,5\n2,soon,6\n3,2025-01-02,6\n"
    (folder / "orders.csv").write_text(text)
    for place, said in ((folder, "is there already, and no file of a check"), (folder / "orders.csv", "is a file")):
        done = run("check", folder, "--rows", place)
        assert done.exit_code == 2
        assert said in done.output
        assert (folder / "orders.csv").read_text() == text
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "orders.csv").symlink_to(folder / "orders.csv")
    assert run("check", folder, "--rows", tmp_path / "linked").exit_code == 2
    done = run("check", folder, "--rows", folder / "orders.csv" / "out")
    assert done.exit_code == 1
    assert "cannot be read or written: Not a directory" in done.output
    assert (folder / "orders.csv").read_text() == text


def test_check_counts_in_words_that_agree(folder):
    (folder / "customers.csv").write_text("customer_id,started_on,churned_on\n1,2025-01-01,\n")
    (folder / "orders.csv").write_text("customer_id,ordered_on,amount\n1,2025-01-01,x\n")
    assert ": 1 error, " in run("check", folder).output
    (folder / "orders.csv").unlink()
    output = run("check", folder).output
    assert ": 0 errors, " in output
    assert "customers 1 row" in output
    assert "1 rows" not in output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "nowhere"], 2, "Error: data 'nowhere' is not there"),
        (["report", "cohort_retentoin"], 2, "There is no notebook 'cohort_retentoin'. Did you mean 'cohort_retention'"),
        (["report", "-p", "segment"], 2, "-p got 'segment'. Write it as key=value"),
        (["report", "-p", "segmentby=x"], 2, "Did you mean 'segment_by'"),
        (["report", "-p", "max_periods=soon"], 2, "max_periods: 'soon' is not a whole number. Give 1 to 5000."),
        (
            ["report", "churn_survival", "-p", "horizon_months=-5"],
            2,
            "horizon_months is -5. Did you mean 1? Give 1 to 120.",
        ),
        (["report", "--data", "a", "-p", "data=b"], 2, "data is given more than once"),
        (["report", "-p", "where=a", "-p", " where=b"], 2, "where is given more than once"),
        (["report", "--out", ""], 2, "--out is empty. Name a folder."),
        (["report", "--out", "afile"], 2, "--out afile is a file. Name a folder."),
        (["report", "--out", "afile/x"], 2, "--out afile/x cannot be written (Not a directory). Name a folder."),
        (["report", "--out", "/proc/x"], 2, "--out /proc/x cannot be written"),
        (["sample", "--out", ""], 2, "--out is empty. Name a folder."),
        (["sample", "--customers", "5", "--out", "/proc/x"], 1, "Error: /proc/x cannot be read or written"),
        (["sample", "--format", "xlsx"], 2, "xlsx"),
        (["sample", "--customers", "0"], 2, "customers"),
        (["reprot"], 2, "No such command"),
    ],
)
def test_wrong_usage_is_a_sentence_and_a_code(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("mine")
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_list_shows_parameters_with_types_defaults_and_help():
    output = run("list").output
    assert "cohort_retention: Do customers stay" in output
    assert (
        "period: str = 'month'  # of the calendar, by which cohorts are made and followed [day, week, month" in output
    )
    assert "horizon_months: int = 12  # months ahead: forecast, calibration and at-risk list [1 to 120]" in output


def test_sample_writes_what_it_says(tmp_path):
    result = run("sample", "--out", tmp_path / "small", "--customers", 50, "--format", "parquet")
    assert result.exit_code == 0
    assert len(pd.read_parquet(tmp_path / "small" / "customers.parquet")) == 50
    assert "customers 50" in result.output


@pytest.mark.long
def test_a_failed_report_exits_with_one(folder):
    result = run("report", "cohort_retention", "--data", folder, "-p", "segment_by=plan", "--out", folder / "reports")
    assert result.exit_code == 1
    assert "segment_by is 'plan' (in Python: by), which no table has" in result.output
    assert "0 of 1 reports written" in result.output


def test_a_notebook_named_twice_is_rendered_once(monkeypatch, tmp_path):
    seen = []

    def render_all(notebooks, **options):
        seen.extend(n.name for n in notebooks)
        return [Run(n.name, n.title, True, "", "", 0.0, None, tmp_path) for n in notebooks]

    monkeypatch.setattr(batch, "render_all", render_all)
    result = run("report", "cohort_retention", "cohort_retention", "--out", tmp_path)
    assert seen == ["cohort_retention"]
    assert "1 of 1 reports written" in result.output


def test_data_are_kept_in_a_file(folder, tmp_path):
    result = run("load", folder, "--to", tmp_path / "kept.cslib")
    assert result.exit_code == 0
    assert "kept.cslib: customers 2 rows" in result.output
    assert "customers 2 rows" in run("check", tmp_path / "kept.cslib").output
    result = run("load", folder, "--to", tmp_path / "kept.duckdb")
    assert result.exit_code == 2
    assert "'kept.duckdb' is no name of a snapshot. End it in .cslib." in result.output
    assert "is not there. Make it first." in run("load", folder, "--to", tmp_path / "no" / "kept.cslib").output


def test_parameters_stand_in_a_file_and_p_goes_before_it(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(batch, "render_all", lambda _, **options: seen.update(options["parameters"]) or [])
    (tmp_path / "night.toml").write_text('segment_by = "plan"\nas_of = 2025-06-30\nmax_periods = 12\n')
    run("report", "cohort_retention", "--params", tmp_path / "night.toml", "-p", "max_periods=6", "--out", tmp_path)
    assert seen == {"segment_by": "plan", "as_of": "2025-06-30", "max_periods": "6"}
    (tmp_path / "night.toml").write_text("segment_by = plan")
    result = run("report", "--params", tmp_path / "night.toml")
    assert result.exit_code == 2
    assert "--params night.toml cannot be read" in result.output
    assert "No such file" in run("report", "--params", tmp_path / "no.toml").output
    (tmp_path / "night.toml").write_text('segment_by = ["plan"]')
    assert "segment_by is no single value" in run("report", "--params", tmp_path / "night.toml").output


STEPS = """
import sys
from pathlib import Path
from cslib.report import batch, engine as reports
from cslib.cli import main

def render_all(notebooks, *, out, parameters, jobs, each, keep_snapshot, limits, profile, say=None, progress=None):
    run = reports.Run("x", "X", False, "", "No reason.", 1.0, None, None)
    cells = sum(n.cells for n in notebooks)
    for i in (1, cells // 2, cells):
        progress and progress(i / cells)
    say and say(str(run))
    return [run]

batch.render_all = render_all
main(["report", "cohort_retention", "--out", sys.argv[1]])
"""


@pytest.mark.slow
def test_a_terminal_gets_a_progress_bar(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", STEPS, str(tmp_path)]
    done = subprocess.run(
        command, stderr=theirs, stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}, check=False
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 1
    for part in ("reports", "[####", "100%", "x: FAILED. No reason."):
        assert part in shown


@pytest.mark.slow
def test_a_log_gets_plain_lines(tmp_path):
    done = subprocess.run([sys.executable, "-c", STEPS, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stderr == "x: FAILED. No reason.\n"


def test_folders_that_who_calls_allows_may_be_read(tmp_path, monkeypatch):
    monkeypatch.delenv("CSLIB_FOLDERS", raising=False)
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "orders.csv").write_text("customer_id,ordered_on,amount\n1,2025-01-01,5\n")
    (tmp_path / "own" / "cslib.toml").write_text('source = "../other"\n')
    check = ["check", str(tmp_path / "own")]
    told = CliRunner().invoke(main, check)
    assert told.exit_code == 1
    assert "leads out of the folder of the data" in told.output
    assert "--allow-folder" in told.output
    allowed = ["--allow-folder", str(tmp_path / "own"), "--allow-folder", str(tmp_path / "other")]
    assert CliRunner().invoke(main, [*check, *allowed]).exit_code == 0
    assert "CSLIB_FOLDERS" not in os.environ
