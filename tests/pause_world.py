"""A world that never changes: 5 % of those who pay stop every month, and 60 % of these pay again after three months."""

import numpy as np
import pandas as pd

import cslib as cs

STOPS, COMES_BACK, AFTER = 0.05, 0.6, 3
AS_OF = "2025-06-30"


def subscriptions(n, months=48, *, seed=0, price=100.0):
    """Rows of a steady base of about n who pay: spans of whole months that begin and end on the first of one."""
    rng = np.random.default_rng(seed)
    flow = n * STOPS * (1 - COMES_BACK)
    begun = np.concatenate([np.zeros(n, int), np.repeat(np.arange(1, months), rng.poisson(flow, months - 1))])
    who, rows = np.arange(len(begun)), []
    while len(who):
        end = begun + rng.geometric(STOPS, len(who))
        rows.append(pd.DataFrame({"who": who, "begun": begun, "end": end}))
        back = (rng.random(len(who)) < COMES_BACK) & (end + AFTER < months)
        who, begun = who[back], end[back] + AFTER
    table = pd.concat(rows)
    first = pd.Timestamp(AS_OF).to_period("M") - (months - 1)
    ordinals = (first.ordinal + table[c].to_numpy() for c in ("begun", "end"))
    start, end = (pd.PeriodIndex.from_ordinals(o, freq="M").to_timestamp() for o in ordinals)
    ids, end = ("c" + table["who"].astype(str)).to_numpy(), end.where(table["end"] < months)
    return pd.DataFrame({"customer_id": ids, "started_on": start, "ended_on": end, "mrr": price})


def loaded(n, *, pause_months=0, **more):
    return cs.load({"subscriptions": subscriptions(n, **more)}, as_of=AS_OF, pause_months=pause_months)
