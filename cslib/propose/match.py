"""Which file is which table, and which column is which: every file is scored against every table of the contract.

A column fits a role by its name and by its values; a table is there where each of its required roles has a column. What
a name alone says is *likely*; what neither name nor value says is left out, and said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cslib.data.config import stem
from cslib.propose import names
from cslib.propose.look import Look
from cslib.propose.roles import (
    ROLES,
    WEAK,
    Role,
    asked,
    export,
    flag_words,
    is_answer,
    is_end,
    is_id,
    is_period,
    is_unique,
    is_word,
)
from cslib.propose.values import Seen

LEAST: Final = 0.55  # of a table's score
SURE, LIKELY = 0.7, 0.5
SHAPE: Final = 0.4  # what a column fits by its values alone
OWN_FILE: Final = 0.35  # what a file's name adds
SHARED: Final = 0.5  # of the ids of one file that must be in another to say that they are the same


@dataclass(frozen=True)
class Match:
    """A file taken for a table: columns by role, and how sure each is, from 0 to 1."""

    table: str
    look: Look
    columns: Mapping[str, str]
    scores: Mapping[str, float]
    score: float
    more: tuple[str, ...] = ()  # files of the same columns, whose rows belong to it, too

    @property
    def sure(self) -> str:
        """How sure the whole is, in a word."""
        least = min(self.scores.values(), default=0.0)
        return "sure" if least >= SURE else "likely" if least >= LIKELY else "guess"


LEAVING: Final = r"churn|cancel|kundig|resili|baja"  # events that are no use
MADE: Final = ("invoices", "movements")  # of which subscriptions are made
TABLE: Final = {"tenures": "customers", "accounts": "customers"}  # forms of a table


def matches(looks: Sequence[Look]) -> tuple[list[Match], dict[str, str]]:
    """Find the table that each file is.

    Returns
    -------
    matches, left out
        One match per table, and why other files are none, by name.
    """
    looks = _alone(looks)
    found = [m for look in looks for form in ROLES if (m := _scored(form, look)) is not None and m.score >= LEAST]
    found = _with_dates(found)
    taken: list[Match] = []
    for m in sorted(found, key=lambda m: -m.score):
        if all(m.look is not t.look and m.table != t.table for t in taken):
            taken.append(m)
    taken = [replace(m, more=tuple(_alike(m, found, taken))) for m in taken]
    known = {name for m in taken for name in (m.look.name, *m.more)}
    rest = {look.name: _why_none(look, found) for look in looks if look.name not in known}
    order = [TABLE.get(form, form) for form in ROLES]
    return joined(sorted(taken, key=lambda m: order.index(m.table))), rest


def _alone(looks: Sequence[Look]) -> list[Look]:
    """Leave out the files that a preset reads beside another one."""
    beside = {e.beside for look in looks if (e := export([c.name for c in look.columns]))}
    return [look for look in looks if stem(Path(look.name)) not in beside]


def _alike(m: Match, found: Sequence[Match], taken: Sequence[Match]) -> Iterator[str]:
    """Name the files that have the same columns as one, as those of other years have."""
    own = [c.name for c in m.look.columns]
    for other in found:
        same = [c.name for c in other.look.columns] == own and other.look.encoding == m.look.encoding
        same = same and not _copy(other.look, m.look)
        if same and other.table == m.table != "customers" and all(other.look is not t.look for t in taken):
            yield other.look.name


def _copy(one: Look, other: Look) -> bool:
    """Tell a file that has the same rows as another, as far as samples tell."""
    return one is not other and one.rows > 0 and one.size == other.size and one.columns == other.columns


def _with_dates(found: list[Match]) -> list[Match]:
    """Leave out lists of customers where nothing else says when they were there, and bills beside subscriptions."""
    dated = {m.table for m in found} & {"orders", "subscriptions", "usage", "invoices", "movements"}
    keep = [m for m in found if "started_on" in m.columns or m.table != "customers" or "churned" in m.columns or dated]
    best = {id(m.look): m.table for m in sorted(keep, key=lambda m: m.score)}
    billed = "subscriptions" in best.values()
    return [m for m in keep if not (billed and (m.table in MADE or (m.table == "orders" and _is_bill(m.look))))]


def _is_bill(look: Look) -> bool:
    """Tell invoices by the name of their file."""
    return "invoices" in names.of_file(look.name)


def _why_none(look: Look, found: Sequence[Match]) -> str:
    same = [m.table for m in sorted(found, key=lambda m: -m.score) if m.look is look]
    if twin := next((m.look.name for m in found if _copy(m.look, look)), ""):
        return f"has the same rows as {twin}"
    if same:
        return f"looks like {same[0]}, which another file is already"
    if _scored("accounts", look) is not None and names.of_file(look.name).keys() & {"customers"}:
        return (
            "lists customers, but not when each left: export that, too, or put their orders or subscriptions beside it"
        )
    ids = [c for c in look.columns if names.likeness(c.name, names.CUSTOMER) >= SURE and is_id(c) and not is_unique(c)]
    if ids and any(names.plain(c.name) in names.CHURNED for c in look.columns):
        return "lists customers, but some of them in several rows: keep one row of each"
    if not any(c.texts for c in look.columns):
        return "has no rows"
    if any(names.plain(c.name) in names.MONTH and c.moment for c in look.columns) and _any(look, names.MRR):
        return "has a row for each customer and month: a query makes subscriptions of it (docs/data.md has one)"
    if _is_bill(look) and "subscriptions" in {m.table for m in found}:
        return "has invoices, but subscriptions say already what is paid"
    lacking = [what for what, test in LACKS.items() if not any(test(c) for c in look.columns)]
    return f"has no column for {' or '.join(lacking)}" if lacking else "is none of the tables that cslib knows"


LACKS: Final[dict[str, Callable[[Seen], bool]]] = {
    "an id of customers": lambda c: names.likeness(c.name, names.CUSTOMER) > 0 and is_id(c),
    "a date": lambda c: c.moment is not None,
}


def _scored(form: str, look: Look) -> Match | None:
    """Assign the columns of a file to the roles of a table; None where a required one is missing."""
    if form in MADE and (known := export([c.name for c in look.columns])) and known.table == form:
        return Match(form, look, {"customer_id": known.who}, {"customer_id": 1.0}, 2.0)
    picks = _assigned(form, look)
    if any(role.required and name not in picks for name, role in ROLES[form].items()):
        return None
    needed = [score for name, (score, _) in picks.items() if ROLES[form][name].required]
    columns = {name: column for name, (_, column) in picks.items()}
    table = TABLE.get(form, form)
    base = sum(needed) / len(needed) * (0.5 if form == "accounts" else 1)
    score = base + OWN_FILE * names.of_file(look.name).get(table, 0.0) + _signs(form, look, columns)
    scores = {name: score for name, (score, _) in picks.items() if ROLES[form][name].required}
    return Match(table, look, {n: columns[n] for n in ROLES[form] if n in columns}, scores, score)


def _assigned(form: str, look: Look) -> dict[str, tuple[float, str]]:
    """Give each role a column, and how sure that is: by name, the surest first, then by what its values are."""
    picks = _by_name(form, look)
    if "answered_on" in picks and "asked_on" not in picks:  # the one day that is known of an answer
        picks["asked_on"] = (LIKELY, picks.pop("answered_on")[1])
    return picks | _by_shape(form, look, picks)


def _by_name(form: str, look: Look) -> dict[str, tuple[float, str]]:
    pairs = [
        (score, name, c.name)
        for name, role in ROLES[form].items()
        for c in look.columns
        if (score := _likeness(form, name, role, c)) > 0 and role.fits(c)
    ]
    picks: dict[str, tuple[float, str]] = {}
    for score, name, column in sorted(pairs, key=lambda p: -p[0]):
        if name not in picks and all(column != taken for _, taken in picks.values()):
            picks[name] = (score, column)
    return picks


def _by_shape(form: str, look: Look, picks: Mapping[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    taken, found = {column for _, column in picks.values()}, {}
    for name, role in ROLES[form].items():
        alike = [c.name for c in look.columns if c.name not in taken and role.fits(c) and _telling(name, c)]
        if role.by_shape and name not in picks and len(alike) == 1:
            taken.add(alike[0])
            found[name] = (SHAPE, alike[0])
    return found


def _telling(role: str, c: Seen) -> bool:
    """Tell dates, and amounts that are no mere counts."""
    return any(s in t for t in c.distinct for s in ".,") if role == "amount" else c.date is not None


def _likeness(form: str, role: str, known: Role, c: Seen) -> float:
    if c.name == role:
        return 1.0
    like = names.likeness(c.name, known.names)
    if role == "score":
        like = max(like, 0.75 if asked(c) else 0.0)
    if role == "customer_id" and form == "surveys" and names.plain(c.name) in names.RESPONSE:
        return 0.5 - 0.01 * names.RESPONSE.index(names.plain(c.name))
    return 0.45 + 0.2 * like if like and names.plain(c.name) in WEAK else like


def _signs(form: str, look: Look, columns: Mapping[str, str]) -> float:
    """Add what is typical of a table, and take off what is typical of another."""
    has = {
        "order": _any(look, names.ORDER_ID),
        "unit": unit_column(look) is not None,
        "end": _any(look, names.ENDED, is_end),
        "event": _any(look, names.EVENT, is_word),
        "plan": _any(look, ("plan", "plan id", "plan code", "plan name", "subscription id", "plan uuid")),
        "survey": any(asked(c) and is_answer(c) for c in look.columns),
    }
    answers = _any(look, names.RESPONSE[:4]) or any(
        asked(c) and is_answer(c) and len(c.name.split()) > 3 for c in look.columns
    )
    if (answers and form != "surveys") or (form == "usage" and re.search(LEAVING, names.plain(look.name))):
        return -1.0
    own = bool(names.of_file(look.name).get(TABLE.get(form, form)))
    twice = "customer_id" in columns and not look.column(columns["customer_id"]).unique
    if form == "subscriptions":
        monthly = names.likeness(columns["mrr"], (*names.MRR, *names.ARR)) >= SURE
        flagged = any(names.plain(c.name) in names.CHURN_FLAG and flag_words(c) for c in look.columns)
        if "ended_on" not in columns and flagged:  # who has left is known, and not when
            return -1.0
        if not (own or monthly or has["unit"] or (has["end"] and has["plan"])):
            return -1.0
        return 0.15 * has["end"] + 0.15 * has["unit"] + 0.1 * has["plan"] + 0.1 * twice
    signs = {
        "customers": 0.2 - 0.2 * has["unit"],
        "tenures": 0.15,
        "accounts": 0.0,
        "orders": 0.15 * has["order"] + 0.1 * ("product" in columns) - 0.3 * has["end"] - 0.3 * has["unit"],
        "usage": (0.2 if has["event"] else 0.0 if own else -1.0) - 0.3 * ("amount" in dict(columns)),
        "surveys": 0.2 * has["survey"],
        "touchpoints": -0.3 * (not own),
        "costs": -1.0 * _any(look, names.CUSTOMER),
        "invoices": 0.1 if own else -1.0,
        "movements": 0.3 if {"mrr", "change"} & columns.keys() else -1.0,
    }
    return signs[form]


def _any(look: Look, known: tuple[str, ...], fits: Callable[[Seen], bool] = lambda c: True) -> bool:
    return any(names.plain(c.name) in known and fits(c) for c in look.columns)


def unit_column(look: Look) -> Seen | None:
    """Find the column that says for what period a price is, by its values: month, yearly, 3 months."""
    like = [c for c in look.columns if names.likeness(c.name, names.UNIT) > 0 and c.kind == "word"]
    return next((c for c in like if all(map(is_period, c.distinct))), None)


def joined(found: list[Match]) -> list[Match]:
    """Take other columns for ids where those taken do not meet, and others do."""
    base = next((m for m in found if m.table == "customers"), None)
    others = [m for m in found if m.table not in ("customers", "costs")]
    if base is None or all(
        _met(base, base.columns["customer_id"], m, m.columns["customer_id"]) >= SHARED for m in others
    ):
        return found
    own = base.columns["customer_id"]
    keys = [own, *(c.name for c in base.look.columns if c.name != own and is_unique(c))]
    best = max(keys, key=lambda k: sum(max(_shares(base, k, m).values()) for m in others))
    changed = {id(base): best}
    for m in others:
        shares = _shares(base, best, m)
        key = max(shares, key=lambda k: shares[k])
        if shares[key] < SHARED:
            continue
        changed[id(m)] = key
    return [_keyed(m, changed[id(m)]) if id(m) in changed and len(changed) > 1 else m for m in found]


def _keyed(m: Match, key: str) -> Match:
    rest = {role: column for role, column in m.columns.items() if column != key or role == "customer_id"}
    return replace(m, columns=rest | {"customer_id": key})


def _shares(base: Match, key: str, other: Match) -> dict[str, float]:
    own = other.columns["customer_id"]
    rest = (c for c in other.look.columns if c.name != own and is_id(c))
    ids = [own, *(c.name for c in rest if c.number is None or names.likeness(c.name, names.CUSTOMER))]
    return {name: _met(base, key, other, name) for name in ids}


def _met(base: Match, key: str, other: Match, name: str) -> float:
    """Share of the ids of one file that are in another."""
    ids = other.look.column(name).distinct
    known = base.look.column(key).distinct
    if len(ids) < 3 or all(len(i) < 3 for i in ids):  # small numbers are in every file
        return 1.0 if name == other.columns["customer_id"] and key == base.columns["customer_id"] else 0.0
    return sum(i in known for i in ids) / len(ids)


def apart(found: Sequence[Match]) -> list[str]:
    """Say of which tables no id is among those of the customers, as far as samples are all there is."""
    base = next((m for table in ("customers", "subscriptions") for m in found if m.table == table), None)
    if base is None or not base.look.whole:
        return []
    known = base.look.column(base.columns["customer_id"]).distinct
    others = [m for m in found if m.table not in ("customers", "subscriptions", "costs") and m.look.whole]
    ids = {m.table: m.look.column(m.columns["customer_id"]).distinct for m in others}
    apart = [table for table, own in ids.items() if not any(i in known for i in own)]
    return [f"No id of {table} is among those of {base.table}: they cannot be joined." for table in apart]
