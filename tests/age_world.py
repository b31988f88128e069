"""Ages in months by looking for anniversaries, one by one."""

import pandas as pd
from dateutil.relativedelta import relativedelta


def age(start, end):
    """Completed months, and the days since the last anniversary over those to the next."""
    start, end = pd.Timestamp(start).date(), pd.Timestamp(end).date()
    months = (end.year - start.year) * 12 + end.month - start.month
    months -= start + relativedelta(months=months) > end
    last, following = (start + relativedelta(months=months + k) for k in (0, 1))
    return months + (end - last).days / (following - last).days


def ages(starts, ends):
    return [age(start, end) for start, end in zip(starts, ends, strict=True)]
