"""Sentences of the survey report: how customers feel, where it differs, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cslib.errors import counted
from cslib.show.charts import cohort_label
from cslib.show.display import Card
from cslib.show.formats import between, format_value, p_value, percent
from cslib.stats.intervals import SIGNIFICANT

__all__ = [
    "axis_unit",
    "bar_rows",
    "can_cross",
    "change_finding",
    "clear_sentences",
    "distribution_finding",
    "driver_finding",
    "driver_rows",
    "landmark_subtitle",
    "money_finding",
    "needed_sentence",
    "non_response_finding",
    "score_rows",
    "score_unit",
    "segment_finding",
    "smallest_change",
    "stake_sentences",
    "survey_answer",
    "survey_cards",
    "survey_subtitle",
    "trend_finding",
    "trend_rows",
]

ALL: Final = "All"
UNSEEN: Final = "only answers are in the data, so the response rate is not known"
MOST: Final = 4  # segments named in a sentence
HOW_TO_READ_SCORES: Final = (
    "Each bar holds all answers of a segment. The line at the right is the 95 % interval of its score: where two "
    "intervals overlap widely, the difference may be chance. The p-values below allow for all comparisons made."
)
HOW_TO_READ_LANDMARK: Final = (
    "Everyone here had been asked before the day on which the lines begin, and was a customer on it. Answers given "
    "later do not count, so that no group has had to survive in order to answer."
)


def axis_unit(survey: str) -> str:
    """Name the unit of ``show.charts.lines_with_bands`` of a score."""
    return {"nps": "score", "csat": "percent"}.get(survey, "number")


def score_unit(survey: str) -> str:
    """Name the unit of ``format_value`` of a score: NPS and CES are numbers, CSAT is a share.

    Examples
    --------
    >>> score_unit("csat")
    'percent'
    """
    return "percent" if survey == "csat" else "number"


def bar_rows(table: pd.DataFrame, *, most: int = 24) -> pd.DataFrame:
    """Keep the rows that a chart of groups has room for, and name them; one column's segments by themselves.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``.
    most
        Rows at most, in their order.

    Returns
    -------
    pandas.DataFrame
        The rows with answers, with ``name``.
    """
    rows = table[table["n_responses"] > 0].head(most)
    several = table["segment_by"].nunique() > 2
    name = rows["segment_by"] + ": " + rows["segment"] if several else rows["segment"]
    return rows.assign(name=name.where(rows["segment"] != ALL, ALL))


def score_rows(table: pd.DataFrame, columns: Sequence[str], *, most: int = 28) -> pd.DataFrame:
    """Keep the segments of some columns as rows of a forest plot, best first within each column.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``.
    columns
        Columns to compare by.
    most
        Rows at most; columns are kept whole.

    Returns
    -------
    pandas.DataFrame
        With ``clear`` (adjusted p below 0.05).
    """
    rows = table[table["segment_by"].isin(list(columns)) & table["p_adjusted"].notna()]
    ends = rows.groupby("segment_by", sort=False)["segment"].size().cumsum()
    kept = rows[rows["segment_by"].isin(ends.index[ends <= most])]
    kept = kept if len(kept) else rows.head(most)
    return kept.assign(clear=kept["p_adjusted"] < SIGNIFICANT)


def can_cross(cells: pd.DataFrame) -> bool:
    """Tell whether cells make a grid: two rows and two columns at least."""
    return bool(cells["row"].nunique() > 1 and cells["column"].nunique() > 1)


def smallest_change(survey: str) -> tuple[float, str]:
    """Return a change worth seeing, in the unit of the score, and in words."""
    return {"nps": (5.0, "5 points"), "csat": (0.05, "5 points"), "ces": (0.5, "0.5")}[survey]


def driver_rows(table: pd.DataFrame, *, most: int = 15) -> pd.DataFrame:
    """Keep the levels that move the score most, as rows of a forest plot of differences.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``.
    most
        Rows at most.

    Returns
    -------
    pandas.DataFrame
        ``segment_by``, ``segment``, ``level`` (both in one), ``share``, ``n_responses``, ``difference``, ``ci_lower``,
        ``ci_upper``, ``p_adjusted``, ``clear`` (bool), ``contribution``; the largest contribution first.
    """
    rows = table[table["contribution"].notna() & table["difference_ci_lower"].notna()]
    rows = rows.iloc[rows["contribution"].abs().argsort(kind="stable")[::-1]].head(most)
    renamed = {
        "difference_from_rest": "difference",
        "difference_ci_lower": "ci_lower",
        "difference_ci_upper": "ci_upper",
    }
    rows = rows.drop(columns=["ci_lower", "ci_upper"]).rename(columns=renamed)
    rows = rows.assign(level=rows["segment_by"] + ": " + rows["segment"], clear=rows["p_adjusted"] < SIGNIFICANT)
    columns = ["segment_by", "segment", "level", "share", "n_responses", *renamed.values(), "p_adjusted", "clear"]
    return rows[[*columns, "contribution"]].reset_index(drop=True)


def trend_rows(trend: pd.DataFrame, *, most: int = 4) -> pd.DataFrame:
    """Keep the whole and the largest segments of a trend, with the answers as ``n_customers``."""
    sizes = trend.groupby("segment")["n_responses"].sum().drop(ALL, errors="ignore")
    kept = [ALL, *sizes.sort_values(ascending=False, kind="stable").index[:most]]
    return trend[trend["segment"].isin(kept)].assign(n_customers=trend["n_responses"].astype(float))


def _score(value: float, survey: str) -> str:
    if survey == "csat":
        return percent(value)
    return f"{value:.{0 if survey == 'nps' else 1}f}".replace("-", "−").replace(
        "−0", "0" if round(value) == 0 else "−0"
    )


def _span(lower: float, upper: float, survey: str) -> str:
    if pd.isna(lower):
        return "no interval"
    if survey == "csat":
        return between(lower, upper)
    return f"{_score(lower, survey)} to {_score(upper, survey)}"


def _points(value: float, survey: str) -> str:
    """Write the size of a difference.

    Examples
    --------
    >>> _points(-4.26, "nps"), _points(0.031, "csat"), _points(0.214, "ces")
    ('4.3 points', '3.1 points', '0.21')
    """
    size = abs(value) * (100 if survey == "csat" else 1)
    return f"{size:.2f}" if survey == "ces" else f"{size:.1f} points"


def _whole(table: pd.DataFrame) -> pd.Series[Any]:
    return table[table["segment"] == ALL].iloc[0]


def survey_subtitle(table: pd.DataFrame, *, survey: str, window: object, only_answers: bool) -> str:
    """Say in one line who was asked, when, and how many answered.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``.
    survey
        ``nps``, ``csat`` or ``ces``.
    window
        When they were asked.
    only_answers
        Whether the data hold no invitation without an answer.

    Returns
    -------
    str
    """
    row = _whole(table)
    if only_answers:
        return f"{counted(int(row.n_responses), f'{survey.upper()} answer')} from {window} · {UNSEEN}"
    of, share = f"{row.n_responses:,} of {row.n_invited:,} customers", percent(row.n_responses / row.n_invited)
    return f"{of} asked for {survey.upper()} from {window} answered ({share})"


def survey_answer(table: pd.DataFrame, moved: pd.DataFrame, stake: pd.DataFrame, *, survey: str) -> str:
    """Answer "how do customers feel, where, and what does it cost?" in at most four sentences.

    Parameters
    ----------
    table, moved, stake
        As from ``surveys.scores.scores``, ``surveys.change.change`` and ``surveys.stakes.money_at_stake``; the last two
        may be empty.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    row = _whole(table)
    interval = _span(row.ci_lower, row.ci_upper, survey)
    answers = counted(int(row.n_responses), "answer")
    found = "no interval" if interval == "no interval" else f"95 % interval {interval}"
    first = f"**{survey.upper()} is {_score(row[survey], survey)}** ({found}, {answers})."
    rest = [_where(table, survey), _moved(moved, survey), _lost(stake)]
    return " ".join([first, *filter(None, rest)])


def _where(table: pd.DataFrame, survey: str) -> str:
    tested = table[table["p_adjusted"].notna()]
    if tested.empty:
        return ""
    clear = tested[tested["p_adjusted"] < SIGNIFICANT]
    if clear.empty:
        return "No segment differs from the others by more than chance."
    row = clear.iloc[clear["contribution"].abs().argmax()]
    return f"**{_named(row)} stands out** with {_score(row[survey], survey)}, more than chance."


def _named(row: pd.Series[Any]) -> str:
    return f"{row.segment} ({row.segment_by})"


def _moved(moved: pd.DataFrame, survey: str) -> str:
    return f"{change_finding(moved, survey=survey)}." if len(moved) else ""


def _lost(stake: pd.DataFrame) -> str:
    clear = stake[stake["p_adjusted"] < SIGNIFICANT] if len(stake) else stake
    clear = clear[clear["rmst_difference_months"] < 0] if len(clear) else clear
    if clear.empty:
        return ""
    row = clear.iloc[clear["rmst_difference_months"].argmin()]
    return f"{_who(row.group)} stayed {_months_apart(row)} of the following 12 months than {stake.iloc[0].group}."


def _who(group: str) -> str:
    return "Those who did not answer" if group == "no answer" else group.capitalize()


def change_finding(moved: pd.DataFrame, *, survey: str) -> str:
    """Say how the score moved against the window before, and whether that is more than noise.

    Parameters
    ----------
    moved
        As from ``surveys.change.change``.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
        Without a full stop, fit for a title.
    """
    if moved.empty:
        return "There are no answers to compare with"
    row = moved.iloc[0]
    before, now = (_score(v, survey) for v in (row.score_before, row.score_now))
    if pd.isna(row.p_value):
        return f"It went from {before} to {now}; too few answers tell whether that is more than noise"
    direction = "up" if row.change > 0 else "down"
    if row.p_value < SIGNIFICANT:
        return f"It is {direction} {_points(row.change, survey)} on the window before, more than noise"
    return f"It went from {before} to {now} since the window before, no more than noise (p {p_value(row.p_value)})"


def survey_cards(
    table: pd.DataFrame, moved: pd.DataFrame, stake: pd.DataFrame, *, survey: str, currency: str = ""
) -> list[Card]:
    """Make the headline cards: score, response rate, change, money at stake.

    Parameters
    ----------
    table, moved, stake, survey
        As for :func:`survey_answer`.
    currency
        Of the money.

    Returns
    -------
    list of Card
    """
    row, unit = _whole(table), score_unit(survey)
    cards = [Card(survey.upper(), row[survey], unit, row.ci_lower, row.ci_upper, int(row.n_responses))]
    rate = row.response_rate
    detail = UNSEEN if pd.isna(rate) else f"{row.n_responses:,} of {row.n_invited:,} asked"
    cards.append(Card("Response rate", rate, "percent", row.response_ci_lower, row.response_ci_upper, detail=detail))
    if len(moved) and pd.notna(moved.iloc[0].change):
        up = moved.iloc[0]
        kind = "points" if survey == "csat" else "number"
        noise = "more than noise" if up.p_value < SIGNIFICANT else "within noise"
        n = int(up.n_before + up.n_now)
        cards.append(Card("Change on the window before", up.change, kind, up.ci_lower, up.ci_upper, n, detail=noise))
    clear = stake[(stake["p_adjusted"] < SIGNIFICANT) & (stake["money_at_stake"] > 0)] if len(stake) else stake
    if len(clear):
        row = clear.iloc[clear["money_at_stake"].argmax()]
        label = f"At stake over 12 months: {row.group}"
        ends = row.money_ci_lower, row.money_ci_upper
        cards.append(Card(label, row.money_at_stake, "money", *ends, int(row.n_today), currency))
    return cards


def segment_finding(table: pd.DataFrame, *, survey: str) -> str:
    """State where the score differs: the best against the worst segment, and whether any differs clearly.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``, of one column or more.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
    """
    parts = table[(table["segment"] != ALL) & table[survey].notna()]
    if len(parts) < 2:
        return f"{survey.upper()} is {_score(float(_whole(table)[survey]), survey)}"
    high, low = parts.iloc[int(parts[survey].argmax())], parts.iloc[int(parts[survey].argmin())]
    best, worst = _score(high[survey], survey), _score(low[survey], survey)
    text = f"{survey.upper()} is {best} for {high.segment}, {worst} for {low.segment}"
    clear = parts[parts["p_adjusted"] < SIGNIFICANT]
    return text if len(clear) else f"{text}: no clear difference"


def distribution_finding(given: pd.DataFrame, *, survey: str) -> str:
    """State which answer is the most frequent, and how many gave the lowest and the highest group.

    Parameters
    ----------
    given
        As from ``surveys.scores.distribution``.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
    """
    top = given.iloc[int(given["n"].argmax())]
    shares = given.groupby("group", sort=False)["n"].sum() / given["n"].sum()
    groups = ", ".join(f"{percent(share)} {name}" for name, share in shares[::-1].items())
    return f"{survey.upper()}: most answered {top.score} ({percent(top.share)}); {groups}"


def landmark_subtitle(day: date, window: object) -> str:
    """Say whom the lines of survival after an answer are about."""
    return (
        f"Share still here, of customers of {day:%-d %B %Y}, by their last answer to invitations from {window}. "
        "Bands: 95 % intervals."
    )


def stake_sentences(stake: pd.DataFrame, *, currency: str = "") -> list[str]:
    """Say of each group how it stays against the best, and what that is worth.

    Parameters
    ----------
    stake
        As from ``surveys.stakes.money_at_stake``.
    currency
        Of the money.

    Returns
    -------
    list of str
        One per group but the best; none where nobody was followed.
    """
    return [_stake(row, stake.iloc[0].group, currency) for _, row in stake.iloc[1:-1].iterrows()]


def _stake(row: pd.Series[Any], best: str, currency: str) -> str:
    clear = row.p_adjusted < SIGNIFICANT
    span = f"95 % interval of the difference {row.rmst_difference_ci_lower:.1f} to {row.rmst_difference_ci_upper:.1f}"
    who = f"**{_who(row.group)}** ({row.n:,} customers, {row.n_churned:,} left)"
    chance = "more than chance" if clear else "which could be chance"
    text = f"{who} stayed {_months_apart(row)} than {best} ({span.replace('-', '−')}), {chance}."
    if clear and pd.notna(row.hazard_ratio):
        text += f" At the same age they left at {row.hazard_ratio:.2g} times the rate."
    if not (clear and row.money_ci_lower > 0):
        return text
    money, *ends = (
        format_value(row[c], "money", currency) for c in ("money_at_stake", "money_ci_lower", "money_ci_upper")
    )
    more = f"they would bring {money} more ({' to '.join(ends)})"
    return f"{text} Would the {row.n_today:,} of today stay like {best}, {more}."


def clear_sentences(table: pd.DataFrame, *, survey: str) -> list[str]:
    """Say where the score is clearly different, and where it only looks different.

    Parameters
    ----------
    table
        As from ``surveys.scores.scores``.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    list of str
        Two at most: clearly (adjusted p below 0.05), and only at first sight (p below 0.05 before the adjustment).
    """
    tested = _tests(table)
    clear = tested[tested["p_adjusted"] < SIGNIFICANT]
    looks = tested[(tested["p_value"] < SIGNIFICANT) & (tested["p_adjusted"] >= SIGNIFICANT)]
    result = []
    if len(clear):
        result.append(f"**Clearly different from the other answers**: {_list(clear, survey)}.")
    elif len(tested):
        result.append(f"Of {counted(len(tested), 'comparison')}, none shows a clear difference.")
    if len(looks):
        why = f"with {counted(len(tested), 'comparison')}, chance alone does as much"
        result.append(f"**Only looks different**: {_list(looks, survey)}; {why}.")
    return result


def _tests(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one row per test: of the two segments of a column, each is the other's rest."""
    tested = table[table["p_adjusted"].notna()]
    sizes = table.groupby("segment_by")["segment"].transform("size")
    return tested[(sizes[tested.index] > 2) | ~tested.duplicated("segment_by")]


def _list(rows: pd.DataFrame, survey: str) -> str:
    rows = rows.sort_values("p_value", kind="stable")
    first = [row for _, row in rows.head(MOST).iterrows()]
    names = [f"{_named(row)} by {_signed(row.difference_from_rest, survey)}" for row in first]
    more = len(rows) - MOST
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _signed(value: float, survey: str) -> str:
    return ("+" if value >= 0 else "−") + _points(value, survey)


def trend_finding(table: pd.DataFrame, *, survey: str, period: str) -> str:
    """State the last period against all before it, and whether the difference is more than noise.

    Parameters
    ----------
    table
        As from ``surveys.scores.trend``.
    survey
        ``nps``, ``csat`` or ``ces``.
    period
        That of the trend, for its name.

    Returns
    -------
    str
    """
    rows = table[(table["segment"] == ALL) & table["ci_lower"].notna()]
    if len(rows) < 2:
        return f"Too few {period}s to tell a trend"
    score, n = rows[survey].to_numpy(float), rows["n_responses"].to_numpy(float)
    error = (rows["ci_upper"] - rows["ci_lower"]).to_numpy(float) / (2 * ndtri(1 - SIGNIFICANT / 2))
    weight = n[:-1] / n[:-1].sum()
    before, apart = float(weight @ score[:-1]), np.hypot(error[-1], np.sqrt((weight**2) @ error[:-1] ** 2))
    noise = "no more than noise" if abs(score[-1] - before) <= ndtri(1 - SIGNIFICANT / 2) * apart else "more than noise"
    earlier = f"against {_score(before, survey)} in the {counted(len(rows) - 1, period)} before"
    return f"{cohort_label(rows['period'].iloc[-1], period)}: {_score(float(score[-1]), survey)}, {earlier}: {noise}"


def needed_sentence(needed: int, difference: str) -> str:
    """Say how many answers it takes to see a change.

    Examples
    --------
    >>> needed_sentence(3223, "5 points")
    'To see a change of 5 points four times of five takes about 3,220 answers in each window.'
    """
    if not needed:
        return "All answers are alike, so it cannot be told how many it takes to see a change."
    digits = len(str(needed)) - 3
    rounded = round(needed, -max(digits, 0))
    return f"To see a change of {difference} four times of five takes about {rounded:,} answers in each window."


def non_response_finding(table: pd.DataFrame, *, survey: str) -> str:
    """State what weighting to all who were asked does to the score.

    Parameters
    ----------
    table
        As from ``surveys.change.non_response``.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
    """
    bounds = table.loc[table["n_effective"].isna(), survey].to_numpy(float)
    if not len(bounds):
        return "Nothing is known of those who did not answer"
    low, high = (_score(float(v), survey) for v in (bounds.min(), bounds.max()))
    could = f"had all the silent answered alike, it could be {low} to {high}"
    raw, weighted = table.iloc[0], table[table["n_effective"].notna()].iloc[-1]
    if weighted.weighted_by == raw.weighted_by:
        return f"No column tells who is silent; {could}"
    shift = weighted[survey] - raw[survey]
    if _points(shift, survey) == _points(0, survey):
        return f"Who stayed silent does not show in the score; {could}"
    direction = "lower" if shift < 0 else "higher"
    return f"Weighted to all who were asked, the score is {_points(shift, survey)} {direction}; {could}"


def money_finding(stake: pd.DataFrame, *, currency: str = "") -> str:
    """State what follows an answer: who stays how long, against the best group.

    Parameters
    ----------
    stake
        As from ``surveys.stakes.money_at_stake``.
    currency
        Of the money.

    Returns
    -------
    str
    """
    best = stake.iloc[0].group
    clear = stake[stake["p_adjusted"] < SIGNIFICANT]
    if clear.empty:
        return f"No group leaves at a clearly other rate than {best}"
    row = clear.iloc[clear["rmst_difference_months"].abs().argmax()]
    text = f"{_who(row.group)} stay {_months_apart(row)} of the next 12 than {best}"
    if not row.money_ci_lower > 0:
        return text
    return f"{text}: {format_value(row.money_at_stake, 'money', currency)} at stake"


def _months_apart(row: pd.Series[Any]) -> str:
    months = format_value(abs(row.rmst_difference_months), "months")
    return f"{months} {'less' if row.rmst_difference_months < 0 else 'more'}"


def driver_finding(rows: pd.DataFrame, *, survey: str) -> str:
    """State which level moves the score most.

    Parameters
    ----------
    rows
        As from :func:`driver_rows`.
    survey
        ``nps``, ``csat`` or ``ces``.

    Returns
    -------
    str
    """
    clear = rows[rows["clear"]]
    if clear.empty:
        return "No column moves the score by more than chance"
    row = clear.iloc[0]
    return f"{_named(row)}: {percent(row.share)} of answers, {_signed(row.difference, survey)} against the others"
