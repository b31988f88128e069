"""The KPIs of customer value, as of several days: what was known then, with the same horizon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import pandas as pd

from cslib.data.calendar import months_later
from cslib.data.dataset import DataSet, rewind
from cslib.data.drift import Drift, drift
from cslib.data.kpi import Kpi, Setting, by_id, history_rows, of_margin
from cslib.data.lifetimes import lifetimes
from cslib.errors import DataError
from cslib.value.ltv import Terms, Worth, horizons, ltv
from cslib.value.paths import recent_paths
from cslib.value.prices import unit_costs

QUARTER: Final = 3
PAST: Final = (0, 3, 6, 9, 12)  # months before, at which customer value is computed
FORMS: Final = {
    "Survival": "ltv", "Formula A (profit)": "ltv_formula_a",
    "Formula B (revenue)": "ltv_formula_b", "Formula C (margin / churn)": "ltv_formula_c",
}  # fmt: skip
EVER: Final = "all customers since records begin"
PRICED: Final = ("customers", "subscriptions")
WON: Final = ("customers", "subscriptions", "costs")
A_PRICE: Final = "customers, and their price: subscriptions, mrr or orders"
A_COST: Final = "a price, and costs or acquisition_cost of customers"
NO_CAC: Final = "no acquisition cost is known, or nobody started in the months it is known of"


def _value(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    horizon, found = horizons(lifetimes(data))[0], drift(data)  # one way for all days, so that they compare
    for day in _days_before(data):
        now = day is None or day == data.as_of
        then = data if day is None or now else rewind(data, day)
        try:
            tables = _valued(then, setting, horizon, found, segment_by=setting.segment_by if now else "")
        except DataError:
            if now:
                raise
            return
        yield from tables


def _days_before(data: DataSet) -> list[date | None]:
    """Days on which customer value is computed, the last first, as far as records reach."""
    if data.as_of is None or not data.has_dates("customers"):
        return [data.as_of]
    days = [months_later(data.as_of, -m) for m in PAST]
    begun = max(data.observed_from or date.min, date.fromisoformat(data.statistics["customers"]["first"]))
    return [day for day in days if day >= begun]


def _valued(
    data: DataSet, setting: Setting, horizon: int, found: Drift | None, *, segment_by: str
) -> list[pd.DataFrame]:
    asked: Any = {"segment_by": segment_by, "horizon_months": horizon}
    paths = recent_paths(data, found, **asked)
    costs = unit_costs(data.everybody)
    terms = Terms(costs=costs, gross_margin=setting.margin, annual_discount_rate=setting.annual_discount_rate)
    until = pd.Timestamp(data.as_of) if data.as_of else pd.NaT
    forms, earned = ltv(paths, terms, horizons=[horizon]), Worth(paths, terms, horizon_months=horizon).payback
    forms["until"] = earned["until"] = until
    earned["n"] = [paths[segment].n_customers for segment in earned["segment"]]
    parts = [history_rows(kpi, forms[forms["method"] == form], "ltv", n="n_customers") for form, kpi in FORMS.items()]
    parts.append(history_rows("ltv_to_cac", earned, "ltv_to_cac", n="n", bounds="ltv_to_cac_"))
    parts.append(history_rows("payback_months", earned, "payback_months", n="n"))
    if not data.has_dates("customers") and earned["cac"].notna().any():  # else it is that of the last year
        parts.append(history_rows("cac", earned, "cac", n="n", months=0))
    return parts


BROUGHT: Final = "lifetime_value#What does a customer bring, and by when?"
WORTH: Final[Any] = {
    "group": "value",
    "months": QUARTER,
    "base": EVER,
    "grows": True,
    "measure": _value,
    "noun": "stay",
}
FORM: Final[Any] = WORTH | {"unit": "money", "direction": "up", "sources": PRICED, "needs": A_PRICE}
FORMULA: Final[Any] = FORM | {"explained": "lifetime_value#Method", "form": True}
EARNED: Final[Any] = WORTH | {
    "sources": WON, "needs": A_COST, "blank": NO_CAC, "explained": BROUGHT, "adapt": of_margin,
}  # fmt: skip
KPIS: Final = by_id(
    Kpi(id="ltv", label="LTV", question="What is a new customer worth?",
        formula="Σ over 36 months (or twice the time observed, if less) of margin at age k × share still here, "
        "discounted, less retention and acquisition cost; where churn has changed, as the last 12 months saw it",
        blank="nobody left, or early ages were not observed",
        variants=("newest customers", "constant ARPA", "sBG and BdW"), explained=BROUGHT, adapt=of_margin, **FORM),
    Kpi(id="ltv_formula_a", label="LTV (formula A)", question="And as profit over a mean life?",
        formula="ARPA × margin × months − acquisition and retention cost, months = 1 / churn rate",
        blank="nobody left", twin="ltv", adapt=of_margin, **FORMULA),
    Kpi(id="ltv_formula_b", label="LTV (formula B)", question="And as revenue over a mean life?",
        formula="ARPA × months, months = 1 / churn rate", blank="nobody left", twin="ltv", **FORMULA),
    Kpi(id="ltv_formula_c", label="LTV (formula C)", question="And as margin at a constant churn rate?",
        formula="ARPA × margin / monthly churn rate", blank="nobody left", twin="ltv", adapt=of_margin,
        **FORMULA),
    Kpi(id="ltv_to_cac", label="LTV:CAC", question="How many times does a customer earn back its cost?",
        formula="LTV (survival form, before acquisition cost) / CAC", unit="times", direction="up",
        variants=("LTV by formula C",), **EARNED),
    Kpi(id="payback_months", label="Payback", question="When has a customer earned back its cost?",
        formula="first month in which margin × survival adds up to CAC", unit="months", direction="down",
        variants=("CAC / (ARPA × margin)",), twin="ltv_to_cac", **EARNED),
)  # fmt: skip
