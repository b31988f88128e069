"""All reports on PostgreSQL, from the command line, with a role that may only read."""

import json
import subprocess
import sys
from pathlib import Path

import engine_world
import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def reported(data, out):
    run = [sys.executable, "-m", "cslib.cli", "report", "--data", str(data), "--out", str(out), "-p", "segment_by=plan"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=600, cwd=out.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return {str(p.relative_to(out)): p for p in sorted(out.glob("*/*.csv"))}


def test_every_file_is_as_on_duckdb(folder, small, postgres, tmp_path):
    url = engine_world.fill(postgres, "reports", small.tables)
    declared = Path(folder, "cslib.toml").read_text().replace('source = "."', f'source = "{url}"')
    assert url in declared
    (tmp_path / "cslib.toml").write_text(declared)
    own, there = reported(folder, tmp_path / "own"), reported(tmp_path / "cslib.toml", tmp_path / "there")
    assert own.keys() == there.keys()
    assert len(own) > 50
    for name, path in own.items():
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(there[name]), rtol=1e-9, atol=1e-9, obj=name)
    for record in sorted((tmp_path / "there").glob("*/run.json")):
        assert json.loads(record.read_text())["status"] == "ok"
        assert "reader" not in record.read_text()
