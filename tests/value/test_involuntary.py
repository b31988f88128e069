"""How much of what present customers take with them is lost involuntarily."""

import numpy as np
import pytest
from value_world import counted

from cslib.stats.models import fit_models
from cslib.value.involuntary import involuntary
from cslib.value.paths import value_paths

STAY = np.repeat(np.arange(1, 25), 40)


def paths_of(kinds):
    """1,200 customers, 20 of whom leave in each of the first 12 months; the others are here for 1 to 24 months."""
    left = np.repeat(np.arange(1, 13), 20)
    counts, values = counted(
        np.append(left, STAY), np.arange(1200) < 240, kind=np.append(np.resize(kinds, 240), [""] * 960)
    )
    return value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=12, draws=200)


@pytest.mark.long
def test_a_third_of_churn_at_every_age_is_a_third_of_what_is_lost():
    found = involuntary(paths_of(["involuntary", "voluntary", "voluntary"]), horizon_months=12)
    assert found.share == pytest.approx(1 / 3, abs=0.02)
    assert found.much


@pytest.mark.long
def test_a_tenth_is_not_much():
    assert not involuntary(paths_of(["involuntary", *["voluntary"] * 9]), horizon_months=12).much


@pytest.mark.long
def test_where_no_kind_is_recorded_nothing_is_known():
    found = involuntary(paths_of([""]), horizon_months=12)
    assert np.isnan(found.share)
    assert not found.much
