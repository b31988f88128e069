"""Send a digest to receivers of any kind, by their addresses, which may hold secrets and are never shown."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cslib.errors import ParameterError
from cslib.report.digest import Digest, markdown, page


@dataclass(frozen=True)
class Receiver:
    """Where a digest goes: ``name`` says which address of those given it is, and of what kind."""

    name: str
    service: Any

    def take(self, digest: Digest) -> bool:
        """Send a digest: as a page where pages are read, such as by mail, and else in Markdown."""
        from apprise import Apprise, NotifyFormat

        as_page = self.service.resolve_format(NotifyFormat.MARKDOWN) == NotifyFormat.HTML
        body = (page if as_page else markdown)(digest, links=False)
        kind = NotifyFormat.HTML if as_page else NotifyFormat.MARKDOWN
        with _silent():
            box = Apprise()
            box.add(self.service)
            try:
                return bool(box.notify(body=body, title=digest.title, body_format=kind))
            except Exception:  # what a service says of itself may hold its address
                return False


def receivers(addresses: Sequence[str]) -> list[Receiver]:
    """Make receivers of addresses, in which ``${NAME}`` stands for a variable of the environment.

    Parameters
    ----------
    addresses
        As the package apprise has them: ``mailto://…``, ``slack://…``, ``json://…``.

    Returns
    -------
    list of Receiver

    Raises
    ------
    ParameterError
        An address is none that apprise knows, a variable is not set, or apprise is not installed.
    """
    try:
        from apprise import Apprise
    except ImportError as error:
        msg = "--to needs the package apprise. Install it with: pip install 'cslib[alert]'."
        raise ParameterError(msg) from error
    made = []
    for i, given in enumerate(addresses, 1):
        address = _filled(given)
        kind = re.match(r"[a-zA-Z]\w*(?=://)", address)
        name = f"receiver {i}{f' ({kind[0]}://…)' if kind else ''}"
        with _silent():
            service = Apprise.instantiate(address, suppress_exceptions=True)
        why = (
            f"--to: {name} is no address that apprise knows. Write it as mailto://…, slack://… or another of its kinds."
        )
        ParameterError.when(service is None, why)
        made.append(Receiver(name, service))
    return made


def send(digest: Digest, to: Sequence[Receiver]) -> list[str]:
    """Send a digest to all, and name those that it did not reach."""
    return [receiver.name for receiver in to if not receiver.take(digest)]


def _filled(address: str) -> str:
    def value(match: re.Match[str]) -> str:
        why = f"--to names the variable {match[1]}, which is not set. Set it first."
        ParameterError.when(not os.environ.get(match[1]), why)
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, address)


@contextmanager
def _silent() -> Iterator[None]:
    """Let nothing be logged or warned of, which may name an address."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
