"""The exceptions of cslib: one root, so that a caller catches everything with one name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches


class CslibError(ValueError):
    """Something the user can mend: the message names the value, what is there and what to do."""

    @classmethod
    def when(cls, wrong: object, message: str) -> None:
        """Raise the error where something is wrong.

        Examples
        --------
        >>> ParameterError.when(0 > 1, "capacity is 1.")
        >>> ParameterError.when(0 < 1, "capacity is 0. Give 1 or more.")
        Traceback (most recent call last):
        cslib.errors.ParameterError: capacity is 0. Give 1 or more.
        """
        if wrong:
            raise cls(message)


class DataError(CslibError):
    """The data break the contract, or a table that is needed is missing."""


class LimitError(CslibError):
    """Something took longer than whoever calls allows: the message names what, the limit and what to do."""


class MissingTableError(DataError):
    """The data do not hold what an analysis is about: a table, or a price; other analyses can do without."""


class ParameterError(CslibError):
    """A parameter has an unknown name, a wrong type or a value outside its choices."""


class ReportError(CslibError):
    """A notebook did not run to its last cell, so no report was published."""


def counted(n: float, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(12000, "month")
    ('1 row', '12,000 months')
    """
    return f"{n:,.0f} {noun}" if round(n, 0) == 1 else f"{n:,.0f} {noun}s"


def stretch(n: float, noun: str) -> str:
    """Write a length that stands after "the", "the first" or "the next": of one, the noun alone.

    Examples
    --------
    >>> f"the next {stretch(1, 'month')}", f"the next {stretch(12, 'month')}"
    ('the next month', 'the next 12 months')
    """
    return noun if n == 1 else f"{n:,.1f}".removesuffix(".0") + f" {noun}s"


def listed(names: Sequence[str]) -> str:
    """Name several things one after the other.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"]), listed([])
    ('a', 'a, b and c', '')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Say which choices there are, the nearest one first.

    Parameters
    ----------
    name
        The name that was not found.
    choices
        The names that exist.

    Returns
    -------
    str
        ``"Did you mean 'x'? There are: x, y."``, or without the question where nothing is near.

    Examples
    --------
    >>> did_you_mean("regoin", ["plan", "region"])
    "Did you mean 'region'? There are: plan, region."
    >>> did_you_mean("churn", ["customer_churn_rate", "mrr"])
    "Did you mean 'customer_churn_rate'? There are: customer_churn_rate, mrr."
    >>> did_you_mean("x", [])
    'There are none.'
    """
    names = sorted(choices)
    if not names:
        return "There are none."
    lower = {n.lower(): n for n in names}
    near = get_close_matches(name.lower(), list(lower), n=1) or [n for n in lower if name and name.lower() in n]
    question = f"Did you mean {lower[near[0]]!r}? " if near else ""
    return f"{question}There are: {', '.join(names)}."


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of its choices.

    Raises
    ------
    ParameterError
        Names the value and the choices, the nearest first.
    """
    refuse_unknown(value, choices, f"{name} is {value!r}.")


def refuse_unknown(
    name: object, choices: Collection[str], what: str, *, error: type[CslibError] = ParameterError
) -> None:
    """Refuse a name that is not among the choices: what is wrong with it, then the near miss and all there are.

    Raises
    ------
    CslibError
        Of the kind given.
    """
    if name not in choices:
        msg = f"{what} {did_you_mean(str(name), choices)}"
        raise error(msg)


def check_share(name: str, value: float) -> None:
    """Refuse what is no share of 1, with the near miss of one in percent.

    Raises
    ------
    ParameterError
        Names the value and what to give.
    """
    hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
    msg = f"{name} is {value!r}, which is no share of 1.{hint} Give a number from 0 to 1, such as 0.8."
    ParameterError.when(not 0 <= value <= 1, msg)
