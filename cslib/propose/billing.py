"""Invoices and logs of changes, of which subscriptions are made where a data set has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cslib.data.contract import CONTRACT
from cslib.propose import names
from cslib.propose.forms import tables_of_words
from cslib.propose.look import Look
from cslib.propose.roles import MOVES, move
from cslib.propose.section import Section, shown

LINES: Final = {  # words of a line, and what it is
    "recurring": ("recurring", "subscription", "subscriptions", "plan", "renewal", "abo", "abonnement"),
    "one_off": ("one off", "one time", "onetime", "setup", "setup fee", "service", "einmalig", "addon once"),
    "discount": ("discount", "coupon", "rabatt", "remise", "descuento", "sconto"),
    "credit": ("credit", "credit note", "gutschrift", "avoir"),
    "refund": ("refund", "erstattung", "remboursement", "reembolso"),
    "tax": ("tax", "vat", "sales tax", "steuer", "mwst", "tva", "iva"),
    "proration": ("proration", "prorated", "prorated charge"),
}


def bills(made: Section, hints: Sequence[Look]) -> None:
    """Say what the lines of invoices are."""
    if made.match.table != "invoices" or "amount" not in made.match.columns:
        return
    other = [shown(c.name) for c in made.match.look.columns if c.date and c.name not in made.match.columns.values()]
    if other and "line_end" not in made.match.columns:
        made.unsure.append(f"No column is known to say what a line is for, and {other[0]} is a date: a line of a year ")
        made.unsure[-1] += "counts as one of a month without line_start and line_end."
    if "kind" in made.match.columns:
        words = {w: _line(w) for w in made.seen("kind").distinct}
        _told(made, words, CONTRACT["invoices"]["kind"].choices)
        return
    made.keys["values"] = {"kind": "recurring"}
    made.unsure.append("No column says what a line is: all are taken for recurring, none for one-off, tax or refund.")


def moves(made: Section, hints: Sequence[Look]) -> None:
    """Say what the words of a log of changes mean."""
    if made.match.table == "movements" and "kind" in made.match.columns:
        _told(made, {w: move(w) for w in made.seen("kind").distinct}, tuple(MOVES))


def _told(made: Section, words: Mapping[str, str], choices: Sequence[str]) -> None:
    tables_of_words(made, "kind", {w: kind for w, kind in words.items() if kind and w.lower() not in choices})
    odd = [shown(w) for w, kind in words.items() if not kind]
    if odd:
        made.unsure.append(f"It isn't clear what {', '.join(odd[:5])} is; name it in labels.")


def _line(word: str) -> str:
    bare = names.plain(word)
    return next((kind for kind, words in LINES.items() if bare in words or bare == kind.replace("_", " ")), "")
