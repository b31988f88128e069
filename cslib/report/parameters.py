"""Notebooks and what they can be asked: typed parameters, a name, a folder; nothing runs for that."""

from __future__ import annotations

import ast
import io
import json
import math
import os
import re
import tempfile
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cslib.allowed import DECLARED, Allowed
from cslib.errors import ParameterError, ReportError, refuse_unknown

Value = str | int | float | bool
TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
WANTED: Mapping[type, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
DIGITS = 18  # of a whole number


def in_force(given: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, Any]:
    """Put what the data declare in the place of parameters that leave it to them.

    Parameters
    ----------
    given
        Parameters of a run.
    check
        As from :meth:`cslib.data.dataset.DataSet.describe`.

    Examples
    --------
    >>> in_force({"gross_margin": 0.0, "where": ""}, {"gross_margin": 0.8})
    {'gross_margin': 0.8, 'where': ''}
    """
    declared = {name: check[name] for name in DECLARED if name in given and not given[name] and check.get(name)}
    return {**given, **declared}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook, as its parameters cell declares it; its help ends with what is allowed."""

    name: str
    type: type
    default: Value
    help: str
    allowed: Allowed | None = None

    def parse(self, value: object) -> Value:
        """Turn a given value into one of the declared type, and refuse what is not allowed."""
        try:
            found = _coerced(value, self.type)
        except ParameterError as error:
            give = f". Give {self.allowed.text}." if self.allowed else ""
            message = f"{self.name}: {error}{give}"
            raise ParameterError(message) from error
        if self.allowed:
            self.allowed.check(self.name, found)
        return found


@dataclass(frozen=True)
class Notebook:
    """A notebook that can become a report: its first H1 is the title, `cells` counts those with code.

    `label` is its short name, for bars and lists: `title` of the notebook's metadata, or else made of its file name.
    """

    name: str
    path: Path
    title: str
    label: str
    parameters: tuple[Parameter, ...]
    cells: int


def find_notebooks(folder: Path | None = None) -> list[Notebook]:
    """Read every notebook of a folder, without running any.

    Parameters
    ----------
    folder
        Where to look; by default the notebooks that come with cslib.

    Returns
    -------
    list of Notebook
        By name.

    Raises
    ------
    ReportError
        A file is no notebook, or its parameters cell holds something else than parameters.
    """
    here = Path(__file__).resolve().parents[1]
    inside = here / "notebooks"
    folder = folder or (inside if inside.is_dir() else here.parent / "notebooks")
    return [_read_notebook(path) for path in sorted(folder.glob("*.ipynb"))]


def _read_notebook(path: Path) -> Notebook:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells, label = raw["cells"], str(raw.get("metadata", {}).get("title") or words(path.stem))
        texts = [(c["cell_type"], c["metadata"].get("tags", []), "".join(c["source"])) for c in cells]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"{path.name} cannot be read as a notebook ({error!r})."
        raise ReportError(message) from error
    prose = [text for kind, _, text in texts if kind == "markdown"]
    titles = [m[1] for text in prose if (m := re.search(r"^# +(.+?)\s*$", text, re.M))]
    title = re.sub(r"[*_`]", "", titles[0]) if titles else words(path.stem)
    source = next((text for _, tags, text in texts if "parameters" in tags), "")
    code = sum(kind == "code" and bool(text.strip()) for kind, _, text in texts)
    return Notebook(path.stem, path, title, label, tuple(_declared(source, path.name)), code)


def checked_slug(slug: str) -> str:
    """Give back a name that can stand in a file name and in a link, or refuse it."""
    message = f"{slug!r} cannot name a report. Use letters, digits, _ and -, not - first, and not 'index'."
    ParameterError.when(not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", slug) or slug.lower() == "index", message)
    return slug


def output_folder(out: Path) -> Path:
    """Make the folder of the reports where it is missing, or say why it cannot take any."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        what = "is a file" if os.path.isfile(out) else f"cannot be written ({error.strerror})"
        message = f"--out {out} {what}. Name a folder."
        raise ParameterError(message) from error
    return out.resolve()


def words(name: str) -> str:
    """Say the name of a file or parameter as a heading: `nps_by_plan` is "Nps by plan"."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def _declared(source: str, file: str) -> Iterator[Parameter]:
    """Read ``name: type = default  # help`` lines; `ast` and `tokenize` are not fooled by # in a text."""
    try:
        body = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except SyntaxError as error:
        message = f"The parameters cell of {file} is not plain Python: {error}."
        raise ReportError(message) from error
    helps = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    for node in body:
        declared = _one_declared(node, helps.get(node.end_lineno or 0, ""), file)
        yield replace(declared, allowed=_allowed(declared, file))


def _one_declared(node: ast.stmt, help_text: str, file: str) -> Parameter:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind), value=ast.expr() as value):
            with suppress(KeyError, ValueError):
                declared = Parameter(name, TYPES[kind], _coerced(ast.literal_eval(value), TYPES[kind]), help_text)
                return declared
    message = f"Line {node.lineno} of the parameters cell of {file} is not a parameter: {ast.unparse(node)}."
    message += f" Write name: type = default  # help, with a type of {', '.join(TYPES)}."
    raise ReportError(message)


def _allowed(declared: Parameter, file: str) -> Allowed | None:
    """Read what stands in brackets at the end of a parameter's help; its default must be allowed, too."""
    found = re.search(r"\[([^\[\]]*)\]$", declared.help)
    if not found:
        return None
    try:
        allowed = Allowed.read(found[1])
        fits = declared.type is str if allowed.choices else declared.type in (int, float)
        ParameterError.when(not fits, f"[{allowed.text}] does not go with {WANTED[declared.type]}.")
        allowed.check(declared.name, declared.default)
    except ParameterError as error:
        message = f"The parameter {declared.name} in {file} is not well declared: {error}"
        raise ReportError(message) from error
    return allowed


def _coerced(value: object, kind: type) -> Value:
    """Turn a given value into the declared type, strictly; text keeps its zeros."""
    text = value.strip() if isinstance(value, str) else ""
    if kind is str and isinstance(value, str):
        return value
    if kind is bool and (isinstance(value, bool) or text.lower() in ("true", "yes", "false", "no")):
        return value if isinstance(value, bool) else text.lower() in ("true", "yes")
    if kind is int and (type(value) is int or re.fullmatch(rf"[+-]?[0-9]{{1,{DIGITS}}}", text)):
        return int(str(value)) if isinstance(value, str) else value  # type: ignore[return-value]
    if kind is float and (type(value) in (int, float) or DECIMAL.fullmatch(text)):
        with suppress(OverflowError):
            if math.isfinite(number := float(value)):  # type: ignore[arg-type]
                return number
    message = f"{value!r} is not {WANTED[kind]}"
    raise ParameterError(message)


def parse_parameters(notebook: Notebook, given: Mapping[str, Value]) -> dict[str, Value]:
    """Check given parameters against what a notebook declares.

    Parameters
    ----------
    notebook
        The notebook.
    given
        Values by name; text is turned into the declared type, strictly.

    Returns
    -------
    dict
        A value for every parameter of the notebook, the default where none is given.

    Raises
    ------
    ParameterError
        Names that the notebook does not have, values of a wrong type and values that are not allowed, all at once.
    """
    known = {p.name: p for p in notebook.parameters}
    values: dict[str, Value] = {p.name: p.default for p in notebook.parameters}
    faults = []
    for name, value in given.items():
        try:
            values[name] = _known(known, name, notebook.name).parse(value)
        except ParameterError as error:
            faults.append(str(error))
    if faults:
        raise ParameterError("\n".join(faults))
    return values


def given_for(notebook: Notebook, chosen: Sequence[Notebook], given: Mapping[str, Value]) -> dict[str, Value]:
    """Pick from what is given to some notebooks the parameters of one, and check them and its name."""
    known = {p.name: p for n in chosen for p in n.parameters}
    for name in given:
        _known(known, name, notebook.name if len(chosen) == 1 else "the chosen notebooks")
    own = {p.name: given[p.name] for p in notebook.parameters if p.name in given}
    parse_parameters(notebook, own)
    checked_slug(notebook.name)
    return own


def _known(known: Mapping[str, Parameter], name: str, where: str) -> Parameter:
    refuse_unknown(name, known, f"There is no parameter {name!r} in {where}.")
    return known[name]
