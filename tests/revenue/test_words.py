import numpy as np
import pandas as pd
import pytest

from cslib import load
from cslib.retention.revenue import revenue_levels, revenue_retention
from cslib.revenue.headlines import (
    balance,
    best_and_worst,
    largest_moves,
    quick_ratios,
    recent_sales,
    shares_by_year,
    spread,
)
from cslib.revenue.movements import conventions, layers, movements, trailing, waterfall
from cslib.revenue.spending import conversions, retention_cost
from cslib.revenue.words import Wording

SAY, USD = Wording(), Wording("USD")


def lonely(*rows, as_of="2025-04-30"):
    return load(
        {"subscriptions": pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])}, as_of=as_of
    )


def test_the_answer_on_the_sample(sample):
    text = USD.answer(balance(movements(sample)), trailing(sample))
    assert text.startswith("**USD 818 k a month recurs** at the end of June 2025, 4.1 % more than a month before.")
    assert (
        "**Customers of a year ago bring 89 % of what they brought then** (NRR, 95 % interval 84 to 94 %, 1,307 customers)"
        in text
    )
    assert text.endswith("In June, USD 50.3 k came and USD 18.0 k went: quick ratio 2.80.")


@pytest.mark.slow
def test_young_and_empty_businesses():
    young = lonely(("a", "2025-04-02", None, 10))
    text = SAY.answer(balance(movements(young)), trailing(young))
    assert text == (
        "**10 a month recurs** at the end of April 2025. No customer has been here for a year, so what is kept of a year's "
        "revenue is not known yet. In April, 10 came and 0 went."
    )
    gone = movements(lonely(("a", "2025-01-02", "2025-03-02", 10)))
    text = SAY.answer(balance(gone), trailing(young))
    assert text.startswith("**0 a month recurs** at the end of April 2025.")
    card = SAY.cards(gone, trailing(young))[-1]
    assert (np.isnan(card.value), card.detail) == (True, "no customers at its beginning")


def test_shrinking_is_said():
    shrunk = movements(lonely(("a", "2025-01-02", None, 10), ("b", "2025-01-02", "2025-04-02", 30)))
    assert "at the end of April 2025, 75 % less than a month before." in SAY.answer(balance(shrunk), pd.DataFrame())


@pytest.mark.slow
def test_waterfall_says_what_was_largest(sample):
    text = USD.waterfall(largest_moves(waterfall(movements(sample))), period="June 2025")
    assert text == "June 2025: MRR up USD 32.3 k: USD 28.6 k from new customers against USD 18.0 k lost to churn"
    still = waterfall(movements(lonely(("a", "2025-01-02", None, 10))))
    assert SAY.waterfall(largest_moves(still), period="April 2025") == "April 2025: MRR as before"
    back = pd.Series({"net": 2, "gain": "reactivation", "gained": 5, "loss": "churn", "lost": 3})
    assert SAY.waterfall(back, period="May") == ("May: MRR up 2: 5 won back against 3 lost to churn")


@pytest.mark.slow
def test_movements_and_what_was_kept(sample):
    moved, kept = movements(sample, segment_by="plan"), trailing(sample, segment_by="plan")
    text = USD.quick(quick_ratios(moved))
    assert text == "2.65 came for each 1 that went in the last 12 months, 2.76 in the 12 before"
    assert USD.kept(kept, best_and_worst(kept)).startswith("June 2025: NRR 89 %, GRR 76 %; NRR of ")
    assert USD.kept(kept, best_and_worst(kept.head(0))) == "June 2025: NRR 89 %, GRR 76 %"
    grown = movements(lonely(("a", "2025-01-02", None, 10)))
    assert SAY.quick(quick_ratios(grown)) == "Nothing was lost in the last 4 months"


@pytest.mark.slow
def test_layers_and_definitions(sample):
    split = layers(revenue_retention(revenue_levels(sample, max_periods=1200)))
    text = SAY.layers(shares_by_year(split))
    assert text == "26 % of MRR comes from customers who came in 2025, the rest from earlier ones"
    alone = shares_by_year(split[split["cohort"] == "2025"])
    assert SAY.layers(alone) == "All MRR comes from customers who came in 2025"
    ways = conventions(movements(sample))
    text = SAY.definitions(spread(ways))
    assert text == "Net revenue churn is 0.8 to 1.3 % a month, depending on whose definition is used."
    assert SAY.rates(ways)[-2:] == ["2.65", "2.48"]
    nothing = conventions(movements(lonely(("a", "2025-04-02", None, 10))))
    assert SAY.definitions(spread(nothing)) == "No rate can be given: there was no opening."


@pytest.mark.slow
def test_sales_and_costs(sample):
    upsell, cross_sell = USD.sold(recent_sales(conversions(sample, months=12)))
    assert upsell == "**Upsell rate 6.9 %** (6.1 to 7.8 %): 232 of 3,381 orders of the last twelve months."
    assert cross_sell.startswith("**Cross-sell rate 13 %**")
    costs = retention_cost(sample, movements(sample), months=12)
    text = USD.costs(costs)
    assert (
        text
        == "Over the 12 months up to June 2025, keeping a customer cost USD 13.04 a month, 3.5 % of the margin they bring, and winning one USD 650.90."
    )
    nothing = "No costs are known for the 12 months up to June 2025, so nor is the cost of keeping or winning."
    assert USD.costs(costs.assign(crc=np.nan, cac=np.nan)) == nothing
    assert (
        USD.costs(costs.assign(crc=np.nan)) == "Over the 12 months up to June 2025, winning a customer cost USD 650.90."
    )
    assert USD.sold(recent_sales(conversions(sample).iloc[:0])) == []
