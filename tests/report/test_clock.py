"""What a report spends its time on: by phase, and told where it is asked for."""

import re
import subprocess
import sys

import pytest

from cslib.report.clock import PHASES, Clock


def test_a_phase_within_another_counts_for_itself_alone():
    times = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 40.0, 41.0])
    clock = Clock(lambda: next(times))
    inner = clock.timed("engine", lambda: "found")  # from 3 to 7
    assert clock.timed("load", inner)() == "found"  # from 1 to 15
    clock.switch()  # the cell ends at 31
    clock.begin_cell()  # the next begins at 40
    clock.switch()
    assert clock.spent == {"estimate": 1.0 + 16.0 + 1.0, "load": 2.0 + 8.0, "engine": 4.0}


def test_an_error_ends_its_phase():
    times = iter([0.0, 1.0, 2.0, 5.0])
    clock = Clock(lambda: next(times))
    with pytest.raises(ZeroDivisionError):
        clock.timed("draw", lambda: 1 / 0)()
    clock.switch()
    assert clock.spent == {"estimate": 1.0 + 3.0, "draw": 1.0}


@pytest.mark.long
def test_a_report_tells_its_phases(tmp_path):
    (tmp_path / "orders.csv").write_text(
        "customer_id,ordered_on,amount\n1,2025-01-03,5\n2,2025-01-09,5\n1,2025-03-09,5\n"
    )
    run = [sys.executable, "-m", "cslib.cli", "report", "cohort_retention", "--data", ".", "--out", "out"]
    done = subprocess.run([*run, "--profile"], cwd=tmp_path, capture_output=True, text=True, check=True)
    head, row = done.stdout.splitlines()[-2:]
    assert head.split() == ["seconds", *PHASES]
    name, *seconds = row.split()
    assert name == "cohort_retention"
    assert all(float(s) > 0 for s in seconds)
    total = float(re.search(r"done in ([\d.]+) s", done.stdout + done.stderr)[1])
    assert sum(map(float, seconds)) == pytest.approx(total, rel=0.5)
    plain = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "estimate" not in plain.stdout
