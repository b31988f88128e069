"""What lies behind a change of score, and behind those who were silent."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr

from cslib.stats.intervals import Floats, holm, z_value
from cslib.surveys.answers import SILENT, SMALL, Answers, Measure
from cslib.surveys.scores import (
    allowing,
    answers_by_score,
    moments,
    quantile,
    score_interval,
    score_of,
    segmented,
    small_groups,
)

ROUNDS: Final = 500  # of raking
POWER: Final = 0.8
MUTE: Final = 0.05
WORTH_SEEING: Final = {"nps": 5.0, "csat": 0.05, "ces": 0.5}  # a change of the score, in its own unit
CHANGE: Final = [
    *("segment", "n_before", "n_now", "score_before", "score_now", "change", "ci_lower", "ci_upper"),
    *("mix_effect", "within_effect", "p_value", "p_adjusted", "share_before", "share_now"),
]


def change(found: Answers, column: str = "", *, min_group: int = 10) -> pd.DataFrame:
    """Compare two windows: how each segment moved, and what the mix of segments did.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`, with a window to compare with.
    column
        One of its columns; empty: the whole only.
    min_group
        As for :func:`cslib.surveys.scores.scores`; the effects of merged segments are added up.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``n_before``, ``n_now`` (answers), ``score_before``, ``score_now``, ``change``,
        ``ci_lower``, ``ci_upper``, ``mix_effect``, ``within_effect``, ``p_value``, ``p_adjusted`` (Holm over segments;
        the whole stands alone), ``share_before``, ``share_now`` (of answers). Over the segments both effects add up to
        those of ``All``, and there exactly to the change. Empty without answers in both windows.

    Notes
    -----
    With shares w and scores s before (0) and now (1): within = ½(w₀ + w₁)(s₁ − s₀), mix = (w₁ − w₀)(½(s₀ + s₁) − S̄),
    S̄ the mean of both totals (Kitagawa). A segment that answered in one window only has moved the mix alone. The
    interval allows for customers who answered in both windows, and of segments for all that are compared
    (:func:`cslib.surveys.scores.allowing`).

    References
    ----------
    Kitagawa (1955), JASA 50:1168–1194.
    """
    asked = found.measure
    frame = segmented(found, column) if column else found.counts.assign(segment="All", segment_before="All")
    if not all(frame["n"][frame[w] > SILENT].any() for w in ("before", "now")):
        return pd.DataFrame(columns=CHANGE)
    whole = _moved(frame.assign(segment="All", segment_before="All"), asked)
    effects = _effects(_moved(frame, asked).set_index("segment"))
    whole[effects.columns] = effects.sum().to_numpy()
    parts = whole.iloc[:0]
    if column:
        merged = segmented(found, column, min_group)
        small = {v for place in ("segment", "segment_before") for v in frame.loc[merged[place] == SMALL, place]}
        parts = _moved(merged, asked)
        shown = effects.groupby(lambda name: SMALL if name in small else name).sum()
        parts = parts.join(shown, on="segment") if len(parts) > 1 else parts.iloc[:0]
    table = pd.concat([whole, parts], ignore_index=True) if len(parts) else whole
    table["p_adjusted"] = [*table["p_value"][:1], *holm(table["p_value"][1:])]
    return table[CHANGE]


def most_moved(moved: pd.DataFrame) -> pd.Series[Any] | None:
    """Choose the segment whose score moved most; one that did by more than chance before all others.

    Parameters
    ----------
    moved
        As from :func:`change`, with ``clear``, from :func:`cslib.surveys.scores.judged`.

    Returns
    -------
    pandas.Series or None
        Its row with ``among`` (segments that were compared, merged ones as one); None where there are no two.
    """
    tested = moved[moved["p_value"].notna() & (moved["segment"] != "All")]
    parts = tested[tested["segment"] != SMALL]
    order = parts.assign(size=parts["change"].abs()).sort_values(["clear", "size"], ascending=False, kind="stable")
    return order.assign(among=len(tested)).iloc[0] if len(parts) > 1 else None


def _moved(frame: pd.DataFrame, asked: Measure) -> pd.DataFrame:
    """Scores of each segment in both windows, and their difference with its interval."""
    places = {"before": "segment_before", "now": "segment"}
    counted = {w: answers_by_score(frame, [place], asked, w)[asked.scores] for w, place in places.items()}
    names = sorted({*counted["before"].index, *counted["now"].index}, key=lambda s: (s == SMALL, s))
    given = {w: c.reindex(names, fill_value=0).to_numpy(float) for w, c in counted.items()}
    sizes = {w: g.sum(axis=1) for w, g in given.items()}
    mean = {w: score_of(g, asked) for w, g in given.items()}
    shared = _shared(frame, asked, pd.DataFrame(mean, index=names))
    one, two = moments(given["before"], asked), moments(given["now"], asked)
    known = (sizes["before"] > 0) & (sizes["now"] > 0)
    added = sum(asked.prior)
    together = shared / np.maximum((sizes["before"] + added) * (sizes["now"] + added), 1)
    error = np.where(known, np.sqrt(np.maximum(one.error**2 + two.error**2 - 2 * together, 0)), np.nan)
    freedom = np.minimum(one.freedom, two.freedom)
    moved = two.mean - one.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, -np.abs(moved) / error, np.nan)
        p = 2 * np.where(np.isfinite(freedom), stdtr(np.maximum(freedom, 1), t), ndtr(t))
    half = quantile(freedom, allowing(p)) * error
    table = pd.DataFrame({"segment": names})
    for w in places:
        table[f"n_{w}"] = sizes[w].astype("int64")
        table[f"share_{w}"] = sizes[w] / sizes[w].sum()
        table[f"score_{w}"] = mean[w]
    change = mean["now"] - mean["before"]
    return table.assign(change=change, ci_lower=moved - half, ci_upper=moved + half, p_value=p)


def _shared(frame: pd.DataFrame, asked: Measure, means: pd.DataFrame) -> Floats:
    """Sum, over customers who answered in both windows, the product of their distances from the means."""
    both = frame[(frame["before"] > SILENT) & (frame["now"] > SILENT) & (frame["segment"] == frame["segment_before"])]
    worth, own = np.array(asked.worth), means.loc[both["segment"]].to_numpy()
    apart = worth[both[["before", "now"]].to_numpy() - asked.low] - own
    product = pd.Series(both["n"].to_numpy() * apart.prod(axis=1), index=both["segment"])
    return product.groupby(level=0).sum().reindex(means.index, fill_value=0.0).to_numpy(float)


def _effects(parts: pd.DataFrame) -> pd.DataFrame:
    """Split the change into mix and within, by segment; one without answers in a window moves the mix alone."""
    w0, w1 = parts["share_before"], parts["share_now"]
    s0 = parts["score_before"].fillna(parts["score_now"])
    s1 = parts["score_now"].fillna(parts["score_before"])
    middle = ((w0 * s0).sum() + (w1 * s1).sum()) / 2
    mix, within = (w1 - w0) * ((s0 + s1) / 2 - middle), (w0 + w1) / 2 * (s1 - s0)
    return pd.DataFrame({"mix_effect": mix, "within_effect": within}).fillna(0.0)


def non_response(found: Answers, *, min_group: int = 10) -> pd.DataFrame:
    """Score of those who answered, weighted to all who were asked, and how far the silent could move it.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`, counted with ``weighting``.
    min_group
        Values with fewer answers are merged before weighting. A column in which more than a twentieth have a value that
        nobody answered with, such as one that is filled in with the answer, is not weighted by.

    Returns
    -------
    pandas.DataFrame
        ``weighted_by`` (``nothing`` first; each column; ``all of these``; ``if all silent were detractors`` and
        ``… promoters``), the score (``nps``), ``ci_lower``, ``ci_upper`` (missing for the two bounds), ``n_effective``
        (unweighted answers that would tell as much). Only the first row where the data hold answers only.

    Notes
    -----
    Answers are weighted so that the shares of every value are those among all asked, by raking. The interval is that
    of as many answers as are effective (Kish). Weighting mends what the columns explain, and no more.

    References
    ----------
    Deming & Stephan (1940), Annals of Mathematical Statistics 11:427–444; Kish (1965), Survey Sampling, sec. 11.7.
    """
    asked = found.measure
    was_asked = found.counts[found.counts["now"] >= SILENT]
    values = {c: _steady(was_asked, c, asked, min_group) for c in found.weighting}
    useful = {c: v for c, v in values.items() if v.nunique() > 1 and not tells_silence(was_asked, c)}
    alone = {} if found.only_answers else {c: [c] for c in useful}
    sets = {"nothing": [], **alone} | ({"all of these": list(useful)} if len(alone) > 1 else {})
    frame = was_asked.assign(**useful)
    table = pd.DataFrame([{"weighted_by": name} | _weighted(frame, own, asked) for name, own in sets.items()])
    return table if found.only_answers else pd.concat([table, _extremes(frame, asked)], ignore_index=True)


def silence_moves(table: pd.DataFrame, survey: str) -> dict[str, float]:
    """Read off :func:`non_response` what those who were silent could do to the score.

    Parameters
    ----------
    table
        As from :func:`non_response`.
    survey
        The column of its score: ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    dict of str to float
        ``worst`` and ``best`` (had all the silent answered alike), ``shift`` (of the score weighted by all columns;
        missing where none tells of silence), ``of_all`` (that weighted score, where its interval leaves out the score
        of those who answered; else missing). Empty where nothing is known of the silent.
    """
    answered = table["n_effective"].notna()
    weighted, bounds = table[answered], table.loc[~answered, survey]
    first, last = weighted.iloc[0], weighted.iloc[-1]
    shift = last[survey] - first[survey] if len(weighted) > 1 else np.nan
    apart = first[survey] < last["ci_lower"] or first[survey] > last["ci_upper"]
    moves = {"shift": shift, "of_all": last[survey] if apart else np.nan}
    return {**dict(zip(("worst", "best"), bounds, strict=True)), **moves} if len(bounds) else {}


def _steady(was_asked: pd.DataFrame, column: str, asked: Measure, least: int) -> pd.Series[Any]:
    """Merge the values of a column with too few answers to be weighted by."""
    sizes = answers_by_score(was_asked, [column], asked)[asked.scores].sum(axis=1)
    return was_asked[column].mask(was_asked[column].isin(small_groups(sizes.to_frame(), least)), SMALL)


def tells_silence(was_asked: pd.DataFrame, column: str) -> bool:
    """Whether a column is filled in for those who answered alone, and so says nothing of the others."""
    answered = was_asked["n"].where(was_asked["now"] > SILENT, 0).groupby(was_asked[column]).sum()
    mute = was_asked[column].map(answered) == 0
    return bool(was_asked["n"][mute].sum() > MUTE * was_asked["n"].sum())


def _weighted(frame: pd.DataFrame, columns: list[str], asked: Measure) -> dict[str, Any]:
    answered = frame["now"] > SILENT
    weight = _raked(frame, columns, answered)
    n = frame["n"].to_numpy(float)[answered]
    total, effective = (weight * n).sum(), (weight * n).sum() ** 2 / (weight**2 * n).sum()
    given = np.bincount(frame["now"][answered] - asked.low, weights=weight * n, minlength=len(asked.scores))
    interval = score_interval((given * effective / total)[None], asked)
    ends = {column: float(bounds[0]) for column, bounds in interval.columns().items()}
    return {asked.survey: float(given @ np.array(asked.worth) / total), **ends, "n_effective": effective}


def _raked(frame: pd.DataFrame, columns: list[str], answered: pd.Series[Any]) -> Floats:
    """Weights of the rows with an answer, such that every column has the shares of all asked."""
    n = frame["n"].to_numpy(float)
    weight = np.ones(int(answered.sum()))
    codes = {c: pd.factorize(frame[c])[0] for c in columns}
    wanted = {c: np.bincount(code, weights=n) for c, code in codes.items()}
    for _ in range(ROUNDS if columns else 0):
        furthest = 0.0
        for column, code in codes.items():
            own = code[answered]
            have = np.bincount(own, weights=weight * n[answered], minlength=len(wanted[column]))
            factor = wanted[column] / np.where(have > 0, have, np.nan)
            factor = np.where(np.isnan(factor), 1.0, factor)
            weight *= factor[own]
            furthest = max(furthest, float(np.abs(factor - 1)[have > 0].max()))
        if furthest < 1e-9 or len(columns) == 1:
            break
    return weight


def _extremes(frame: pd.DataFrame, asked: Measure) -> pd.DataFrame:
    """Scores if all who were silent had given the worst answer, and the best."""
    answered = frame["now"] > SILENT
    n = int(frame["n"].sum())
    silent = n - int(frame["n"][answered].sum())
    worths = np.array(asked.worth)[frame["now"][answered].to_numpy() - asked.low]
    given = float(frame["n"].to_numpy(float)[answered] @ worths)
    ends = sorted(asked.worth, reverse=asked.lower_is_better)  # the worst first
    names = [f"if all silent were {asked.groups[place]}" for place in (2, 0)]
    return pd.DataFrame({"weighted_by": names, asked.survey: [(given + silent * w) / n for w in (ends[0], ends[-1])]})


def answers_needed(found: Answers, difference: float) -> int:
    """Answers that each of two windows needs for a difference to be seen, four times of five.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`; tells how much answers differ.
    difference
        Of the score, in its own unit (5 points of NPS; 0.05 of CSAT).

    Returns
    -------
    int
        0 where all answers are worth the same.

    Notes
    -----
    2·(z₍₁₋α/₂₎ + z₍power₎)²·Var / difference², for different customers in both windows.
    """
    given = answers_by_score(found.counts.assign(segment="All"), ["segment"], found.measure)[found.measure.scores]
    share, worth = given.to_numpy(float)[0] / given.to_numpy().sum(), np.array(found.measure.worth)
    spread = share @ worth**2 - (share @ worth) ** 2
    return int(np.ceil(2 * (z_value() + ndtri(POWER)) ** 2 * max(spread - 1e-9, 0) / difference**2))
