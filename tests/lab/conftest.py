import shutil
import subprocess
import sys

import lab_world
import nbformat
import pytest
from notebook_world import write

# What a reader must not see: words for programmers, what is cut off, numbers that stand at the left, an error.
FAULTY = [
    ("md", "# Is it seen?"),
    ("parameters", 'segment_by: str = ""'),
    ("code", "import warnings, matplotlib.pyplot as plt, pandas as pd\nfrom cslib.show import display as d"),
    ("code", 'for i in range(60):\n    d.note(f"Line {i}, by {segment_by}")  # the rest stands below the window'),
    ("code", 'warnings.warn("for programmers")\nd.note("x" * 3000)'),
    ("code", 'd.figure(plt.figure(figsize=(40, 2)), name="long", title="Long", subtitle="", alt="Long")'),
    ("code", 'd.table(pd.DataFrame({"n": [1.0]}), name="left", caption="Left")'),
    ("code", 'from IPython.display import HTML\nHTML("<style>.cs-table td {text-align: left !important}</style>")'),
    ("code", 'raise ValueError("stop")'),
    ("code", 'd.note("never")'),
]


def faulty(folder):
    """Write it as if by JupyterLab, which otherwise asks for a kernel."""
    path = write(folder, "faulty", FAULTY).path
    book = nbformat.read(path, 4)
    book.metadata = nbformat.read(folder / "revenue.ipynb", 4).metadata
    nbformat.write(book, path)


@pytest.fixture(scope="session")
def making(root, tmp_path_factory):
    """The reports by plan, being made while JupyterLab is at work."""
    out = tmp_path_factory.mktemp("reports")
    asked = ["--data", root / "data", "--out", out, "-p", "segment_by=plan"]
    report = [sys.executable, "-m", "cslib.cli", "report", *asked]
    with (out / "log").open("w") as log, subprocess.Popen(report, cwd=out, stdout=log, stderr=log) as own:
        yield own, out
        own.terminate()


@pytest.fixture(scope="session")
def lab(root, tmp_path_factory, browser, making):
    """JupyterLab in a browser, at its list of notebooks, all of a copy."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "data"):
        shutil.copytree(root / name, folder / name)
    faulty(folder / "notebooks")
    with lab_world.server(root, folder) as record:
        page = browser.new_page(viewport=lab_world.WINDOW)
        lab_world.enter(page, record)
        yield page
        page.close()


@pytest.fixture(scope="session")
def reports(making):
    own, out = making
    assert own.wait(600) == 0, (out / "log").read_text()
    return out
