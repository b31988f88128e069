"""Every code block of the README is run: what a newcomer copies must work."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner

from cslib import load
from cslib.cli import main
from cslib.scorecard.catalogue import catalogue, read_targets

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.S)


def blocks(language):
    return [body for kind, body in BLOCKS if kind == language]


@pytest.fixture
def project(tmp_path, root, small, monkeypatch):
    """What a clone has, with a smaller sample, as working folder, and the reader's own data in ``mydata``."""
    shutil.copytree(small, tmp_path / "data")
    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / "mydata").mkdir()
    frame = pd.DataFrame(
        {"Account": ["007", "008"], "Signup": "2025-01-03", "Cancelled": ["", "2025-03-09"], "Tier": "A", "Fee": 20}
    )
    frame.to_csv(tmp_path / "mydata" / "accounts.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_kind_of_block_is_tried():
    assert {kind for kind, _ in BLOCKS} == {"bash", "toml", "python", "cron"}


def run_line(line, root, project):
    command = line.replace(".venv/bin/", "").split()
    if command[0] == "make":  # the real thing runs in CI; here: the target exists and its recipe parses
        return subprocess.run(["make", "--dry-run", command[1]], cwd=root, capture_output=True, text=True).returncode
    if command[0] == "papermill":
        return subprocess.run(
            [Path(sys.executable).with_name("papermill"), *command[1:]], cwd=project, capture_output=True
        ).returncode
    assert command[0] == "cslib"
    return CliRunner().invoke(main, command[1:]).exit_code


@pytest.mark.long
def test_commands(project, root):
    for line in "".join(blocks("bash")).splitlines():
        assert run_line(line, root, project) == 0, line
    assert (project / "myreports" / "cohort_retention.html").exists()
    cells = nbformat.read(project / "out.ipynb", 4).cells
    assert all(c.execution_count for c in cells if c.cell_type == "code")


def test_cron_line(root):
    """Its command is what `make report` runs, for real in CI."""
    schedule, command = re.fullmatch(r"((?:\S+ ){5}) *cd /srv/cslib && (.*)\n", blocks("cron")[0]).groups()
    assert len(schedule.split()) == 5
    recipe = subprocess.run(["make", "--dry-run", "report"], cwd=root, capture_output=True, text=True, check=True)
    assert command in recipe.stdout.splitlines()


def test_own_data_in_five_lines(project):
    assert len(blocks("toml")[0].splitlines()) == 5
    (project / "mydata" / "cslib.toml").write_text(blocks("toml")[0])
    assert load("mydata").table("customers").customer_id.execute().tolist() == ["007", "008"]


def test_targets_are_read():
    assert set(read_targets(tomllib.loads(blocks("toml")[1])["targets"], catalogue())) == {
        "nps",
        "customer_churn_rate",
        "crc_share_of_margin",
    }


@pytest.mark.long
def test_python_blocks_one_after_the_other(project):
    """Five analyses in three lines each, on data like those of the sample."""
    scope = {}
    for block in blocks("python"):
        exec(block, scope)
    data = scope["data"]
    by_plan = scope["retained"].by_age.table
    assert set(by_plan.segment) == {"All", *data.table("customers").plan.execute()}
    logrank = scope["logrank"]
    assert len(logrank) == 1 + 3
    assert logrank.p_adjusted.between(0, 1).all()
    assert scope["churn"].survival.title
    worth = scope["forms"].query("method == 'Survival'").set_index("segment").ltv
    assert 0 < worth["Starter"] < worth["Team"] < worth["Enterprise"]
    assert scope["surveys"].trend.table.nps.dropna().between(-100, 100).all()
    steps = scope["revenue"].last_month.table
    assert steps.amount.iloc[:-1].sum() == pytest.approx(steps.amount.iloc[-1])
    assert {"mrr", "nps", "customer_churn_rate"} <= set(scope["kpis"].kpi)
    assert "survival" in repr(scope["churn"])


def test_picture_is_there(root):
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (root / path).stat().st_size > 10_000
