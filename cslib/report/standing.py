"""How a scorecard stands, as far as it was told, and what is new in it since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from cslib.report import digest as say
from cslib.report.digest import Before, News
from cslib.report.look import Seen
from cslib.scorecard.alarms import MOVED, RANGE, TARGET, alarms
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import WHOLE
from cslib.scorecard.scorecard import WORSE, missed_by

Judged: TypeAlias = Mapping[tuple[str, str, str], bool]
"""Whether it is an alarm: by scorecard, KPI and what it is compared with."""
Told: TypeAlias = Mapping[str, Any]
"""Of a KPI as told: ``value``, ``until``, ``target`` (text), ``missed``, and ``moved`` (which way, or empty)."""


def judge(runs: Sequence[Seen]) -> Judged:
    """Choose the alarms of several scorecards together: the more comparisons, the surer each must be."""
    if not runs:
        return {}
    every = pd.concat([run.compared for run in runs], ignore_index=True)
    keys = zip(every["slug"], every["kpi"], every["what"], strict=True)
    return dict(zip(keys, alarms(every), strict=True))


def standing(run: Seen, judged: Judged, told: Mapping[str, Told]) -> dict[str, Told]:
    """Tell how every KPI stands: what was told of one holds until its data say that it is over.

    Parameters
    ----------
    run
        Of a scorecard.
    judged
        As from :func:`judge`.
    told
        How it stood before.

    Returns
    -------
    dict of str to dict
        By KPI; one that is not measured any more stands as before.
    """
    return {**told, **{row.kpi: _stands(row, run, judged, told.get(row.kpi, {})) for row in run.measured}}


def _stands(row: Any, run: Seen, judged: Judged, old: Told) -> Told:
    off, away = (judged.get((run.slug, row.kpi, what), False) for what in (TARGET, RANGE))
    missed = off or (bool(old.get("missed")) and row.status in ("missed", "not clear"))
    silent = pd.isna(row.value)
    over = silent or _usual(row) or (row.change in MOVED and row.change != old.get("moved"))
    moved = row.change if away else "" if over else old.get("moved", "")
    value = None if silent else float(row.value)
    until = "" if pd.isna(row.until) else f"{row.until:%Y-%m-%d}"
    target = say.target_text(row, run.currency)
    return {"value": value, "until": until, "target": target, "missed": missed, "moved": moved}


def _usual(row: Any) -> bool:
    """Whether a KPI is where it usually is; one that is outside by no more than its interval is not."""
    inside = not np.isfinite(row.limit_lower) or row.limit_lower <= row.value <= row.limit_upper
    return bool(row.change == "noise" and inside)


def still(run: Seen, told: Mapping[str, Told], now: Mapping[str, Told]) -> list[str]:
    """Name what was told before and holds still."""
    held = []
    for row in run.measured:
        old, new = told.get(row.kpi, {}), now[row.kpi]
        missed, moved = (bool(new[key]) and new[key] == old.get(key) for key in ("missed", "moved"))
        held += [*[say.misses(row)] * missed, *[say.differs(row, new["moved"])] * moved]
    return held


def less_sure(run: Seen, judged: Judged, now: Mapping[str, Told]) -> list[str]:
    """Name what the scorecard says and is no alarm: no chance by itself, but among so many comparisons it may be."""
    said = run.compared[run.compared["said"].astype(bool)]
    held = {(kpi, what) for kpi, what in zip(said["kpi"], said["what"], strict=True) if not judged[run.slug, kpi, what]}
    unsure = []
    for row in run.measured:
        stands = now[row.kpi]
        unsure += [say.misses(row)] * ((row.kpi, TARGET) in held and not stands["missed"])
        away = (row.kpi, RANGE) in held and not stands["moved"]
        unsure += [say.differs(row, row.change)] * away
        unsure += [say.turned(row)] * (row.last_change in MOVED and not away and not stands["moved"])
    return unsure


def corrected(run: Seen, told: Mapping[str, Told]) -> int:
    """Count the values that were told and are others in the data of this run."""
    again = {kpi: _told_again(run, kpi, old) for kpi, old in told.items()}
    both = [(new, told[kpi]["value"]) for kpi, new in again.items()]
    return sum(not np.isclose(new, was, rtol=1e-3) for new, was in both if pd.notna(new) and pd.notna(was))


def _told_again(run: Seen, kpi: str, old: Told) -> float:
    """Give what a value that was told is in the data of this run; missing where they do not reach back to it."""
    history = run.history
    own = (history["kpi"] == kpi) & (history["segment"] == WHOLE)
    rows = history[own & (history["until"] == pd.Timestamp(old["until"]))] if old["until"] else history[:0]
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


@dataclass(frozen=True)
class _Step:
    """One KPI from the last time to this one."""

    row: Any
    run: Seen
    old: Told
    new: Told

    @property
    def bad(self) -> bool:
        """Whether its move is for the worse; of a band any move is."""
        return bool(self.row.change == WORSE.get(self.row.direction, self.row.change))

    @property
    def before(self) -> Before | None:
        """What it was, as today's data have it, unless they are of the same period."""
        if not self.old:
            return None
        again = _told_again(self.run, self.row.kpi, self.old)
        told = float("nan") if self.old["value"] is None else self.old["value"]
        value = told if self.old["until"] == self.new["until"] or pd.isna(again) else again
        return Before(value, self.old["until"], self.old["target"])

    def told(self, sure: Mapping[tuple[str, str], float]) -> tuple[str, float, str] | None:
        """Give kind, weight and sentence of what is new; nothing where nothing is."""
        row, old, new, currency = self.row, self.old, self.new, self.run.currency
        moved = bool(new["moved"]) and new["moved"] != old.get("moved")
        if new["missed"] and not old.get("missed"):
            return say.MISSED, missed_by(row), say.missed(row, currency, self.before, moved=moved)
        if moved:
            kind = say.WORSE if self.bad else say.BETTER
            return kind, -sure[row.kpi, RANGE], say.moved(row, currency, self.before)
        if old.get("missed") and row.status == "met":
            return say.MET, 0.0, say.met(row, currency)
        over = old.get("moved") and not new["moved"] and _usual(row)
        return (say.BACK, 0.0, say.back(row, currency)) if over else None


def news_of(run: Seen, told: Mapping[str, Told], now: Mapping[str, Told], page: str) -> list[News]:
    """Say what is new in a scorecard; KPIs that say the same share a sentence.

    Parameters
    ----------
    run
        Of a scorecard.
    told, now
        How it stood, and stands.
    page
        Its HTML: a section that it has is linked to.

    Returns
    -------
    list of News
    """
    compared, found = run.compared, []
    sure = dict(zip(zip(compared["kpi"], compared["what"], strict=True), compared["p"], strict=True))
    for row in run.measured:
        if said := _Step(row, run, told.get(row.kpi, {}), now[row.kpi]).told(sure):
            section = f"#{row.group}" if f'id="{row.group}"' in page else ""
            found.append((row, News(*said, f"{run.slug}.html{section}", f"{run.name}, {row.group}")))
    return list(_once(found))


def _once(found: Iterable[tuple[Any, News]]) -> Iterator[News]:
    """Let one KPI speak for those that say the same, and name them."""
    kpis, families = catalogue(), dict[tuple[str, bool], list[tuple[str, News]]]()
    for row, news in found:
        family = kpis[row.kpi].twin or row.kpi if row.kpi in kpis else row.kpi
        families.setdefault((family, news.kind in say.BAD), []).append((row.label, news))
    for own in families.values():
        (_, first), *others = sorted(own, key=lambda one: say.KINDS.index(one[1].kind))
        same = f" The same shows in {' and '.join(label for label, _ in others)}." if others else ""
        yield replace(first, text=first.text + same)
