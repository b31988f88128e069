"""Small notebooks written cell by cell."""

from pathlib import Path

import nbformat

from cslib.report.parameters import Notebook, find_notebooks


def write(folder: Path, name: str, cells: list[tuple[str, str]]) -> Notebook:
    tags = {"parameters": ["parameters"], "how": ["how-to-read"], "raises": ["raises-exception"]}
    new = {"md": nbformat.v4.new_markdown_cell, "how": nbformat.v4.new_markdown_cell}
    made = [
        new.get(kind, nbformat.v4.new_code_cell)(text, id=f"cell-{i}", metadata={"tags": tags.get(kind, [])})
        for i, (kind, text) in enumerate(cells)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{name}.ipynb")
    return next(n for n in find_notebooks(folder) if n.name == name)
