"""Make the examples of this folder anew: three reports on the sample data and their home page, without their files."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from cslib.report.batch import render_all
from cslib.report.parameters import find_notebooks

HERE = Path(__file__).parent
EXAMPLES = {"scorecard": "", "churn_survival": "", "revenue": "plan"}  # by what each compares
FILES = r'<a href="[^"]*\.versions/[^"]*"(?: download)?>(.*?)</a>'  # which stand beside a report, not here


def make(folder: Path) -> None:
    """Render the examples into a folder."""
    with tempfile.TemporaryDirectory() as out:
        for name, by in EXAMPLES.items():
            notebooks = [n for n in find_notebooks() if n.name == name]
            given = {"data": str(HERE.parents[1] / "data"), "segment_by": by}
            for run in render_all(notebooks, out=Path(out), parameters=given):
                if not run.ok:
                    raise SystemExit(run.error)
        for page in Path(out).glob("*.html"):
            shutil.copy(page, folder)
            copy = folder / page.name
            copy.write_text(re.sub(FILES, r"\1", copy.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    make(HERE)
