import pandas as pd
import pytest

from cslib.cohort_comparison import empty_comparison
from cslib.intervals import wilson
from cslib.sentences import (
    cohort_difference,
    milestones,
    retained,
    retention_answer,
    retention_cards,
    revenue_finding,
    segment_finding,
)


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


def comparison(p, difference=0.1):
    row = dict.fromkeys(empty_comparison().columns, 0.0)
    row |= {"comparison": "newer half", "cohort": pd.Timestamp("2024-03-01"), "shared_age": 6, "p_adjusted": p}
    row |= {"rate_newer": 0.7, "rate_older": 0.7 - difference, "difference": difference}
    return pd.DataFrame([row])


def test_answer_names_rate_interval_and_change():
    text = retention_answer(curve(All=0.6), comparison(0.001), source="subscriptions")
    assert text == (
        "**60 % of customers are still customers 12 months on** (95 % interval 57 to 63 %, 1,000 customers observed "
        "that long). Cohorts since March 2024 hold **better than older ones**: 70 % against 60 % after 6 months, more "
        "than noise."
    )


@pytest.mark.parametrize(
    ("p", "difference", "words"),
    [(0.2, 0.1, "not clearly different"), (0.01, -0.1, "worse than older"), (float("nan"), 0.0, "not clearly")],
)
def test_change_is_only_called_so_beyond_noise(p, difference, words):
    assert words in cohort_difference(comparison(p, difference))


def test_no_comparison_no_sentence():
    assert cohort_difference(empty_comparison()) == ""
    assert len(retention_cards(curve(All=0.6), empty_comparison(), source="orders")) == 3


def test_nothing_observed_is_said():
    only = curve(All=0.6).query("period_index == 0")
    assert "not known" in retention_answer(only, empty_comparison(), source="orders")
    assert retention_cards(only, empty_comparison(), source="orders") == []


def test_landmarks_rest_on_thirty_customers():
    thin = curve(All=0.6)
    thin.loc[thin.period_index > 6, "n_customers"] = 29
    assert milestones(thin) == [1, 3, 6]
    assert milestones(curve(All=0.6)) == [3, 6, 12]
    assert milestones(curve(x=0.6), most=1) == [12]


@pytest.mark.parametrize(
    ("source", "kind", "period", "text"),
    [
        ("orders", "on", "week", "order again in week 4"),
        ("usage", "on_or_after", "month", "are active in month 4 or later"),
        ("usage", "4-6", "month", "are active in months 4–6"),
        ("tenure", "on", "month", "are still customers 4 months on"),
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
        {"segment": "All", "period_index": [1, 12], "net_retention": [1, 1.04], "gross_retention": [0.98, 0.81]}
    )
    assert revenue_finding(pooled) == "After 12 months a cohort brings 104 % of its first MRR, 81 % without expansion"
    assert "yet" in revenue_finding(pooled.iloc[:0])
