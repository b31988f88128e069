"""Customers whose lifetimes (in months), fates and constant prices are given: the counts that value is computed from."""

import numpy as np
import pandas as pd

from cslib.value.prices import ValueCounts

KEYS = ["segment", "first_age", "n_ages", "event_observed", "tier"]


def counted(duration, event, price=10.0, kind="", cost=np.nan, segment="All"):
    """Counts of lifetimes, and groups of alike customers with what they paid; by default one segment, ``All``."""
    rows = pd.DataFrame({"duration_months": np.asarray(duration, float), "event_observed": np.asarray(event, bool)})
    rows = rows.assign(price=price, churn_kind=np.where(rows["event_observed"], kind, ""), cost=cost, segment=segment)
    lives = rows.assign(entry_months=0.0)
    counts = lives.groupby(
        ["segment", "entry_months", "duration_months", "event_observed", "churn_kind"], as_index=False
    )
    return counts.size().rename(columns={"size": "n"}), ValueCounts(*_groups(rows), "customers", ())


def both_counted(**segments):
    """Counts of all customers and of each segment, given as lifetimes, fates and price."""
    duration, event = (np.concatenate([own[i] for own in segments.values()]) for i in (0, 1))
    price = np.concatenate([np.full(len(own[0]), own[2]) for own in segments.values()])
    each = [counted(duration, event, price), *(counted(*own, segment=name) for name, own in segments.items())]
    counts = pd.concat([own for own, _ in each], ignore_index=True)
    cells, paid = [], []
    for k, (_, values) in enumerate(each):
        cells.append(values.cells.assign(cell=values.cells["cell"] + 1000 * k))
        paid.append(values.paid.assign(cell=values.paid["cell"] + 1000 * k))
    return counts, ValueCounts(pd.concat(cells), pd.concat(paid), "customers", ())


def _groups(rows):
    rows = rows.assign(
        first_age=0,
        n_ages=np.where(
            rows["event_observed"], np.ceil(rows["duration_months"]), np.floor(rows["duration_months"]) + 1
        ).astype(int),
        tier=np.floor(2 * np.log2(rows["price"])).astype(int),
        mrr_now=rows["price"].where(~rows["event_observed"], 0.0),
        n_involuntary=(rows["churn_kind"] == "involuntary").astype(int),
        n_kind_known=rows["churn_kind"].isin(["voluntary", "involuntary"]).astype(int),
        n_known=1,
        n_costed=rows["cost"].notna().astype(int),
    )
    rows["mrr_now_squared"] = rows["mrr_now"] ** 2
    sums = ["n_known", "n_involuntary", "n_kind_known", "n_costed", "mrr_now", "mrr_now_squared", "price"]
    groups = rows.groupby(KEYS)
    cells = groups[sums].sum().assign(n=groups.size(), acquisition_cost=groups["cost"].sum())
    cells = cells.join(groups["duration_months"].mean()).reset_index().assign(entry_months=0.0)
    cells["cell"] = range(len(cells))
    paid = cells.loc[cells.index.repeat(cells["n_ages"]), ["cell", "price", "n"]]
    paid["age"] = paid.groupby("cell").cumcount()
    return cells.drop(columns="price"), paid.rename(columns={"price": "revenue", "n": "n_priced"})
