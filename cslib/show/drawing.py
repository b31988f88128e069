"""Make a matplotlib figure fit to live beside others in a page that has two themes."""

from __future__ import annotations

import base64
import io
import math
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING, Final

from cslib.show import hover
from cslib.show.colours import DARK, PALETTE, THEME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import LayoutEngine

SVG_LIMIT = 400_000
BAND = "fill-opacity: 0.16"  # of an interval; a page may make it stronger
TURNS = re.compile(r"[^MLz\d .\n-]")  # what is more in a path than straight lines
STRAIGHT = re.compile(r"([ML])(-?[\d.]+) (-?[\d.]+)(z?)")
SPARK = (150, 36)  # pixels
LEGIBLE = 10  # pixels of the smallest text, however narrow the screen
PRESSED: Final = "pressed-"  # begins the id of a text that is pressed together to so many points
_slim: Final = ContextVar("slim", default=False)


@contextmanager
def slim() -> Iterator[None]:
    """Draw charts for a telephone here: as wide as its screen, with names above what they name."""
    before = _slim.set(True)
    try:
        yield
    finally:
        _slim.reset(before)


def is_slim() -> bool:
    """Tell whether a chart is drawn for a telephone."""
    return _slim.get()


def drawing(fig: Figure, name: str, alt: str) -> str:
    """Turn a matplotlib figure into HTML, and close it: an inline SVG, or a PNG where that is smaller.

    Parameters
    ----------
    fig
        The figure.
    name
        Prefix of the ids in the SVG, unique in the page.
    alt
        What the chart shows, in words.

    Returns
    -------
    str
        ``<svg>`` or ``<img>``; the same figure gives the same bytes.
    """
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cslib", "savefig.bbox": "tight"}):
        raw, told = _svg(fig)
        svg = _themed(raw, name, alt, told)
        html = svg if len(svg) <= SVG_LIMIT else _png(fig, alt, told)
    if pyplot := sys.modules.get("matplotlib.pyplot"):  # else no notebook would show the figure once more
        pyplot.close(fig)
    return html


def sparkline(values: Sequence[float], limits: tuple[float, float] | None = None, aims: Sequence[float] = ()) -> str:
    """Draw a small line without axes, its last point marked, over a band of limits.

    Parameters
    ----------
    values
        The earliest first; missing ones are gaps.
    limits
        Lower and upper end of the band; empty: none.
    aims
        Where dashed lines stand: what was to be reached.

    Returns
    -------
    str
        An ``<svg>`` that readers of the screen pass over, because the card beside it says the same; empty with fewer
        than two values.
    """
    known = [v for v in values if math.isfinite(v)]
    if len(known) < 2:
        return ""
    ends = [*known, *(limits or ()), *aims]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0
    width, height = SPARK
    at = [4 + i * (width - 8) / (len(values) - 1) for i in range(len(values))]
    up = [4 + (height - 8) * (1 - (v - low) / span) for v in values]
    path, pen = "", "M"
    for x, y in zip(at, up, strict=True):
        path, pen = (f"{path}{pen}{x:.1f} {y:.1f} ", "L") if math.isfinite(y) else (path, "M")
    band = ""
    goals = [4 + (height - 8) * (1 - (v - low) / span) for v in aims]
    lines = "".join(f'<path class="cs-aim" d="M0 {y:.1f}H{width}"/>' for y in goals)
    if limits:
        top, bottom = (4 + (height - 8) * (1 - (v - low) / span) for v in reversed(limits))
        band = f'<rect x="0" y="{top:.1f}" width="{width}" height="{bottom - top:.1f}" class="cs-band"/>'
    dot = f'<circle cx="{at[-1]:.1f}" cy="{up[-1]:.1f}" r="2.6"/>' if math.isfinite(up[-1]) else ""
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true" focusable="false"'
    return f'<svg class="cs-spark" {box}>{band}{lines}<path d="{path.strip()}"/>{dot}</svg>'


def _svg(fig: Figure) -> tuple[str, str]:
    """Lay the figure out, measure and draw it: matplotlib by itself would draw it once more in order to measure.

    Also what it tells at its points, as an attribute.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG

    layout, dpi, buffer = fig.get_layout_engine(), fig.dpi, io.StringIO()
    fig.dpi = 72  # SVG counts in points; each text is measured once
    ruler = RendererSVG(*fig.bbox.size, io.StringIO())  # type: ignore[no-untyped-call]
    FigureCanvasSVG(fig).get_renderer = lambda: ruler  # type: ignore[attr-defined]
    if layout:
        _lay_out(fig, ruler, layout)
    box = fig.get_tightbbox(ruler).padded(0.1)
    told = hover.attribute(fig, box)
    fig.set_layout_engine(None)  # else it is laid out anew
    no_dates = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    fig.savefig(buffer, format="svg", bbox_inches=box, facecolor="none", metadata=no_dates)
    fig.dpi = dpi
    fig.set_layout_engine(layout)
    return buffer.getvalue(), told


def _lay_out(fig: Figure, ruler: RendererBase, layout: LayoutEngine) -> None:
    """Lay a figure out; a chart alone by measuring once what stands around it, which the engine does twice."""
    axes = _alone(fig, layout)
    if axes and (outer := axes.get_tightbbox(ruler, for_layout_only=True)):
        pads, (width, height) = layout.get(), fig.bbox.size
        beside, above = pads["w_pad"] * fig.dpi, pads["h_pad"] * fig.dpi
        inner = axes.get_window_extent(ruler)
        left, right = inner.x0 - outer.x0 + beside, width - (outer.x1 - inner.x1 + beside)
        bottom, top = inner.y0 - outer.y0 + above, height - (outer.y1 - inner.y1 + above)
        if right > left and top > bottom:
            axes.set_position((left / width, bottom / height, (right - left) / width, (top - bottom) / height))
            axes.set_in_layout(True)  # for whoever draws it next
            return
    layout.execute(fig)


def _alone(fig: Figure, layout: LayoutEngine) -> Axes | None:
    """Give the axes of a figure that holds nothing else, as wide and high as there is room."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    others = [
        *fig.axes[1:],
        *fig.subfigs,
        *fig.legends,
        *fig.texts,
        *fig.patches,
        *fig.lines,
        *fig.images,
        *fig.artists,
    ]
    if (
        not fig.axes
        or others
        or not isinstance(layout, ConstrainedLayoutEngine)
        or layout.get()["rect"] != (0, 0, 1, 1)
    ):
        return None
    spec, axes = fig.axes[0].get_subplotspec(), fig.axes[0]
    return axes if spec and spec.get_geometry()[:2] == (1, 1) and axes.get_aspect() == "auto" else None


def _png(fig: Figure, alt: str, told: str) -> str:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=160, facecolor="#ffffff", metadata={"Software": None})
    width = int.from_bytes(buffer.getvalue()[16:20], "big") * 96 / 160  # pixels, from the PNG's header
    code = base64.b64encode(buffer.getvalue()).decode()
    style = f"width:{width:.0f}px;min-width:{width * 0.75:.0f}px;max-width:100%"
    return f'<img alt="{escape(alt)}" style="{style}" src="data:image/png;base64,{code}"{told}>'


def _themed(svg: str, name: str, alt: str, told: str) -> str:
    """Make a matplotlib SVG fit to live beside others in one page: scoped, themed, labelled."""
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(rf' id="{hover.SERIES}(\d+)"', r' data-s="\1"', svg)
    pressed = r'<g><text textLength="\1" lengthAdjust="spacingAndGlyphs" '
    svg = re.sub(rf'<g id="{PRESSED}([\d.]+)">\s*<text ', pressed, svg)
    used = set(re.findall(r'(?:url\(|href=")#([\w.-]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(|xlink:href=")#', rf"\1#{name}-", svg)
    svg = re.sub(r' (fill|stroke)="(#\w{6})"', r' style="\1: \2"', svg)
    svg = re.sub(r"<(\w+)[^>]*>", _recoloured, svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"|(?<=>)\s+(?=<)|<g/>', "", svg)
    svg = re.sub(r' d="[^"]*"', lambda path: _short(path[0]), svg)
    svg = re.sub(r' [xy]="[\d.]+"', lambda place: _rounded(place[0]), svg)
    points = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    box = re.search(r'viewBox="[^"]*"', svg)[0]  # type: ignore[index]
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: [^;\"]*?([\d.]+)px", svg)]
    least = math.ceil(points * max(1, LEGIBLE / min(sizes, default=LEGIBLE)))
    style = f"width:100%;max-width:{max(least, points * 96 / 72):.0f}px;min-width:{least}px;"
    style += "font-family:var(--sans, sans-serif);fill:var(--ink, #1b1f24);stroke-linejoin:round;stroke-linecap:butt"
    head = f'<svg {box} role="img" aria-label="{escape(alt)}" style="{style}"{told}>'
    return re.sub(r"\A<svg[^>]*>", lambda _: head, svg).strip()


def _short(path: str) -> str:
    """Write a path with a tenth of a point, and no blanks that say nothing."""
    text = re.sub(r"\s*\n\s*|(?<=[A-Za-z]) ", "", _rounded(path)[4:-1])
    return f' d="{text if TURNS.search(text) else _squared(text)}"'


def _squared(path: str) -> str:
    """Write what runs along an axis as such, as steps and the sides of cells do.

    Examples
    --------
    >>> _squared("M1 2L5 2L5 4.5L6 7z")
    'M1 2H5V4.5L6 7z'
    """
    found, x, y = list[str](), "", ""
    for pen, to_x, to_y, end in STRAIGHT.findall(path):
        level, upright = pen == "L" and to_y == y, pen == "L" and to_x == x
        found.append(f"H{to_x}" if level else f"V{to_y}" if upright else f"{pen}{to_x} {to_y}")
        found.append(end)
        x, y = to_x, to_y
    return "".join(found)


def _rounded(text: str) -> str:
    return re.sub(r"\d+\.\d{2,}", lambda n: f"{float(n[0]):.1f}".removesuffix(".0"), text)


def _recoloured(tag: re.Match[str]) -> str:
    def variable(colour: re.Match[str]) -> str:
        # White text stands on a mark, whose colour is the same in both themes.
        text = tag[1] in ("text", "tspan")
        line = tag[0].endswith("stroke: ", 0, colour.start())
        if (text or line or BAND in tag[0]) and colour[0] in PALETTE:
            return f"var(--t{PALETTE.index(colour[0])}, {colour[0]})"
        if colour[0] in DARK:
            return f"light-dark({colour[0]}, {DARK[colour[0]]})"
        fixed = colour[0] not in THEME or (colour[0] == "#ffffff" and text)
        return colour[0] if fixed else f"var({THEME[colour[0]]}, {colour[0]})"

    return re.sub(r"(?<=: )#\w{6}(?=[;\"])", variable, tag[0]).replace(BAND, "fill-opacity: var(--band, 0.16)")
