import alert_world
import numpy as np
import pandas as pd
import pytest
from alert_folder import KPIS, calm, nrr, series
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from cslib.data.kpi import OVER_YEAR, Target
from cslib.scorecard.alarms import alarms, comparisons
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import scorecard

INF, JUNE = float("inf"), "2025-06-30"


def compared(*history, **targets):
    rows = pd.concat(history, ignore_index=True)
    measured = Measured(rows, dict.fromkeys(KPIS, "needs data"), KPIS, targets)
    return comparisons(scorecard(measured), rows, KPIS)


def only(rows, what):
    (row,) = rows[rows["what"] == what].itertuples()
    return row


@pytest.mark.parametrize(
    ("value", "target", "said", "away"),
    [
        (0.89, Target(0.95, INF), True, 3),  # 0.06 of half an interval of 0.02
        (0.94, Target(0.95, INF), False, 0.5),
        (0.97, Target(0.95, INF), False, -INF),
        (0.97, Target(0.90, 0.93), True, 2),
        (0.88, Target(0.90, 0.93), False, 1),
    ],
)
def test_a_target_by_hand(value, target, said, away):
    row = only(compared(nrr(JUNE, value), nrr=target), "target")
    assert row.said == said
    assert row.p == pytest.approx(norm.sf(1.959964 * away), rel=1e-4)


@pytest.mark.parametrize(
    ("value", "year", "said", "p"),
    [
        (0.031, 0.0392, True, norm.sf(1.959964 * 4)),  # 0.0092 off by 0.0023 of half an interval
        (0.038, 0.0392, True, norm.sf(1.959964 * 4)),  # whatever the last month is
        (0.038, 0.0300, False, 1.0),
    ],
)
def test_a_target_that_a_year_judges_is_looked_at_once(value, year, said, p):
    own = {"kpi": "customer_churn_rate", "segment": "All", "value": year}
    own |= {"ci_lower": year - 0.0023, "ci_upper": year + 0.0023}
    rows, years = calm(JUNE, months=0, last=[value]), pd.DataFrame([own], columns=OVER_YEAR)
    targets = {"customer_churn_rate": Target(-INF, 0.03)}
    measured = Measured(rows, dict.fromkeys(KPIS, "needs data"), KPIS, targets, years=years)
    row = only(comparisons(scorecard(measured), rows, KPIS), "target")
    assert row.said == said
    assert row.p == pytest.approx(p, rel=1e-4)


def test_what_is_counted_misses_its_target_without_chance():
    row = only(compared(series("cac", [700.0], until=JUNE), cac=Target(-INF, 600.0)), "target")
    assert (row.said, np.isnan(row.p)) == (True, True)
    assert alarms(compared(series("cac", [700.0], until=JUNE), cac=Target(-INF, 600.0))).tolist() == [True]
    assert alarms(compared(series("cac", [500.0], until=JUNE), cac=Target(-INF, 600.0))).tolist() == [False]


def test_without_an_interval_a_target_is_never_missed():
    row = only(compared(nrr(JUNE, 0.5, half=np.nan), nrr=Target(0.95, INF)), "target")
    assert (row.said, row.p) == (False, 1)


def test_a_usual_range_by_hand():
    """Ten quarters at 20 and 30 in turn: 25 ± 2.66 · 10, in which 60 is 3.95 standard deviations away."""
    row = only(compared(series("nps", [20.0, 30.0] * 5 + [60.0], until=JUNE, half=1)), "range")
    away = 35 / (26.6 / 3) / np.sqrt(1 + 1 / 10)
    assert row.p == pytest.approx(2 * student.sf(away, 0.605 * 9), rel=1e-3)
    assert row.said


def test_few_customers_make_a_move_less_sure_than_the_range_does():
    """The same, with an interval of ± 30 for the last: 60 is 35 from the middle, 2.29 standard errors."""
    rows = series("nps", [20.0, 30.0] * 5 + [60.0], until=JUNE, half=1)
    rows.loc[10, ["ci_lower", "ci_upper", "n"]] = [30.0, 90.0, 100_000]
    row = only(compared(rows), "range")
    assert row.p == pytest.approx(2 * norm.sf(1.959964 * 35 / 30), rel=1e-4)


@pytest.mark.parametrize(("last_june", "alarm"), [(0.03, True), (0.06, False)])
def test_a_peak_that_was_there_last_year_is_no_alarm_though_no_season_can_be_told(last_june, alarm):
    rows = calm(JUNE, months=18, last=[0.06])
    rows.loc[6, ["value", "ci_lower", "ci_upper"]] = [last_june, last_june - 0.004, last_june + 0.004]
    found = compared(rows)
    assert alarms(found).tolist() == [alarm]
    assert (only(found, "range").p < 0.001) == alarm


def test_without_limits_the_year_before_is_compared():
    """0.1 apart, with margins of 0.03 and 0.04: 0.05 together."""
    rows = nrr(JUNE, *[0.8] * 12, 0.9, half=0.03)
    rows.loc[0, "ci_upper"] = 0.84
    row = only(compared(rows), "range")
    assert row.said
    assert row.p == pytest.approx(2 * norm.sf(1.959964 * 2), rel=1e-4)


def test_mrr_that_is_gone_is_as_unlikely_as_can_be():
    rows = series("mrr", [100.0, 103.0, 101.0, 104.0] * 3 + [0.0], until=JUNE)
    row = only(compared(rows), "range")
    assert (row.said, row.p) == (True, 0)


def test_what_the_scorecard_does_not_judge_is_not_compared():
    assert compared(nrr(JUNE, 0.9)).empty
    assert compared(series("ltv", [100.0] * 12 + [900.0], until=JUNE)).empty
    assert alarms(compared(nrr(JUNE, 0.9))).tolist() == []


def test_calm_is_no_alarm():
    rows = compared(calm(JUNE), customer_churn_rate=Target(-INF, 0.04))
    assert len(rows) == 2
    assert not alarms(rows).any()


@pytest.mark.long
@given(st.lists(st.tuples(st.sampled_from(["target", "range"]), st.floats(0, 0.2), st.booleans()), max_size=30))
def test_an_alarm_is_said_by_the_scorecard_and_holds_whatever_is_compared_besides(cases):
    """At most the rate by Bonferroni over its kind is always an alarm; none is without the scorecard."""
    rows = pd.DataFrame(cases, columns=["what", "p", "said"]).astype({"p": float, "said": bool})
    found = alarms(rows)
    kinds = rows["what"].nunique()
    for row, alarm in zip(rows.itertuples(), found, strict=True):
        n = (rows["what"] == row.what).sum()
        assert not alarm or (row.said and row.p * kinds <= 0.05)
        assert alarm or not (row.said and row.p * n * kinds <= 0.05)
    shuffled = rows.sample(frac=1, random_state=1)
    assert alarms(shuffled).sort_index().tolist() == found.tolist()


@pytest.mark.long
def test_where_nothing_changes_at_most_one_run_in_twenty_raises_an_alarm():
    """160 businesses, with targets that are just reached; the scorecard says something in many more of them."""
    runs = []
    for n, season in [(300, "none"), (300, "peak"), (60, "wave"), (1000, "wave")]:
        rng = np.random.default_rng(n)
        runs += [alert_world.run(rng, n, season) for _ in range(40)]
    assert min(len(run) for run in runs) >= 20
    assert np.mean([run["alarm"].any() for run in runs]) <= 0.05
    assert np.mean([run["said"].any() for run in runs]) > 0.15


@pytest.mark.long
@pytest.mark.parametrize("season", ["none", "peak"])
def test_churn_that_doubles_is_found(season):
    """In one month, of 3,000 customers: nearly always."""
    rng = np.random.default_rng(11)
    runs = [alert_world.run(rng, 3000, season, last=2.0) for _ in range(20)]
    found = [run.query("kpi == 'customer_churn_rate'")["alarm"].any() for run in runs]
    assert np.mean(found) >= 0.9
