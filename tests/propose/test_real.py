"""Files as they are published: what is proposed for them gives their well-known figures."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from propose_world import keys, loaded, sections, spent

from cslib.cli import main
from cslib.propose.write import propose, write

REAL = os.environ.get("CSLIB_REAL_DATA", "")
pytestmark = [pytest.mark.skipif(not REAL, reason="CSLIB_REAL_DATA is not set"), pytest.mark.slow]


@pytest.fixture
def proposed(tmp_path):
    def of(name):
        shutil.copy(Path(REAL) / name, tmp_path)
        found = propose(str(tmp_path))
        write(found)
        return found

    return of


@pytest.mark.long
def test_telco(proposed):
    found = proposed("telco_customer_churn.csv")
    assert sections(found)["customers"].sure == "sure"
    assert keys(found)["customers"]["columns"] == {
        "customer_id": "customerID", "tenure_months": "tenure", "churned": "Churn", "mrr": "MonthlyCharges",
    }  # fmt: skip
    t = loaded(found).table("customers")
    assert (t.count().execute(), int(t.churned.sum().execute())) == (7043, 1869)


@pytest.mark.long
def test_cdnow(proposed):
    found = proposed("cdnow_transactions.csv")
    assert keys(found)["orders"] == {
        "table": "cdnow_transactions.csv",
        "columns": {"ordered_on": "date", "amount": "dollar_value"},
        "date_format": "%Y%m%d",
    }
    data = loaded(found)
    assert (data.table("orders").count().execute(), data.as_of.isoformat()) == (69_659, "1998-06-30")
    assert spent(data) == 2_500_315.63


@pytest.mark.long
def test_every_file_is_tried(tmp_path):
    for file in Path(REAL).iterdir():
        folder = tmp_path / file.stem
        folder.mkdir()
        shutil.copy(file, folder)
        done = CliRunner().invoke(main, ["init", str(folder)])
        assert done.exit_code == 0, done.output
