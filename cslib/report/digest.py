"""The digest: what is new since the last run, in sentences, as a page, in Markdown and as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import isfinite, isnan
from typing import Any, Final

import pandas as pd

from cslib.errors import counted
from cslib.scorecard.scorecard import aimed
from cslib.scorecard.words import alone_too
from cslib.show.formats import MAY_BE_SEASON, between, format_day, format_interval, format_value, percent, unbroken

MISSED, WORSE, FAILED, BETTER, MET, BACK, WORKS = "missed", "worse", "failed", "better", "met", "back", "works"
KINDS: Final = (MISSED, WORSE, FAILED, BETTER, MET, BACK, WORKS)  # in the order of their weight
BAD: Final = (MISSED, WORSE, FAILED)
MOST: Final = 10  # that are told in full
YEAR: Final = 12
NOTHING: Final = "No target is newly missed, no KPI has surely left its usual range, and no report has failed."
INK, MUTED, LINE, ACCENT, ILL, WELL = "#1b1f24", "#5b6570", "#e3e6ea", "#0b6e82", "#b42318", "#1a7f37"
FONT: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
Row = Any  # one row of the scorecard, as from itertuples


@dataclass(frozen=True)
class News:
    """One thing that is told: of which kind, how far it goes, the sentence, and where the reports say more."""

    kind: str
    size: float
    text: str
    link: str
    where: str


@dataclass(frozen=True)
class Before:
    """What a KPI was when it was looked at last: its value, the last day of its period and its target, as text."""

    value: float
    until: str
    target: str


@dataclass(frozen=True)
class Digest:
    """All that is told at once, the weightiest first, and what else is to be known of the run."""

    news: tuple[News, ...]
    notes: tuple[str, ...]
    as_of: str
    n_compared: int

    @property
    def title(self) -> str:
        """Say how many things are new, and of which day."""
        count = f"{counted(len(self.news), 'thing')} to know" if self.news else "nothing new"
        return f"Customer KPIs: {count}{f' · {format_day(self.as_of)}' if self.as_of else ''}"

    @property
    def method(self) -> str:
        """Say how sure an alarm is."""
        return (
            "How sure: if nothing changes, at most 1 run in 20 raises a false alarm, over all KPIs together "
            f"({counted(self.n_compared, 'comparison')} with targets and usual ranges in this run). "
            "The scorecard looks at each KPI by itself, so it says more."
        )

    @property
    def rest(self) -> str:
        """Say how many more there are than are told in full."""
        more = len(self.news) - MOST
        return f"and {more} more, in the reports" if more > 0 else ""


def in_order(news: Iterable[News]) -> tuple[News, ...]:
    """Put the weightiest first."""
    return tuple(sorted(news, key=lambda one: (KINDS.index(one.kind), -one.size)))


def missed(row: Row, currency: str, before: Before | None, *, moved: bool) -> str:
    """Say that a target is newly missed, and whether the KPI has left its usual range as well."""
    target = target_text(row, currency)
    renewed = before is not None and before.target not in ("", target)
    value = _judged(row, currency)
    text = f"**{row.label} {_way_off(row, before, renewed=renewed)}**: {value}, target {target}"
    text += f", before {before.target}" if before and renewed else ""
    if row.judged_over:
        return f"{text}; {_latest(row, currency)}{_usually(row) if moved else ''}."
    return f"{text}{_usually(row) if moved else ''}.{_was(row, currency, before)}"


def _way_off(row: Row, before: Before | None, *, renewed: bool) -> str:
    """Say that it crossed its target only where it did."""
    if renewed:
        return "misses its new target"
    target = aimed(row)
    if row.judged_over or before is None or isnan(before.value) or not target.low <= before.value <= target.high:
        return "misses its target"
    return f"{'fell below' if row.value < target.low else 'rose above'} its target"


def moved(row: Row, currency: str, before: Before | None) -> str:
    """Say that a KPI has left its usual range, or moved by more than chance."""
    way = "rose" if row.change == "higher" else "fell"
    season = MAY_BE_SEASON if row.season == "unknown" else ""
    when = _when(row)
    if isfinite(row.limit_lower):
        side = "above" if row.change == "higher" else "below"
        text = f"**{row.label} {way} {side} its usual range**: {_value(row, currency)}{when}{_usually(row)}"
        return f"{text}{season}.{_was(row, currency, before)}"
    then, span = (row.previous, "before") if isnan(row.year_before) else (row.year_before, "a year before")
    text = f"**{row.label} {way} by more than chance**: {_value(row, currency)}{when}"
    return f"{text}, {_number(row, then, currency)} {span}{season}."


def met(row: Row, currency: str) -> str:
    """Say that a target that was missed is met."""
    return f"**{row.label} meets its target again**: {_judged(row, currency)}, target {target_text(row, currency)}."


def back(row: Row, currency: str) -> str:
    """Say that a KPI is where it usually is."""
    if isfinite(row.limit_lower):
        return f"**{row.label} is back within its usual range**: {_value(row, currency)}{_when(row)}{_usually(row)}."
    then = "the period before" if isnan(row.year_before) else "a year before"
    return f"**{row.label} no longer differs from {then} by more than chance**: {_value(row, currency)}{_when(row)}."


def failed(title: str, since: str, reason: str, last_good: str) -> str:
    """Say that a report could not be made, since when, why, and which one stands in its place."""
    kept = f" The report of {format_day(last_good)} stays." if last_good else " There is no earlier report."
    why = f": {reason.rstrip('.')}." if reason else "."
    return f"**{title} has failed since {format_day(since)}**{why}{kept}"


def works(title: str, since: str) -> str:
    """Say that a report that had failed is there again."""
    return f"**{title} works again**, after failing since {format_day(since)}."


def misses(row: Row) -> str:
    """Say in few words that a target is missed."""
    return f"{row.label} misses its target{f' over {row.judged_over}' if row.judged_over else ''}"


def differs(row: Row, way: str) -> str:
    """Say in few words that a KPI is not what it usually is."""
    return f"{row.label} is {way} than {'usual' if isfinite(row.limit_lower) else 'before'}"


def turned(row: Row) -> str:
    """Say in few words that the last period of a survey is not what those before it were together."""
    way = "above" if row.last_change == "higher" else "below"
    return f"{row.label} is clearly {way} all {'quarters' if row.months == 3 else 'periods'} before, taken together"


def target_text(row: Row, currency: str) -> str:
    """Write the target of a row; empty where it has none."""
    if pd.isna(row.target):
        return ""
    texts = [_exactly(row, end, currency) for end in (row.target, row.target_upper) if pd.notna(end)]
    return " to ".join(texts) if len(texts) == 2 else f"at {'least' if row.direction == 'up' else 'most'} {texts[0]}"


def _exactly(row: Row, value: float, currency: str) -> str:
    return f"{100 * value:.4g} %" if row.unit == "percent" else format_value(value, row.unit, currency)


def _number(row: Row, value: float, currency: str) -> str:
    """Write a value in few digits, and in more where it would look like its target."""
    if row.unit == "percent" and isfinite(value):
        short, target = percent(value), aimed(row)
        ends = [_exactly(row, end, "") for end in (target.low, target.high)]
        return format_value(value, "percent") if short in ends else short
    return format_value(value, row.unit, currency)


def _value(row: Row, currency: str) -> str:
    interval = _interval(row, row.ci_lower, row.ci_upper)
    return f"{_number(row, row.value, currency)}{f' ({interval})' if interval else ''}"


def _judged(row: Row, currency: str) -> str:
    """Write the value by which the target is judged, and of which time it is where that is not the last period."""
    if not row.judged_over:
        return _value(row, currency)
    interval = _interval(row, row.ci_lower_12m, row.ci_upper_12m)
    a_month = " a month" if row.months == 1 else ""
    return f"{_number(row, row.value_12m, currency)}{a_month} over {row.judged_over} ({interval})"


def _latest(row: Row, currency: str) -> str:
    when = "the latest period" if row.period.startswith("as ") or not row.period else row.period
    if not row.status_alone:
        return f"{when} alone is not measured"
    return f"{when} alone ({_number(row, row.value, currency)}) {alone_too(row.status_alone, aimed(row), row.value)}"


def _interval(row: Row, lower: float, upper: float) -> str:
    """Write two ends, of a share in whole percent where that tells them apart."""
    if row.unit != "percent" or not (isfinite(lower) and isfinite(upper)):
        return format_interval(lower, upper, row.unit)
    apart = percent(lower) != percent(upper)
    return between(lower, upper) if apart else f"{format_interval(lower, upper, row.unit)} %"


def _usually(row: Row) -> str:
    if not isfinite(row.limit_lower):
        return ""
    now = " at this time of the year" if row.season == "allowed for" else ""
    return f", usually {_interval(row, row.limit_lower, row.limit_upper)}{now}"


def _when(row: Row) -> str:
    """Name the period of a value, as in "in June 2025"."""
    if row.period.startswith("as ") or not row.period:
        return f" {row.period}".rstrip()
    if row.months == YEAR or row.period[:1].isdigit():
        return f" in the {row.period}"
    return f" from {row.period}" if " to " in row.period else f" in {row.period}"


def _was(row: Row, currency: str, before: Before | None) -> str:
    if before is None or isnan(before.value) or not before.until:
        return ""
    day, now = pd.Timestamp(before.until), row.until
    if day == now:
        same = _number(row, before.value, currency) == _number(row, row.value, currency)
        return "" if same else f" It was {_number(row, before.value, currency)} before the data were corrected."
    when = f"{day:%B}" if pd.notna(now) and day.year == now.year else f"{day:%B %Y}"
    return f" It was {_number(row, before.value, currency)} in {when}."


def plain_text(digest: Digest) -> str:
    """Write the digest for a terminal or a log."""
    lines = [f"{digest.title}", *(f"- {_plain(one)}" for one in digest.news[:MOST]), digest.rest]
    lines += [*([] if digest.news else [NOTHING]), *digest.notes]
    return "\n".join(filter(None, lines))


def _plain(one: News) -> str:
    return f"{one.text.replace('**', '')} [{one.where}]"


def markdown(digest: Digest, *, links: bool = True) -> str:
    """Write the digest in Markdown, with links to reports that stand beside it, or without."""
    lines = [f"# {digest.title}", ""] if links else []  # a message has a title of its own
    for one in digest.news[:MOST]:
        where = f"[{_marked(one.where)}]({one.link})" if links and one.link else f"({_marked(one.where)})"
        lines.append(f"- {_marked(one.text)} {where}")
    lines += [f"- {digest.rest}"] if digest.rest else [] if digest.news else [NOTHING]
    lines += [line for note in digest.notes for line in ("", _marked(note))]
    lines += ["", f"_{digest.method}_"]
    lines += ["", "[All reports](index.html)"] if links else []
    return "\n".join(lines) + "\n"


def _marked(text: str) -> str:
    """Keep ``**bold**``, and nothing else that Markdown would take for a mark."""
    parts = re.sub(r"\s+", " ", text).split("**")
    return "**".join(re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", part) for part in parts)


def page(digest: Digest, *, links: bool = True) -> str:
    """Write the digest as a page that mail programmes show as well: a table, styles in place, no script."""
    rows = "".join(_row(one, links=links) for one in digest.news[:MOST])
    rest = f'<p style="margin:12px 0 0">{escape(digest.rest)}.</p>' if digest.rest else ""
    body = f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0">{rows}</table>{rest}'
    body = body if digest.news else f'<p style="margin:0">{NOTHING}</p>'
    small = f"margin:16px 0 0;font-size:13px;color:{MUTED}"
    notes = "".join(f'<p style="{small}">{escape(text)}</p>' for text in (*digest.notes, digest.method))
    to_all = f'<p style="margin:16px 0 0"><a href="index.html" style="color:{ACCENT}">All reports</a></p>' * links
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(digest.title)}</title>\n</head>\n"
        f'<body style="margin:0;padding:24px 16px;background:#ffffff;color:{INK};font:16px/1.5 {FONT}">\n'
        f'<main style="max-width:640px;margin:0 auto">\n'
        f'<h1 style="margin:0 0 16px;font-size:26px;line-height:1.2">{escape(digest.title)}</h1>\n'
        f"{body}\n{notes}\n{to_all}\n</main>\n</body>\n</html>\n"
    )


def _row(one: News, *, links: bool) -> str:
    colour = ILL if one.kind in BAD else WELL
    where, text = escape(one.where), re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(unbroken(one.text)))
    if links and one.link:
        where = f'<a href="{escape(one.link)}" style="color:{ACCENT}">{where}</a>'
    return (
        f'<tr><td style="padding:4px 0 4px 14px;border-left:4px solid {colour}">{text}<br>'
        f'<span style="font-size:13px;color:{MUTED}">{where}</span></td></tr>\n<tr><td height="12"></td></tr>\n'
    )
