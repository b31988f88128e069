"""Whether payback is late because new customers pay less than present ones."""

from dataclasses import replace

import numpy as np
import pytest
from value_world import counted

from cslib.stats.models import fit_models
from cslib.value.first_price import slow_starts
from cslib.value.ltv import Terms, Worth
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts

SURE = [20.0, 19.0, 21.0]  # the estimate, and draws of the bootstrap
TERMS = Terms(costs=UnitCosts(), gross_margin=0.8)


def paths_of(first, arpa, cost=50.0):
    """Of 100 customers 20 leave after a month each of the first two; prices rise from the first to 20 after a month."""
    duration = [1.0] * 20 + [2.0] * 20 + [6.0] * 60
    counts, values = counted(duration, np.asarray(duration) < 3, 20.0, cost=cost)
    own = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=24, draws=200)["All"]
    price = own.price.copy()
    price[:, 0] = first
    return {"All": replace(own, price=price, arpa=np.resize(arpa, own.arpa.shape))}


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "arpa", "cost", "slow"),
    [
        (5.0, SURE, 50.0, True),  # 13 months at the first price, 4 at ARPA
        (20.0, SURE, 50.0, False),
        (5.0, [20.0, 3.0, 30.0], 50.0, False),  # may be chance
        (18.0, [20.0, 19.9, 20.1], 50.0, False),  # 4 months by both: who leaves makes it late
        (5.0, SURE, 0.0, False),
        (5.0, SURE, 5000.0, False),  # never recovered
        (5.0, SURE, np.nan, False),
    ],
)
def test_low_first_prices_are_told_where_they_delay_payback(first, arpa, cost, slow):
    paths = paths_of(first, arpa, cost)
    found = slow_starts(paths, TERMS, Worth(paths, TERMS, horizon_months=24).payback)
    assert found.to_numpy().tolist() == [["All", 5.0, 20.0]] * slow
    assert list(found) == ["segment", "first", "arpa"]
