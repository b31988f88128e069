"""What amounts are: the price of which period, of one or of several, in cents, in which currency."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from statistics import median
from typing import Final

from cslib.data.written import CODE_OF
from cslib.propose import names
from cslib.propose.forms import day_of
from cslib.propose.look import Look
from cslib.propose.match import unit_column
from cslib.propose.roles import UNIT_PRICES
from cslib.propose.section import Section, quoted, shown
from cslib.propose.values import Seen

NAMED: Final = 0.7  # from here on a name alone says what a column is
IN_CENTS: Final = (  # columns of exports that give amounts in cents without saying so
    {"CUSTOMER_UUID", "BILLING_SYSTEM"},  # dev.chartmogul.com/docs/destinations/calculated-data
    {"customer_oid", "plan_amount", "plan_interval"},  # the template of Baremetrics
)
CENTS: Final = r"\bcents?\b|\bminor units?\b"
COUNTS: Final = (
    *("interval count", "plan interval count", "plan interval length", "billing period"),
    *("subscription billing period", "subscriptions billing period"),
)
LONG: Final = r"year|ann|jahr|jähr|año|anual|anno|jaar|\bår"
CODES: Final = r"\b(eur|usd|gbp|chf|sek|nok|dkk|pln|brl|cad|aud)\b"
NOT_EMPTY: Final = "COALESCE(CAST({} AS VARCHAR), '') <> ''"


def price(made: Section, hints: Sequence[Look]) -> None:
    """Say for what period a price is: by a column, by its name, or as a guess."""
    if "mrr" not in made.match.columns:
        return
    column, unit = made.match.columns["mrr"], unit_column(made.match.look)
    _cents(made, "mrr")
    if names.likeness(column, names.MRR) >= NAMED:
        if unit is not None and _dearer(made, unit):
            made.keys["unit"] = unit.name
            text = f"{shown(column)} is far higher where {shown(unit.name)} is a year"
            made.unsure.append(f"{text}, so it is taken for the price of that period.")
        return
    if names.likeness(column, names.ARR) >= 0.5:
        made.keys["unit"] = "year"
    elif unit is not None:
        made.keys["unit"] = unit.name
        _interval(made, unit)
    else:
        text = f"No column says for what period {shown(column)} is the price: a month is taken."
        made.unsure.append(f'{text} If it is a year, add unit = "year".')
    _quantity(made)


def _dearer(made: Section, unit: Seen) -> bool:
    """Tell whether a year costs many times what a month costs, which no price of a month does."""
    prices: dict[bool, list[float]] = {True: [], False: []}
    for amount, period in zip(made.seen("mrr").cells, unit.cells, strict=True):
        if re.fullmatch(r"\d+(\.\d+)?", amount) and period:
            prices[re.search(LONG, period.lower()) is not None].append(float(amount))
    return all(prices.values()) and median(prices[True]) >= 5 * median(prices[False])


def _interval(made: Section, unit: Seen) -> None:
    """Find a number of periods beside their name, as in every 3 months."""
    like = [c for c in made.match.look.columns if names.plain(c.name) in COUNTS and c.name != unit.name]
    for c in (c for c in like if c.range not in (None, (1.0, 1.0))):
        made.unsure.append(f"{shown(c.name)} counts periods and is not always 1: divide by it in a query.")


def _quantity(made: Section) -> None:
    if _product(made, "mrr"):
        return
    for c in (c for c in made.match.look.columns if names.plain(c.name) in names.QUANTITY):
        if c.range is not None and c.range[1] > 1:
            text = f"{shown(c.name)} is above 1 in some rows; {shown(made.match.columns['mrr'])} is taken for the price"
            made.unsure.append(f"{text} of all. If it is that of one, multiply the two in a query.")


def _cents(made: Section, role: str) -> None:
    """Divide by 100 what is in cents: by its name, by what an export's documentation says, or as a guess."""
    column = made.match.columns[role]
    there = {c.name for c in made.match.look.columns}
    known = re.search(CENTS, names.plain(column)) or any(export <= there for export in IN_CENTS)
    whole = all(re.fullmatch(r"0|[1-9]\d{2,}", t) for t in made.seen(role).distinct)
    likely = whole and made.keys.get("date_format", "").startswith("unix")
    if known or likely:
        made.replaced[column] = f"{quoted(column)} / 100.0"
    if known:
        made.said.append(f"{shown(column)} is in cents; the query divides it by 100.")
    elif likely:
        text = f"{shown(column)} has whole numbers beside times in seconds, so it seems to be in cents"
        made.unsure.append(f"{text}: the query divides it by 100.")


def ends(made: Section, hints: Sequence[Look]) -> None:
    """Tell ends that are the last day paid: what follows begins a day later."""
    if made.match.table != "subscriptions" or "ended_on" not in made.match.columns:
        return
    gaps = list(_gaps(made))
    if gaps.count(1) > max(1, gaps.count(0)):
        made.keys["ends"] = "inclusive"
        text = f"{gaps.count(1)} of {len(gaps)} renewals begin a day after an end"
        made.said.append(f"{text}, so ends are taken for the last day paid.")


def _gaps(made: Section) -> Iterator[int]:
    """Give the days between the end of a subscription and the next start of its customer."""
    form, rows = made.keys.get("date_format", ""), dict[str, list[tuple[date, date | None]]]()
    cells = (made.seen(r).cells for r in ("customer_id", "started_on", "ended_on"))
    for who, start, end in zip(*cells, strict=True):
        if (begun := day_of(start, form)) is not None:
            rows.setdefault(who, []).append((begun, day_of(end, form)))
    for own in rows.values():
        pairs = pairwise(sorted(own, key=lambda row: row[0]))
        yield from ((start - end).days for (_, end), (start, _) in pairs if end is not None)


def lines(made: Section, hints: Sequence[Look]) -> None:
    """Keep one row an order where further rows are its lines, without a total; and leave out who is not named."""
    if made.match.table != "orders":
        return
    _cents(made, "amount")
    _product(made, "amount")
    amount, who = made.seen("amount"), made.seen("customer_id")
    made.where += [NOT_EMPTY.format(quoted(c.name)) for c in (amount, who) if c.empty > 0]
    if amount.empty > 0:
        text = f"Rows without {shown(amount.name)} are further lines of an order, or have no amount"
        made.said.append(f"{text}; the query leaves them out.")
    if who.empty > 0:
        made.said.append(f"Rows without {shown(who.name)} are of nobody; the query leaves them out.")


def _product(made: Section, role: str) -> bool:
    """Multiply a price of one by the quantity; tell whether there is such a price."""
    one = made.match.columns[role]
    many = next((c for c in made.match.look.columns if names.plain(c.name) in names.QUANTITY and c.range), None)
    if names.plain(one) not in UNIT_PRICES or many is None:
        return False
    if made.seen(role).range is None:
        made.unsure.append(f"{shown(one)} is the price of one: multiply it by {shown(many.name)}.")
        return True
    made.replaced[one] = f"{made.replaced.get(one, quoted(one))} * {quoted(many.name)}"
    made.said.append(f"{shown(one)} is the price of one; the query multiplies it by {shown(many.name)}.")
    return True


def currency(made: Section, hints: Sequence[Look]) -> None:
    """Find the currency of amounts: in a column of codes, in a name, or beside the amounts."""
    amounts = [made.seen(r) for r in made.roles(("mrr", "amount"))]
    if not amounts:
        return
    column = next((c for c in made.match.look.columns if names.plain(c.name) in names.CURRENCY and c.texts), None)
    codes = sorted({t.upper() for t in column.distinct} if column else {*_codes(amounts)})
    if column and column.name.lower() != "currency":
        made.keys["columns"]["currency"] = column.name
    if len(codes) == 1 and re.fullmatch("[A-Z]{3}", codes[0]):
        made.currency = codes[0]
        if column is None and codes == ["USD"] and any("$" in t for c in amounts for t in c.distinct):
            made.said.append("The sign $ is taken for US dollars.")
    elif len(codes) > 1:
        text = f"Amounts are in {len(codes)} currencies ({', '.join(map(shown, codes[:5]))})"
        made.unsure.append(f"{text}: convert them to one, or keep one.")


def _codes(amounts: Sequence[Seen]) -> Iterator[str]:
    for c in amounts:
        yield from (code.upper() for code in re.findall(CODES, names.plain(c.name)))
        yield from filter(None, map(_code_of, c.distinct))
        yield from (code for text in c.distinct for code in re.findall(r"\b[A-Z]{3}\b", text))


def _code_of(text: str) -> str:
    return next((code for sign, code in CODE_OF.items() if sign in text), "")
