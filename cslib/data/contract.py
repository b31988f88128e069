"""The data contract: what each table holds, and what is said where one does not."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["id", "date", "time", "number", "flag", "text"]
OWN: Final = "__cslib_"  # what columns added on the way are called, until the table is canonical
ROW: Final = OWN + "row"
SCALES: Final = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 10)}
NPS_LABELS: Final = ("promoter", "passive", "detractor")
FIRST_YEAR, LAST_YEAR = 1900, 2199


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    ``required``: the table must have it; ``nullable``: a row may leave it empty; ``minimum`` bounds a
    number; ``choices`` lists the words a text may hold.
    """

    kind: Kind
    required: bool = True
    nullable: bool = False
    minimum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether it holds a date or a time."""
        return self.kind in ("date", "time")


_ID = Column("id")
_DAY = Column("date")
_END = Column("date", nullable=True)
_PRICE = Column("number", required=False, nullable=True, minimum=0)
_MAYBE = Column("date", required=False, nullable=True)
_WORD = Column("text", required=False, nullable=True)
CONTRACT: Final[dict[str, dict[str, Column]]] = {
    "customers": {
        "customer_id": _ID, "started_on": _DAY, "churned_on": _END,
        "churn_kind": Column("text", required=False, nullable=True, choices=("voluntary", "involuntary")),
        "acquisition_cost": _PRICE, "mrr": _PRICE,
    },
    "subscriptions": {"customer_id": _ID, "started_on": _DAY, "ended_on": _END, "mrr": Column("number", minimum=0)},
    "orders": {
        "customer_id": _ID, "ordered_on": _DAY, "amount": Column("number"),
        "kind": Column("text", required=False, nullable=True, choices=("new", "renewal", "upsell", "cross_sell")),
    },
    "usage": {"customer_id": _ID, "occurred_at": Column("time")},
    "surveys": {
        "customer_id": _ID, "asked_on": _DAY, "survey": Column("text", choices=tuple(SCALES)),
        "score": Column("number", nullable=True), "answered_on": Column("date", required=False, nullable=True),
    },
    "touchpoints": {"customer_id": _ID, "occurred_on": _DAY, "kind": Column("text")},
    "costs": {"month": _DAY, "kind": Column("text", choices=("acquisition", "retention")), "amount": Column("number")},
    "invoices": {
        "customer_id": _ID, "invoiced_on": _DAY, "amount": Column("number"),
        "kind": Column("text", choices=("recurring", "proration", "discount", "credit", "one_off", "refund", "tax")),
        "line_start": _MAYBE, "line_end": _MAYBE, "currency": _WORD, "subscription_id": _WORD,
    },
    "movements": {
        "customer_id": _ID, "occurred_on": Column("time"),
        "kind": Column("text", choices=("new", "expansion", "contraction", "churn", "reactivation", "pause", "resume")),
        "mrr": _PRICE, "change": Column("number", required=False, nullable=True),
        "currency": _WORD, "subscription_id": _WORD,
    },
    "rates": {"currency": Column("text"), "rate": Column("number", minimum=0), "month": Column("date", required=False)},
}  # fmt: skip
MORE: Final = {"orders": ("product",), "usage": ("feature",)}  # columns that a table may have beside: docs/data.md
MOMENT: Final = {n: next(c for c, s in spec.items() if s.dated) for n, spec in CONTRACT.items()}
ENDS: Final = {"customers": "churned_on", "subscriptions": "ended_on", "invoices": "line_end"}
PAYING: Final = ("subscriptions", "invoices", "movements", "orders", "usage")  # any of which tells who is here
TENURE: Final = {"tenure_months": Column("number", minimum=0), "churned": Column("flag")}
DATES: Final = {"started_on": _DAY, "churned_on": _END}


def is_list(name: str, columns: Collection[str], others: Collection[str]) -> bool:
    """Tell whether ``customers`` only lists attributes, as it does not say who left: other tables tell who is here.

    Examples
    --------
    >>> is_list("customers", ("customer_id", "plan"), ("orders",)), is_list("customers", ("customer_id", "plan"), ())
    (True, False)
    """
    said = {"churned_on"} & {*columns} or {*TENURE} <= {*columns}
    return name == "customers" and not said and bool({*PAYING} & {*others})


def specification(name: str, columns: tuple[str, ...], others: Collection[str] = ()) -> dict[str, Column]:
    """Return the columns that the contract asks of a table, in the form its own columns call for.

    Parameters
    ----------
    name
        A table of the contract.
    columns
        The columns the table has, after renaming. ``customers`` with both dates takes them, whatever else it
        has; with both ``tenure_months`` and ``churned``, or with one of them and without ``started_on``, it
        takes the tenure form.
    others
        Tables that are there, too: ``customers`` that do not say who left are then a list of attributes.

    Returns
    -------
    dict of str to Column

    Examples
    --------
    >>> list(specification("customers", ("customer_id", "tenure_months", "churned")))[:3]
    ['customer_id', 'tenure_months', 'churned']
    """
    spec, there = CONTRACT[name], set(columns)
    if is_list(name, there, others):
        return {k: v for k, v in spec.items() if k not in (*DATES, "churn_kind")}
    dated = there >= DATES.keys() or not there & TENURE.keys() or ("started_on" in there and not there >= TENURE.keys())
    if name != "customers" or dated:
        return spec
    rest = {k: v for k, v in spec.items() if k not in ("customer_id", *DATES)}
    return {"customer_id": _ID, **TENURE, **rest}


def of_other_form(name: str, columns: tuple[str, ...], others: Collection[str] = ()) -> list[str]:
    """Name the columns by which ``customers`` says once more how long they stayed, in the form that is not taken.

    Examples
    --------
    >>> of_other_form("customers", ("customer_id", "started_on", "churned_on", "tenure_months", "plan"))
    ['tenure_months']
    """
    if name != "customers":
        return []
    spec = specification(name, columns, others)
    return [c for c in columns if c in {**DATES, **TENURE} and c not in spec]


def plain_name(name: str) -> str:
    """Write the name of a column as the contract would: small letters, and a line for blanks and signs between.

    Examples
    --------
    >>> plain_name("Customer ID"), plain_name("started-on"), plain_name("churnedOn")
    ('customer_id', 'started_on', 'churned_on')
    """
    return re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", "_", name.strip()).strip("_").lower()


@dataclass(frozen=True)
class Fault:
    """One broken rule: ``severity`` is ``"error"`` or ``"warning"``; ``message`` is for the reader."""

    table: str
    column: str
    rule: str
    severity: str
    n_rows: int
    message: str

    def __str__(self) -> str:
        return self.message
