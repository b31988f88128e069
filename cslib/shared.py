"""What the kernels of one run share: a text that one has worked out is at hand for the others."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

SHARED: Final = "CSLIB_SHARED"  # set by the report engine for its kernels: a folder of this run


def shared(key: Hashable, make: Callable[[], str]) -> str:
    """Take a text from the folder of the run, or make it and put it there; without a folder it is made.

    Parameters
    ----------
    key
        All that the text depends on, in parts whose ``repr`` tells them apart.
    make
        Makes the text.

    Examples
    --------
    >>> shared(("of", 1), lambda: "a text")
    'a text'
    """
    if not (folder := os.environ.get(SHARED)):
        return make()
    path = Path(folder, sha256(repr(key).encode()).hexdigest())  # kernels are forks of one process: types are the same
    with suppress(OSError, ValueError):  # it is not there, or broken
        if known := path.read_bytes().decode():  # as text, a carriage return would be read as another sign
            return known
    made = make()
    own = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        own.write_bytes(made.encode())
        own.replace(path)
    except OSError:  # the run is over, or its disk full
        with suppress(OSError):
            own.unlink()
    return made
