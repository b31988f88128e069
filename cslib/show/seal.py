"""Who made what is shown: the verbs of `display` seal it with a key that the report engine makes for each run.

Code of a notebook could read the key, for it runs in the same process. Data, parameters and outputs cannot: the key
leaves the environment before the first cell, and stands in no output.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import numbers
import os
from collections.abc import Mapping
from typing import Any, Final

RUN_DIR: Final = "CSLIB_RUN_DIR"  # set by the report engine for its kernel: the folder that takes the CSV files
KEY: Final = "CSLIB_RUN_KEY"  # set by the report engine for its kernel
SEAL: Final = "seal"
_taken: list[str] = []


def take_key() -> None:
    """Take the key out of the environment, so that nothing a cell prints or starts has it."""
    _taken[:] = [os.environ.pop(KEY, "")]


def sealed(html: str, bundle: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Seal a fragment and its bundle; outside a report both stay as they are.

    Examples
    --------
    >>> sealed("<p>", {"kind": "note"})
    ('<p>', {'kind': 'note'})
    """
    key = next(iter(_taken), "")
    if not key:
        return html, dict(bundle)
    html, plain = _sound(html), _plain(bundle)
    return html, {**plain, SEAL: _seal(key, html, plain)}


def opened(key: str, html: object, bundle: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give a bundle without its seal, or nothing where the seal is not that of this run and this fragment.

    Examples
    --------
    >>> opened("key", "<p>", {"kind": "note", "seal": "forged"})
    """
    own = {name: value for name, value in bundle.items() if name != SEAL}
    given = str(bundle.get(SEAL, "")).encode("utf-8", "replace")
    true = isinstance(html, str) and hmac.compare_digest(given, _seal(key, html, own).encode())
    return own if true else None


def _seal(key: str, html: str, bundle: Mapping[str, Any]) -> str:
    text = json.dumps([html, bundle], sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _plain(value: Any) -> Any:
    """Make a value what it will be on the other side: JSON knows neither tuples nor NaN."""
    if isinstance(value, Mapping):
        return {_sound(str(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    return _sound(str(value))


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
