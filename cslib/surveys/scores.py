"""Scores from counted answers: by segment, over time, between two windows, and allowing for those who were silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from cslib.stats.intervals import (
    LEVEL,
    SIGNIFICANT,
    Floats,
    Interval,
    beyond_last,
    holm,
    last_from_before,
    newcombe,
    wilson,
)
from cslib.surveys.answers import SILENT, SMALL, Answers, Measure, Periods

ENOUGH: Final = 300  # answers from which the normal limit of a permutation test is taken
DRAWS: Final = 10_000
SEED: Final = 1
ALL: Final = "All"
JOIN: Final = " × "
EXTRA: Final = ("response_ci_lower", "response_ci_upper", "difference_ci_lower", "difference_ci_upper", "share")


@dataclass(frozen=True)
class Moments:
    """Mean of the answers, its standard error, and the degrees of freedom of Student's t (infinite: normal)."""

    mean: Floats
    error: Floats
    freedom: Floats


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add ``clear``: a difference is more than chance, ``p_adjusted`` below 0.05; where it is missing, it is not.

    Examples
    --------
    >>> judged(pd.DataFrame({"p_adjusted": [0.2, 0.01, np.nan]}))["clear"].tolist()
    [False, True, False]
    """
    return table.assign(clear=table["p_adjusted"] < SIGNIFICANT)


def strongest(table: pd.DataFrame, column: str) -> pd.Series[Any] | None:
    """Give the row that is furthest from 0 in a column, of those whose difference is ``clear``; None without such."""
    clear = table[table["clear"]]
    return None if clear.empty else clear.iloc[int(clear[column].abs().argmax())]


def extremes(table: pd.DataFrame, score: str) -> pd.DataFrame:
    """Keep the segments of the highest and of the lowest score; none where there are no two."""
    parts = table[(table["segment"] != ALL) & table[score].notna()]
    return parts.loc[[parts[score].idxmax(), parts[score].idxmin()]] if len(parts) > 1 else parts.head(0)


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


def score_of(given: Floats, asked: Measure) -> Floats:
    """Score of answers counted by score, shape (..., scores); NaN without answers."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(given @ np.array(asked.worth) / given.sum(axis=-1))


def quantile(freedom: Floats, level: ArrayLike = LEVEL) -> Floats:
    """Quantile of Student's t that bounds a two-sided interval; normal where the degrees of freedom are infinite."""
    finite, upper = np.where(np.isfinite(freedom) & (freedom > 0), freedom, 1.0), 0.5 + np.asarray(level, float) / 2
    return np.where(np.isfinite(freedom), stdtrit(finite, upper), ndtri(upper))


def allowing(p_values: ArrayLike) -> Floats:
    """Confidence level of intervals of differences that are compared as one family, so that they agree with Holm.

    Of what is not clear by Holm it is Bonferroni's; of what is, that of its step.

    Examples
    --------
    >>> allowing([0.001, 0.3, 0.02, np.nan]).round(4).tolist()
    [0.9833, 0.9833, 0.975, 0.9833]
    >>> allowing([0.2]).tolist()
    [0.95]
    """
    p = pd.Series(np.asarray(p_values, float))
    step = (p.count() + 1 - p.rank(method="first")).where(holm(p) < SIGNIFICANT, p.count())
    return 1 - SIGNIFICANT / np.maximum(step.to_numpy(float), 1)


def score_interval(given: Floats, asked: Measure) -> Interval:
    """Interval of a score from answers counted by score.

    Parameters
    ----------
    given
        Answers of each score from the lowest on, shape (m, scores).
    asked
        As from :func:`cslib.surveys.answers.measure`.

    Returns
    -------
    Interval
        Of the score; NaN without answers.

    Notes
    -----
    NPS: adjusted Wald, ¾ promoter, 1½ passive and ¾ detractor added, widened to the score where a few answers all alike
    put it outside; simulated, it covers 94 to 98 % from 30 answers on, and more where nearly all are passive. CSAT:
    Wilson. CES: Student's t, missing with one answer or where all are alike; it covers where answers spread, but of 30
    answers piled up at one end only 90 %, and 50 % where hard ones are one in fifty.

    References
    ----------
    Rocks (2016), The American Statistician 70:365–372 (NPS); Wilson (1927), JASA 22:209–212.

    Examples
    --------
    1,000 answers, 250 promoters and 75 detractors: 17.5, from 14.09 to 20.81.

    >>> from cslib.surveys.answers import measure
    >>> interval = score_interval(np.array([75, 0, 0, 0, 0, 0, 0, 675, 0, 250, 0]), measure("nps"))
    >>> round(float(interval.lower), 2), round(float(interval.upper), 2)
    (14.09, 20.81)
    """
    given = np.asarray(given, float)
    if asked.unit == "percent":
        return wilson(given @ np.array(asked.worth), given.sum(axis=-1))
    found = moments(given, asked)
    half = quantile(found.freedom) * found.error
    score = score_of(given, asked)
    lower = np.minimum(np.maximum(found.mean - half, min(asked.worth)), score)
    upper = np.maximum(np.minimum(found.mean + half, max(asked.worth)), score)
    return Interval(lower, upper)


def _difference_interval(own: Floats, rest: Floats, asked: Measure, level: Floats) -> Interval:
    """Bounds of the difference of two scores, one per row, each with its level of confidence."""
    if asked.unit == "percent":
        given = np.stack([own, rest], axis=1)
        satisfied, n = given @ np.array(asked.worth), given.sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = zip(satisfied, n, level, strict=True)
            found = [newcombe(x, of, confidence_level=float(own_level)) for x, of, own_level in each]
        return Interval(np.array([f.lower for f in found]), np.array([f.upper for f in found]))
    a, b = moments(own, asked), moments(rest, asked)
    half = quantile(_welch(a, b), level) * np.hypot(a.error, b.error)
    reach, apart = max(asked.worth) - min(asked.worth), a.mean - b.mean
    return Interval(np.maximum(apart - half, -reach), np.minimum(apart + half, reach))


def _permuted(own: Floats, rest: Floats, worth: Floats) -> float:
    """Test whether two groups answer alike: p-value of the difference of their scores, two-sided.

    All ways to deal the answers out to groups of these sizes are equally likely where nothing differs: they are drawn
    where a group has few answers, else the normal limit is taken. 1 where all answers are worth the same.
    """
    smaller, together = (own if own.sum() <= rest.sum() else rest), own + rest
    n, total = smaller.sum(), together.sum()
    mean = together @ worth / total
    spread = together @ (worth - mean) ** 2 / (total - 1)
    if not spread > 0:
        return 1.0
    seen = abs(smaller @ worth - n * mean)
    if n >= ENOUGH:
        return float(2 * ndtr(-seen / np.sqrt(spread * n * (total - n) / total)))
    draws = np.random.default_rng(SEED).multivariate_hypergeometric(together.astype("int64"), int(n), size=DRAWS)
    return float((1 + (np.abs(draws @ worth - n * mean) >= seen * (1 - 1e-9)).sum()) / (DRAWS + 1))


def _welch(a: Moments, b: Moments) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = a.error**2, b.error**2
        return np.where(np.isfinite(a.freedom), (one + two) ** 2 / (one**2 / a.freedom + two**2 / b.freedom), np.inf)


def small_groups(sizes: pd.DataFrame, least: int) -> list[str]:
    """Name the groups that may not be shown alone: those with too few answers, and as many more as hide them.

    Parameters
    ----------
    sizes
        Answers of each group (rows) in each window (columns); missing where it was not asked.
    least
        Answers below which a group is small.

    Returns
    -------
    list of str

    Examples
    --------
    One small group could be derived from the total; the next one goes with it.

    >>> small_groups(pd.DataFrame({"now": [90, 4, 30]}, index=["a", "b", "c"]), 10)
    ['b', 'c']
    """
    order = sizes.loc[sizes.min(axis=1).sort_values(kind="stable").index]
    few = int((order.min(axis=1) < least).sum())
    while 0 < few < len(order) and (few < 2 or order.iloc[:few].sum().between(1, least - 1).any()):
        few += 1
    return [str(name) for name in order.index[:few]]


def answers_by_score(frame: pd.DataFrame, keys: Sequence[str], asked: Measure, which: str = "now") -> pd.DataFrame:
    """Count customers asked (``n_invited``) and answers by score, one row per combination of the keys."""
    was_asked = frame[frame[which] >= SILENT]
    wide = was_asked.groupby([*keys, which])["n"].sum().unstack(fill_value=0)
    wide = wide.reindex(columns=[SILENT, *asked.scores], fill_value=0).astype("int64")
    wide.insert(0, "n_invited", wide.sum(axis=1))
    return wide.drop(columns=SILENT)


def segmented(found: Answers, column: str, least: int = 0) -> pd.DataFrame:
    """Give the counts columns ``segment`` and ``segment_before`` of the values of a column, small ones merged.

    Which ones are merged is the same in every table: those with too few answers in either window.
    """
    counts = found.counts
    frame = counts.assign(segment=counts[column], segment_before=counts[found.earlier.get(column, column)])
    if least <= 0:
        return frame
    places = {"segment": "now", "segment_before": "before"}
    given = [answers_by_score(frame, [place], found.measure, which) for place, which in places.items()]
    small = small_groups(pd.concat([each[found.measure.scores].sum(axis=1) for each in given], axis=1), least)
    return frame.assign(**{place: frame[place].mask(frame[place].isin(small), SMALL) for place in places})


def _described(given: pd.DataFrame, asked: Measure) -> pd.DataFrame:
    """Turn answers by score into sizes, shares, score and interval."""
    counted = given[asked.scores].to_numpy(float)
    n = counted.sum(axis=1)
    interval = score_interval(counted, asked)
    places = np.array(asked.places)
    rate = wilson(n, given["n_invited"])
    table = pd.DataFrame({"n_invited": given["n_invited"], "n_responses": n.astype("int64")})
    table = table.assign(response_rate=n / table["n_invited"], **rate.columns("response_"))
    for place, name in enumerate(asked.groups):
        table[f"n_{name}"] = counted[:, places == place].sum(axis=1).astype("int64")
    table = table.assign(**{asked.survey: score_of(counted, asked)}, **interval.columns())
    return table.assign(**_mean_answer(counted, asked)) if asked.survey == "csat" else table


def _mean_answer(counted: Floats, asked: Measure) -> dict[str, Floats]:
    """Mean of the answers themselves, with Student's interval."""
    plain = replace(asked, survey="mean", worth=tuple(map(float, asked.scores)), prior=(0.0,) * len(asked.scores))
    return {"mean_answer": moments(counted, plain).mean, **score_interval(counted, plain).columns("mean_")}


def scores(found: Answers, *, columns: Sequence[str | tuple[str, str]] = (), min_group: int = 10) -> pd.DataFrame:
    """Score of the whole and of each segment of each column, compared with all the others.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`.
    columns
        Those of its columns to compare by; empty: all. A pair of columns is crossed.
    min_group
        Segments with fewer answers, in either window, are merged into ``(small groups)``, with the next smallest
        where one alone could be derived; a column of which one group would be left is left out.

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
    Intervals of differences: normal with the answers of the prior in both groups (NPS), Newcombe (CSAT), Welch's t
    (CES); widened to the difference itself. They allow for all that is compared (:func:`allowing`). p-values: all
    answers dealt out at random to groups of these sizes, 10,000 times (seeded) where a group has fewer than 300
    answers, else the normal limit. Columns that nest in one another, such as country and region, may let a small group
    be derived; compare by one of them.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873–890; Holm (1979), Scandinavian Journal of Statistics 6:65–70; Pitman
    (1937), Supplement to JRSS 4:119–130.
    """
    return _adjusted(found, _scored(found, columns or found.columns, min_group))


Scored: TypeAlias = Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]
"""Of each column, and first of all together: answers by score of each of its groups, and what is told of these."""


def _scored(found: Answers, columns: Sequence[str | tuple[str, str]], min_group: int) -> Scored:
    """Score the groups of each column by themselves; a column of which one group would be left is not here."""
    asked = found.measure
    whole = answers_by_score(found.counts.assign(segment="All"), ["segment"], asked)
    scored = {ALL: (whole, _described(whole, asked).reset_index().assign(segment_by=ALL, share=1.0))}
    for column in columns:
        frame = segmented(found, column, min_group) if isinstance(column, str) else _crossed(found, column, min_group)
        given = answers_by_score(frame, ["segment"], asked)
        if len(given) > 1:
            name = _named(column)
            scored[name] = (given, _compared(given, asked).assign(segment_by=name))
    return scored


def _named(column: str | tuple[str, str]) -> str:
    return column if isinstance(column, str) else JOIN.join(column)


def _adjusted(found: Answers, scored: Scored) -> pd.DataFrame:
    """Make one table of scored columns, whose groups are compared as one family."""
    given, parts = ({name: part[place] for name, part in scored.items()} for place in (0, 1))
    table = pd.concat(parts.values(), ignore_index=True)
    if len(parts) > 1:
        table["p_adjusted"], level = _judged_together(table)
        table = table.assign(**_bounds(table, pd.concat(given), found.measure, level).columns("difference_"))
    if found.only_answers:
        table[["response_rate", "response_ci_lower", "response_ci_upper"]] = np.nan
    described = [c for c in parts[ALL] if c not in ("segment_by", "segment", "share")]
    difference = [f"difference_{c}" for c in ("from_rest", "ci_lower", "ci_upper")]
    more = [*difference, "p_value", "p_adjusted", "contribution", "share"]
    return table.reindex(columns=["segment_by", "segment", *described, *more])


def family(
    found: Answers, columns: Sequence[str], *, beside: Sequence[str | tuple[str, str]] = (), min_group: int = 10
) -> pd.DataFrame:
    """Score the groups of some columns, who are compared as one family, and others beside them.

    Parameters
    ----------
    found, min_group
        As for :func:`scores`.
    columns
        What customers are: a report and the scorecard judge a group by one and the same ``p_adjusted``, of whatever
        column a reader asks.
    beside
        Further columns, or pairs of them. Their groups are adjusted for all comparisons, those of the family included.

    Returns
    -------
    pandas.DataFrame
        As from :func:`scores`.
    """
    if not columns or not beside:
        return scores(found, columns=[*columns, *beside], min_group=min_group)
    scored = _scored(found, [*columns, *beside], min_group)
    own = _adjusted(found, {name: part for name, part in scored.items() if name in (ALL, *columns)})
    every = _adjusted(found, scored)
    return pd.concat([own, every[~every["segment_by"].isin(own["segment_by"])]], ignore_index=True)


def of_columns(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Keep the whole and the groups of some columns of a table as from :func:`scores`, in the order of the columns."""
    parts = [table[table["segment_by"] == name] for name in (ALL, *columns)]
    return pd.concat(parts, ignore_index=True)


def _compared(given: pd.DataFrame, asked: Measure) -> pd.DataFrame:
    table = _described(given, asked)
    own = given[asked.scores].to_numpy(float)
    rest, total = own.sum(axis=0) - own, own.sum(axis=0)
    n, worth = own.sum(axis=1), np.array(asked.worth)
    known = (n > 0) & (rest.sum(axis=1) > 0)
    apart = score_of(own, asked) - score_of(rest, asked)
    p = [_permuted(a, b, worth) if k else np.nan for a, b, k in zip(own, rest, known, strict=True)]
    table = table.assign(difference_from_rest=apart, p_value=p, share=n / total.sum())
    table["contribution"] = (own @ worth - n * (total @ worth) / total.sum()) / total.sum()
    order, ascending = ["last", asked.survey], [True, asked.lower_is_better]
    table = table.assign(last=table.index == SMALL).sort_values(order, ascending=ascending)
    return table.drop(columns="last").rename_axis("segment").reset_index()


def _judged_together(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Holm over all segments, and levels of intervals; where a column has two, both are one test and count once."""
    sizes = table.groupby("segment_by")["segment"].transform("size")
    mirror = (sizes == 2) & table.duplicated("segment_by")
    once = table["p_value"].where(~mirror)
    adjusted, level = (np.where(mirror, np.roll(own, 1), own) for own in (holm(once), allowing(once)))
    return adjusted, level


def _bounds(table: pd.DataFrame, given: pd.DataFrame, asked: Measure, level: Floats) -> Interval:
    """Bounds of the differences of all rows from what is left of their column, from answers by column and segment."""
    counted = given[asked.scores]
    own = counted.loc[list(zip(table["segment_by"], table["segment"], strict=True))]
    rest = (counted.groupby(level=0).transform("sum").loc[own.index] - own).to_numpy(float)
    bounds, apart = _difference_interval(own.to_numpy(float), rest, asked, level), table["difference_from_rest"]
    known = table["p_value"].notna().to_numpy()
    ends = (np.minimum(bounds.lower, apart), np.maximum(bounds.upper, apart))
    return Interval(*(np.where(known, end, np.nan) for end in ends))


def _crossed(found: Answers, pair: tuple[str, str], min_group: int = 10) -> pd.DataFrame:
    """Give the counts columns ``row``, ``column`` and ``segment`` (``row × column``), small cells merged."""
    row, column = (segmented(found, c, min_group)["segment"] for c in pair)
    frame = found.counts.assign(row=row, column=column)
    cells = answers_by_score(frame, ["row", "column"], found.measure)[found.measure.scores].sum(axis=1)
    grid = cells.unstack(fill_value=0)
    hidden = (_hidden(grid, min_group) | (grid == 0)).stack()
    small = pd.MultiIndex.from_frame(frame[["row", "column"]]).isin(hidden.index[hidden.to_numpy(bool)])
    return frame.assign(segment=(frame["row"] + JOIN + frame["column"]).mask(small, SMALL))


def cells(found: Answers, pair: tuple[str, str], *, min_group: int = 10) -> pd.DataFrame:
    """Score of every cell of two columns crossed that may be shown.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`.
    pair
        Two of its columns.
    min_group
        As for :func:`scores`. What is merged in one column is merged here, too; then cells are hidden until no row or
        column of the grid has a single hidden one, which its total would reveal.

    Returns
    -------
    pandas.DataFrame
        ``row``, ``column``, ``n_responses``, the score (``nps``), ``ci_lower``, ``ci_upper``.
    """
    frame = _crossed(found, pair, min_group)
    columns = ["row", "column", "n_responses", found.measure.survey, "ci_lower", "ci_upper"]
    shown = frame[(frame["segment"] != SMALL) & (frame["now"] >= SILENT)]
    if shown.empty:
        return pd.DataFrame(columns=columns)
    given = answers_by_score(shown, ["row", "column"], found.measure)
    return _described(given, found.measure).reset_index()[columns]


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
    cost = np.where(row_alone & column_alone, n - n.max(), n)  # one cell for two lines
    row, column = np.unravel_index(np.where(free, cost, n.max() + 1).argmin(), n.shape)
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
    table = pd.DataFrame({"score": asked.scores, "group": groups, "n": n, "share": n / n.sum()})
    return table.assign(**interval.columns())


def trend(found: Periods, *, min_group: int = 10, merged: Sequence[str] = ()) -> pd.DataFrame:
    """Score by calendar period.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers_by_period`.
    min_group
        A segment is blank in a period with fewer answers of it, and others are where it could be derived from the whole
        of the period or of the segment. The whole is always shown.
    merged
        Segments to merge, as from :func:`small_segments`.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``period`` (first day), ``n_responses``, the score (``nps``), ``ci_lower``,
        ``ci_upper``.
    """
    asked, counted = found.measure, found.counts
    values = ["n_responses", asked.survey, "ci_lower", "ci_upper"]
    counted = counted.assign(segment=counted["segment"].mask(counted["segment"].isin(merged), SMALL))
    if not (counted["now"] > SILENT).any():
        return pd.DataFrame(columns=["segment", "period", *values])
    whole = _described(answers_by_score(counted.assign(segment="All"), ["segment", "period"], asked), asked)
    parts = _described(answers_by_score(counted, ["segment", "period"], asked), asked)
    parts = parts.astype({"n_responses": float})
    grid = parts["n_responses"].unstack(fill_value=0)
    blank = _hidden(grid, min_group).stack().reindex(parts.index)
    parts.loc[blank.to_numpy(bool), values] = np.nan
    parts = parts if len(grid) > 1 else parts.iloc[:0]
    table = pd.concat([whole.reset_index(), parts.reset_index()], ignore_index=True).astype({"n_responses": "Int64"})
    return table[["segment", "period", *values]]


def every_answer(table: pd.DataFrame, survey: str, *, since: date, until: date) -> pd.Series[Any]:
    """Take the periods of a trend that begin in a window together, in which every answer of a customer counts.

    Parameters
    ----------
    table
        As from :func:`trend`.
    survey
        Its score.
    since, until
        First and last day of the window.

    Returns
    -------
    pandas.Series
        ``n_responses`` (one per customer and period), ``score`` (of all of them; missing without any).
    """
    inside = table["period"].between(pd.Timestamp(since), pd.Timestamp(until)) & (table["segment"] == ALL)
    rows = table[inside & (table["n_responses"] > 0)]
    n = rows["n_responses"].to_numpy(float)
    score = float(n @ rows[survey].to_numpy(float) / n.sum()) if len(n) else np.nan
    return pd.Series({"n_responses": n.sum(), "score": score})


def small_segments(found: Answers, column: str, min_group: int) -> list[str]:
    """Name the values of a column that :func:`scores` merges; none of no column."""
    if not column:
        return []
    frame = segmented(found, column, min_group)
    return sorted(found.counts.loc[frame["segment"] == SMALL, column].unique())


def drivers(table: pd.DataFrame, *, most: int = 15) -> pd.DataFrame:
    """Keep the segments that move the score most, in order of their difference.

    Parameters
    ----------
    table
        As from :func:`scores`.
    most
        Rows at most.

    Returns
    -------
    pandas.DataFrame
        ``segment_by``, ``segment``, ``level`` (both in one), ``share``, ``n_responses``, ``difference`` (from all other
        answers), ``ci_lower``, ``ci_upper``, ``p_adjusted``, ``clear`` (adjusted p below 0.05), ``contribution``; the
        largest difference first.
    """
    rows = table[table["contribution"].notna() & table["difference_ci_lower"].notna()]
    rows = rows.iloc[rows["contribution"].abs().argsort(kind="stable")[::-1]].head(most)
    renamed = {"difference_from_rest": "difference"} | {f"difference_{c}": c for c in ("ci_lower", "ci_upper")}
    rows = rows.drop(columns=["ci_lower", "ci_upper"]).rename(columns=renamed)
    rows = judged(rows.assign(level=rows["segment_by"] + ": " + rows["segment"]))
    columns = ["segment_by", "segment", "level", "share", "n_responses", *renamed.values(), "p_adjusted", "clear"]
    return rows[[*columns, "contribution"]].sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def last_period(table: pd.DataFrame, survey: str) -> pd.Series[Any] | None:
    """Hold the last period of a trend against all before it.

    Parameters
    ----------
    table
        As from :func:`trend`.
    survey
        Its score.

    Returns
    -------
    pandas.Series or None
        Its row, with ``before`` (score of the answers of all periods before), ``n_before`` (periods), ``clear`` (the
        difference is more than noise, by the normal approximation of its standard error), ``beyond`` and ``then``
        (score and period that lay furthest on the same side, further than the last; else missing). None where fewer
        than two periods have an interval.
    """
    rows = table[(table["segment"] == ALL) & table["ci_lower"].notna()]
    if len(rows) < 2:
        return None
    before, clear = last_from_before(*(rows[c] for c in (survey, "ci_lower", "ci_upper", "n_responses")))
    place = beyond_last(rows[survey], rows["n_responses"], before)
    further: Any = (np.nan, pd.NaT) if place is None else rows[[survey, "period"]].iloc[place]
    beyond, then = further
    return rows.assign(before=before, n_before=len(rows) - 1, clear=clear, beyond=beyond, then=then).iloc[-1]
