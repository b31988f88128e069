from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from churn_world import rates
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import few_or_many

from cslib import DataError, ParameterError, load
from cslib.churn import rates as module
from cslib.churn.rates import METHODS, RATES, _estimates, churn_rates, last_month, last_year, reconcile
from cslib.data.lifetimes import lifetimes
from cslib.data.lives import lives
from cslib.stats.intervals import wilson

FIRST = date(2025, 1, 1)


def customers(*rows, as_of="2025-02-28", observed_from=None, **extra):
    frame = pd.DataFrame(rows, columns=["started_on", "churned_on"]).astype(object).assign(**extra)
    frame.insert(0, "customer_id", [f"c{i}" for i in range(len(frame))])
    return replace(load({"customers": frame}, as_of=as_of), observed_from=observed_from)


SIX = (
    ("2025-01-01", None),
    ("2025-01-01", "2025-02-01"),  # here when February began
    ("2025-01-15", "2025-01-31"),  # not any more
    ("2025-01-31", "2025-02-28"),
    ("2025-02-10", None),
    ("2025-02-10", "2025-02-20"),
)


def test_twelve_months_are_pooled_and_no_mean_of_months():
    """Eleven months of 10 in 100 and one of 0 in 1,100: 110 of 2,200 are 5 %, the mean of the months is 9.2 %."""
    months = pd.DataFrame({"n_start": [*[100] * 12, 1100], "n_churned": [99, *[10] * 11, 0], "segment": "All"})
    months["month"] = pd.date_range("2024-06-01", periods=13, freq="MS")
    found = last_year(months.assign(method="start_of_period"))
    score = wilson(110, 2200)
    assert found[["n_start", "n_churned", "churn_rate"]].tolist() == [2200, 110, 0.05]
    assert found[["ci_lower", "ci_upper"]].tolist() == pytest.approx([float(score.lower), float(score.upper)])
    assert found["month"] == pd.Timestamp("2025-06-01")
    assert last_year(months.tail(11).assign(method="start_of_period")) is None
    assert last_year(months.assign(n_start=0, method="start_of_period")) is None
    assert last_year(months.assign(method="start_of_period"), ago=2) is None
    assert last_year(months.assign(method="start_of_period"), ago=1)["n_churned"] == 99 + 110


def test_by_hand():
    """3 begin, 2 of them leave; 2 come, 1 of them leaves: on average 2.5, on 28 + 0 + 27 + 19 + 10 = 84 days."""
    table = churn_rates(customers(*SIX))
    assert table.method.tolist() == list(METHODS)
    assert table[["n_start", "n_new", "n_churned"]].values.tolist() == [[3, 2, 2], [3, 2, 3], [3, 2, 3]]
    assert table.churn_rate.tolist() == pytest.approx([2 / 3, 3 / 2.5, 1 - np.exp(-1)])
    assert table.retention_rate.tolist() == pytest.approx([1 / 3, -0.2, np.exp(-1)])
    assert table.month.unique().tolist() == [pd.Timestamp("2025-02-01")]


def test_bounds_by_hand():
    """Garwood (1936): 3 seen, 0.6187 to 8.7673 expected. The average base has no more than all: cut at its rate."""
    table = churn_rates(customers(*SIX)).set_index("method")
    score = wilson(2, 3)
    assert table.loc["start_of_period", ["ci_lower", "ci_upper"]].tolist() == [score.lower, score.upper]
    assert table.loc["average_base", ["ci_lower", "ci_upper"]].tolist() == pytest.approx([0.6187 / 2.5, 1.2], rel=1e-4)
    daily = 1 - np.exp(-np.array([0.6187, 8.7673]) / 3)
    assert table.loc["daily_hazard", ["ci_lower", "ci_upper"]].tolist() == pytest.approx(daily.tolist(), rel=1e-4)


def test_nobody_left_has_a_lower_bound_of_zero():
    table = churn_rates(customers(("2025-01-01", None), as_of="2025-02-28"))
    assert table.ci_lower.tolist() == [0, 0, 0]
    # none seen, up to 3.6889 expected (Garwood), of one customer
    assert table.ci_upper.tolist() == pytest.approx([float(wilson(0, 1).upper), 1, 1 - np.exp(-3.6889)], abs=1e-5)


def test_segments_share_the_months_and_a_missing_base_is_missing():
    rows = (("2025-01-01", "2025-02-10"), ("2025-03-10", None))
    table = churn_rates(customers(*rows, plan=["A", "B"], as_of="2025-03-31"), segment_by="plan")
    own = table[table.method == "start_of_period"].set_index(["segment", "month"])
    assert own.index.get_level_values(0).tolist() == ["All", "All", "A", "A", "B", "B"]
    assert own.n_start.tolist() == [1, 0, 1, 0, 0, 0]
    assert own.churn_rate.fillna(-1).tolist() == [1, -1, 1, -1, -1, -1]


@pytest.mark.parametrize("as_of", ["2025-01-30", "2025-02-27"])
def test_without_a_complete_month_there_are_no_rows(as_of):
    table = churn_rates(customers(*SIX, as_of=as_of))
    assert table.empty
    assert list(table) == list(churn_rates(customers(*SIX)))


def test_without_customers_up_to_as_of_there_are_no_rows():
    people = pd.DataFrame({"customer_id": ["a"], "started_on": ["2025-05-01"], "churned_on": ["2025-06-01"]})
    bought = pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2025-01-01"], "amount": [1.0]})
    assert churn_rates(load({"customers": people, "orders": bought}, as_of="2025-03-31")).empty


def test_tenures_know_no_calendar():
    frame = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [True]})
    with pytest.raises(DataError, match="tenures, which know no calendar.*started_on"):
        churn_rates(load({"customers": frame}, as_of="2025-01-31"))


def test_period_is_checked():
    with pytest.raises(ParameterError, match="months"):
        churn_rates(customers(*SIX), period="months")


def naive(rows, period, as_of, since):
    """Look at every customer on every day."""
    days = pd.date_range(FIRST, as_of)
    each = [day.date() for day in days]
    code = {"week": "W-SUN", "month": "M", "day": "D"}[period]
    for span in days.to_period(code).unique():
        first, last = span.start_time.date(), span.end_time.date()
        start = [r for r in rows if r[0] < first and (r[1] is None or r[1] >= first)]
        left = [r for r in rows if r[1] is not None and first <= r[1] <= last]
        if last > as_of or (since and first < since):
            continue
        own = [day for day in each if first <= day <= last]
        here = sum(s <= day and (c is None or day < c) for s, c in rows for day in own)
        settled = [r for r in left if r[0] < first]
        yield (
            first,
            len(start),
            sum(first <= s <= last for s, _ in rows),
            len(settled),
            len(left),
            here,
            (last - first).days + 1,
        )


def dates(day, stay):
    came = FIRST + timedelta(days=day)
    return came, came + timedelta(days=stay) if stay < 60 else None


ROWS = few_or_many(st.builds(dates, st.integers(0, 80), st.integers(0, 70)))


@pytest.mark.long
@settings(max_examples=14)
@given(ROWS, st.integers(81, 110), st.sampled_from([None, 20, 31, 45]))
def test_equals_a_look_at_every_day(rows, observed, since):
    as_of, since = FIRST + timedelta(days=observed), since and FIRST + timedelta(days=since)
    rows = [(s, c if c and c <= as_of else None) for s, c in rows]
    data = customers(*rows, as_of=as_of, observed_from=since)
    for period in ("day", "week", "month"):
        check_rates(churn_rates(data, period=period), list(naive(rows, period, as_of, since)))


def check_rates(table, expected):
    begun = min((e[0] for e in expected if e[1]), default=None)
    table = table.pivot(index="month", columns="method").sort_index()
    expected = [e for e in expected if begun and e[0] >= begun]
    assert [m.date() for m in table.index] == [e[0] for e in expected]
    for (_, own), (_, n, new, settled, left, here, days) in zip(table.iterrows(), expected, strict=True):
        assert own["n_start"].eq(n).all()
        assert own["n_new"].eq(new).all()
        assert own["n_churned"][list(METHODS)].tolist() == [settled, left, left]
        mean, pace = n + (new - left) / 2, left / here * days if here else np.nan
        rates = [settled / n if n else np.nan, left / mean if mean else np.nan, 1 - np.exp(-pace)]
        assert own["churn_rate"][list(METHODS)].tolist() == pytest.approx(rates, nan_ok=True)


def month(n, loss, repeats, rng):
    """Months of 30 days that begin with n customers and win a tenth, at a constant hazard; and what is true."""
    hazard, won, seat = -np.log(1 - loss) / 30, rng.poisson(n / 10, repeats), np.arange(2 * n)
    came = np.where(seat < n, 0.0, rng.uniform(0, 30, (repeats, 2 * n)))
    gone = came + rng.exponential(1 / hazard, came.shape)
    there, left = seat < (n + won)[:, None], gone < 30
    days = np.where(there, np.minimum(np.floor(gone), 30) - np.floor(came), 0).sum(axis=1)
    counts = {"n_left": (there & left).sum(axis=1), "n_left_new": (there & left)[:, n:].sum(axis=1)}
    own = pd.DataFrame({"n_start": n, "n_new": won, **counts, "customer_days": days, "days": 30})
    lost = n * loss + n / 10 * (1 - loss / (hazard * 30))
    return own, {"average_base": lost / (n + (n / 10 - lost) / 2), "daily_hazard": loss}


@pytest.mark.parametrize(
    ("n", "loss", "most"),
    # exact bounds are cautious where few events are expected
    [(30, 0.03, 0.995), (30, 0.3, 0.98), (300, 0.03, 0.985), (300, 0.1, 0.97), (3000, 0.01, 0.975), (3000, 0.1, 0.965)],
)
def test_poisson_bounds_cover(n, loss, most):
    rng = np.random.default_rng(n)
    parts = [month(n, loss, 250, rng) for _ in range(8)]
    found = _estimates(pd.concat([own for own, _ in parts], ignore_index=True))
    for method, truth in parts[0][1].items():
        own = found[method]
        assert 0.935 <= np.mean((own["ci_lower"] <= truth) & (truth <= own["ci_upper"])) <= most, method


def reconciled(data, **options):
    return reconcile(data, lifetimes(data), **options).set_index("measure")


def test_reconcile_by_hand():
    """S is 5/6, 2/3, 2/9 from 10/28, 16/31 and 1 months. On 31 January two are aged 30/31 and one is new, on 28 February
    1 + 27/28 and 1: 1 − (2/9) / (2/3) = 2/3 twice and 1 − (2/9) / 1 = 7/9."""
    table = reconciled(customers(*SIX))
    assert table.n_base.tolist() == [3, 3, 2, 5, 3]
    assert table.n_churned.tolist() == pytest.approx([2, 2, 1, 3, 19 / 9])
    assert table.churn_rate.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 2, 1 - np.exp(-1), 19 / 27])


def test_explanations_by_hand():
    """2 left where 19/9 are expected."""
    said = reconciled(customers(*SIX)).explanation.tolist()
    assert said[0] == "2 of the 3 customers at the start of February 2025 left in it."
    assert said[1] == "The same customers by the month they came in, so the same rate."
    assert said[2] == "1 customer came and left in the month; the two rates above leave them out."
    assert said[3].startswith("3 left, newcomers included, over 84 days as customers")
    assert "2.1 customers of these ages would have left; 2 did. No season is allowed for" in said[4]


def test_where_nobody_left_at_these_ages_there_is_nothing_to_compare_with():
    rows = [("2024-01-01", "2024-01-20")] * 20 + [("2024-02-01", "2024-02-20")] * 20 + [("2024-03-01", None)] * 40
    said = reconciled(customers(*rows, as_of="2024-04-30"), month=date(2024, 4, 9)).explanation
    assert "nothing to compare" in said["Customers' ages"]  # nobody left past the age of 31 days


def test_what_was_to_be_expected_rests_on_the_counts_that_are_given():
    """With those who stayed counted twice, fewer leave of an age."""
    counts = lifetimes(data := customers(*SIX))
    twice = pd.concat([counts, counts.query("not event_observed")])
    assert reconcile(data, twice)["n_churned"].iloc[-1] < reconcile(data, counts)["n_churned"].iloc[-1]


def test_cohorts_leave_out_who_came_before_churn_was_recorded():
    data = customers(*SIX, ("2024-06-01", "2025-02-03"), ("2024-06-01", None), observed_from=date(2025, 1, 1))
    table = reconciled(data)
    assert table.n_base.tolist()[:2] == [5, 3]
    assert table.n_churned.tolist()[:2] == [3, 2]
    assert "before 2025-01-01" in table.explanation.iloc[1]
    assert "2 customers of the start, of whom 1 left" in table.explanation.iloc[1]


def test_without_a_cohort_since_churn_was_recorded():
    table = reconciled(customers(("2024-06-01", "2025-02-03"), ("2024-06-01", None), observed_from=date(2025, 1, 1)))
    assert table.n_base.tolist() == [2, 0, 0, 2, 2]
    assert table.n_churned.tolist()[:2] == [1, 0]
    assert np.isnan(table.churn_rate.iloc[1])


def test_ages_past_one_at_which_all_seen_left_still_count():
    """Late entry: the only one seen at 10 days of age leaves then. Of two aged 214 days, one leaves: 1/2 each."""
    data = customers(
        *(("2024-06-01", "2025-01-05"), ("2024-06-01", None), ("2024-12-26", "2025-01-05")),
        observed_from=date(2025, 1, 1),
        as_of="2025-01-31",
    )
    assert reconciled(data).n_churned["Customers' ages"] == pytest.approx(1 / 2 + 1 / 2 + 1)


@pytest.mark.parametrize("month", [date(2025, 1, 15), date(2025, 3, 1)])
def test_a_month_without_a_base_is_refused(month):
    data = customers(*SIX)
    with pytest.raises(DataError, match=f"{month:%B} 2025 is not complete, or begins without a customer"):
        reconcile(data, lifetimes(data), month=month)


@pytest.fixture
def triangle_once(monkeypatch):
    """Ask for the months of a data set, and for its triangle of all periods, once and not for every month."""

    def once(compute, **fixed):
        found = {}

        def kept(data, *asked, **options):
            if (id(data), asked) not in found:
                found[id(data), asked] = compute(data, *asked, **options | fixed), data
            return found[id(data), asked][0]

        return kept

    monkeypatch.setattr(module, "_periods", once(module._periods))
    monkeypatch.setattr(module, "retention", once(module.retention, max_periods=60))


@pytest.mark.long
@pytest.mark.usefixtures("triangle_once")
@pytest.mark.parametrize("pause_months", [0, 3])
def test_sample_rates_and_triangle_agree_in_every_month(pause_months, sample, paused):
    """Nobody pauses for more than three months; if that is a pause nobody comes back, and cohorts lose who leaves."""
    sample = paused if pause_months else sample
    counts, rates = lifetimes(sample), churn_rates(sample).set_index(["method", "month"])
    assert len(rates.loc["start_of_period"]) == 35 - pause_months
    n_back = 0
    for first, row in rates.loc["start_of_period"].iterrows():
        table = reconcile(sample, counts, month=first.date()).set_index("measure")
        base, gone = table.loc["Cohorts added up", ["n_base", "n_churned"]]
        assert table.loc["Start of the month", ["n_base", "n_churned"]].tolist() == [row.n_start, row.n_churned]
        assert base == row.n_start
        n_back += row.n_churned - gone
        assert table.churn_rate["Daily rate"] == rates.churn_rate["daily_hazard", first]
    rows = lives(sample).execute()
    back = (rows["life"] > 1) & (rows["started_on"].dt.to_period("M") != rows["churned_on"].dt.to_period("M"))
    assert n_back == back.sum()
    assert bool(n_back) == (not pause_months)


@pytest.mark.long
@pytest.mark.usefixtures("triangle_once")
def test_without_a_change_as_many_are_expected_as_leave():
    """At one hazard for all, within three standard errors over 72 months."""
    rng, left, expected = np.random.default_rng(1), 0.0, 0.0
    for _ in range(6):
        came = rng.integers(0, 700, 1500)
        rows = [
            (FIRST + timedelta(days=int(d)), FIRST + timedelta(days=int(d + x)))
            for d, x in zip(came, rng.exponential(300, 1500), strict=True)
        ]
        data = customers(*rows, as_of="2026-12-31")
        counts = lifetimes(data)
        for m in range(12, 24):
            table = reconcile(data, counts, month=date(2025 + m // 12, m % 12 + 1, 1)).set_index("measure")
            left, expected = left + table.n_churned.iloc[0], expected + table.n_churned["Customers' ages"]
    assert abs(left - expected) < 3 * np.sqrt(expected)


@pytest.mark.parametrize(("last", "compared"), [(0.02, "fewer"), (0.09, "more"), (0.055, "alike")])
def test_the_last_month_against_the_year_before(last, compared):
    """Usual are 5 %; the interval is a point to either side."""
    found = last_month(rates(last, months=20))
    assert (found.month, found.churn_rate, found.n_start, found.n_before) == (
        pd.Timestamp("2025-08-01"),
        last,
        1000,
        12,
    )
    assert found.usual == pytest.approx(0.05)
    assert found.compared == compared


def test_months_are_pooled_by_their_customers():
    """50 of 1,000 and 0 of 3,000 are 1.25 %."""
    table = rates(months=3).assign(n_start=[1000, 3000, 500], n_churned=[50, 0, 10])
    assert last_month(table).usual == pytest.approx(0.0125)


def test_a_month_alone_is_compared_with_nothing_and_none_is_none():
    alone = last_month(rates(months=1))
    assert (alone.n_before, alone.compared) == (0, "")
    assert np.isnan(alone.usual)
    assert last_month(pd.DataFrame(columns=RATES)) is None
    assert last_month(rates().assign(method="daily_hazard")) is None
