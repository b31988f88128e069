"""What several reports say of the pace at which customers leave."""

from __future__ import annotations

import math

from cslib.data.drift import Drift
from cslib.show.formats import percent


def changed_pace(found: Drift, *, usual: str = "") -> str:
    """Say that customers leave faster, or more slowly, than they did, and that figures rest on it or do not.

    Parameters
    ----------
    found
        The change.
    usual
        What all years would say, to stand beside figures that rest on the last twelve months.
    """
    change = abs(found.recent / found.before - 1) if found.before else math.inf
    many = f"{percent(change)} {'higher' if found.faster else 'lower'}" if math.isfinite(change) else "higher"
    pace = f"churn of the last 12 months is {many} than before, at the same ages"
    text = f"Customers now leave {'faster' if found.faster else 'more slowly'}: {pace}."
    if not found.clear:
        text = f"How fast customers leave has changed among all; among these, {pace}, which may be chance."
    if found.carries:
        return f"{text} Figures below rest on these 12 months" + (f"; over all years, {usual}." if usual else ".")
    likely = "long" if found.faster else "short"
    few = "because too few customers started in these 12 months"
    return f"{text} Figures below are averages over all years, {few}, so stays come out too {likely}."


def assumed_pace(*, recent: bool, by_start: bool = False) -> str:
    """Say at what pace customers are taken to go on leaving, beside a forecast of them.

    Parameters
    ----------
    recent
        Whether it is that of the last twelve months.
    by_start
        Whether quarters of start differ.
    """
    whom = "the same age and quarter of start" if by_start else "the same age"
    when = "did in the last 12 months" if recent else "have so far"
    return f"We assume that they go on leaving as customers of {whom} {when}."
