"""The command line: parse, call, and turn a :class:`~cslib.errors.CslibError` into an exit code."""

from __future__ import annotations

import os
import signal
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cslib import __version__
from cslib.data.contract import CONTRACT
from cslib.data.limit import FOLDERS, LOAD_LIMIT, LOAD_SECONDS
from cslib.errors import CslibError, ParameterError, counted, refuse_unknown
from cslib.report.clock import PHASES, USUAL, Limits

if TYPE_CHECKING:
    from cslib.data.dataset import DataSet
    from cslib.propose.write import Proposal
    from cslib.report.engine import Run
    from cslib.report.parameters import Notebook, Value

FAILED, WRONG_USAGE, TOLD = 1, 2, 3


class _Snapshot(click.ParamType[Path]):
    name = "file.cslib"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(str(value))
        ParameterError.when(path.suffix != ".cslib", f"{path.name!r} is no name of a snapshot. End it in .cslib.")
        ParameterError.when(not path.parent.is_dir(), f"The folder {path.parent} is not there. Make it first.")
        return path


_SNAPSHOT = _Snapshot()


_SECONDS = click.IntRange(min=1)


def _set(ctx: click.Context, name: str, value: str) -> None:
    before = os.environ.get(name)
    os.environ[name] = value
    ctx.call_on_close(lambda: os.environ.pop(name) if before is None else os.environ.update({name: before}))


def _allow(ctx: click.Context, _: click.Parameter, seconds: int) -> None:
    """Set the limit where ``cs.load`` looks, here and in every kernel, until the end of the command."""
    _set(ctx, LOAD_LIMIT, str(seconds))


_load_limit = click.option(
    "--load-limit", type=_SECONDS, default=LOAD_SECONDS, show_default=True, callback=_allow, envvar=LOAD_LIMIT,
    expose_value=False, help="Seconds that reading and checking the data may take.",
)  # fmt: skip


def _trust(ctx: click.Context, _: click.Parameter, folders: tuple[str, ...]) -> None:
    """Let the data read folders beside those that the environment allows, until the end of the command."""
    if folders:
        known = [os.environ[FOLDERS]] if FOLDERS in os.environ else []
        _set(ctx, FOLDERS, os.pathsep.join([*known, *map(os.path.realpath, folders)]))


_allow_folder = click.option(
    "--allow-folder", type=click.Path(exists=True, file_okay=False), multiple=True, callback=_trust, expose_value=False,
    help="A folder beyond their own that the data may read; repeatable.",
)  # fmt: skip


class _Commands(click.Group):
    """A group whose commands end with a sentence and an exit code, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CslibError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(WRONG_USAGE if isinstance(error, ParameterError) else FAILED)
        except RuntimeError as error:
            if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):  # DuckDB was at work
                raise KeyboardInterrupt from error
            raise
        except BrokenPipeError:
            raise  # whoever read our output has gone: click ends quietly
        except OSError as error:  # a full disk, a folder that nobody may write
            click.echo(f"Error: {error.filename or 'A file'} cannot be read or written: {error.strerror}.", err=True)
            ctx.exit(FAILED)


def _folder(ctx: click.Context, option: click.Parameter, value: str) -> Path:
    ParameterError.when(not value.strip(), f"--{option.name} is empty. Name a folder.")
    return Path(value)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cslib")
def main() -> None:
    """Customer-success and subscription analytics in parameterised notebooks."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends us as Ctrl-C does


@main.command()
@click.argument("names", nargs=-1)
@click.option("--data", default="", help="Folder, cslib.toml, CSV or Parquet file, or connection URL.")
@click.option("-p", "given", multiple=True, metavar="KEY=VALUE", help="A parameter of the notebook; repeatable.")
@click.option("--out", default="reports", show_default=True, callback=_folder)
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="How many at once; by default one a processor.")
@click.option("--keep-snapshot", type=_SNAPSHOT, help="Keep the data as loaded in this .cslib file.")
@click.option("--each", default="", metavar="COLUMN", help="Make the reports anew for each value of a column.")
@click.option(
    "--cell-limit", type=_SECONDS, default=USUAL.cell, show_default=True, help="Seconds that a cell may take."
)
@click.option(
    "--report-limit",
    type=_SECONDS,
    default=USUAL.report,
    show_default=True,
    help="Seconds for a report in all, and for each of its segments.",
)
@_load_limit
@_allow_folder
@click.option("--profile", is_flag=True, help="Tell at the end what each report spent its time on.")
@click.option("--params", type=click.Path(path_type=Path), help="A TOML file of parameters; -p goes before it.")
def report(
    names: tuple[str, ...], data: str, given: tuple[str, ...], out: Path, params: Path | None,
    cell_limit: int, report_limit: int, **asked: Any,
) -> None:  # fmt: skip
    """Run notebooks (all that the data suffice for, or NAMES) and write HTML reports and an index."""
    from cslib.report.parameters import find_notebooks

    chosen = _chosen(find_notebooks(), names)
    parameters = (_in_file(params) if params else {}) | _parameters(given, data)
    limits = Limits(cell_limit, report_limit)
    runs = _shown(chosen, parameters=parameters, out=out, limits=limits, **asked)
    click.echo(f"{sum(r.ok for r in runs)} of {len(runs)} reports written: {out / 'index.html'}")
    for line in _profile(runs) if asked["profile"] else ():
        click.echo(line)
    if not all(r.ok or (r.lacks_data and not names) for r in runs):
        sys.exit(FAILED)


def _profile(runs: Sequence[Run]) -> Iterator[str]:
    """Lay out the seconds of each report by phase."""
    width = max((len(run.slug) for run in runs), default=0)
    yield " ".join([f"{'seconds':<{width}}", *(f"{phase:>8}" for phase in PHASES)])
    for run in (r for r in runs if r.spent):
        yield " ".join([f"{run.slug:<{width}}", *(f"{run.spent.get(phase, 0.0):8.2f}" for phase in PHASES)])


def _shown(chosen: Sequence[Notebook], **asked: Any) -> list[Run]:
    """Render behind a progress bar on a terminal; elsewhere, as in a log, say each step in a line."""
    from cslib.report import batch as reports

    if not sys.stderr.isatty():
        return reports.render_all(chosen, **asked, say=_echo)
    with click.progressbar(length=1000, label="reports", file=sys.stderr) as bar:
        runs = reports.render_all(chosen, **asked, progress=lambda share: bar.update(round(1000 * share) - bar.pos))
    for run in runs:
        _echo(str(run))
    return runs


def _parameters(given: Sequence[str], data: str) -> dict[str, Value]:
    pairs = [*map(_pair, given), *[("data", data)] * bool(data)]
    twice = [key for key, n in Counter(key for key, _ in pairs).items() if n > 1]
    if twice:
        msg = f"{twice[0]} is given more than once. Give each parameter once; --data is -p data=… too."
        raise ParameterError(msg)
    return dict(pairs)


def _in_file(path: Path) -> dict[str, Value]:
    """Read parameters from a TOML file of lines such as ``segment_by = "plan"``."""
    try:
        found = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        msg = f'--params {path.name} cannot be read: {why}. Name a TOML file of lines such as segment_by = "plan".'
        raise ParameterError(msg) from error
    values = {key: value.isoformat() if isinstance(value, date) else value for key, value in found.items()}
    odd = next((key for key, value in values.items() if not isinstance(value, (str, int, float, bool))), None)
    ParameterError.when(odd, f'--params {path.name}: {odd} is no single value. Write it as {odd} = "…" or a number.')
    return values


def _chosen(notebooks: list[Notebook], names: tuple[str, ...]) -> list[Notebook]:
    there = {n.name: n for n in notebooks}
    for name in names:
        refuse_unknown(name, there, f"There is no notebook {name!r}.")
    return [there[name] for name in dict.fromkeys(names)] or notebooks


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    ParameterError.when(not sign or not key, f"-p got {text!r}. Write it as key=value, such as -p segment_by=plan.")
    return key.strip(), value


def _echo(line: str) -> None:
    click.echo(line, err=True)


@main.command()
@click.option("--out", default="reports", show_default=True, callback=_folder, help="The folder of the reports.")
@click.option(
    "--to", "addresses", multiple=True, metavar="ADDRESS",
    help="Send what is new to an address of the package apprise, such as mailto://… or slack://…; repeatable. ${NAME} "
    "stands for a variable of the environment.",
)  # fmt: skip
def alert(out: Path, addresses: tuple[str, ...]) -> None:
    """Compare the last scorecard with the one before and tell what is new, once; exit 3 if there is something."""
    from cslib.report.alert import tell
    from cslib.report.digest import plain_text
    from cslib.report.send import receivers, send

    to = receivers(addresses) if addresses else []
    digest = tell(out, (lambda told: send(told, to)) if to else None)
    click.echo(f"{plain_text(digest)}\n{out / 'digest.html'}")
    if digest.news:
        sys.exit(TOLD)


@main.command("list")
def list_notebooks() -> None:
    """Show the notebooks and their parameters with types, defaults and help."""
    from cslib.report.parameters import find_notebooks

    for notebook in find_notebooks():
        click.echo(f"{notebook.name}: {notebook.title}")
        for p in notebook.parameters:
            click.echo(f"  {p.name}: {p.type.__name__} = {p.default!r}  # {p.help}".rstrip(" #"))


def _sizes(data: DataSet) -> str:
    return ", ".join(f"{name} {counted(known['rows'], 'row')}" for name, known in data.statistics.items())


@main.command()
@click.argument("data", default="")
@_load_limit
@_allow_folder
@click.option("--to", "path", required=True, type=_SNAPSHOT, help="A .cslib file, replaced if it is there.")
@click.option("--as-of", default="", help="Last fully observed day, over the declared one.")
def load(data: str, path: Path, as_of: str) -> None:
    """Read, type and check DATA once, into a file that opens in an instant (--data FILE, cs.load(FILE))."""
    from cslib.data.load import load as loaded
    from cslib.data.snapshot import save

    known = loaded(data, as_of=as_of)
    ParameterError.when(not save(known, path), f"{known.label} is a warehouse: its tables are read where they are.")
    click.echo(f"{path}: {_sizes(known)}")


@main.command()
@click.argument("data", default="")
@_load_limit
@_allow_folder
@click.option("--rows", type=click.Path(path_type=Path), help="A folder for the rows with faults, a CSV file a table.")
def check(data: str, rows: Path | None) -> None:
    """Check DATA against the data contract; exit 1 on errors."""
    from cslib.data.load import check as examine

    if rows:
        ParameterError.when(rows.exists() and not rows.is_dir(), f"--rows {rows} is a file. Name a folder.")
        rows.mkdir(parents=True, exist_ok=True)
    found = examine(data)
    for line in _written(found, rows) if rows else ():
        click.echo(line)
    if _examined(found):
        sys.exit(FAILED)


def _examined(found: DataSet) -> int:
    """Say what the check has found; return the number of errors."""
    from cslib.propose.section import visible

    for fault in found.faults:
        click.echo(visible(f"{fault.severity}: {fault}"))
    for note in found.notes:
        click.echo(visible(f"note: {note}"))
    errors = sum(f.severity == "error" for f in found.faults)
    count = f"{counted(errors, 'error')}, {counted(len(found.faults) - errors, 'warning')}"
    click.echo(f"{found.label}: {count}. {_sizes(found)}".rstrip())
    return errors


def _written(found: DataSet, folder: Path) -> Iterator[str]:
    """Write the rows with faults for the owner of the source: why, where in the file, and what stands there.

    Only files of an earlier check are replaced.
    """
    from cslib.show.display import write_csv

    paths = {name: folder / f"{name}.csv" for name in found.set_aside}
    for path in filter(os.path.lexists, paths.values()):
        ParameterError.when(
            not _of_a_check(path), f"{path} is there already, and no file of a check. Name another folder."
        )
    for name, path in paths.items():
        before = " (in place of those of an earlier check)" * path.exists()
        write_csv(found.set_aside[name], path)
        yield f"{path}: {counted(len(found.set_aside[name]), 'row')} of {name} with a fault{before}"
    if not paths:
        yield "No row has a fault of its own."
    old = [p for name in CONTRACT if (p := folder / f"{name}.csv").is_file() and name not in paths and _of_a_check(p)]
    yield from (
        f"{path}: of an earlier check; nothing is wrong with these rows any more, or they are gone." for path in old
    )


def _of_a_check(path: Path) -> bool:
    """Tell a file that --rows has written."""
    if not path.is_file() or path.is_symlink():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(8).startswith(("reason,", "reason\n"))


@main.command()
@click.argument("data", default=".", metavar="[PATH]")
@_load_limit
@click.pass_context
def init(ctx: click.Context, data: str) -> None:
    """Look into a folder, file or connection URL and propose a cslib.toml; never overwrite one."""
    from cslib.propose.write import SOURCE, propose, write

    proposal = propose(data)
    write(proposal)
    if proposal.place.source == f"${{{SOURCE}}}":
        _set(ctx, SOURCE, data)
    click.echo("\n".join([*proposal.lines, f"{proposal.path}: written. It says how sure each table is."]))
    errors = _tried(proposal)
    click.echo("\n".join(proposal.next_steps(errors)))
    if errors:
        sys.exit(FAILED)


def _tried(proposal: Proposal) -> int:
    """Check data as proposed: all of them, or samples where they are large."""
    from cslib.data.load import check as examine
    from cslib.propose.write import to_check

    with to_check(proposal) as path:
        found = examine(path)
        if path == proposal.path:
            return _examined(found)
        return _examined(replace(found, faults=tuple(f for f in found.faults if f.severity == "error"), notes=()))


@main.command()
@click.option("--out", default="data", show_default=True, callback=_folder)
@click.option("--customers", type=int, default=4000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--format", "file_format", default="csv", show_default=True, help="csv or parquet")
def sample(out: Path, customers: int, seed: int, file_format: str) -> None:
    """Write the sample data: a synthetic business whose truth is documented."""
    from cslib.sample.write import write_sample

    with click.progressbar(length=max(customers, 1), label="customers", file=sys.stderr) as bar:
        rows = write_sample(out, customers=customers, seed=seed, file_format=file_format, progress=bar.update)
    click.echo(f"{out}: " + ", ".join(f"{n} {r:,}" for n, r in rows.items()))


if __name__ == "__main__":
    main()
