"""Texts of a source before anything is read out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import ibis
import ibis.expr.types as ir

from cslib.data.written import GROUPED, SHORT

BLANK: Final = " \t\n\r\v\f"
NOT_BLANK: Final = f"[^{BLANK}]"


def filled(raw: ir.Value) -> ir.StringValue:
    """Text without blanks at its ends; null where nothing is left."""
    return raw.cast("string").strip().nullif("")


def blank(raw: ir.StringValue) -> ir.BooleanValue:
    """Tell which texts hold nothing but blanks; sooner than by taking them off."""
    return ~raw.re_search(NOT_BLANK)


def says(raw: ir.StringValue, words: Iterable[str]) -> ir.BooleanValue:
    """Tell which texts are one of some small words, in any case and with blanks around; sooner than by changing it."""
    any_case = ["".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word) for word in words]
    return raw.re_search(f"^[{BLANK}]*({'|'.join(any_case)})[{BLANK}]*$")


def guarded(text: ir.StringValue, sure: ir.BooleanValue) -> ir.StringValue:
    """Give a text where something is sure of it, and null elsewhere: what follows may then be cast."""
    return ibis.ifelse(sure, text, ibis.null("string"))


def cast(text: ir.StringValue, to: str, *, try_cast: bool) -> ir.Value:
    """Read a text as another type: null where it is none, if the engine can try, and else only what is sure."""
    return text.try_cast(to) if try_cast else text.cast(to)


def sign_of_thousands(text: ir.StringValue) -> ir.IntegerValue:
    """Tell numbers whose point may be the sign of thousands (1) from those that tell nothing (0) or against it (2)."""
    return ibis.cases((text.re_search(SHORT), 0), (text.re_search(GROUPED), 1), (text.notnull(), 2))
