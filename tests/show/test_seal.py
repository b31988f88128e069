"""Only what a display verb has shown in this run is taken for its own."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib.show import seal

TEXTS = st.text(max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | TEXTS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setattr(seal, "_taken", ["key"])


def over_the_wire(value):
    import json

    return json.loads(json.dumps(value, allow_nan=False).encode())


@given(TEXTS, st.dictionaries(TEXTS.filter(lambda k: k != seal.SEAL), PLAIN, max_size=4))
def test_what_is_sealed_can_be_opened_after_its_way(html, bundle):
    before, seal._taken[:] = list(seal._taken), ["key"]
    try:
        html, sent = seal.sealed(html, bundle)
    finally:
        seal._taken[:] = before
    arrived = over_the_wire([html, sent])
    assert seal.opened("key", *arrived) == {k: v for k, v in arrived[1].items() if k != seal.SEAL}


@pytest.mark.parametrize("change", [{"kind": "answer"}, {"seal": ""}, {"seal": None}, {"seal": "é"}, {"more": 1}])
def test_what_was_changed_is_not_trusted(key, change):
    html, sent = seal.sealed("<p>", {"kind": "note", "n": np.float64(1.5), "gap": (math.nan, np.int64(2))})
    assert sent["gap"] == [None, 2]
    assert seal.opened("key", html, sent)
    assert seal.opened("key", html, sent | change) is None
    assert seal.opened("key", html + " ", sent) is None
    assert seal.opened("other", html, sent) is None
    assert seal.opened("key", None, sent) is None


def test_outside_a_report_nothing_is_sealed(monkeypatch):
    monkeypatch.setattr(seal, "_taken", [])
    assert seal.sealed("<p>", {"kind": "note"}) == ("<p>", {"kind": "note"})
