"""What a parameter may be, in words that a reader and a programme understand: ``1 to 120``, ``month or year``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from datetime import date
from typing import Any, Final

from cslib.errors import ParameterError, did_you_mean

RANGE: Final = re.compile(r"(above )?(-?[0-9]+(?:\.[0-9]+)?) to (-?[0-9]+(?:\.[0-9]+)?)")
EMPTY: Final = "empty"
DECLARED: Final = ("gross_margin", "value_feature")  # which the data tell where they are not given
PLACES: Final = {  # what stands in a choice for many texts; years are those of a business
    "N-N,…": r"[0-9]{1,4}(?:-[0-9]{1,4})?(?: *, *[0-9]{1,4}(?:-[0-9]{1,4})?)*",
    "YYYY": "(?:19|20|21)[0-9]{2}",
    "MM": "(?:0[1-9]|1[0-2])",
    "DD": "(?:0[1-9]|[12][0-9]|3[01])",
    "QN": "Q[1-4]",
    "N": "[1-9][0-9]{0,3}",
}
KEY: Final = "allowed"


@dataclass(frozen=True)
class Allowed:
    """What a parameter may be: a number of a range, or one of some texts.

    Attributes
    ----------
    text
        As it was written.
    low, high
        Ends of the range.
    above
        Whether `low` itself is outside.
    choices
        The texts, with places such as ``YYYY``; none where it is a range.
    """

    text: str
    low: float = 0.0
    high: float = 0.0
    above: bool = False
    choices: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Allowed:
        """Read what is allowed.

        Parameters
        ----------
        text
            ``1 to 120``, ``above 0 to 1``, or choices such as ``day, week or month``. In a choice, ``empty`` stands
            for no text, and ``N``, ``YYYY``, ``MM``, ``DD``, ``QN`` and ``N-N,…`` for digits.

        Raises
        ------
        ParameterError
            It is none of these.

        Examples
        --------
        >>> Allowed.read("1 to 120").high, Allowed.read("day, week or month").choices
        (120.0, ('day', 'week', 'month'))
        """
        if found := RANGE.fullmatch(text):
            low, high = float(found[2]), float(found[3])
            ParameterError.when(low >= high, f"[{text}] is no range. Write the smaller number first.")
            return cls(text, low, high, bool(found[1]))
        choices = tuple(part.strip() for part in re.split(r", | or ", text))
        msg = f"[{text}] does not say what is allowed. Write [1 to 120], or [day, week or month]."
        ParameterError.when(len(choices) < 2 or not all(choices), msg)
        return cls(text, choices=choices)

    def check(self, name: str, value: object) -> None:
        """Refuse a value that is not allowed.

        Raises
        ------
        ParameterError
            Names the value, what is allowed, and the nearest of it.

        Examples
        --------
        >>> Allowed.read("1 to 120").check("horizon_months", -5)
        Traceback (most recent call last):
        cslib.errors.ParameterError: horizon_months is -5. Did you mean 1? Give 1 to 120.
        >>> Allowed.read("day, week or month").check("period", "weak")
        Traceback (most recent call last):
        cslib.errors.ParameterError: period is 'weak'. Did you mean 'week'? Give day, week or month.
        """
        if self.choices:
            self._check_text(name, value)
        else:
            self._check_number(name, value)

    def _check_number(self, name: str, value: Any) -> None:
        if (self.low < value <= self.high) or (value == self.low and not self.above):
            return
        percent = self.high == 1 and 2 <= value <= 100
        near = value / 100 if percent else self.high if value > self.high else self.low
        hint = f" Did you mean {near:g}?" if value == value and not (self.above and near == self.low) else ""
        msg = f"{name} is {value!r}.{hint} Give {self.text}."
        raise ParameterError(msg)

    def _check_text(self, name: str, value: object) -> None:
        text = " ".join(value.split()) if isinstance(value, str) else None
        if text is not None and any(_matches(choice, text) for choice in self.choices):
            return
        near = did_you_mean(str(value), self.choices).partition("There are")[0]
        years = " Years go from 1900 to 2199." * ("YYYY" in self.text)
        msg = f"{name} is {value!r}. {near}Give {self.text}.{years}"
        raise ParameterError(msg)


def _matches(choice: str, text: str) -> bool:
    if choice == EMPTY:
        return not text
    pattern = re.sub(rf"(?<!\w)(?:{'|'.join(PLACES)})(?!\w)", lambda found: PLACES[found[0]], choice)
    if not re.fullmatch(re.sub(r"(?<=[a-z])s$", "s?", pattern) if pattern != choice else re.escape(choice), text):
        return False
    return choice != "YYYY-MM-DD" or _is_day(text)


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        return bool(date.fromisoformat(text))
    return False


def asked(default: Any, allowed: str) -> Any:
    """Declare a field of a study together with what it may be; see :meth:`Allowed.read`."""
    return field(default=default, metadata={KEY: Allowed.read(allowed)})


def check_fields(study: Any) -> None:
    """Check every field of a study: its type where it is a number or true or false, and what it may be.

    Raises
    ------
    ParameterError
        Names the first that is not allowed.
    """
    for own in fields(study):
        _check_field(own, getattr(study, own.name))


def _check_field(own: Field[Any], value: object) -> None:
    allowed, said = own.metadata.get(KEY), {bool: "true or false", int: "a whole number", float: "a number"}
    wanted = type(own.default)
    if wanted in said and not _is(wanted, value):
        msg = f"{own.name} is {value!r}, which is not {said[wanted]}.{f' Give {allowed.text}.' if allowed else ''}"
        raise ParameterError(msg)
    if allowed:
        allowed.check(own.name, value)


def _is(wanted: type, value: Any) -> bool:
    """Tell whether a value is of a type; numbers of other libraries are as good as Python's."""
    if wanted is bool or isinstance(value, (bool, str)):
        return isinstance(value, bool) and wanted is bool
    return hasattr(value, "__index__") or (wanted is float and hasattr(value, "__float__"))


def allowed_of(study: type) -> Mapping[str, str]:
    """Give what the fields of a study may be, by name."""
    return {own.name: own.metadata[KEY].text for own in fields(study) if KEY in own.metadata}
