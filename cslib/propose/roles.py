"""What a column of each role is called, and what its values must be: every table of the contract, in all its forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from cslib.data.reading import AHEAD, PERIODS
from cslib.propose import names
from cslib.propose.values import Seen

WEAK: Final = (  # names that say little
    *("email", "email address", "customer email", "e mail", "recipient email", "mail", "courriel", "created at"),
    *(
        "created",
        "created on",
        "create date",
        "date created",
        "date",
        "value",
        "price",
        "month",
        "user",
        "name",
        "data",
    ),
    *("data", "fecha", "datum", "dato", "account", "from date", "current period start", "period start", "paid at"),
    *(
        "payment date",
        "close date",
        "type",
        "category",
        "note",
        "contact",
        "customer name",
        "client name",
        "account name",
    ),
    *("company", "associated company", "company name", "organization", "organisation", "firma", "firmenname"),
    *("kundenname", "nom du client", "societe", "empresa", "azienda", "nombre del cliente"),
)
GONE: Final = (
    *("churn", "cancel", "left", "lost", "inactive", "gekundigt", "inaktiv", "inactif", "resilie", "baja", "inactiv"),
    *("exited", "former", "attrited"),
)
HERE: Final = (
    *("stay", "join", "active", "aktiv", "actif", "activ", "current", "existing", "ativo", "attivo", "retained"),
    "customer",
)
WORDS: Final = frozenset(word for period, (_, words) in PERIODS.items() for word in (period, *words.split()))


@dataclass(frozen=True)
class Export:
    """An export that a preset reads: the table, whose id it has, columns that only it has, a file read beside it."""

    preset: str
    table: str
    who: str
    columns: tuple[str, ...]
    beside: str = ""


EXPORTS: Final = (
    Export("stripe", "movements", "customer_id", ("subscription_item_id", "event_type", "mrr_change")),
    Export("stripe", "invoices", "subscription", ("invoice_id", "source_type", "proration", "period_end"), "invoices"),
    Export("paddle", "invoices", "customer_id", ("billing_period.starts_at", "totals.subtotal", "billed_at")),
    Export("chargebee", "invoices", "customer_id", ("date_from", "date_to", "entity_type", "invoice_id")),
    Export("recurly", "invoices", "account_code", ("adjustment_subtotal", "adjustment_origin")),
)


@dataclass(frozen=True)
class Role:
    """What a column of the contract is called elsewhere, and what its values must be."""

    names: tuple[str, ...]
    fits: Callable[[Seen], bool]
    required: bool = True
    by_shape: bool = False  # whether the one column of that shape will do, whatever its name


def _buyer(c: Seen) -> bool:
    """Tell an id that not every row has: who buys without an account has none."""
    return is_id(Seen(c.name, c.texts)) and c.empty <= 0.6


def is_id(c: Seen) -> bool:
    """Tell what can be an id: filled, no date, no amount, no long text."""
    whole = c.number is None or not any(re.search(r"[.,]\d{1,4}$", t) for t in list(c.distinct)[:100])
    return bool(c.texts) and c.empty <= 0.05 and c.date is None and whole and max(map(len, c.distinct)) <= 100


def is_unique(c: Seen) -> bool:
    """Tell an id that hardly any two rows have: a copy is for the check to find."""
    return is_id(c) and len(c.distinct) >= 0.9 * len(c.texts)


def _date(c: Seen) -> bool:
    return c.moment is not None and c.empty <= 0.5


def is_end(c: Seen) -> bool:
    """Tell dates that may all be empty still."""
    return c.ends.moment is not None or not c.texts


def _number(c: Seen) -> bool:
    return c.number is not None and c.date is None


def _amount(c: Seen) -> bool:
    return _number(c) and not (c.unique and c.flag is None and names.plain(c.name).endswith(("id", "number", "#")))


def _tenure(c: Seen) -> bool:
    return c.range is not None and c.range[0] >= 0 and c.range[1] <= 1200


def is_word(c: Seen) -> bool:
    """Tell text that is no number and no date."""
    return c.kind in ("word", "text")


def _some(c: Seen) -> bool:
    return bool(c.texts) and c.date is None


def flag_words(c: Seen) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Words for who has left and for who has not; None where a column says neither.

    Examples
    --------
    >>> flag_words(Seen("Customer Status", ("Churned", "Stayed", "Joined")))
    (('Churned',), ('Stayed', 'Joined'))
    """
    if c.flag is not None:
        return c.flag
    gone = [w for w in c.distinct if names.plain(w).startswith(GONE)]
    here = [w for w in c.distinct if names.plain(w).startswith(HERE)]
    told = gone and here and len(gone) + len(here) == len(c.distinct)
    return (tuple(gone), tuple(here)) if told else None


MOVES: Final = {
    "new": ("new", "new biz", "new business", "new mrr", "start", "active start", "neu", "nouveau", "nuevo"),
    "expansion": ("expansion", "upgrade", "upsell", "active upgrade", "erweiterung"),
    "contraction": ("contraction", "downgrade", "downsell", "active downgrade"),
    "churn": ("churn", "churned", "cancellation", "cancel", "lost", "active end", "kundigung", "resiliation", "baja"),
    "reactivation": ("reactivation", "reactivated", "win back", "winback", "resurrected"),
    "pause": ("pause", "paused"),
    "resume": ("resume", "resumed"),
}


def move(word: str) -> str:
    """Name the change that a word stands for; empty where it is none.

    Examples
    --------
    >>> move("new_biz"), move("Upgrade"), move("login")
    ('new', 'expansion', '')
    """
    return next((kind for kind, words in MOVES.items() if names.plain(word) in words), "")


def _move(c: Seen) -> bool:
    return c.kind == "word" and sum(move(t) != "" for t in c.texts) >= 0.8 * len(c.texts)


def _left(c: Seen) -> bool:
    return flag_words(c) is not None


def asked(c: Seen) -> str:
    """Name the survey that a column's name speaks of, or the question in the rows below it that are headers still."""
    return names.asked(c.name) or names.asked(" ".join(c.cells[: c.skip]))


def is_answer(c: Seen) -> bool:
    """Tell answers on a scale of at most ten, as numbers or as words beside them."""
    if not c.texts or c.date is not None or c.number is None:
        return labelled(c)
    inside = sum(n for t, n in c.distinct.items() if re.fullmatch(r"(10|\d)([.,]\d+)?", t))
    return len(c.distinct) <= 25 and inside >= 0.6 * len(c.texts)


def labelled(c: Seen) -> bool:
    """Tell answers in words that stand for numbers."""
    return 0 < len(c.distinct) <= 25 and c.number is None and all(answer(t) is not None for t in c.distinct)


ANSWERS: Final = {
    **dict.fromkeys(
        ("very satisfied", "extremely satisfied", "completely satisfied", "sehr zufrieden", "tres satisfait"), 5
    ),
    **dict.fromkeys(("satisfied", "somewhat satisfied", "zufrieden", "satisfait"), 4),
    **dict.fromkeys(("neither satisfied nor dissatisfied", "neutral", "ok", "weder noch", "neutre"), 3),
    **dict.fromkeys(("dissatisfied", "unsatisfied", "somewhat dissatisfied", "unzufrieden", "insatisfait"), 2),
    **dict.fromkeys(
        ("very dissatisfied", "very unsatisfied", "extremely dissatisfied", "sehr unzufrieden", "tres insatisfait"), 1
    ),
}


def answer(text: str) -> int | None:
    """Read the number that an answer stands for.

    Examples
    --------
    >>> answer("10 - Extremely likely"), answer("Very satisfied"), answer("Extremely likely (10)"), answer("maybe")
    (10, 5, 10, None)
    """
    words = names.plain(text).split()
    if " ".join(words) in ANSWERS:
        return ANSWERS[" ".join(words)]
    figures = [w for w in words if w.isascii() and w.isdigit()]
    return (
        int(figures[0]) if len(figures) == 1 and figures[0] in (words[0], words[-1]) and int(figures[0]) <= 10 else None
    )


UNIT_PRICES: Final = (
    *("unit price", "unitprice", "price per unit", "price each", "stuckpreis", "einzelpreis", "prix unitaire"),
    *("precio unitario", "preco unitario", "prezzo unitario", "eenheidsprijs", "stykpris", "styckpris"),
)
OWN_ID: Final = (*names.CUSTOMER, "record id", "id", "uuid")  # of a list of customers
_CUSTOMER: Final = Role(names.CUSTOMER, is_id)
ROLES: Final[dict[str, dict[str, Role]]] = {
    "customers": {
        "customer_id": Role(OWN_ID, is_unique),
        "started_on": Role(names.STARTED, _date),
        "churned_on": Role(names.CHURNED, is_end),
        "mrr": Role(names.MRR, _amount, required=False),
        "churn_kind": Role(names.CHURN_KIND, is_word, required=False),
        "acquisition_cost": Role(names.ACQUISITION, _amount, required=False),
    },
    "tenures": {
        "customer_id": Role((*OWN_ID, "phone number"), is_unique),
        "tenure_months": Role(names.TENURE, _tenure),
        "churned": Role((*names.CHURN_FLAG, *names.ACTIVE_FLAG), _left),
        "mrr": Role(names.MRR, _amount, required=False),
    },
    "accounts": {"customer_id": Role(OWN_ID, is_unique)},
    "subscriptions": {
        "customer_id": _CUSTOMER,
        "started_on": Role(names.STARTED, _date),
        "mrr": Role((*names.MRR, *names.ARR, *names.PRICE), _amount),
        "ended_on": Role(names.ENDED, is_end, required=False),
    },
    "orders": {
        "customer_id": Role(names.CUSTOMER, _buyer),
        "ordered_on": Role(names.ORDERED, _date, by_shape=True),
        "amount": Role((*names.AMOUNT, *UNIT_PRICES), _amount, by_shape=True),
        "product": Role(names.PRODUCT, _some, required=False),
    },
    "usage": {
        "customer_id": _CUSTOMER,
        "occurred_at": Role(names.OCCURRED, _date, by_shape=True),
        "feature": Role(names.EVENT, is_word, required=False),
    },
    "surveys": {
        "customer_id": _CUSTOMER,
        "asked_on": Role(names.ASKED, _date, by_shape=True),
        "score": Role(names.SCORE, is_answer),
        "survey": Role(names.SURVEY, is_word, required=False),
        "answered_on": Role(names.ANSWERED, is_end, required=False),
    },
    "touchpoints": {
        "customer_id": _CUSTOMER,
        "occurred_on": Role(names.OCCURRED, _date, by_shape=True),
        "kind": Role(names.CONTACT, is_word),
    },
    "costs": {
        "month": Role((*names.MONTH, "date"), _date),
        "kind": Role(names.COST_KIND, is_word),
        "amount": Role(names.COST, _amount),
    },
    "movements": {
        "customer_id": _CUSTOMER,
        "occurred_on": Role(names.OCCURRED, _date, by_shape=True),
        "kind": Role(names.MOVE, _move),
        "mrr": Role(names.MRR, _amount, required=False),
        "change": Role(names.CHANGE, _amount, required=False),
    },
    "invoices": {
        "customer_id": _CUSTOMER,
        "invoiced_on": Role(names.INVOICED, _date),
        "amount": Role(names.AMOUNT, _amount),
        "line_start": Role(names.LINE_START, _date, required=False),
        "line_end": Role(names.LINE_END, _date, required=False),
        "kind": Role(names.LINE_KIND, is_word, required=False),
    },
}


def is_period(text: str) -> bool:
    """Tell a word for a period.

    Examples
    --------
    >>> is_period("month"), is_period("every 3 months"), is_period("Jährlich"), is_period("1"), is_period("Gold")
    (True, True, True, False, False)
    """
    return re.sub(AHEAD, "", text.strip().lower()).strip() in WORDS


def export(columns: Collection[str]) -> Export | None:
    """Find the export that a preset reads, by its columns.

    Examples
    --------
    >>> export(["account_code", "adjustment_subtotal", "adjustment_origin"]).preset, export(["amount"])
    ('recurly', None)
    """
    return next((e for e in EXPORTS if {e.who, *e.columns} <= {*columns}), None)
