"""The map of the house: which folder may import which, and what `import cslib` must not load."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

FLOORS = [  # of the same floor none imports another
    {"cli"},
    {"report"},
    {"scorecard"},
    {"surveys"},
    {"churn", "revenue"},
    {"retention", "value", "engagement"},
    {"propose"},
    {"data", "sample"},
    {"stats", "show"},
    {"allowed", "shared"},
    {"errors"},
]
TOPICS = FLOORS[2] | FLOORS[3] | FLOORS[4] | FLOORS[5]
SHOWING = {
    "study",
    "charts",
    "words",
    "list_words",
    "reason_words",
    "response_words",
}  # files of a topic that know how a result is shown
THEMSELVES = {"data.dataset"}  # what shows itself as the last line of a cell
HEAVY = {
    "papermill": {"report.engine"},
    "nbconvert": {"report.html"},
    "lifelines": {"stats.models", "stats.cox"},
    "matplotlib": {
        *("show.charts", "show.estimates", "show.drawing", "show.hover", "show.display", "show.result"),
        *("surveys.charts", "revenue.charts", "value.charts"),
    },
}


@pytest.fixture(scope="module")
def imports(root):
    """Module below cslib, such as ``churn.rates``, to all that it imports, whenever."""
    files = (root / "cslib").rglob("*.py")
    named = {".".join(p.relative_to(root / "cslib").with_suffix("").parts): p for p in files}
    return {n.removesuffix(".__init__"): set(_imported(ast.parse(p.read_text("utf-8")))) for n, p in named.items()}


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(imports):
    return {
        m: {i.removeprefix("cslib.") for i in names if i.startswith("cslib.")} & set(imports) - {m}
        for m, names in imports.items()
    }


def _folder(module):
    return module.split(".")[0]


def test_every_folder_stands_on_a_floor(imports):
    assert {_folder(m) for m in imports} - {"__init__"} == set().union(*FLOORS)


def test_arrows_between_folders_point_down(imports):
    height = {folder: -i for i, floor in enumerate(FLOORS) for folder in floor}
    for module, needs in _own(imports).items():
        if module != "__init__":
            up = {n for n in needs if _folder(n) != _folder(module) and height[_folder(n)] >= height[_folder(module)]}
            assert not up, f"{module} imports {up}"


def test_imports_have_no_cycle(imports):
    list(TopologicalSorter({m: n - {"__init__"} for m, n in _own(imports).items()}).static_order())


def test_estimating_files_know_nothing_of_showing(imports):
    for module, needs in _own(imports).items():
        folder, _, file = module.partition(".")
        if folder in TOPICS | {"data", "stats"} and file not in SHOWING and module not in THEMSELVES:
            assert not {n for n in needs if _folder(n) == "show" or n.split(".")[-1] in SHOWING}, module


def test_words_only_word(imports):
    """No numpy, no statistics: what a sentence needs is computed beside the estimates."""
    for module, names in imports.items():
        if module.endswith(".words"):
            assert not {n for n in names if n.split(".")[0] in ("numpy", "scipy") or n.startswith("cslib.stats")}, (
                module
            )


def test_showing_knows_no_topic(imports):
    assert {_folder(n) for m, needs in _own(imports).items() if _folder(m) == "show" for n in needs} <= {
        *("show", "allowed", "errors"),
    }


@pytest.mark.parametrize(("package", "allowed"), HEAVY.items())
def test_heavy_libraries_have_few_importers(imports, package, allowed):
    users = {m for m, names in imports.items() if any(n.split(".")[0] == package for n in names)}
    assert users <= allowed


def test_raw_rows_are_read_in_one_place(imports):
    assert {m for m, names in _own(imports).items() if "data.sources" in names} <= {
        "data.load",
        "data.checks",
        "propose.look",
    }


def test_import_is_light():
    code = "import cslib, sys; print([m for m in ('papermill', 'nbconvert', 'matplotlib', 'lifelines', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_nothing_but_the_fixed_parts_at_the_top(root):
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    files = {
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "requirements.lock",
    }
    folders = {"cslib", "notebooks", "tests", "data", "reports", "docs", ".ci"}
    assert {t.split("/")[0] for t in tracked} <= files | folders | {".gitignore"}
    assert "://" not in (root / "requirements.lock").read_text()
