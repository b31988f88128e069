"""Answers without an engine: counts as :func:`cslib.surveys.answers.answers` gives them, drawn or written down."""

from datetime import date

import pandas as pd

from cslib.data.calendar import Window
from cslib.surveys.answers import Answers, Periods, measure

NOW, BEFORE = (
    Window(date(2024, 7, 1), date(2025, 6, 30), "12 months"),
    Window(date(2023, 7, 1), date(2024, 6, 30), "previous"),
)


def counted(rows, columns=("plan",), survey="nps", *, more=(), only_answers=False, **scale):
    """Counts of rows of dicts or of a frame with the columns, ``now`` and, if they are there, ``before`` and ``n``."""
    frame = pd.DataFrame(rows)
    frame = frame.reindex(columns=[*columns, *more, "before", "now", "n"]).fillna({"before": -2, "n": 1})
    frame = frame.astype({"before": int, "n": int})
    kept = [*columns, *more, "before", "now"]
    counts = frame.groupby(kept, as_index=False)["n"].sum()
    return Answers(counts, tuple(columns), (*columns, *more), {}, measure(survey, **scale), NOW, BEFORE, only_answers)


def tally(**columns):
    """Counts of columns of arrays, a row per combination: ``plan``, ``now``, ``n`` and, if it is there, ``before``."""
    frame = pd.DataFrame({"before": -2, **columns})
    return Answers(frame[frame["n"] > 0], ("plan",), ("plan",), {}, measure("nps"), NOW, BEFORE, only_answers=False)


def by_period(rows, survey="nps"):
    """Counts by period of rows of period, segment, answer and customers."""
    return Periods(pd.DataFrame(rows, columns=["period", "segment", "now", "n"]), measure(survey))
