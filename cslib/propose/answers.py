"""Which survey answers are of: by a column, by the question, by the file, or by their scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cslib.data.contract import SCALES
from cslib.propose import names
from cslib.propose.forms import tables_of_words
from cslib.propose.look import Look
from cslib.propose.roles import answer, asked, is_answer, labelled
from cslib.propose.section import Section, shown
from cslib.propose.values import Seen

EASE: Final = r"\beas(y|ily)\b|einfach|leicht|facil|makkelijk|enkelt"
QUESTION: Final = r"(q|question|frage|pregunta|domanda)? ?\d+( |$)"  # how columns of answers are numbered
ENOUGH: Final = 10  # answers, to wonder that none is high


def survey(made: Section, hints: Sequence[Look]) -> None:
    """Say what survey the answers are of."""
    if made.match.table != "surveys":
        return
    score = made.seen("score")
    if labelled(score):
        made.keys["labels"] = {"score": {t: n for t in score.distinct if (n := answer(t)) is not None}}
    if "survey" in made.match.columns:
        _by_column(made)
    else:
        _by_question(made, score)
    _others(made)
    _who(made)


def _others(made: Section) -> None:
    """Name the questions that are left out: only one can be taken."""
    taken = {*made.match.columns.values()}
    others = [c.name for c in made.match.look.columns if c.name not in taken and is_answer(c) and _is_question(c)]
    if others:
        text = f"Only one question can be taken: {shown(made.match.columns['score'])} is, and "
        made.said.append(f"{text}{', '.join(map(shown, others))} left out. A query can add more.")


def _is_question(c: Seen) -> bool:
    bare = names.plain(c.name)
    return bool(
        asked(c) or names.likeness(c.name, names.SCORE) or re.match(QUESTION, bare) or c.name.strip()[-1:] == "?"
    )


def _by_question(made: Section, score: Seen) -> None:
    low, high = scale(score)
    name = asked(score) or names.asked(made.match.look.name)
    if not name:
        name = "nps" if high > 7 or low < 1 else "csat" if high <= 5 else "ces"
        text = f"Nothing names the survey: answers from {low:g} to {high:g} are taken for {name}."
        made.unsure.append(f"{text} Correct it if they are of another.")
    elif name == "nps" and high <= 5 and len(score.texts) >= ENOUGH:
        made.unsure.append(f"The question sounds like NPS, which goes from 0 to 10, but no answer is above {high:g}.")
    elif not SCALES[name][0] <= low <= high <= SCALES[name][1]:
        made.unsure.append(f"Answers from {low:g} to {high:g} are not on the scale of {name}.")
    made.keys["values"], made.surveys = {"survey": name}, (name,)
    if name == "ces":
        _effort(made, score, high)


def _effort(made: Section, score: Seen, high: float) -> None:
    """Say what a report of effort must know: its scale, and which end of it is good."""
    if high in (5, 7):
        made.parameters.append(f"ces_scale={high:g}")
    if re.search(EASE, names.plain(score.name)):
        made.parameters.append("ces_lower_is_easier=false")
        made.said.append("The question asks how easy it was: high answers are taken for easy.")


def scale(score: Seen) -> tuple[float, float]:
    """Least and greatest of answers, whether they are numbers or words.

    Examples
    --------
    >>> scale(Seen("Q1", ("3", "9"))), scale(Seen("Q1", ("Satisfied", "Very satisfied")))
    ((3.0, 9.0), (4.0, 5.0))
    """
    if score.range is not None:
        return score.range
    found = [float(n) for t in score.distinct if (n := answer(t)) is not None]
    return min(found, default=0.0), max(found, default=10.0)


def _by_column(made: Section) -> None:
    """Say which words of a column are which survey."""
    words = made.seen("survey").distinct
    told = {w: names.asked(w) for w in words if w.strip().lower() not in SCALES}
    tables_of_words(made, "survey", {w: name for w, name in told.items() if name})
    odd = [shown(w) for w, name in told.items() if not name]
    if odd:
        made.unsure.append(f"It isn't clear which survey {', '.join(odd)} is; name it in labels.")
    made.surveys = tuple(sorted({told.get(w) or w.strip().lower() for w in words} & SCALES.keys()))
    pairs = zip(made.seen("survey").cells, made.seen("score").cells, strict=True)
    of_nps = [int(text) for word, text in pairs if names.asked(word) == "nps" and text.isascii() and text.isdigit()]
    if len(of_nps) >= ENOUGH and max(of_nps) <= 5:
        made.unsure.append(f"No answer to NPS is above {max(of_nps)}, but NPS goes from 0 to 10.")


def _who(made: Section) -> None:
    column = made.match.columns["customer_id"]
    if names.plain(column) in names.RESPONSE:
        text = f"No column names the customer, so {shown(column)} stands for one"
        made.unsure.append(f"{text}: answers cannot be joined with customers.")
    elif made.seen("customer_id").mail:
        made.said.append(f"Customers are told by {shown(column)}, an e-mail address.")
