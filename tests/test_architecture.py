"""The module map: who may import whom, and what `import cslib` must not load."""

import ast
import subprocess
import sys

import pytest

ANALYSIS = {
    *("cohorts", "cohort_comparison", "revenue", "churn", "competing", "survival", "lifetimes"),
    *("surveys", "survey_columns", "survey_scores", "survey_change", "survey_value", "survey_intervals", "windows"),
    *("movements", "spending", "engagement", "kpi_history", "scorecard"),
    *("lifetime_models", "contract_models", "cox", "driver_columns", "drivers", "at_risk"),
}
SENTENCES = {
    "sentences",
    "churn_sentences",
    "outlook_sentences",
    "revenue_sentences",
    "scorecard_sentences",
    "survey_sentences",
    "value_sentences",
}
HEAVY = {"papermill": {"reports"}, "nbconvert": {"html"}, "lifelines": {"lifetime_models", "cox"}}
SHOWING = {
    "charts",
    "estimate_charts",
    "heatmaps",
    "survey_charts",
    "survey_rows",
    "display",
    "drawing",
    "formats",
    *SENTENCES,
}


@pytest.fixture(scope="module")
def imports(root):
    return {p.stem: set(_imported(ast.parse(p.read_text("utf-8")))) for p in (root / "cslib").glob("*.py")}


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(imports):
    return {
        m: {i.split(".")[1] for i in names if i.startswith("cslib.")} & set(imports) - {m}
        for m, names in imports.items()
    }


def test_imports_have_no_cycle(imports):
    graph, done = _own(imports), set()
    while len(done) < len(graph):
        free = {m for m, needs in graph.items() if m not in done and needs - {"__init__"} <= done | {"__init__"}}
        assert free, f"cycle among {set(graph) - done}"
        done |= free


@pytest.mark.parametrize(("package", "allowed"), HEAVY.items())
def test_heavy_libraries_have_one_importer(imports, package, allowed):
    users = {m for m, names in imports.items() if any(n.split(".")[0] == package for n in names)}
    assert users <= allowed


def test_charts_and_analysis_meet_only_in_notebooks(imports):
    graph = _own(imports)
    assert not any(graph[m] & SHOWING for m in ANALYSIS)
    assert not graph["charts"] - {"errors", "__init__"}
    assert not graph["heatmaps"] - {"charts", "errors", "__init__"}
    assert not graph["estimate_charts"] - {"charts", "errors", "__init__"}
    assert not graph["survey_charts"] - {"charts", "estimate_charts", "heatmaps", "errors", "__init__"}
    assert not graph["revenue_charts"] - {"charts", "formats", "errors", "__init__"}
    assert not any(graph[m] & ANALYSIS for m in SHOWING)


def test_raw_rows_are_read_in_one_place(imports):
    assert {m for m, names in _own(imports).items() if "sources" in names} <= {"tables", "checks"}


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
    folders = {"cslib", "notebooks", "tests", "data", "reports", ".ci"}
    assert {t.split("/")[0] for t in tracked} <= files | folders | {".gitignore"}
    assert "://" not in (root / "requirements.lock").read_text()
