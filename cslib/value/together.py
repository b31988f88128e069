"""All customers as the sum of their segments: one total, whatever a report sets beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cslib.stats.intervals import Floats
from cslib.stats.models import ENOUGH
from cslib.value.paths import Paths, Projection

WHOLE: Final = "All"


def summands(paths: Mapping[str, Paths]) -> dict[str, Paths]:
    """Take the segments of which all customers are the sum: none where there are none, or ten did not leave in each.

    Notes
    -----
    Of fewer the rate is (churned + ½) / months, so that many small segments together would lose too many.
    """
    own = {segment: path for segment, path in paths.items() if segment != WHOLE}
    enough = len(own) > 1 and all(path.n_events >= ENOUGH for path in own.values())
    return own if enough else {}


def followed(paths: Mapping[str, Paths], months: int) -> dict[str, Projection]:
    """Follow the present customers of each segment so many months ahead, and all of them as their sum.

    Parameters
    ----------
    paths
        As from :func:`cslib.value.paths.value_paths`.
    months
        Ahead.

    Returns
    -------
    dict of str to Projection
        In the order of ``paths``. ``All`` is the sum over :func:`summands`, draw by draw, as segments are drawn each by
        itself; without them it is estimated as one group.

    Notes
    -----
    As one group all customers of an age leave alike and pay alike. Where dear customers stay longer, that overstates
    what less churn would add: those kept would be mostly cheap ones. In 115 simulated worlds (300 customers at 10 a
    month who leave at a rate of 0.08, 150 at 100 who leave at 0.02, begun over three years) the 95 % interval of the
    sum covered the value of 24 months in 97 %, that of one group in 70 %, and as one group 10 % less churn seemed to
    add 1.9 times what it would.
    """
    added = summands(paths)
    each = {segment: own.ahead(months) for segment, own in (added or paths).items()}
    if not added:
        return each
    sums = {name: sum(getattr(own, name) for own in each.values()) for name in Projection.__annotations__}
    return {segment: each.get(segment, Projection(**sums)) for segment in paths}


def mean_gain(gains: Mapping[str, Floats], paths: Mapping[str, Paths]) -> dict[str, Floats]:
    """Set for all customers the mean of what a new one of each segment gains, by numbers of customers.

    Parameters
    ----------
    gains
        Per new customer, by segment: the estimate and each draw.
    paths
        Of the same.

    Returns
    -------
    dict of str to numpy.ndarray
        ``gains``, with another ``All`` where it is the sum of :func:`summands`.
    """
    added = summands(paths)
    if not added:
        return dict(gains)
    n = [own.n_customers for own in added.values()]
    mean = np.average([gains[segment] for segment in added], axis=0, weights=n)
    return {**gains, WHOLE: np.asarray(mean)}
