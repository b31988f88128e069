import pandas as pd
import pytest
from click.testing import CliRunner

from cslib.cli import main


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
    assert "customers 2" in result.output


def test_check_lists_faults_and_fails(folder):
    (folder / "orders.csv").write_text("customer_id,ordered_on,amount\n,2025-01-01,x\n")
    result = run("check", folder)
    assert result.exit_code == 1
    assert "error: orders.customer_id has 1 row with no id" in result.output
    assert "error: orders.amount has 1 row with a value that is no number" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "nowhere"], 1, "Error: data 'nowhere' is not there"),
        (["report", "cohort_retentoin"], 2, "There is no notebook 'cohort_retentoin'. Did you mean 'cohort_retention'"),
        (["report", "-p", "segment"], 2, "-p got 'segment'. Write it as key=value"),
        (["report", "-p", "segmentby=x"], 2, "Did you mean 'segment_by'"),
        (["report", "-p", "max_periods=soon"], 2, "max_periods"),
        (["sample", "--format", "xlsx"], 2, "xlsx"),
        (["sample", "--customers", "0"], 2, "customers"),
        (["reprot"], 2, "No such command"),
    ],
)
def test_wrong_usage_is_a_sentence_and_a_code(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_list_shows_parameters_with_types_defaults_and_help():
    output = run("list").output
    assert "cohort_retention: Do customers stay" in output
    assert "period: str = 'month'  # day, week, month, quarter or year" in output


def test_sample_writes_what_it_says(tmp_path):
    result = run("sample", "--out", tmp_path / "small", "--customers", 50, "--format", "parquet")
    assert result.exit_code == 0
    assert len(pd.read_parquet(tmp_path / "small" / "customers.parquet")) == 50
    assert "customers 50" in result.output


def test_a_failed_report_exits_with_one(folder):
    result = run("report", "cohort_retention", "--data", folder, "-p", "segment_by=plan", "--out", folder / "reports")
    assert result.exit_code == 1
    assert "segment_by is 'plan', which no table has" in result.output
    assert "0 of 1 reports written" in result.output
