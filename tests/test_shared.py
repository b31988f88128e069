"""What kernels of a run share: made once, and anew where what is there is broken."""

import pytest

from cslib.shared import SHARED, shared


def test_what_one_has_made_is_at_hand_for_another(tmp_path, monkeypatch):
    monkeypatch.setenv(SHARED, str(tmp_path))
    assert [shared(("k", 1), lambda: "one"), shared(("k", 1), lambda: "other")] == ["one", "one"]
    assert [shared(key, lambda: "two") for key in (("k", 1.0), ("k", True), ("k", "1"))] == ["two"] * 3


@pytest.mark.parametrize("broken", [b"", b"\xff\xfe"])
def test_what_is_broken_is_made_anew(tmp_path, monkeypatch, broken):
    monkeypatch.setenv(SHARED, str(tmp_path))
    shared("k", lambda: "one")
    (file,) = tmp_path.iterdir()
    file.write_bytes(broken)
    assert shared("k", lambda: "two") == "two"
    assert shared("k", lambda: "three") == "two"
    assert [*tmp_path.iterdir()] == [file]
