"""What a study shows, without a kernel: the bundles that a report reads."""

from collections.abc import Mapping
from io import StringIO

import pandas as pd

from cslib import load
from cslib.show import display


def loaded(tables: Mapping[str, str], **options):
    """Load tables written as CSV, every field text or nothing."""
    frames = {name: pd.read_csv(StringIO(text), dtype=str, keep_default_na=False) for name, text in tables.items()}
    return load({n: f.where(f != "", None) for n, f in frames.items()}, **options)


def shown(monkeypatch, study):
    """Show the answer and every finding, charts drawn, and give the bundles; no two may share the name of a file."""
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr("IPython.display.display", lambda data, raw: seen.append(data[display.MIME]))
        for thing in (study.answer, *study.results()):
            thing._ipython_display_()
    names = [b["name"] for bundle in seen for b in bundle.get("files", [bundle]) if "name" in b]
    assert len(names) == len(set(names))
    return seen


def kept(study):
    """Every table that a report on the study keeps, by its name."""
    return {r.name: r.table for result in study.results() for r in (result, *result.also)}
