"""The section of a table: each step adds the keys it can tell, and says what may be wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cslib.data.config import stem
from cslib.propose import forms, money, names
from cslib.propose.answers import survey
from cslib.propose.billing import bills, moves
from cslib.propose.look import Look
from cslib.propose.match import Match
from cslib.propose.roles import GONE, export
from cslib.propose.section import Section, shown
from cslib.propose.values import Seen

MOST: Final = 6  # segments
MANY: Final = 50  # rows among which somebody should be twice
ALIKE: Final = 20  # values of a segment, at most
OF_PERSONS: Final = r"\b(name|owner|phone|surname|manager)\b"
SEGMENTED: Final = ("customers", "subscriptions", "orders", "surveys")
DOUBTFUL: Final = {  # words of a status, of rows that may not count
    "subscriptions": ("trialing", "in trial", "incomplete", "incomplete expired", "future", "pending"),
    "orders": ("refunded", "voided", "cancelled", "canceled", "partially refunded", "failed", "wc refunded"),
    "surveys": ("survey preview", "spam", "partial"),
}
PURPOSES: Final = {
    "acquisition": r"acqui|marketing|sales|advert|\bads\b|werbung|vertrieb|publicite|ventas",
    "retention": r"retention|success|support|loyalty|bindung|service",
}


def section(match: Match, hints: Sequence[Look]) -> Section:
    """Make the section of a table.

    Parameters
    ----------
    match
        The file and its columns.
    hints
        All that was looked at: what one column leaves open another may tell.
    """
    made = Section(match, {"table": match.look.name, "columns": {r: c for r, c in match.columns.items() if r != c}})
    if match.look.encoding != "utf-8":
        made.keys["encoding"] = match.look.encoding
    for step in STEPS:
        step(made, hints)
    made.ask()
    return made


def _more(made: Section, hints: Sequence[Look]) -> None:
    if made.match.more:
        files, verb = ", ".join(map(shown, made.match.more)), "has" if len(made.match.more) == 1 else "have"
        made.said.append(f"{files} {verb} the same columns: the query reads all of them.")


def _preset(made: Section, hints: Sequence[Look]) -> None:
    """Leave to a preset what it knows of an export."""
    known = export([c.name for c in made.match.look.columns])
    if known is None or made.match.table != known.table:
        return
    made.keys = {"table": made.match.look.name, "preset": known.preset}
    made.said = [f"The columns are those of an export that the preset {known.preset} reads."]
    made.unsure.clear()
    if known.beside:
        made.said.append(
            f"It reads {shown(known.beside)} beside, which says whose invoice a line is on, and of which day."
        )
        if known.beside not in (stem(Path(look.name)) for look in hints):
            made.unsure.append(f"{shown(known.beside)} is not there. Export it, too.")


def _headers(made: Section, hints: Sequence[Look]) -> None:
    n = made.match.look.skip
    if n:
        made.keys["on_fault"] = "set_aside"
        rows = "The first row is" if n == 1 else f"The first {n} rows are"
        made.said.append(f"{rows} no data: on_fault leaves what cannot be read out, and counts it.")


def _purposes(made: Section, hints: Sequence[Look]) -> None:
    """Say which words of costs are for winning customers, and which for keeping them."""
    if made.match.table == "costs":
        words = {w: _purpose(w) for w in made.seen("kind").distinct}
        forms.tables_of_words(made, "kind", {w: kind for w, kind in words.items() if kind and kind != w.lower()})


def _purpose(word: str) -> str:
    return next((kind for kind, words in PURPOSES.items() if re.search(words, names.plain(word))), "")


def _statuses(made: Section, hints: Sequence[Look]) -> None:
    """Point at rows that may not count: trials, refunds, answers to a preview."""
    doubtful = DOUBTFUL.get(made.match.table, ())
    for c in (c for c in made.match.look.columns if "status" in names.plain(c.name) and c.kind == "word"):
        odd = [shown(w) for w in c.distinct if names.plain(w) in doubtful]
        if odd:
            text = f"{shown(c.name)} has {', '.join(odd)}: those rows count like all others."
            made.said.append(f"{text} A query can leave them out.")
    if made.match.table == "subscriptions" and "ended_on" not in made.match.columns:
        made.unsure.append("No column says when a subscription ended: all count as running still.")
        over = [w for c in made.match.look.columns if "status" in names.plain(c.name) for w in c.distinct]
        gone = [shown(w) for w in over if names.plain(w).startswith(GONE)]
        if gone:
            made.unsure.append(
                f"Some have the status {', '.join(gone)}, without the day on which they ended. Export it."
            )


def _repeats(made: Section, hints: Sequence[Look]) -> None:
    """Wonder where nobody comes twice: the column may be an id of rows, and not of customers."""
    if made.match.table in ("orders", "usage", "touchpoints") and "customer_id" in made.match.columns:
        c = made.seen("customer_id")
        if c.unique and len(c.texts) >= MANY and made.match.look.whole:
            made.unsure.append(f"No {shown(c.name)} is there twice: is it the customer, and not an id of rows?")


def _segments(made: Section, hints: Sequence[Look]) -> None:
    """Propose columns by which customers can be compared, those with telling names first."""
    taken = {*made.match.columns.values(), made.keys.get("unit")}
    kept = [c for c in made.match.look.columns if c.name not in taken and _segment(c)]
    known = sorted(kept, key=lambda c: -names.likeness(c.name, names.SEGMENT))
    telling = [c.name for c in known if names.likeness(c.name, names.SEGMENT) > 0]
    if made.match.table == "customers" and not telling:
        telling = [c.name for c in known]
    if telling and made.match.table in SEGMENTED:
        made.keys["segments"] = telling[:MOST]


def _segment(c: Seen) -> bool:
    few = 1 < len(c.distinct) <= min(ALIKE, len(c.texts) - 1) and c.empty <= 0.5
    bare = names.plain(c.name)
    of_persons = re.search(OF_PERSONS, bare) and bare not in names.SEGMENT
    odd = of_persons or bare in (*names.CURRENCY, *names.UNIT, *names.ORDER_ID) or "status" in bare
    return few and c.kind == "word" and c.flag is None and not c.mail and not odd


def _names(made: Section, hints: Sequence[Look]) -> None:
    """Say of which columns the name alone did not tell what they are."""
    for role, score in made.match.scores.items():
        column = made.match.columns[role]
        if score < 0.5 and not (made.match.table == "surveys" and role == "customer_id"):
            made.unsure.append(f"{shown(column)} is taken for {role} by its values alone.")
        elif score < 0.7 and made.match.table != "surveys" and names.plain(column) != names.plain(role):
            made.said.append(f"{shown(column)} is the likeliest column for {role}.")


STEPS: Final = (
    *(_more, forms.dates, forms.numbers, forms.tenure, forms.flags, money.price, money.ends, survey, forms.nothings),
    *(
        _purposes,
        bills,
        moves,
        _headers,
        money.lines,
        _statuses,
        _repeats,
        money.currency,
        _segments,
        _names,
        forms.last_day,
    ),
    _preset,
)
