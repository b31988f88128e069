"""The public face: what `import cslib as cs` offers, to people, tab completion and type checkers."""

import ast
from importlib import import_module

import pytest

import cslib
from cslib.show.result import Study

STUDIES = [
    name for name in cslib.__all__ if isinstance(getattr(cslib, name), type) and issubclass(getattr(cslib, name), Study)
]


def test_dir_shows_all_that_is_public_and_nothing_else():
    assert set(dir(cslib)) == {*cslib.__all__, "__version__"}
    assert len(cslib.__all__) <= 20
    assert all(hasattr(cslib, name) for name in cslib.__all__)


def test_type_checkers_see_what_runs(root):
    """Names imported for type checkers come from where they are loaded."""
    tree = ast.parse((root / "cslib" / "__init__.py").read_text("utf-8"))
    imported = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("cslib.")]
    declared = {alias.name: node.module for node in imported for alias in node.names}
    assert set(declared) == set(cslib.__all__)
    for name, module in declared.items():
        assert getattr(import_module(module), name) is getattr(cslib, name)


def test_folders_can_be_reached_by_name_and_a_wrong_name_is_refused():
    assert cslib.churn.__name__ == "cslib.churn"
    with pytest.raises(AttributeError, match="'cslib' has no attribute 'chrun'"):
        _ = cslib.chrun


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_finds_and_shows_how_to_ask(name):
    study = getattr(cslib, name)
    assert study.findings()
    assert all(question.endswith("?") for question in study.findings().values())
    assert ">>>" in study.__doc__


@pytest.mark.parametrize("name", STUDIES)
def test_a_path_in_place_of_data_says_to_load_it(name):
    with pytest.raises(cslib.ParameterError, match=r"data is 'mydata'. Load it first: \w+\(cs.load\('mydata'\)\)"):
        getattr(cslib, name)("mydata")
