"""The command line: `gradaccord run`, `diff`, `list`, `validate`, `show`, `explain`, `prove`, `ops`,
`engines`, `schema`, `check`, `compare`, `trace`, `hear`, `new`, `dialect`.

A thin shell. Everything heavy is imported inside the command that needs it, so that `--help` and errors
are quick and load no framework.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from . import options
from .cli_own import check, compare, dialect, hear, new, trace
from .running.garbage import search_less

DEFAULT_FOLDER = "gradaccord-report"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="gradaccord", message="%(prog)s %(version)s")
def main() -> None:
    """Do these engines compute the same gradient, and where they do not: rounding, a convention, or a defect?

    A case is a small computation written as YAML. A command that takes PATH runs on the cases that come with
    gradaccord where none is given.
    """
    search_less()


# --- the commands -----------------------------------------------------------------------------------------


@main.command()
@options.CASES
@click.option(
    "--engine",
    "-e",
    multiple=True,
    metavar="NAME",
    shell_complete=options.engines,
    help="An engine, or `path.py:prepare`. Repeat for several; all installed ones by default.",
)
@click.option(
    "--dtype",
    "-d",
    multiple=True,
    metavar="DTYPE",
    shell_complete=options.dtypes,
    help="A precision. Repeat for several; those of each case by default.",
)
@options.TAG
@click.option(
    "--out",
    "-o",
    default=DEFAULT_FOLDER,
    show_default=True,
    type=click.Path(),
    metavar="DIR",
    help="The folder for the reports.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many units (a case at one point in one dtype) run at once, each in a process of its own; 1 uses this "
    "process. By default one for each core, but at most one for every eight units; on a cluster one for each worker.",
)
@click.option(
    "--cluster",
    default="",
    metavar="ADDRESS",
    help="Send units to the workers of the Dask cluster whose scheduler has this address; see docs/scale.md.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that an engine, in a process of its own, may take for one unit, and on a path for each step.",
)
@click.option(
    "--ledger",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="A file of known disagreements. Repeat for several.",
)
@click.option("--resume", is_flag=True, help="Go on with the run that stopped in DIR; no unit is done twice.")
@click.option("--no-cache", is_flag=True, help="Compile everything anew, and keep nothing of it for later runs.")
@click.option("--allow-code", is_flag=True, help="Run the functions that cases name by `call`.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first finding that is not known.")
@click.option("--strict", is_flag=True, help="Count a wanted derivative that is `not judged` as a finding.")
@click.option("--verbose", "-v", is_flag=True, help="Print a line for each case.")
@click.option("--quiet", "-q", is_flag=True, help="Print only the last line, and errors.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="The standard output. text: a summary at the end; json: an object for each finding, then one for the summary; "
    "github: an annotation of GitHub Actions for each new finding, then the summary.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@options.reports_errors
def run(
    path: tuple[str, ...],
    engine: tuple[str, ...],
    dtype: tuple[str, ...],
    tag: tuple[str, ...],
    out: str,
    jobs: int | None,
    cluster: str,
    timeout: float | None,
    ledger: tuple[str, ...],
    resume: bool,
    no_cache: bool,
    allow_code: bool,
    fail_fast: bool,
    strict: bool,
    verbose: bool,
    quiet: bool,
    form: str,
) -> None:
    """Run cases on engines, judge every number, write the reports.

    PATH is a case file, a folder of them, or the name of a shipped case. Exit status: 0 no new finding,
    1 a finding that is not known, or nothing was compared, 2 the input or the command is wrong, 130 interrupted.
    """
    from .running.folder import check_folder
    from .running.loading import checked
    from .running.offered import installed
    from .running.selection import check_dtypes, explained, refuse_code, select

    options.exclude(quiet=quiet, verbose=verbose)
    engines = checked(engine) or tuple(installed())
    dtypes = check_dtypes(dtype)
    check_folder(Path(out))
    selected = explained(select(path, tag), ledger)
    if not allow_code:
        refuse_code(selected, "`gradaccord run --allow-code` runs it")
    from .records.evaluation import CACHE
    from .records.settings import Settings
    from .running.session import session
    from .telling.watching import watching

    command = shlex.join(["gradaccord", *sys.argv[1:]]) if sys.argv[1:] else "gradaccord run"
    if no_cache:
        os.environ[CACHE] = ""  # processes that are spawned inherit it
    settings = Settings(
        engines, jobs or 0, timeout, dtypes=dtypes, out=out, named=engines != tuple(installed()),
        cluster=cluster, fail_fast=fail_fast, strict=strict, allow_code=allow_code, resume=resume,
        ledgers=ledger,
    )  # fmt: skip
    with watching(quiet=quiet, verbose=verbose, form=form) as (watchers, tell):
        end = session(selected, settings, command, watchers)
    tell(end, str(Path(out) / "report.md"))
    sys.exit(end.status)


@main.command("list")
@options.CASES
@options.TAG
@options.reports_errors
def list_cases(path: tuple[str, ...], tag: tuple[str, ...]) -> None:
    """List cases with their tags, operations and points."""
    from .running.selection import select
    from .telling.lists import cases_table
    from .telling.terminal import console
    from .words import counted

    selected = select(path, tag)
    screen = console()
    screen.print(cases_table(entry.case for entry in selected))
    screen.print(counted(len(selected), "case"))


@main.command()
@options.CASES
@options.TAG
@options.reports_errors
def validate(path: tuple[str, ...], tag: tuple[str, ...]) -> None:
    """Check case files without running them.

    Prints every error of every file, with line and column. Exit status: 0 no error, 2 an error.
    """
    from .running.selection import select
    from .words import counted

    selected = select(path, tag)
    click.echo(f"{counted(len(selected), 'case')}, no errors")


@main.command()
@click.argument("case", shell_complete=options.cases)
@click.option(
    "--engine",
    "-e",
    metavar="NAME",
    shell_complete=options.engines,
    help="Print a script for this framework instead: it repeats the numbers without gradaccord.",
)
@click.option(
    "--point", default=0, show_default=True, type=click.IntRange(min=0), metavar="K", help="The script's point."
)
@click.option(
    "--dtype",
    "-d",
    default="float64",
    show_default=True,
    metavar="DTYPE",
    shell_complete=options.dtypes,
    help="The precision of the script.",
)
@click.option(
    "--issue", is_flag=True, help="With --engine: only the operation that is off, as small as it still fails."
)
@click.option("--mermaid", is_flag=True, help="Print only the graph, as a Mermaid diagram.")
@options.reports_errors
def show(case: str, engine: str | None, point: int, dtype: str, issue: bool, mermaid: bool) -> None:
    """Show a case and its gradient, written out.

    The graph, the gradient in the case language, and the source that the hand-written engine runs.

    CASE is a file or the name of a shipped case.
    """
    from .running.selection import check_dtypes, graph_is_data, select
    from .telling import mermaid as diagrams
    from .telling.showing import case_text

    options.exclude(engine=engine, mermaid=mermaid)
    if issue and engine is None:
        options.stop("`--issue` without `--engine NAME`: it is a script of that engine")
    selected = select([case])
    for entry in selected:
        if engine is not None:
            from .telling import issue as issues

            check_dtypes([dtype])
            write = issues.issue if issue else issues.explained
            click.echo(write(graph_is_data(entry.case), engine, point, dtype), nl=False)
        elif mermaid:
            click.echo(diagrams.mermaid(graph_is_data(entry.case).graph))
        else:
            click.echo(case_text(entry.case))


@main.command()
@click.argument("case", shell_complete=options.cases)
@click.option("--node", default="", metavar="NAME", help="One node or input; all of them by default.")
@click.option("--point", default=0, show_default=True, type=click.IntRange(min=0), metavar="K", help="Which point.")
@click.option("--markdown", is_flag=True, help="Print Markdown, with the graph as a diagram.")
@click.option("--step-through", is_flag=True, help="Print a line at a time, the next at each key; q ends it.")
@options.reports_errors
def explain(case: str, node: str, point: int, markdown: bool, step_through: bool) -> None:
    """Write out the chain rule on a case, number by number.

    Forward values, each local derivative with its formula and number, the product along each edge, the sum at each
    node; then the steps of the case's update, and what they do to the output.

    CASE is a file or the name of a shipped case.
    """
    from .running.selection import graph_is_data, select
    from .telling.explaining import explained, in_markdown, lines_of

    options.exclude(markdown=markdown, step_through=step_through)
    entry, *others = select([case])
    if others:
        options.stop(f"{case} holds {len(others) + 1} cases; `gradaccord explain` takes one")
    explainable = graph_is_data(entry.case)
    if markdown:
        click.echo(in_markdown(explainable, point, node))
        return
    parts = explained(explainable, point, node)
    click.secho(": ".join(filter(None, [entry.case.name, entry.case.about])), bold=True)
    width = min(shutil.get_terminal_size().columns, 100)
    for part in parts:
        click.secho(f"\n{part.title}", bold=True)
        for line in lines_of(part, width):
            click.echo(line)
            if step_through and options.key() in "qQ\x03\x04":
                return


@main.command()
@click.argument("case", nargs=-1, required=True, shell_complete=options.cases)
@click.option("--digits", default=20, show_default=True, type=click.IntRange(min=1), metavar="N", help="Digits shown.")
@click.option("--point", type=click.IntRange(min=0), metavar="K", help="One point; all of each case by default.")
@click.option(
    "--directions", default=3, show_default=True, type=click.IntRange(min=1), metavar="K", help="Random directions."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="S", help="Seed of the directions."
)
@options.reports_errors
def prove(case: tuple[str, ...], digits: int, point: int | None, directions: int, seed: int) -> None:
    """Prove value and gradient of a case, to any number of digits.

    Prints certified enclosures at the decimals as written. Reverse mode is held against forward mode by power series,
    which shares no rule with it, for the whole graph and for each operation.

    CASE is a case file, a folder of them, or the name of a shipped case. Exit status: 0 nothing contradicts the
    reference, 1 the reference is unreliable, 2 the input or the command is wrong.
    """
    from .running.selection import graph_is_data, select
    from .telling.proving import proved

    reliable, between = True, ""
    for entry in select(case):
        count = len(graph_is_data(entry.case).points)
        if point is not None and point >= count:
            options.stop(f"{entry.case.name} has no point {point}: it has {count}, counted from 0")
        for k in range(count) if point is None else (point,):
            proof = proved(entry.case, k, digits, directions, seed)
            click.echo(between + proof.text)
            between = "\n"
            reliable = reliable and proof.reliable
    sys.exit(0 if reliable else 1)


@main.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@options.reports_errors
def diff(run_a: Path, run_b: Path, markdown: bool) -> None:
    """Tell what changed between two runs.

    RUN_A (before) and RUN_B (after) are folders that `gradaccord run --out DIR` wrote. What is newly off comes first,
    then what is no longer off, changed verdicts, and scores that doubled. Exit status: 0 nothing is newly off,
    1 something is, 2 the input or the command is wrong.
    """
    from .telling.changes import changes, in_markdown, in_terminal
    from .telling.terminal import console

    found = changes(run_a, run_b)
    if markdown:
        click.echo(in_markdown(found))
    else:
        in_terminal(found, console())
    sys.exit(1 if found.off else 0)


@main.command()
@click.argument("name", required=False, shell_complete=options.operations)
@options.reports_errors
def ops(name: str | None) -> None:
    """List the operations, or describe one.

    NAME is an operation: its definition, its rounding and its derivative in the case language, how PyTorch and JAX
    spell it, and where their defaults mean something else.
    """
    from .telling.showing import operation_text, operations_text

    click.echo(operations_text() if name is None else operation_text(name))


@main.command()
@click.argument("name", required=False, shell_complete=options.engines)
@options.CASES
@options.reports_errors
def engines(name: str | None, path: tuple[str, ...]) -> None:
    """List the engines; of one, tell what it lacks.

    Without NAME: all engines, and what each runs on. NAME is an engine, or `path.py:prepare`: how many of the cases
    below PATH it can run, and the operations that it lacks, each with how many cases need it (`cases`), and how many
    need no other that it lacks (`alone`).
    """
    from .running.loading import checked
    from .running.offered import installed
    from .telling.lists import coverage_of, engines_table
    from .telling.terminal import console

    if name is None:
        console().print(engines_table(installed()))
    else:
        (engine,) = checked([name])
        console().print(*coverage_of(engine, path), sep="\n")


@main.command()
@options.reports_errors
def schema() -> None:
    """Print the JSON Schema of case files, for editors."""
    import json

    from .reading.case import schema as case_schema

    click.echo(json.dumps(case_schema(), indent=2))


for command in (check, compare, trace, hear, new, dialect):
    main.add_command(command)
