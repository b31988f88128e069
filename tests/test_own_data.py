"""docs/own-data.md, followed to the letter: from each export to the sentence that the report begins with."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import cslib as cs
from cslib.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "own-data.md").read_text("utf-8")
EXPORTS = {part.split("\n")[0]: part for part in PAGE.split("\n### ")[1:]}
STUDIES = {"cohort_retention": cs.Retention, "nps_segmentation": cs.Surveys, "revenue": cs.Revenue}


@pytest.fixture
def export(request, tmp_path, monkeypatch):
    """The files of an export in a folder, and the lines to type."""
    text = EXPORTS[request.param]
    for path, body in re.findall(r"^`([\w/]+\.csv)`.*?```csv\n(.*?)```", text, flags=re.S | re.M):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(body, "utf-8")
    monkeypatch.chdir(tmp_path)
    return text, [shlex.split(line)[1:] for line in re.search(r"```bash\n(.*?)```", text, flags=re.S)[1].splitlines()]


def test_there_are_five():
    assert len(EXPORTS) == 5


@pytest.mark.long
@pytest.mark.parametrize("export", EXPORTS, indirect=True)
def test_the_answer_is_as_told(export):
    text, (init, report) = export
    done = CliRunner().invoke(main, init)
    assert done.exit_code == 0, done.output
    assert f"Next: cslib report --data {init[1]}" in done.output
    name, told = re.search(r"^`(\w+)`: (\*\*.*?\*\*)", text, flags=re.M).groups()
    by = next((word.split("=")[1] for word in report if word.startswith("segment_by")), "")
    assert told in STUDIES[name](cs.load(init[1]), by=by).answer.text


@pytest.mark.long
@pytest.mark.parametrize("export", list(EXPORTS)[:1], indirect=True)
def test_the_report_is_made(export):
    _, lines = export
    for line in lines:
        assert CliRunner().invoke(main, line).exit_code == 0
    assert "50 % of customers who joined by January 2024 ordered in month 1" in Path(
        "reports/cohort_retention.html"
    ).read_text("utf-8")
