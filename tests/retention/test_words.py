import pandas as pd
import pytest

from cslib.retention.cohorts import empty_comparison
from cslib.retention.words import (
    cohort_difference,
    milestones,
    retained,
    retention_answer,
    retention_cards,
    revenue_finding,
    segment_finding,
)
from cslib.show.charts import left_out
from cslib.show.formats import percent
from cslib.stats.intervals import wilson


def curve(**rates):
    """Rates at periods 0 to 13 by segment, of 1,000 customers each."""
    parts = []
    for segment, rate in rates.items():
        k = pd.Series(range(14))
        own = pd.DataFrame({"segment": segment, "period_index": k, "n_customers": 1000})
        own["n_retained"] = (1000 * rate ** (k / 12)).round()
        interval = wilson(own.n_retained, own.n_customers)
        parts.append(own.assign(retention_rate=own.n_retained / 1000, ci_lower=interval.lower, ci_upper=interval.upper))
    return pd.concat(parts, ignore_index=True)


def comparison(p, difference=0.1, *, together=None, half_width=0.05, which="newer half"):
    """One contrast: a test over all shared periods (p), and the difference at the last one with its interval."""
    row = dict.fromkeys(empty_comparison().columns, 0.0)
    row |= {"comparison": which, "cohort": pd.Timestamp("2024-03-01"), "shared_age": 6, "p_adjusted": p}
    row |= {"rate_newer": 0.7, "rate_older": 0.7 - difference, "difference": difference, "n_newer": 60, "n_older": 40}
    row |= {"ci_lower": difference - half_width, "ci_upper": difference + half_width}
    return pd.DataFrame([row | {"periods_difference": difference if together is None else together}])


def test_answer_names_rate_interval_and_change():
    text = retention_answer(curve(All=0.6), comparison(0.001), source="subscriptions")
    assert text == (
        "**60 % of customers are still customers 12 months on** (95 % interval 57 to 63 %, 1,000 customers observed "
        "that long). **Cohorts since March 2024 hold better than older ones**: 70 % against 60 % are still customers "
        "6 months on, more than chance."
    )


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        (comparison(0.01, 0.1), "hold better than older ones**: 70 % against 60 %"),
        (comparison(0.01, -0.1), "hold worse than older ones**: 70 % against 80 %"),
        (comparison(0.2, 0.02), "are not clearly different from older ones: 70 % against 68 %"),
        (comparison(0.01, 0.02), "differ from older ones over the first 6 months together (p = 0.010), not clearly at the end"),
        (comparison(0.06, 0.1), "but over the first 6 months together the difference could be chance (p = 0.060)"),
        (comparison(0.01, 0.1, together=-0.4), "differ from older ones over the first 6 months together"),
        (comparison(float("nan"), 0.0), "not clearly different"),
        (comparison(0.01, which="newest cohort"), "The newest cohort old enough (since March 2024) holds better"),
    ],
)  # fmt: skip
def test_a_verdict_never_contradicts_the_interval_beside_it(contrast, words):
    assert words in cohort_difference(contrast, source="customers")


def test_no_comparison_is_said():
    assert "Too few cohorts" in cohort_difference(empty_comparison(), source="orders")
    assert len(retention_cards(curve(All=0.6), empty_comparison(), source="orders")) == 3
    assert retention_cards(curve(All=0.6), comparison(0.01), source="orders")[-1].n == 100


def test_nothing_observed_is_said():
    only = curve(All=0.6).query("period_index == 0")
    assert "not known" in retention_answer(only, empty_comparison(), source="orders")
    assert retention_cards(only, empty_comparison(), source="orders") == []


def test_a_share_is_never_rounded_to_all_or_none():
    assert percent(0.9987) == "99.9 %"
    assert percent(1.0) == "100 %"
    assert percent(0.0) == "0 %"
    assert percent(0.99999) not in ("100 %", "100.0 %")


def test_few_customers_in_every_year_are_not_compared():
    small = curve(**{"2024": 0.5, "2025": 0.6}).assign(n_customers=9)
    assert segment_finding(small, source="customers", year=True) == "Too few customers to compare"


def test_years_are_compared_where_at_least_two_stand():
    years = curve(**{"2023": 0.5, "2024": 0.7, "2025": 0.6})
    years = years[(years.segment != "2025") | (years.period_index < 1)]
    text = segment_finding(years, source="customers", year=True)
    assert text == ("Of customers who started in 2024, 70 % are still customers 12 months on; of those of 2023, 50 %")


def test_what_a_chart_leaves_out_is_said():
    many = curve(All=0.5, **{f"s{i}": 0.5 for i in range(10)})
    assert left_out(many, many[many.segment.isin(["All", "s1"])]) == " The 1 largest of 10 segments."
    assert left_out(many, many) == ""


def test_landmarks_rest_on_thirty_customers():
    thin = curve(All=0.6)
    thin.loc[thin.period_index > 6, "n_customers"] = 29
    assert milestones(thin) == [1, 3, 6]
    assert milestones(curve(All=0.6)) == [3, 6, 12]
    assert milestones(curve(x=0.6), most=1) == [12]


@pytest.mark.parametrize(
    ("source", "kind", "period", "text"),
    [
        ("orders", "on", "week", "order in week 4"),
        ("usage", "on_or_after", "month", "are active in month 4 or later"),
        ("usage", "4-6", "month", "are active in months 4–6"),
        ("tenure", "on", "month", "are still customers 4 months on"),
        ("usage", "on", "day", "are active on day 4"),
        ("customers", "on", "year", "are still customers at the end of year 4"),
        ("subscriptions", "4-6", "month", "are customers at the end of some month of 4–6"),
    ],
)
def test_retained_in_words(source, kind, period, text):
    assert retained(4, source=source, kind=kind, period=period) == text


def test_best_and_worst_segment():
    text = segment_finding(curve(All=0.5, Pro=0.7, Free=0.3), source="customers")
    assert text == "70 % of Pro customers are still customers 12 months on, 30 % of Free"


def test_segments_picked_out_of_noise_are_not_called_different():
    """0.52 against 0.48 of 1,000 clears 95 % as a single pair's interval would almost; of 45 pairs it is noise."""
    many = {f"s{i}": 0.48 + 0.005 * i for i in range(10)}
    assert segment_finding(curve(All=0.5, **many), source="customers").endswith("no clear difference")


def test_revenue_in_words():
    pooled = pd.DataFrame(
        {
            "segment": "All", "period_index": [1, 12], "net_retention": [1, 1.04], "gross_retention": [0.98, 0.81],
            "net_ci_lower": 0.99, "net_ci_upper": 1.09,
        }
    )  # fmt: skip
    assert revenue_finding(pooled) == (
        "12 months on, cohorts bring 104 % of their first MRR (99 to 109 %), 81 % without expansion"
    )
    assert "yet" in revenue_finding(pooled.iloc[:0])
