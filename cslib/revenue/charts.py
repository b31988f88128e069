"""Charts of revenue: movements as a waterfall and over time, and MRR by the year customers came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from cslib.show import charts, hover
from cslib.show.charts import GROUND, INK, MUTED, PALETTE, STYLE, cohort_label, new_axes, nice_step, require
from cslib.show.colours import GAINS, LOSSES, lettered, years
from cslib.show.formats import LONG, SCALES, format_value
from cslib.stats.intervals import Floats

WON: Final = ("new", "expansion", "reactivation")
LOST: Final = ("churn", "contraction")
COLOURS: Final = dict(zip((*WON, *LOST), (*GAINS, *LOSSES), strict=True))
POINT: Final[Any] = {"color": INK, "markersize": 5.5, "markeredgecolor": GROUND}  # seen on every bar
TOTAL: Final = MUTED
LOWER: Final = 16  # points from the axis to the second of two rows of names
NAMES: Final = {"opening": "at the start", "closing": "at the end"}


def _money_axis(axes: Axes, low: float, high: float, currency: str) -> None:
    """Give the axis of amounts its limits and round ticks, one unit where there is nothing to show."""
    if not high > low:
        low, high = low - (low != 0), low + 1
    axes.set_ylim(low, high)
    step = nice_step(high - low, 6, 1e-9)
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _tick(v, step, max(abs(low), abs(high)), currency)))
    axes.grid(axis="y", linewidth=0.8)


def _tick(value: float, step: float, most: float, currency: str) -> str:
    """Write the amount at a tick, no two of them alike, and in the unit of the largest.

    Examples
    --------
    >>> [_tick(v, 500, 142_000, "USD") for v in (138_000, 138_500)], _tick(-20_000, 20_000, 60_000, "")
    (['USD 138.0 k', 'USD 138.5 k'], '−20 k')
    """
    scale, letter = next(((s, t) for s, t in SCALES if most >= s and most >= LONG), (1.0, ""))
    places = max(0, -int(np.floor(np.log10(step / scale) + 1e-9))) if value else 0
    sign, letter = "−" if round(value / scale, places) < 0 else "", letter if value else ""
    return f"{currency} {sign}{abs(value) / scale:,.{places}f}{letter}".strip()


@mpl.rc_context(STYLE)
def waterfall_chart(steps: pd.DataFrame, *, currency: str = "") -> Axes:
    """Draw how MRR came from its opening to its closing.

    Parameters
    ----------
    steps
        ``step`` (opening, movements, closing), ``amount``, ``start`` and ``end`` of each bar.
    currency
        Code before the amounts.

    Returns
    -------
    matplotlib.axes.Axes
        The axis does not start at 0 where the movements would be too small to see; the bars of opening and closing
        are cut there.

    Raises
    ------
    ParameterError
        A column is missing, or there are no rows.
    """
    require(steps, "step", "amount", "start", "end")
    axes = new_axes(3.6)
    moving = steps.iloc[1:-1]
    ends = np.append(moving[["start", "end"]].to_numpy(float).ravel(), steps[["amount"]].iloc[[0, -1]].to_numpy(float))
    low, high = float(ends.min()), float(ends.max())
    floor = max(low - 0.35 * (high - low), 0.0) if low > 0.5 * high else 0.0
    at = np.arange(len(steps))
    start, end = steps["start"].to_numpy(float).clip(floor), steps["end"].to_numpy(float)
    colours = [COLOURS.get(step, TOTAL) for step in steps["step"]]
    axes.bar(at, end - start, bottom=start, width=0.62, color=colours)
    for i in at[:-1]:
        left = -0.31 if end[i] == start[i] else 0.31  # through a step of nothing
        axes.plot([i + left, i + 0.69], end[[i, i]], color=MUTED, linewidth=0.9)
    highest = _amounts(axes, steps, np.maximum(start, end), high - floor)
    names = [NAMES.get(name, name) for name in steps["step"]]
    told = [f"{n}\n{format_value(v, 'amount', currency)}" for n, v in zip(names, steps["amount"], strict=True)]
    hover.tell(axes, at, np.maximum(start, end), told)
    axes.set_xticks(at, names)
    _in_two_rows(axes)
    _money_axis(axes, floor, max(high + 0.1 * (high - floor), highest), currency)
    if floor:
        _cut(axes, at[[0, -1]], format_value(floor, "money", currency))
    return axes


def _in_two_rows(axes: Axes) -> None:
    """Write every second name along a slim chart lower: beside each other there is no room for them."""
    if charts.is_slim():
        axes.tick_params(axis="x", labelsize=9.5)
        for tick in axes.xaxis.get_major_ticks()[1::2]:
            tick.set_pad(LOWER)


def _amounts(axes: Axes, steps: pd.DataFrame, tops: Floats, span: float) -> float:
    """Write the amount of every bar above it, and return how high the texts reach."""
    most = float(steps["amount"].iloc[1:-1].abs().max())
    total = partial(_tick, step=nice_step(span, 60, 1e-9), most=float(tops.max()), currency="")
    tops, line = tops + 0.02 * span, 0.07 * span
    if charts.is_slim():  # where two texts would touch, the second one stands higher
        tops[1:] += line * ((np.abs(np.diff(tops)) < line) & (np.arange(1, len(tops)) % 2 == 0))
    for i, (name, amount) in enumerate(zip(steps["step"], steps["amount"], strict=True)):
        text = _signed(amount, most) if name in COLOURS else total(amount)
        axes.text(i, tops[i], text, ha="center", va="bottom", color=INK, fontsize=9.5)
    return float(tops.max() + 0.08 * span)


def _signed(amount: float, most: float) -> str:
    """Write a movement in the unit of the largest, unless nothing were left of it.

    Examples
    --------
    >>> [_signed(v, 28_600) for v in (28_600, 4_611, -149, 0)], _signed(-4_600, 9_000)
    (['+28.6 k', '+4.6 k', '−149', '0'], '−4,600')
    """
    fine = nice_step(most, 200, 1e-9)
    shortened = most >= LONG and abs(amount) >= 10 * fine
    return "+" * (amount > 0) + (_tick(amount, fine, most, "") if shortened else format_value(amount, "money"))


def _cut(axes: Axes, bars: NDArray[np.int64], floor: str) -> None:
    """Mark the bars that the axis cuts, and say where it starts."""
    axes.set_title(f"the axis starts at {floor}", loc="left", fontsize=9.5, color=MUTED)
    for i in bars:
        place: Any = {"color": GROUND, "linewidth": 3, "transform": axes.get_xaxis_transform()}
        axes.plot([i - 0.34, i + 0.34], [0.04, 0.09], **place)


def with_span(draw: Callable[[], Axes], days: Sequence[pd.Timestamp]) -> Axes:
    """Shade what lies between two days in every panel of a chart over time, as far as it shows them; or nothing.

    Returns
    -------
    matplotlib.axes.Axes
        As drawn.
    """
    axes = draw()
    ends = [(day - pd.Timestamp(0)) / pd.Timedelta(days=1) for day in days]
    for panel in axes.figure.axes if ends else []:
        limits = panel.get_xlim()
        panel.axvspan(max(ends[0], limits[0]), min(ends[1], limits[1]), color=MUTED, alpha=0.13, linewidth=0, zorder=0)
        panel.set_xlim(limits)
    return axes


@mpl.rc_context(STYLE)
def movement_bars(moved: pd.DataFrame, *, currency: str = "", most: int = 36) -> Axes:
    """Draw what was won above and what was lost below the line, month by month, and the difference as a point.

    Parameters
    ----------
    moved
        ``month``, and the five movements.
    currency
        Code before the amounts.
    most
        How many of the last months to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, or there are no rows.
    """
    require(moved, "month", *COLOURS)
    rows = moved.tail(most)
    axes, at = new_axes(3.8), np.arange(len(rows))
    for kinds in (WON, LOST):
        bottom = np.zeros(len(rows))
        for kind in kinds:
            amount = rows[kind].to_numpy(float)
            place = list(COLOURS).index(kind)
            hover.belongs(place, axes.add_collection(_bars(at, bottom, amount, kind)))
            _tell(axes, rows["month"], bottom + amount, amount, kind, currency, place)
            bottom += amount
    net = rows[list(COLOURS)].sum(axis=1).to_numpy(float)
    hover.belongs(len(COLOURS), *axes.plot(at, net, "o", **POINT, label="net"))
    _tell(axes, rows["month"], net, net, "net", currency, len(COLOURS))
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.autoscale_view()
    _months_below(axes, rows["month"])
    low, high = axes.get_ylim()
    _money_axis(axes, low, high, currency)
    named, _ = axes.get_legend_handles_labels()
    style: Any = {"frameon": False, "loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0}
    style |= {"handles": [*named[-1:], *named[:-1]], "ncols": 3 if charts.is_slim() else 6}
    axes.legend(handlelength=0.9, handletextpad=0.4, columnspacing=1.2, fontsize=9.5, labelcolor=MUTED, **style)
    return axes


def _bars(at: NDArray[np.int64], bottom: Floats, amount: Floats, kind: str) -> PolyCollection:
    """Make the bars of one kind as one thing: each by itself takes half of the time that the chart takes."""
    left, right, top = at - 0.4, at + 0.4, bottom + amount
    corners = np.stack([left, bottom, right, bottom, right, top, left, top], axis=1).reshape(-1, 4, 2)
    edge: Any = {"facecolors": COLOURS[kind], "edgecolors": GROUND, "linewidths": 0.5}
    return PolyCollection(list(corners[amount != 0]), label=kind, **edge)


def _tell(
    axes: Axes, months: pd.Series[Any], heights: Floats, amounts: Floats, name: str, currency: str, place: int
) -> None:
    """Tell the amount of every month of one series."""
    texts = [
        f"{name}, {cohort_label(month, 'month')}\n{format_value(amount, 'amount', currency)}"
        for month, amount in zip(months, amounts, strict=True)
    ]
    there = np.where(amounts == 0, np.nan, heights)  # where there is nothing, another one is told
    hover.tell(axes, np.arange(len(texts)), there, texts, series=place)


def _months_below(axes: Axes, months: pd.Series[Any]) -> None:
    every = max(int(np.ceil(len(months) / (3 if charts.is_slim() else 9))), 1)
    first = next((i for i, day in enumerate(months) if day.month == 1), 0) % every
    places = range(first, len(months), every)
    axes.set_xticks(list(places), [cohort_label(months.iloc[i], "month") for i in places])


@mpl.rc_context(STYLE)
def layer_cake(layers: pd.DataFrame, *, currency: str = "") -> Axes:
    """Draw MRR as layers, one per year in which customers came, the oldest at the bottom.

    Parameters
    ----------
    layers
        ``cohort`` (text), ``month``, ``mrr``; at most eight cohorts, older ones are drawn together.
    currency
        Code before the amounts.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, or there are no rows.
    """
    require(layers, "cohort", "month", "mrr")
    wide = layers.pivot(index="month", columns="cohort", values="mrr").fillna(0.0).sort_index(axis=1)
    if wide.shape[1] > len(PALETTE):
        early = wide.iloc[:, : wide.shape[1] - len(PALETTE) + 1]
        wide = pd.concat([early.sum(axis=1).rename(f"until {early.columns[-1]}"), wide.drop(columns=early)], axis=1)
    axes, at = new_axes(3.8), np.arange(len(wide))
    colours = years(wide.shape[1])
    for i, area in enumerate(
        axes.stackplot(at, wide.to_numpy(float).T, colors=colours, edgecolor=GROUND, linewidth=0.6)
    ):
        hover.belongs(i, area)
    top = wide.to_numpy(float).cumsum(axis=1)
    height = top[-1, -1] if top[-1, -1] > 0 else 1.0
    for i, name in enumerate(wide.columns):
        lower = top[-1, i - 1] if i else 0.0
        _tell(axes, pd.Series(wide.index), top[:, i], wide.iloc[:, i].to_numpy(float), str(name), currency, i)
        if top[-1, i] - lower >= 0.035 * height:
            middle = (top[-1, i] + lower) / 2
            axes.annotate(
                str(name), (at[-1], middle), (6, 0), textcoords="offset points", va="center",
                color=lettered(colours[i]), fontweight="bold", annotation_clip=False,
            )  # fmt: skip
    axes.set_xlim(0, max(len(wide) - 1, 1))
    _months_below(axes, pd.Series(wide.index))
    _money_axis(axes, 0.0, 1.02 * float(top.max()), currency)
    return axes
