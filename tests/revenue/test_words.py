import numpy as np
import pandas as pd

from cslib import load
from cslib.retention.revenue import revenue_levels, revenue_retention
from cslib.revenue import words as wording
from cslib.revenue.movements import conventions, layers, movements, trailing, waterfall
from cslib.revenue.spending import conversions, retention_cost


def data(root):
    return load(root / "data")


def lonely(*rows, as_of="2025-04-30"):
    return load(
        {"subscriptions": pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])}, as_of=as_of
    )


def test_the_answer_on_the_sample(root):
    found = data(root)
    text = wording.revenue_answer(movements(found), trailing(found), currency="USD")
    assert text.startswith("**USD 818 k a month recurs** at the end of June 2025, 4.1 % more than a month before.")
    assert (
        "**Customers of a year ago bring 89 % of what they brought then** (NRR, 95 % interval 84 to 94 %, 1,307 customers)"
        in text
    )
    assert text.endswith("In June, USD 50.3 k came and USD 18.0 k went: quick ratio 2.80.")


def test_young_and_empty_businesses():
    young = lonely(("a", "2025-04-02", None, 10))
    text = wording.revenue_answer(movements(young), trailing(young))
    assert text == (
        "**10 a month recurs** at the end of April 2025. No customer has been here for a year, so what is kept of a year's "
        "revenue is not known yet. In April, 10 came and 0 went."
    )
    gone = movements(lonely(("a", "2025-01-02", "2025-03-02", 10)))
    assert wording.revenue_answer(gone, trailing(young)).startswith("**0 a month recurs** at the end of April 2025.")
    card = wording.revenue_cards(gone, trailing(young))[-1]
    assert (np.isnan(card.value), card.detail) == (True, "no customers at its beginning")


def test_waterfall_says_what_was_largest(root):
    steps = waterfall(movements(data(root)))
    text = wording.waterfall_finding(steps, period="June 2025", currency="USD")
    assert text == "June 2025: MRR up USD 32.3 k: USD 28.6 k from new customers against USD 18.0 k lost to churn"
    still = waterfall(movements(lonely(("a", "2025-01-02", None, 10))))
    assert wording.waterfall_finding(still, period="April 2025") == "April 2025: MRR as before"


def test_movements_and_what_was_kept(root):
    found = data(root)
    moved, kept = movements(found, segment_by="plan"), trailing(found, segment_by="plan")
    assert (
        wording.movements_finding(moved)
        == "2.65 came for each 1 that went in the last 12 months, 2.76 in the 12 before"
    )
    assert wording.trailing_finding(kept).startswith("June 2025: NRR 89 %, GRR 76 %; NRR of ")
    grown = movements(lonely(("a", "2025-01-02", None, 10)))
    assert wording.movements_finding(grown) == "Nothing was lost in the last 4 months"


def test_layers_and_definitions(root):
    found = data(root)
    split = layers(revenue_retention(revenue_levels(found, max_periods=1200)))
    assert (
        wording.layers_finding(split) == "26 % of MRR comes from customers who came in 2025, the rest from earlier ones"
    )
    assert wording.layers_finding(split[split["cohort"] == "2025"]) == "All MRR comes from customers who came in 2025"
    ways = conventions(movements(found))
    assert (
        wording.conventions_finding(ways)
        == "Net revenue churn is 0.8 to 1.3 % a month, depending on whose definition is used"
    )
    assert wording.conventions_shown(ways)[-2:] == ["2.65", "2.48"]
    nothing = conventions(movements(lonely(("a", "2025-04-02", None, 10))))
    assert wording.conventions_finding(nothing) == "No rate can be given: there was no opening"


def test_sales_and_costs(root):
    found = data(root)
    upsell, cross_sell = wording.conversion_sentences(conversions(found, months=12))
    assert upsell == "**Upsell rate 6.9 %** (6.1 to 7.8 %): 232 of 3,381 orders of the last twelve months."
    assert cross_sell.startswith("**Cross-sell rate 13 %**")
    costs = retention_cost(found, movements(found), months=12)
    text = wording.cost_sentence(costs, currency="USD")
    assert (
        text
        == "Over the months up to June 2025, keeping a customer cost USD 13.04 a month, 3.5 % of the margin they bring, and winning one USD 683.65."
    )
    assert "is not known" in wording.cost_sentence(costs.assign(crc=np.nan, cac=np.nan))
    assert wording.conversion_sentences(conversions(found).iloc[:0]) == []
