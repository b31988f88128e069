"""Customers as the sum of parts that leave differently: one total in every report, and one figure of each segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cslib.data.dataset import DataSet
from cslib.data.drift import Drift
from cslib.data.parts import Parts, in_parts
from cslib.value.paths import Paths, recent_paths


def whole_paths(
    data: DataSet, found: Drift | None, *, segment_by: str, horizon_months: int, split: str,
    usual: dict[str, Paths] | None = None,
) -> dict[str, Paths]:  # fmt: skip
    """Estimate the paths on which values rest, and those of which all customers and each segment are the sum.

    Parameters
    ----------
    data, found, segment_by, horizon_months, usual
        As for :func:`cslib.value.paths.recent_paths`.
    split
        As from :func:`cslib.data.parts.split_by`.

    Returns
    -------
    dict of str to Paths
        By segment, as from it; see :func:`added_up`.
    """
    asked: Any = {"horizon_months": horizon_months}
    whole = in_parts(data, found, split=split) if split else None
    if whole and not segment_by and not usual and whole.column == split:  # asked of the engine once for both
        every = recent_paths(data, found, segment_by=split, **asked)
        return added_up({"All": every["All"]}, _parts(whole, found, every, **asked))
    own = recent_paths(data, found, segment_by=segment_by, usual=usual, **asked)
    if not whole:
        return own
    parts = _parts(whole, found, own if split == segment_by else {}, **asked)
    if segment_by not in ("", split):
        parts |= _parts(in_parts(data, found, split=split, within=segment_by), found, {}, **asked)
    return added_up(own, parts)


def _parts(
    parts: Parts, found: Drift | None, at_hand: Mapping[str, Paths], *, horizon_months: int
) -> dict[str, dict[str, Paths]]:
    """Estimate the paths of the parts of every segment that has several; those of values that are at hand are taken."""
    named = {part: name for names in parts.several.values() for part, name in names.items()}
    paths = {part: at_hand[name] for part, name in named.items() if name in at_hand}
    only = named.keys() - paths.keys()
    if only:
        paths |= recent_paths(parts.data, found, segment_by=parts.column, horizon_months=horizon_months, only=only)
    return {s: {name: paths[part] for part, name in names.items()} for s, names in parts.several.items()}


def added_up(paths: Mapping[str, Paths], parts: Mapping[str, Mapping[str, Paths]]) -> dict[str, Paths]:
    """Let customers be followed as the sum of parts.

    Parameters
    ----------
    paths
        By segment, ``All`` among them.
    parts
        By segment and name, as of :class:`cslib.data.parts.Parts`. Segments without any are followed as one group.

    Notes
    -----
    As one group all customers of an age leave alike and pay alike. Where dear customers stay longer, that overstates
    what less churn would add: those kept would be mostly cheap ones. In 115 simulated worlds (300 customers at 10 a
    month who leave at a rate of 0.08, 150 at 100 who leave at 0.02, begun over three years) the 95 % interval of the
    sum covered the value of 24 months in 97 %, that of one group in 70 %, and as one group 10 % less churn seemed to
    add 1.9 times what it would.
    """
    return {segment: replace(own, parts=dict(parts.get(segment, {}))) for segment, own in paths.items()}
