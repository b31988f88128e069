"""What needs attention, the most urgent first: how many targets are missed, what that costs, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.data.kpi import JUDGED, UNCLEAR, Kpi
from cslib.scorecard.history import WHOLE, Measured
from cslib.scorecard.scorecard import WORSE, YEAR, aimed, has_value, missed_by
from cslib.scorecard.segments import COMPARED, SAME, customers, weights
from cslib.stats.intervals import FIRM, Interval, like_the_lowest
from cslib.stats.limits import UNKNOWN

WORST: Final = ["worst", "worst_value", "apart", "worst_over", "close", "close_value", "but_few"]
SHORT: Final = ["short", "flat", "dearest", "dearest_value", "dearest_short", "dearest_flat", "made_up", "parts"]
MRR: Final = "mrr"
ADDED_UP: Final = 4  # segments of which a sentence can tell how they add up


@dataclass(frozen=True)
class Standing:
    """Where a team stands: how many KPIs and targets, and which need attention.

    Attributes
    ----------
    n_kpis, n_measured
        Of the catalogue.
    n_targets
        That are set.
    n_judged
        Targets of KPIs that are measured and set up.
    blind
        The KPIs whose targets are not judged: not measured, or not set up.
    n_missed, n_unclear
        Of these: not reached, or not told by the interval.
    n_compared
        KPIs whose change is judged.
    n_worse
        KPIs that got worse by more than noise; one and its twin are one.
    untold
        Whether of one of these the data cannot tell a season.
    attention
        Rows of the scorecard that need attention, the most urgent first, with ``why`` (``missed``, by what that
        costs where it is known, the others by how far; ``worse``; ``not clear``; ``missed of late``, in the last period
        alone; ``moved``), ``repeats`` (its twin stands above), and of MRR and a share of a year's MRR ``short``
        (what the target would have brought more a month), ``flat`` (nobody pays more than a year before), ``dearest``
        (the segment that is short by most), ``dearest_value``, ``dearest_short``, ``dearest_flat``, ``made_up`` (it is
        short by more than all, as others are above the target), and where up to four segments add up to all, ``parts``:
        of each of the others its name, its value and by how much it is short, the most first.
    """

    n_kpis: int
    n_measured: int
    n_targets: int
    n_judged: int
    blind: tuple[str, ...]
    n_missed: int
    n_unclear: int
    n_compared: int
    n_worse: int
    untold: bool
    attention: pd.DataFrame = field(repr=False)


def standing(
    table: pd.DataFrame, kpis: Mapping[str, Kpi], cells: pd.DataFrame | None = None, short: pd.DataFrame | None = None
) -> Standing:
    """Count what a scorecard says, and order what needs attention.

    Parameters
    ----------
    table
        As from :func:`cslib.scorecard.scorecard.scorecard`.
    kpis
        As from :func:`cslib.scorecard.catalogue.catalogue`: they tell twins.
    cells
        As from :func:`cslib.scorecard.segments.compared`, where there are segments.
    short
        As from :func:`shortfalls`, where that is known.

    Returns
    -------
    Standing
    """
    missing = pd.DataFrame(columns=["kpi", *SHORT]) if short is None else short
    table = table.merge(missing, on="kpi", how="left")
    table = table.assign(family=[kpis[name].twin or name for name in table["kpi"]])
    known = table[has_value(table)]
    bad = known["direction"].map(WORSE)
    worse = known[(known["change"] == bad) | (known["last_change"] == bad)]
    aimed = table[table["target"].notna()]
    judged = aimed["status"].isin(JUDGED)
    missed, unclear = (int((known["status"] == status).sum()) for status in ("missed", "not clear"))
    n_worse, ranked = worse["family"].nunique(), _ranked(known, worse)
    untold = bool((worse["season"] == UNKNOWN).any())
    counts = (len(table), len(known), len(aimed), int(judged.sum()))
    blind, n_compared = tuple(aimed.loc[~judged, "label"]), int((known["change"] != "").sum())
    parts = pd.DataFrame(columns=COMPARED) if cells is None else cells
    ranked = ranked.merge(_worst(parts, kpis), on="kpi", how="left")
    return Standing(*counts, blind, missed, unclear, n_compared, n_worse, untold, attention=ranked)


def shortfalls(table: pd.DataFrame, cells: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """Tell in money by how much MRR and shares of a year's MRR miss their target, and which segment misses it by most.

    Parameters
    ----------
    table, cells
        As from :func:`cslib.scorecard.scorecard.scorecard` and :func:`cslib.scorecard.segments.compared`.
    measured
        What they are made of.

    Returns
    -------
    pandas.DataFrame
        One row per KPI that has missed its target: ``kpi`` and the columns of ``SHORT``, as in :class:`Standing`. A
        segment is the dearest only where it is short by most and clearly below the others: of those that may differ by
        chance the largest would always be short by most.

    Notes
    -----
    What the target and the value are apart, of a share by the MRR with which the year began: it has happened, so that
    it has no interval. A target of MRR is one of all customers: no segment is short of it.
    """
    shares = [name for name, kpi in measured.kpis.items() if kpi.weight == MRR and kpi.months == YEAR]
    rows = table[table["kpi"].isin([MRR, *shares]) & (table["status"] == "missed")]
    parts = cells[cells["kpi"].isin(shares) & cells["kpi"].isin(rows["kpi"]) & cells["value"].notna()]
    columns = ["kpi", "segment", "value", "n", "verdict"]
    own = [part[columns] for part in (rows.assign(segment=WHOLE, verdict=""), parts) if len(part)]
    each = pd.concat(own or [rows.reindex(columns=columns)], ignore_index=True)
    targets = {str(row.kpi): aimed(row) for row in rows.itertuples()}
    gaps = [targets[k].low - v for k, v in zip(each["kpi"], each["value"], strict=True)]
    each["short"] = np.array(gaps, float) * np.where(each["kpi"] == MRR, 1.0, weights(each, measured))
    whole = each[(each["segment"] == WHOLE) & (each["short"] > 0)]  # what lies above a band is no shortfall
    found = whole.set_index("kpi")["short"].to_frame()
    others = each[each["segment"] != WHOLE].sort_values("short", ascending=False)
    first = others.drop_duplicates("kpi")
    worst = first[(first["verdict"] == "below") & (first["short"] > 0)].set_index("kpi")
    names = {"segment": "dearest", "value": "dearest_value", "short": "dearest_short"}
    found = found.join(worst[[*names]].rename(columns=names))
    found["flat"] = [_is_flat(table, measured.kpis, kpi) for kpi in found.index]
    of = (cells[cells["segment"] == part] for part in found["dearest"])
    found["dearest_flat"] = [_is_flat(own, measured.kpis, kpi) for kpi, own in zip(found.index, of, strict=True)]
    found = found.assign(made_up=found["dearest_short"] > found["short"]).reset_index()
    added = [_added_up(others[others["kpi"] == row.kpi], row) for row in found.itertuples()]
    return found.assign(parts=pd.Series(added, found.index, dtype=object))


def _added_up(parts: pd.DataFrame, row: Any) -> list[tuple[str, float, float]]:
    """Tell of the other segments how they make up the amount of all customers, where they do and are few."""
    if len(parts) > ADDED_UP or not np.isclose(parts["short"].sum(), row.short, rtol=SAME):
        return []
    rest = parts[parts["segment"] != row.dearest]
    return [*zip(rest["segment"], rest["value"], rest["short"], strict=True)]


def _is_flat(rows: pd.DataFrame, kpis: Mapping[str, Kpi], kpi: Any) -> bool:
    """Whether a net share is the gross one of the same customers: nobody among them pays more than before."""
    gross = next((k.id for k in kpis.values() if k.twin == kpi and k.weight == kpis[kpi].weight), "")
    values = rows.set_index("kpi")["value"]
    return gross in values and bool(values[kpi] <= values[gross])


def _worst(cells: pd.DataFrame, kpis: Mapping[str, Kpi]) -> pd.DataFrame:
    """Find who stands worst in each KPI that is to rise or to fall, and whether that is more than chance.

    Also who is as bad, as far as can be told, see :func:`cslib.stats.intervals.like_the_lowest`, and whether a segment
    too small to be named has a worse value.
    """
    bad = {name: {"up": 1, "down": -1}.get(kpi.direction) for name, kpi in kpis.items() if not kpi.exact}
    known = cells[cells["value"].notna() & cells["kpi"].map(bad).notna()]
    enough = customers(known, kpis) >= FIRM
    differ = known[enough].groupby("kpi")["value"].transform("nunique") > 1  # else there is none to name
    several = known[enough][differ]
    found = pd.DataFrame(
        [_lowest(own, bad[str(kpi)] or 1) for kpi, own in several.groupby("kpi", sort=False)], columns=["kpi", *WORST]
    )
    few = known[~enough].merge(found[["kpi", "worst_value"]], on="kpi")
    worse = few[(few["worst_value"] - few["value"]) * few["kpi"].map(bad).astype(float) > 0]
    return found.assign(but_few=found["kpi"].isin(worse["kpi"]))


def _lowest(own: pd.DataFrame, sign: int) -> dict[str, Any]:
    """Name the segment with the lowest value of a KPI, or where that is good the highest, and those that are alike."""
    low, high = (own[end].to_numpy(float) for end in ("ci_lower", "ci_upper"))
    ends = Interval(low, high) if sign > 0 else Interval(-high, -low)
    rows = own.assign(rank=sign * own["value"])[like_the_lowest(sign * own["value"], ends)]
    worst, *close = rows.sort_values("rank", kind="stable").to_dict("records")
    apart = worst["verdict"] == ("below" if sign > 0 else "above") or pd.isna(worst["p_adjusted"])  # twins: not tested
    known = {"worst": worst["segment"], "worst_value": worst["value"], "worst_over": worst["judged_over"]}
    alike = {"close": [row["segment"] for row in close], "close_value": [row["value"] for row in close]}
    return {"kpi": worst["kpi"], "apart": apart, **known, **alike}


def _ranked(known: pd.DataFrame, worse: pd.DataFrame) -> pd.DataFrame:
    """Missed targets by cost, then by how far; what got worse, is missed of late or cannot be told; what else moved."""
    by_miss = known.assign(miss=[missed_by(row) for row in known.itertuples()])
    by_miss = by_miss.sort_values(["short", "miss"], ascending=False, kind="stable").drop(columns="miss")
    parts = {
        "missed": by_miss[by_miss["status"] == "missed"],
        "missed of late": known[known["status_alone"] == "missed"],
        "worse": worse,
        "not clear": by_miss[by_miss["status"] == UNCLEAR],
        "moved": known[~known["change"].isin(["", "noise"]) | known["last_change"].isin([*WORSE.values()])],
    }
    ranked = pd.concat([part.assign(why=why) for why, part in parts.items()], ignore_index=True).drop_duplicates("kpi")
    ranked["repeats"] = ranked.duplicated("family")
    return ranked.drop(columns="family").reset_index(drop=True)
