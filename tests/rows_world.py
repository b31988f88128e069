"""Rows for properties of what an engine computes: one load takes as long for a hundred of them as for one."""

from hypothesis import strategies as st

WHO = st.one_of(st.integers(0, 3), st.integers(0, 30))  # some with many rows, more with one


def few_or_many(row):
    """Lists of rows: few, where a failure is easily read, or so many that there is one of every kind."""
    return st.one_of(st.lists(row, min_size=1, max_size=15), st.lists(row, min_size=40, max_size=80))
