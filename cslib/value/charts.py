"""Charts of customer value, in which what is observed and what is extrapolated are told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes

from cslib.show.charts import BOUNDS, GROUND, INK, MUTED, folded, say_above

GAPS: Final[Any] = {"linestyle": (1.5, (1.6, 2.2)), "color": GROUND, "linewidth": 2.6, "zorder": 2.2}
HATCHED: Final[Any] = {"facecolor": "none", "edgecolor": MUTED, "hatch": "////", "alpha": 0.35, "linewidth": 0}


def told_apart(
    draw: Callable[[], Axes], table: pd.DataFrame, *, x: str, y: str, beyond: str, said: str = "extrapolated"
) -> Axes:
    """Dash the lines of a chart and hatch their bands where they are not observed; mark 0 where it lies between.

    Parameters
    ----------
    draw
        Draws the lines, as in ``partial(lines_with_bands, table, …)``.
    table
        What it draws, with ``ci_lower`` and ``ci_upper``.
    x, y
        Its columns.
    beyond
        Its column that is true where a value is not observed.
    said
        What to call that.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = draw()
    ordered = table.sort_values(x)
    next_one = ordered.groupby("segment")[beyond].shift(-1, fill_value=False)  # a dash begins at what is observed last
    unseen = ordered[ordered[beyond] | next_one]
    for panel in axes.figure.axes:
        for line in panel.lines:
            line.set_linestyle("-")
        for _, own in _of(panel, unseen).groupby("segment", sort=False):
            panel.plot(own[x], own[y], **GAPS)  # over the line, which keeps its points
            lower, upper = own[[*BOUNDS]].to_numpy(float).T
            panel.fill_between(own[x], lower, upper, **HATCHED)
        if panel.get_ylim()[0] < 0:
            lowest = float(_of(panel, table)[[y, "ci_lower"]].min().min())
            panel.set_ylim(bottom=lowest - 0.02 * (panel.get_ylim()[1] - lowest))  # no strip down to the next tick
            panel.axhline(0, color=MUTED, linewidth=1)
    if len(unseen) and len(axes.figure.axes) > 1:
        say_above(axes, f"dashed: {said}")
    elif len(unseen):
        above = [axes.get_title(loc="left").replace("\n", " "), f"dashed: {said}"]
        axes.set_title(folded(" · ".join(filter(None, above)), letters=44), loc="left", fontsize=10.5, color=MUTED)
    return axes


def foretold(draw: Callable[[], Axes], *, segment: str) -> Axes:
    """Dash the line of what was forecast, beside that of what happened.

    Parameters
    ----------
    draw
        Draws the lines.
    segment
        The one that was forecast.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = draw()
    for line in axes.lines:
        line.set_linestyle("--" if line.get_label() == segment else "-")
    return axes


def _of(panel: Axes, table: pd.DataFrame) -> pd.DataFrame:
    """Keep of a table what a panel shows: its segment, or all where there is one panel."""
    alone = len(panel.figure.axes) == 1
    return table if alone else table[table["segment"] == panel.get_label()]


def earned_back(draw: Callable[[], Axes], table: pd.DataFrame, pay: pd.DataFrame) -> Axes:
    """Mark in a chart of what customers have brought the month by which each has brought back what it cost.

    Parameters
    ----------
    draw
        Draws the lines of the table.
    table
        As from :attr:`cslib.value.ltv.Worth.cumulative`.
    pay
        As from :attr:`cslib.value.ltv.Worth.payback`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = draw()
    months = table["segment"].map(pay[pay["cac"] > 0].set_index("segment")["payback_months"])
    ends = table[table["month"] == months]
    for panel in axes.figure.axes:
        own = _of(panel, ends)
        panel.scatter(own["month"], own["net_value"], s=46, color=GROUND, edgecolors=INK, linewidths=1.6, zorder=4)
    return axes
