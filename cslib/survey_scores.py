"""Scores from counted answers: by segment, over time, between two windows, and allowing for those who were silent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from cslib.counts import period_start
from cslib.intervals import Interval, holm, wilson, z_value
from cslib.surveys import SILENT, Answers, Measure

__all__ = [
    *(
        "EXTRA",
        "JOIN",
        "SMALL",
        "answers_by_score",
        "crossed",
        "difference",
        "distribution",
        "hide",
        "merged",
        "moments",
        "score_interval",
    ),
    *("scores", "small_groups", "trend"),
]

Floats = NDArray[np.float64]
SMALL: Final = "(small groups)"
JOIN: Final = " × "
EXTRA: Final = ("response_ci_lower", "response_ci_upper", "difference_ci_lower", "difference_ci_upper", "share")


@dataclass(frozen=True)
class Moments:
    """Mean of the answers, its standard error, and the degrees of freedom of Student's t (infinite: normal)."""

    mean: Floats
    error: Floats
    freedom: Floats


def moments(given: Floats, asked: Measure) -> Moments:
    """Moments of answers counted by score, shape (..., scores), those of the prior added."""
    worth, prior = np.array(asked.worth), np.array(asked.prior)
    counted = given + prior
    n = counted.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = counted @ worth / n
        spread = np.maximum(counted @ worth**2 / n - mean**2, 0)
        if prior.any():
            return Moments(mean, np.sqrt(spread / n), np.full(n.shape, np.inf))
        spread = np.where(spread > 0, spread, np.nan)  # answers all alike tell of no spread
        return Moments(mean, np.sqrt(spread / np.where(n > 1, n - 1, np.nan)), n - 1)


def _quantile(p: float, freedom: Floats) -> Floats:
    finite = np.where(np.isfinite(freedom) & (freedom > 0), freedom, 1.0)
    return np.where(np.isfinite(freedom), stdtrit(finite, p), ndtri(p))


def score_interval(given: Floats, asked: Measure, *, confidence_level: float = 0.95) -> Interval:
    """Interval of a score from answers counted by score.

    Parameters
    ----------
    given
        Answers of each score from the lowest on, shape (m, scores).
    asked
        As from :func:`cslib.surveys.measure`.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    Interval
        Of the score; NaN without answers.

    Notes
    -----
    NPS: adjusted Wald, ¾ promoter, 1½ passive and ¾ detractor added, widened to the score where a few answers all alike
    put it outside; simulated, it covers 94 to 97 % from 30 answers on. CSAT: Wilson. CES: Student's t, missing with one
    answer or where all are alike.

    References
    ----------
    Rocks (2016), The American Statistician 70:365–372 (NPS); Wilson (1927), JASA 22:209–212.

    Examples
    --------
    1,000 answers, 250 promoters and 75 detractors: 17.5, from 14.09 to 20.81.

    >>> from cslib.surveys import measure
    >>> interval = score_interval(np.array([75, 0, 0, 0, 0, 0, 0, 675, 0, 250, 0]), measure("nps"))
    >>> round(float(interval.lower), 2), round(float(interval.upper), 2)
    (14.09, 20.81)
    """
    z_value(confidence_level)
    given = np.asarray(given, float)
    n = given.sum(axis=-1)
    if asked.survey == "csat":
        return wilson(given @ np.array(asked.worth), n, confidence_level=confidence_level)
    found = moments(given, asked)
    half = _quantile(0.5 + confidence_level / 2, found.freedom) * found.error
    with np.errstate(divide="ignore", invalid="ignore"):
        score = given @ np.array(asked.worth) / n
    lower = np.minimum(np.maximum(found.mean - half, min(asked.worth)), score)
    upper = np.maximum(np.minimum(found.mean + half, max(asked.worth)), score)
    return Interval(lower, upper)


def small_groups(sizes: pd.Series[Any], least: int) -> list[str]:
    """Name the groups that may not be shown alone: those with too few answers, and as many more as hide them.

    Examples
    --------
    One small group could be derived from the total; the next one goes with it.

    >>> small_groups(pd.Series({"a": 90, "b": 4, "c": 30}), 10)
    ['b', 'c']
    """
    order = sizes.sort_values(kind="stable")
    few = int((order < least).sum())
    while 0 < few < len(order) and (few < 2 or order.iloc[:few].sum() < least):
        few += 1
    return [str(name) for name in order.index[:few]]


def answers_by_score(frame: pd.DataFrame, keys: Sequence[str], asked: Measure, which: str = "now") -> pd.DataFrame:
    """Count customers asked (``n_invited``) and answers by score, one row per combination of the keys."""
    was_asked = frame[frame[which] >= SILENT]
    wide = was_asked.pivot_table(index=list(keys), columns=which, values="n", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=[SILENT, *asked.scores], fill_value=0).astype("int64")
    wide.insert(0, "n_invited", wide.sum(axis=1))
    return wide.drop(columns=SILENT)


def hide(values: pd.Series[Any], small: Iterable[str]) -> pd.Series[Any]:
    return values.where(~values.isin(list(small)), SMALL)


def merged(found: Answers, column: str, least: int) -> pd.DataFrame:
    """Give the counts a column ``segment``: the values of a column, small ones merged."""
    frame = found.counts.assign(segment=found.counts[column])
    given = answers_by_score(frame, ["segment"], found.measure)[found.measure.scores].sum(axis=1)
    sizes = given.reindex(frame.loc[frame["now"] >= SILENT, "segment"].unique(), fill_value=0)
    return frame.assign(segment=hide(frame["segment"], small_groups(sizes, least)))


def _described(given: pd.DataFrame, asked: Measure, confidence_level: float) -> pd.DataFrame:
    """Turn answers by score into sizes, shares, score and interval."""
    counted, worth = given[asked.scores].to_numpy(float), np.array(asked.worth)
    n = counted.sum(axis=1)
    interval = score_interval(counted, asked, confidence_level=confidence_level)
    places = np.array(asked.places)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = counted @ worth / n
    groups = {
        f"n_{name}": counted[:, places == place].sum(axis=1).astype("int64") for place, name in enumerate(asked.groups)
    }
    rate = wilson(n, given["n_invited"], confidence_level=confidence_level)
    return pd.DataFrame(
        {
            "n_invited": given["n_invited"].to_numpy(),
            "n_responses": n.astype("int64"),
            "response_rate": n / given["n_invited"].to_numpy(),
            "response_ci_lower": rate.lower,
            "response_ci_upper": rate.upper,
            **groups,
            asked.survey: score,
            "ci_lower": interval.lower,
            "ci_upper": interval.upper,
            **(_mean_answer(counted, asked, confidence_level) if asked.survey == "csat" else {}),
        },
        index=given.index,
    )


def _mean_answer(counted: Floats, asked: Measure, confidence_level: float) -> dict[str, Floats]:
    """Mean of the answers themselves, with Student's interval."""
    plain = replace(asked, survey="mean", worth=tuple(map(float, asked.scores)), prior=(0.0,) * len(asked.scores))
    interval = score_interval(counted, plain, confidence_level=confidence_level)
    mean = moments(counted, plain).mean
    return {"mean_answer": mean, "mean_ci_lower": interval.lower, "mean_ci_upper": interval.upper}


def scores(
    found: Answers, *, columns: Sequence[str] = (), min_group: int = 10, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Score of the whole and of each segment of each column, compared with all the others.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers`.
    columns
        Those of its columns to compare by; empty: all. A pair ``"a × b"`` crosses two.
    min_group
        Segments with fewer answers are merged into ``(small groups)``, with the next smallest where one alone
        could be derived; a column of which one group would be left is left out.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment_by``, ``segment`` (``All`` first), ``n_invited``, ``n_responses``, ``response_rate`` (missing where
        the data hold answers only), ``response_ci_lower``, ``response_ci_upper`` (Wilson), the three groups
        (``n_promoters``, ``n_passives``, ``n_detractors``), the score (``nps``), ``ci_lower``, ``ci_upper``, of CSAT
        also ``mean_answer``, ``mean_ci_lower``, ``mean_ci_upper`` (Student's t), ``difference_from_rest`` (score less
        that of all other answers), ``difference_ci_lower``, ``difference_ci_upper``, ``p_value``, ``p_adjusted`` (Holm
        over all segments of all columns; two segments of one column are one test), ``contribution`` (share of answers
        × (score − total); sums to 0 over a column), ``share`` (of answers).

    Notes
    -----
    Differences: normal with the answers of the prior in both groups (NPS, CSAT; Agresti & Caffo), Welch's t (CES).

    References
    ----------
    Agresti & Caffo (2000), The American Statistician 54:280–288; Holm (1979), Scandinavian Journal of Statistics
    6:65–70.
    """
    asked = found.measure
    whole = answers_by_score(found.counts.assign(segment="All"), ["segment"], asked)
    parts = [_described(whole, asked, confidence_level).reset_index().assign(segment_by="All", share=1.0)]
    for column in columns or found.columns:
        frame = crossed(found, column, min_group) if JOIN in column else merged(found, column, min_group)
        given = answers_by_score(frame, ["segment"], asked)
        if len(given) > 1:
            parts.append(_compared(given, asked, confidence_level).assign(segment_by=column))
    table = pd.concat(parts, ignore_index=True)
    table["p_adjusted"] = _adjusted(table) if "p_value" in table else np.nan
    if found.only_answers:
        table[["response_rate", "response_ci_lower", "response_ci_upper"]] = np.nan
    described = [c for c in parts[0] if c not in ("segment_by", "segment", "share")]
    difference = [f"difference_{c}" for c in ("from_rest", "ci_lower", "ci_upper")]
    more = [*difference, "p_value", "p_adjusted", "contribution", "share"]
    return table.reindex(columns=["segment_by", "segment", *described, *more])


def _compared(given: pd.DataFrame, asked: Measure, confidence_level: float) -> pd.DataFrame:
    table = _described(given, asked, confidence_level)
    own = given[asked.scores].to_numpy(float)
    rest, total = own.sum(axis=0) - own, own.sum(axis=0)
    n, worth = own.sum(axis=1), np.array(asked.worth)
    a, b = moments(own, asked), moments(rest, asked)
    known = (n > 0) & (rest.sum(axis=1) > 0)
    error = np.where(known, np.hypot(a.error, b.error), np.nan)
    tested = difference(a.mean - b.mean, error, _welch(a, b), confidence_level)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = own @ worth / n - rest @ worth / rest.sum(axis=1)
    reach = max(asked.worth) - min(asked.worth)
    table = table.assign(
        difference_from_rest=apart,
        difference_ci_lower=np.maximum(tested["ci_lower"], -reach),
        difference_ci_upper=np.minimum(tested["ci_upper"], reach),
        p_value=tested["p_value"],
        share=n / total.sum(),
        contribution=(own @ worth - n * (total @ worth) / total.sum()) / total.sum(),
    )
    order = table.assign(last=table.index == SMALL).sort_values(
        ["last", asked.survey], ascending=[True, asked.lower_is_better]
    )
    return order.drop(columns="last").rename_axis("segment").reset_index()


def difference(apart: Floats, error: Floats, freedom: Floats, confidence_level: float) -> dict[str, Floats]:
    """Bounds and p-values of differences from their errors, by Student's t (infinite freedom: normal)."""
    half = _quantile(0.5 + confidence_level / 2, freedom) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -np.abs(apart) / error
        finite = np.where(np.isfinite(freedom) & (freedom > 0), freedom, 1.0)
        p = 2 * np.where(np.isfinite(freedom), stdtr(finite, t), ndtr(t))
    return {"ci_lower": apart - half, "ci_upper": apart + half, "p_value": p}


def _welch(a: Moments, b: Moments) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = a.error**2, b.error**2
        return np.where(np.isfinite(a.freedom), (one + two) ** 2 / (one**2 / a.freedom + two**2 / b.freedom), np.inf)


def _adjusted(table: pd.DataFrame) -> Floats:
    """Holm over all segments; where a column has two, both are the same test and count once."""
    sizes = table.groupby("segment_by")["segment"].transform("size")
    mirror = (sizes == 2) & table.duplicated("segment_by")
    once = holm(table["p_value"].where(~mirror))
    return np.where(mirror, np.roll(once, 1), once)


def crossed(found: Answers, pair: str, min_group: int = 10) -> pd.DataFrame:
    """Give the counts a column ``segment`` of two columns crossed, small cells merged.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers`.
    pair
        Two of its columns, ``"a × b"``.
    min_group
        As for :func:`scores`. Cells are hidden until no row or column of the grid has a single hidden one, which
        its total would reveal.

    Returns
    -------
    pandas.DataFrame
        The counts with ``row``, ``column`` and ``segment`` (``row × column`` or ``(small groups)``).
    """
    row, column = pair.split(JOIN)
    frame = found.counts.assign(row=found.counts[row], column=found.counts[column])
    given = answers_by_score(frame, ["row", "column"], found.measure)[found.measure.scores].sum(axis=1)
    hidden = _hidden(given.unstack(fill_value=0), min_group)
    places = np.argwhere(hidden.to_numpy())
    small = {f"{hidden.index[i]}{JOIN}{hidden.columns[j]}" for i, j in places}
    segment = frame["row"] + JOIN + frame["column"]
    return frame.assign(segment=segment.where(~segment.isin(small), SMALL))


def _hidden(sizes: pd.DataFrame, least: int) -> pd.DataFrame:
    """Choose the cells of a grid to hide: small ones, and others until none follows from a total."""
    n = sizes.to_numpy()
    hidden = (n > 0) & (n < least)
    while (place := _revealing(n, hidden)) is not None:
        hidden[place] = True
    return pd.DataFrame(hidden, index=sizes.index, columns=sizes.columns)


def _revealing(n: NDArray[np.int64], hidden: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Find the smallest cell to hide beside one that is hidden alone in its row or column."""
    row_alone, column_alone = (hidden.sum(axis=axis, keepdims=True) == 1 for axis in (1, 0))
    free = (n > 0) & ~hidden & (row_alone | column_alone)
    if not free.any():
        return None
    row, column = np.unravel_index(np.where(free, n, np.iinfo("int64").max).argmin(), n.shape)
    return int(row), int(column)


def distribution(found: Answers) -> pd.DataFrame:
    """Count the answers of the whole by score.

    Returns
    -------
    pandas.DataFrame
        ``score``, ``group`` (such as promoters), ``n``, ``share`` (0–1), ``ci_lower``, ``ci_upper`` (Wilson).
    """
    asked = found.measure
    n = answers_by_score(found.counts.assign(segment="All"), ["segment"], asked)[asked.scores].to_numpy()[0]
    interval = wilson(n, np.full(len(n), n.sum()))
    groups = [asked.groups[place] for place in asked.places]
    return pd.DataFrame(
        {
            "score": asked.scores,
            "group": groups,
            "n": n,
            "share": n / n.sum(),
            "ci_lower": interval.lower,
            "ci_upper": interval.upper,
        }
    )


def trend(
    counted: pd.DataFrame, asked: Measure, *, complete: int, period: str = "month", min_group: int = 10
) -> pd.DataFrame:
    """Score by calendar period.

    Parameters
    ----------
    counted
        As from :func:`cslib.surveys.answers_by_period`.
    asked
        The measure it counts.
    complete
        Number of the last complete period; later ones are left out.
    period
        The period it counts.
    min_group
        A segment is blank in a period with fewer answers of it, with the next smallest where one alone could be
        derived; small segments are merged as by :func:`scores`. The whole is always shown.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``period`` (first day), ``n_responses``, the score (``nps``), ``ci_lower``,
        ``ci_upper``.
    """
    counted = counted[counted["at"] <= complete]
    if not (counted["now"] > SILENT).any():
        return pd.DataFrame(columns=["segment", "period", "n_responses", asked.survey, "ci_lower", "ci_upper"])
    sizes = counted["n"].where(counted["now"] > SILENT, 0).groupby(counted["segment"]).sum()
    frame = counted.assign(segment=hide(counted["segment"], small_groups(sizes, min_group)))
    split = answers_by_score(frame, ["segment", "at"], asked)
    parts = _described(split, asked, 0.95).reset_index()
    if parts["segment"].nunique() < 2:
        parts = parts.iloc[:0]
    values = ["n_responses", asked.survey, "ci_lower", "ci_upper"]
    blank = pd.Series(False, index=parts.index)
    for _, own in parts.groupby("at"):
        blank[own.index[own["segment"].isin(small_groups(own.set_index("segment")["n_responses"], min_group))]] = True
    parts[values] = parts[values].astype(float).mask(blank)
    whole = _described(
        answers_by_score(frame.assign(segment="All"), ["segment", "at"], asked), asked, 0.95
    ).reset_index()
    table = pd.concat([whole, parts], ignore_index=True).astype({"n_responses": "Int64"})
    table["period"] = [pd.Timestamp(period_start(int(at), period)) for at in table["at"]]
    return table[["segment", "period", *values]]
