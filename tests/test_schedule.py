"""What docs/schedule.md shows works: the commands, what they print, their exit codes and the three recipes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from alert_folder import nrr, write_run
from click.testing import CliRunner

from cslib.cli import FAILED, TOLD, WRONG_USAGE, main
from cslib.report.send import receivers

PAGE = (Path(__file__).parents[1] / "docs" / "schedule.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.S)
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def blocks(kind):
    return [body for name, body in BLOCKS if name == kind]


def test_every_kind_of_block_is_tried():
    assert {kind for kind, _ in BLOCKS} == {"bash", "text", "cron", "yaml", "python"}


def test_exit_codes_are_those_of_the_command():
    rows = dict(re.findall(r"^\| (\d) \| (\w+)", PAGE, flags=re.M))
    assert rows == {"0": "nothing", str(TOLD): "something", str(FAILED): "it", str(WRONG_USAGE): "called"}


def test_the_digest_looks_as_shown(tmp_path):
    write_run(tmp_path, nrr("2025-05-31", 0.96), as_of="2025-05-31")
    write_run(tmp_path, nrr("2025-06-30", 0.96, 0.89), as_of="2025-06-30")
    output = CliRunner().invoke(main, ["alert", "--out", str(tmp_path)]).output
    assert output == f"{blocks('text')[0]}{tmp_path / 'digest.html'}\n"


@pytest.mark.long
def test_reports_are_made_and_told_of(tmp_path, small, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink(small, "data")
    made, told = (shlex.split(line)[1:] for line in blocks("bash")[0].splitlines())
    assert CliRunner().invoke(main, [made[0], "scorecard", *made[1:]]).exit_code == 0
    first = CliRunner().invoke(main, told)
    assert first.exit_code in (0, TOLD)
    assert "has no run before to compare with" in first.output
    assert CliRunner().invoke(main, told).exit_code == 0
    assert {"digest.html", "digest.md", "alerts.json"} <= set(os.listdir("reports"))


def test_addresses_are_known(monkeypatch):
    monkeypatch.setenv("CSLIB_MAIL_PASSWORD", "x")
    monkeypatch.setenv("CSLIB_SLACK", SLACK)
    lines = blocks("bash")[1].splitlines()
    words = [shlex.split(line) for line in lines]
    assert [word[:5] for word in words] == [["cslib", "alert", "--out", "reports", "--to"]] * 2
    assert len(receivers([word[5] for word in words])) == 2


def run_with(command, code, tmp_path):
    """Run a line of shell, with a ``cslib`` that ends as told and notes what it was given."""
    fake = tmp_path / "cslib"
    fake.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/given\nexit {code}\n')
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CSLIB_SLACK": SLACK}
    done = subprocess.run(["bash", "-e", "-c", command], env=env, cwd=tmp_path, capture_output=True)
    return done.returncode, (tmp_path / "given").read_text().splitlines()[-1].split()


@pytest.fixture
def actions():
    return yaml.safe_load(blocks("yaml")[0])["jobs"]["reports"]


@pytest.fixture
def tasks(monkeypatch):
    """The tasks of the Airflow recipe, as keyword arguments; Airflow itself is not needed to read it."""
    made = {}

    class Task(dict):
        def __init__(self, **how):
            super().__init__(how)
            made[how["task_id"]] = self

        def __rshift__(self, other):
            other["after"] = self["task_id"]

    class Dag:
        def __init__(self, name, **how):
            assert how["max_active_runs"] == 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    names = ["airflow", "airflow.sdk", "airflow.providers", "airflow.providers.standard"]
    for name in [*names, "airflow.providers.standard.operators", "airflow.providers.standard.operators.bash"]:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["airflow.sdk"].DAG = Dag
    sys.modules["airflow.providers.standard.operators.bash"].BashOperator = Task
    exec(blocks("python")[0], {})
    return made


def known(words):
    """The command parses: its options and arguments are those of cslib."""
    with main.commands[words[0]].make_context(words[0], words[1:]):
        return words


def test_cron(tmp_path):
    variable, line = blocks("cron")[0].splitlines()
    assert variable.startswith("CSLIB_SLACK=")
    schedule, commands = re.fullmatch(r"((?:\S+ ){5}) *cd /srv/cslib && (.*)", line).groups()
    assert len(schedule.split()) == 5
    for command in commands.replace(".venv/bin/", "").split("; "):
        code, given = run_with(command, 3, tmp_path)
        assert code == 3
        assert known(given)[-1] in ("reports", "${CSLIB_SLACK}")


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (1, 1), (2, 1)])
def test_github_actions(actions, tmp_path, code, ends):
    commands = [step["run"] for step in actions["steps"] if step.get("run", "").startswith("cslib")]
    assert actions["env"] == {"CSLIB_SLACK": "${{ secrets.CSLIB_SLACK }}"}
    assert run_with(commands[0], code, tmp_path)[0] == 0
    assert run_with(commands[1], code, tmp_path) == (ends, ["alert", "--out", "reports", "--to", "${CSLIB_SLACK}"])
    assert all(known(run_with(command, 0, tmp_path)[1]) for command in commands)


def test_github_actions_keep_what_was_told_also_where_a_step_fails(actions):
    restore, save = (step for step in actions["steps"] if "actions/cache" in step.get("uses", ""))
    assert restore["with"] == {**save["with"], "restore-keys": "reports-"}
    assert save["if"] == "always()"


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (1, 1), (2, 1)])
def test_airflow(tasks, tmp_path, code, ends):
    assert run_with(tasks["alert"]["bash_command"], code, tmp_path)[0] == ends
    assert (tasks["alert"]["after"], tasks["alert"]["trigger_rule"]) == ("report", "all_done")
    assert not any("env" in task for task in tasks.values())
    assert all(known(run_with(task["bash_command"], 0, tmp_path)[1]) for task in tasks.values())


def test_the_extra_is_what_the_page_and_the_lock_say(root):
    assert "pip install 'cslib[alert]'" in PAGE
    locked = (root / "requirements.lock").read_text()
    assert all(re.search(rf"^{name}==", locked, flags=re.M) for name in ("apprise", "markdown", "requests-oauthlib"))
