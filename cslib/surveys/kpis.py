"""The KPIs of surveys, in quarters that end with the last complete month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.data.calendar import last_complete, observed, period_start
from cslib.data.customers import segment_today
from cslib.data.dataset import DataSet
from cslib.data.kpi import OVER_YEAR, Kpi, Setting, by_id, history_rows, month_ends
from cslib.stats.intervals import wilson
from cslib.surveys.answers import (
    SILENT,
    SMALL,
    Answers,
    Measure,
    answers,
    answers_by_period,
    available_columns,
    measures,
)
from cslib.surveys.change import change, non_response, silence_moves
from cslib.surveys.scores import family, judged, trend

QUARTER: Final = 3
MISSED: Final = 3  # months of the year before the first invitation: of more it is no year
QUARTERS: Final[Any] = {"first": "period", "months": QUARTER}
ANSWERED: Final = "customers who answered an invitation of the 3 months, their latest answer"


def _surveys(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    for asked in measures(data, window="all", **_scales(setting)):
        yield from _survey(data, asked, setting.segment_by)


def _over_year(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    """Score each survey as its report does: of 12 months, and weighted to everybody asked."""
    today, scales = segment_today(data), _scales(setting)
    known = measures(today, **scales)
    columns = available_columns(today, setting.segment_by)
    for asked in known:
        found = answers(today, asked, columns=columns, standings=known)
        if not is_year(today, found):
            continue
        weighted = non_response(found)
        n = int(found.counts.loc[found.counts["now"] > SILENT, "n"].sum())
        of_all = silence_moves(weighted, asked.survey).get("of_all", np.nan)
        rows = weighted.head(1).rename(columns={asked.survey: "value"})
        rows = rows.assign(kpi=asked.survey, n=n, **_since(found), **_weighted(weighted, of_all))
        yield rows.assign(segment="All").reindex(columns=OVER_YEAR)
        if setting.segment_by:
            yield _by_segment(found, columns, setting.segment_by)


def is_year(data: DataSet, found: Answers) -> bool:
    """Tell whether customers were asked early enough for the answers of 12 months to be those of a year."""
    return bool(_begun(data, found.measure) <= found.window.first + pd.DateOffset(months=MISSED))


def as_asked(survey: str, *, lower_is_easier: bool) -> Kpi:
    """Give the KPI of a survey, with the direction that is good."""
    kpi = KPIS[survey]
    return kpi.adapt(kpi, Setting(ces_lower_is_easier=lower_is_easier)) if kpi.adapt else kpi


def _begun(data: DataSet, asked: Measure) -> pd.Timestamp:
    """Give the day of the first invitation, or answer."""
    table = data.table("surveys")
    return pd.Timestamp(table.filter(table.survey == asked.survey).asked_on.min().execute())


def _by_segment(found: Answers, columns: list[str], column: str) -> pd.DataFrame:
    """Score each segment as the report does, and say which it calls clearly different from the others."""
    survey = found.measure.survey
    table = judged(family(found, columns))
    table = table[(table["segment_by"] == column) & (table["segment"] != SMALL)]
    sides = [table["clear"] & (table["difference_from_rest"] > 0), table["clear"]]
    table = table.assign(kpi=survey, value=table[survey], n=table["n_responses"])
    return table.assign(verdict=np.select(sides, ["above", "below"], "")).reindex(columns=OVER_YEAR)


def _weighted(table: pd.DataFrame, of_all: float) -> dict[str, float]:
    """Give the score weighted to everybody asked with its interval, where it differs from that of those who answered.

    Parameters
    ----------
    table
        As from ``surveys.change.non_response``.
    of_all
        As from ``surveys.change.silence_moves``.
    """
    last = table[table["n_effective"].notna()].iloc[-1]
    ends = {f"of_all_{end}": last[f"ci_{end}"] if pd.notna(of_all) else np.nan for end in ("lower", "upper")}
    return {"of_all": of_all, **ends}


def _since(found: Answers) -> dict[str, Any]:
    """Tell the score of the 12 months before, and how it moved since, where the report calls that clear."""
    moved = judged(change(found)).head(1)
    ways = np.where(moved["clear"], np.where(moved["change"] > 0, "rising", "falling"), "")
    return {"trend": "".join(ways), "before": next(iter(moved["score_before"]), np.nan)}


def _scales(setting: Setting) -> Any:
    return {"ces_scale": setting.ces_scale, "ces_lower_is_easier": setting.ces_lower_is_easier}


def _survey(data: DataSet, asked: Measure, segment_by: str) -> Iterator[pd.DataFrame]:
    complete = last_complete(observed(data), "month")
    last = period_start(complete + 1, "month") - timedelta(days=1)
    counted = answers_by_period(data, asked, column=segment_by, period="quarter", ending=last)
    table = month_ends(trend(counted), **QUARTERS)
    yield _up_to(history_rows(asked.survey, table, asked.survey, n="n_responses"), last)
    if asked.survey == "nps" and (counted.counts["now"] == SILENT).any():
        rows = month_ends(_responses(counted.counts), **QUARTERS)
        yield _up_to(history_rows("response_rate", rows, "rate", n="n_asked"), last)


def of_the_quarter(data: DataSet, asked: Measure) -> pd.DataFrame:
    """Give the KPIs of one survey over its last quarter, as the scorecard has them; none where nobody answered in it.

    Returns
    -------
    pandas.DataFrame
        Rows of the history: ``kpi``, ``until``, ``value``, ``ci_lower``, ``ci_upper``, ``n``.
    """
    rows = pd.concat([*_survey(data, asked, "")], ignore_index=True)
    return rows[(rows["until"] == rows["until"].max()) & rows["value"].notna()]


def _responses(counted: pd.DataFrame) -> pd.DataFrame:
    sums = counted.groupby("period")["n"].sum().rename("n_asked").to_frame()
    sums["n"] = counted[counted["now"] > SILENT].groupby("period")["n"].sum().reindex(sums.index, fill_value=0)
    rate = sums["n"] / sums["n_asked"]
    return sums.assign(rate=rate, **wilson(sums["n"], sums["n_asked"]).columns(), segment="All").reset_index()


def _up_to(rows: pd.DataFrame, last: date) -> pd.DataFrame:
    """Say of the last period, too, that nobody answered in it."""
    day = pd.Timestamp(last)
    if rows.empty or (rows["until"] == day).any():
        return rows
    silent = rows.iloc[[0]].assign(segment="All", until=day, value=np.nan, ci_lower=np.nan, ci_upper=np.nan, n=0)
    return pd.concat([rows, silent], ignore_index=True)


def _as_asked(ces: Kpi, setting: Setting) -> Kpi:
    if setting.ces_lower_is_easier:
        return ces
    return replace(ces, direction="up", formula=f"mean answer, {setting.ces_scale} is easy")


ASKED: Final[Any] = {
    "group": "sentiment", "months": QUARTER, "sources": ("surveys",), "needs": "surveys", "measure": _surveys
}  # fmt: skip
FELT: Final = "nps_segmentation#Who is happy, and who isn't?"
OTHERS: Final = "nps_segmentation#What do the other surveys say?"
SCORE: Final[Any] = ASKED | {
    "base": ANSWERED, "noun": "customer", "blank": "nobody answered in the period", "over_year": _over_year
}  # fmt: skip
KPIS: Final = by_id(
    Kpi(id="nps", label="NPS", unit="number", direction="up", span=(-100.0, 100.0), explained=FELT,
        question="Would customers recommend us?",
        formula="100 × (share of 9–10 − share of 0–6)", variants=("weighted for the silent",), **SCORE),
    Kpi(id="csat", label="CSAT", unit="percent", direction="up", question="Are customers satisfied?", explained=OTHERS,
        formula="share of answers 4–5 of 5", variants=("mean answer",), **SCORE),
    Kpi(id="ces", label="CES", unit="number", direction="down", question="How hard is it for customers?",
        formula="mean answer, 1 is easy", explained=OTHERS, adapt=_as_asked,
        variants=("share of easy answers",), **SCORE),
    Kpi(id="response_rate", label="NPS response rate", unit="percent", direction="up",
        question="How many of those asked answer?", formula="customers who answered / customers asked",
        base="customers invited in the 3 months", explained="nps_segmentation#Who did not answer?",
        blank="nobody was asked in the period, or only answers are recorded",
        variants=("over invitations",), **ASKED),
)  # fmt: skip
