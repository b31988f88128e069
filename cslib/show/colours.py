"""Colours of charts: one palette for each meaning, so that no colour says two things in a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

# Of segments. As text and lines they are --t0, --t1 and so on, which are lighter on dark ground.
PALETTE: Final = ("#0f8092", "#c84e1c", "#865ed1", "#956f00", "#bf4a8a", "#2c73d5", "#3a8349", "#8e6e58")
WELL, ILL = PALETTE[5], PALETTE[3]  # the best and the worst answers: blue and ochre, for the colour-blind
MIDDLE: Final = "#858f9a"  # those between
# Charts are drawn once, in these colours; the page swaps them for its own, so one chart serves both themes.
THEME: Final = {
    "#000000": "--ink",
    "#1b1f24": "--ink",
    "#5b6570": "--muted",
    "#e3e6ea": "--grid",
    "#ffffff": "--ground",
}


def shaded(*stops: str) -> tuple[str, ...]:
    """Run through colours in 32 steps: few enough that the cells of a chart share their styles in a page.

    Examples
    --------
    >>> shaded("#000000", "#ff0000")[::31]
    ('#000000', '#ff0000')
    """
    places, at = np.linspace(0, len(stops) - 1, 32), range(len(stops))
    mixed = [np.interp(places, at, [int(stop[i : i + 2], 16) for stop in stops]) for i in (1, 3, 5)]
    return tuple("#" + "".join(f"{round(v):02x}" for v in colour) for colour in zip(*mixed, strict=True))


# What follows is on light ground, and beside it on dark ground, where the strongest colour is the lightest.
GAINS: Final = {"#1b4b98": "#bcd6fa", "#3a77cc": "#6499e6", "#6294dc": "#2f65b5"}  # of MRR, the most usual first
LOSSES: Final = {"#8a5c00": "#f0d08a", "#c08a1e": "#b07c14"}
_NEW, _DARK_NEW = ("#00301c", "#085a30"), ("#d6fbdf", "#7fdc98")
YEARS: Final = dict(  # the newest first; evenly lighter, and more yellow, lest two that run close look alike
    zip(shaded(*_NEW, "#3f7f2b", "#97991b"), shaded(*_DARK_NEW, "#55aa5f", "#6a7a28"), strict=True)
)
_NAMES: Final = dict(  # of years
    zip(shaded(*_NEW, "#3b7c2a", "#73750f"), shaded(*_DARK_NEW, "#59ae63", "#8d9a3c"), strict=True)
)
KINDS: Final = dict(  # of one thing
    zip(shaded("#1f3150", "#36558c", "#8c6579"), shaded("#dfe7f5", "#8fa9dc", "#b07f95"), strict=True)
)
# Of cells, from least to most: no further than text in one colour can be read well on all of them.
SHADES: Final = shaded("#f0f7f8", "#9ccfd7", "#3a9cad")
DARK_SHADES: Final = shaded("#1a323a", "#1b5563", "#217586")
ON_SHADES: Final = "#030303"
# Of cells that are held against others: below, alike, above.
BESIDE: Final = shaded("#dd9f38", "#f7f7f5", "#39a0b2")
DARK_BESIDE: Final = shaded("#835405", "#23282d", "#1a7485")
DARK: Final = {
    **dict(zip(SHADES, DARK_SHADES, strict=True)), **dict(zip(BESIDE, DARK_BESIDE, strict=True)), ON_SHADES: "#ffffff",
    **GAINS, **LOSSES, **_NAMES, **YEARS, **KINDS,
}  # fmt: skip


def _apart(shades: Mapping[str, str], count: int) -> tuple[str, ...]:
    """Choose so many of the shades, as far from each other as they can be."""
    return tuple(np.array([*shades])[np.linspace(0, len(shades) - 1, count).round().astype(int)].tolist())


def years(count: int) -> tuple[str, ...]:
    """Give so many years their colours, the oldest first.

    Examples
    --------
    >>> years(1), years(2)
    (('#00301c',), ('#97991b', '#00301c'))
    """
    return _apart(YEARS, count)[::-1]


def lettered(colour: str) -> str:
    """Give the colour of a name beside a mark of this colour: stronger, where a mark is too pale to be read as text.

    Examples
    --------
    >>> lettered("#97991b"), lettered("#1f3150")
    ('#73750f', '#1f3150')
    """
    return (dict(zip(YEARS, _NAMES, strict=True)) | {MIDDLE: "#5b6570"}).get(colour, colour)


def kinds(count: int) -> tuple[str, ...]:
    """Give so many kinds of one thing their colours, the first the strongest.

    Examples
    --------
    >>> kinds(2)
    ('#1f3150', '#8c6579')
    """
    return _apart(KINDS, count)


def answers(count: int) -> tuple[str, ...]:
    """Give so many groups of answers, from the best to the worst, their colours; before the worst, who gave none.

    Examples
    --------
    >>> answers(3), answers(4)
    (('#2c73d5', '#858f9a', '#956f00'), ('#2c73d5', '#858f9a', '#1f3150', '#956f00'))
    """
    between = (MIDDLE, *kinds(max(count - 3, 0)))[: max(count - 2, 0)]
    return (WELL, *between, ILL) if count > 1 else (WELL,)


MEANINGS: Final[Mapping[str, Callable[[int], Sequence[str]]]] = {
    "segments": lambda _: PALETTE, "years": years, "kinds": kinds, "answers": answers,
}  # fmt: skip
