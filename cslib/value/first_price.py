"""Whether acquisition cost is recovered late because new customers pay less at first than present ones do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.stats.intervals import percentiles
from cslib.value.ltv import Terms
from cslib.value.paths import Paths

COLUMNS: Final = ["segment", "first", "arpa"]


def slow_starts(paths: Mapping[str, Paths], terms: Terms, pay: pd.DataFrame) -> pd.DataFrame:
    """Find segments whose acquisition cost is recovered later because new customers pay less than present ones.

    Parameters
    ----------
    paths, terms, pay
        As given to :attr:`cslib.value.ltv.Worth.payback`, and what it made of them.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``first`` (MRR of a new customer, at age 0), ``arpa`` (MRR per present customer): those of which
        the first is clearly less (the 95 % interval of the difference ends below 0), it would take more months at it
        than at the second if nobody left, and payback takes more than at the second, too.
    """
    known: Any = pay[np.isfinite(pay["payback_months"]) & (pay["cac"] > 0)].itertuples()
    rows = []
    for row in known:
        own = paths[row.segment]
        first, arpa = own.price[0, 0], own.arpa[0]
        at_first, at_arpa = (_months(row.cac, mrr, terms) for mrr in (first, arpa))
        less = percentiles(own.price[:, 0] - own.arpa)["ci_upper"] < 0
        if less and min(at_first, row.payback_months) > at_arpa:
            rows.append([row.segment, first, arpa])
    return pd.DataFrame(rows, columns=COLUMNS)


def _months(cost: float, mrr: float, terms: Terms) -> float:
    """Whole months until the margin of a customer who stays has covered a cost."""
    net = mrr * terms.gross_margin - terms.retention_cost
    return float(np.ceil(cost / net)) if net > 0 else np.inf
