"""What a chart tells at its points: value, interval and n, to a pointer, a finger or the keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from cslib.show.formats import format_interval, format_value, without_secrets

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.transforms import Bbox

SERIES: Final = "series-"  # begins the id of what belongs to one line of a chart
MOST: Final = 80  # points of a line that tell something
POINTS: Final = re.compile(r"data-points='([^']*)'")


class _Told(NamedTuple):
    axes: Axes
    points: Sequence[tuple[float, float, str]]
    series: int


_told: Final[WeakKeyDictionary[FigureBase, list[_Told]]] = WeakKeyDictionary()


def tell(
    axes: Axes, x: Iterable[float], y: Iterable[float], texts: Iterable[str], *, series: int = 0, line: bool = False
) -> None:  # fmt: skip
    """Note what a reader is told at points of a chart.

    Parameters
    ----------
    axes
        Where they lie.
    x, y
        In the units of the axes; points that are not finite are left out.
    texts
        One per point, lines separated by a line break; the first one names the point.
    series
        Number of the line that they belong to, as for :func:`belongs`.
    line
        Whether they lie close together on a line: of a long one, some points tell for those beside them. A bar or a
        cell always tells its own.
    """
    told = map(_without_secrets, texts)
    points = [(a, b, t) for a, b, t in zip(x, y, told, strict=True) if np.isfinite(a) and np.isfinite(b)]
    if points:
        step = -(-len(points) // MOST) if line else 1
        kept = [*points[:-1:step], points[-1]]
        _told.setdefault(axes.figure, []).append(_Told(axes, kept, series))


def _without_secrets(text: str) -> str:
    """Clean each line while it is one: in the JSON of a page it could not be told where an address ends."""
    return "\n".join(map(without_secrets, text.split("\n")))


def belongs(series: int, *artists: Artist) -> None:
    """Note that these are parts of one line of a chart, which stands out when a reader points at it."""
    for artist in artists:
        artist.set_gid(f"{SERIES}{series}")


def lines(
    name: str, value: float, unit: str, *, bounds: tuple[float, float] = (np.nan, np.nan), of: str = "", n: str = ""
) -> str:
    r"""Write what is told at a point.

    Parameters
    ----------
    name
        What the point is.
    value, unit, bounds
        Its value with the ends of its interval, in a unit of :func:`cslib.show.formats.format_value`.
    of
        What the value counts, behind it.
    n
        What it rests on, in words.

    Examples
    --------
    >>> lines("Team, 12 months", 0.634, "percent", bounds=(0.60, 0.67), n="709 still followed")
    'Team, 12 months\n63.4 % (60.0 to 67.0)\n709 still followed'
    """
    interval = format_interval(*bounds, unit, value=value)
    said = " ".join(filter(None, [format_value(value, unit), of, f"({interval})" if interval else ""]))
    return "\n".join(filter(None, [name, said, n]))


def attribute(figure: Figure, box: Bbox) -> str:
    """Give the points of a figure as an attribute of its drawing; empty where it tells nothing.

    Parameters
    ----------
    figure
        Laid out, at 72 dots per inch.
    box
        What is drawn of it, in inches.

    Returns
    -------
    str
        ``data-points``: a list of [x, y, text, series], in points from the upper left corner; ``data-width``: how many
        points the drawing is wide.
    """
    found: list[Any] = []
    for axes, points, series in _told.pop(figure, []):
        places = axes.transData.transform([(x, y) for x, y, _ in points])
        across, down = places[:, 0] - box.x0 * 72, box.y1 * 72 - places[:, 1]
        found += [[round(a, 1), round(d, 1), t, series] for a, d, (_, _, t) in zip(across, down, points, strict=True)]
    return f""" data-width="{box.width * 72:.1f}" data-points='{_packed(found)}'""" if found else ""


def _packed(points: Sequence[Any]) -> str:
    return escape(json.dumps(points, ensure_ascii=False, separators=(",", ":")), quote=False).replace("'", "&#x27;")


def points_of(html: str) -> list[list[Any]]:
    """Read what a drawing tells; nothing where it tells nothing."""
    found = POINTS.search(html)
    return json.loads(unescape(found[1])) if found else []


def sharing(html: str, first: str) -> str:
    """Let a drawing name the points of another one that tell the same, [x, y, number], in place of their texts.

    Parameters
    ----------
    html
        The drawing.
    first
        The other one, which stands with it.
    """
    known = {(text, series): i for i, (_, _, text, series) in enumerate(points_of(first))}
    points = [[x, y, known[t, s]] if (t, s) in known else [x, y, t, s] for x, y, t, s in points_of(html)]
    return POINTS.sub(lambda _: f"data-points='{_packed(points)}'", html, count=1)
