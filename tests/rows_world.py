"""Rows for properties of what an engine computes: one load takes as long for a hundred of them as for one."""

import pandas as pd
from hypothesis import strategies as st

ENDLESS = """
as_of = 2025-06-30
[customers]
query = '''
with recursive n as (select 1 as i union all select i + 1 from n)
select cast(i as varchar) as customer_id, date '2025-01-01' as started_on, cast(null as date) as churned_on from n
'''
"""
WHO = st.one_of(st.integers(0, 3), st.integers(0, 30))  # some with many rows, more with one


def few_or_many(row):
    """Lists of rows: few, where a failure is easily read, or so many that there is one of every kind."""
    return st.one_of(st.lists(row, min_size=1, max_size=15), st.lists(row, min_size=40, max_size=80))


def lives_of(paid):
    """Customer by customer: from when to when something was paid, and which life it was; a gap in which no month ends is none."""
    rows, never = [], pd.Timestamp("2099-01-01")
    for who, own in paid[paid["mrr"] > 0].groupby("customer_id"):
        spans = []
        for row in own.assign(end=pd.to_datetime(own["ended_on"]).fillna(never)).sort_values("started_on").itertuples():
            if spans and row.started_on.to_period("M") <= spans[-1][1].to_period("M"):
                spans[-1][1] = max(spans[-1][1], row.end)
            else:
                spans.append([row.started_on, row.end])
        rows += [(who, i, start, pd.NaT if end == never else end) for i, (start, end) in enumerate(spans, start=1)]
    return pd.DataFrame(rows, columns=["customer_id", "life", "started_on", "churned_on"])
