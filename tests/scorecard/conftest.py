"""The scorecard of the sample by plan, measured once."""

import pytest

import cslib as cs


@pytest.fixture(scope="session")
def by_plan(sample):
    terms = {"gross_margin": 0.8, "annual_discount_rate": 0.08, "value_feature": "reports"}
    return cs.Scorecard(sample, by="plan", **terms)
