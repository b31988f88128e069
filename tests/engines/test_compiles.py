"""Engines that nobody could run here: every query of every study is written for them."""

import ibis.backends.sql.compilers as compilers
import pytest

import cslib as cs
from cslib.data.engine import COMPILES, own
from cslib.sample.write import write_sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Every expression that loading the sample and all studies on it execute or hold."""
    folder, seen, duckdb = tmp_path_factory.mktemp("compiled"), [], type(own())
    write_sample(folder, customers=60, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        ask = duckdb.compile
        patch.setattr(duckdb, "compile", lambda con, expr, **more: seen.append(expr) or ask(con, expr, **more))
        data = cs.load(folder)
        for study in (cs.Retention, cs.Churn, cs.Revenue, cs.Value, cs.Surveys, cs.Scorecard):
            list(study(data, by="plan").results())
    return seen


@pytest.mark.parametrize("engine", COMPILES)
def test_every_query_is_written(asked, engine):
    compiler = getattr(compilers, engine).compiler
    texts = [compiler.to_sqlglot(expr.as_table().unbind()).sql(compiler.dialect) for expr in asked]
    assert len(texts) > 200
    assert all("SELECT" in text for text in texts)
