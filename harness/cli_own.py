"""The commands about people's own functions, `gradaccord check`, `compare`, `trace`, `hear` and `new`, and about
optimisers, `gradaccord dialect`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import options

FUNCTION = click.argument("function", metavar="FILE.py:NAME")
INPUTS = click.option(
    "--inputs", "made_by", default="", metavar="FILE.py:NAME",
    help="What makes the inputs: a function without arguments that returns a tuple, or a dict by name; or such a value "
    "itself. By default `inputs` of the same file.",
)  # fmt: skip
WANTED = click.option(
    "--wanted", multiple=True, metavar="NAME",
    help="An input or parameter whose gradient is asked for. Repeat for several; all by default.",
)  # fmt: skip
INTENDED = click.option(
    "--intended", multiple=True, metavar="RULE=TEXT",
    help="A custom rule whose backward is not meant to be the derivative of its forward, and the formula whose "
    "derivative it is meant to be. Repeat for several.",
)  # fmt: skip
FRAMEWORK = click.option("--framework", default="", metavar="NAME", help="torch or jax, where the inputs do not tell.")
PRECISION = click.option(
    "--dtype", "-d", default="", metavar="DTYPE", shell_complete=options.dtypes,
    help="Cast every float input and parameter to this precision.",
)  # fmt: skip


def _of_a_function(command: Callable[..., Any]) -> Callable[..., Any]:
    """What says which function is heard, and how."""
    for part in reversed((FUNCTION, INPUTS, WANTED, PRECISION, INTENDED, FRAMEWORK)):
        command = part(command)
    return command


@click.command()
@_of_a_function
@click.option(
    "--reference", is_flag=True, help="Compute the true values and gradients too: the columns `reference` and `digits`."
)
@click.option(
    "--out",
    "-o",
    default="gradaccord-report",
    show_default=True,
    type=click.Path(),
    metavar="DIR",
    help="The folder for the reports.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only the last line, and errors.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each finding, then one for the summary.")
@options.reports_errors
def check(
    function: str,
    made_by: str,
    wanted: tuple[str, ...],
    dtype: str,
    intended: tuple[str, ...],
    framework: str,
    reference: bool,
    out: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Judge a run of your own function, step by step.

    FILE.py:NAME is a torch function or module, or a JAX function. A wanted gradient that cannot be judged is a finding.
    Exit status: 0 nothing is off, 1 something is, 2 the command is wrong, the function cannot be heard, or it failed.
    """
    from .own.command import ask_of, check_command
    from .records.settings import Settings
    from .telling.stream import Stream
    from .telling.terminal import causes_of, console, last_line

    options.exclude(quiet=quiet, json=as_json)
    ask = ask_of(wanted, dtype, intended)
    words = ("check", *sys.argv[2:])
    settings = Settings((), jobs=1, out=out, strict=True, words=words)
    stream = Stream()
    checked, end = check_command(
        function, made_by, ask, framework, settings, shlex.join(["gradaccord", *words]),
        reference=reference, watchers=[stream] if as_json else [],
    )  # fmt: skip
    report = str(Path(out) / "report.md")
    if as_json:
        stream.ends(end, report)
    elif quiet:
        click.echo(last_line(end, causes_of(end)))
    else:
        screen = console()
        screen.print(checked)
        screen.print(f"Report: {report}")
    sys.exit(end.status)


@click.command()
@_of_a_function
@click.option("--out", "-o", required=True, type=click.Path(), metavar="CASE.yaml", help="The case file to write.")
@options.reports_errors
def trace(
    function: str,
    made_by: str,
    wanted: tuple[str, ...],
    dtype: str,
    intended: tuple[str, ...],
    framework: str,
    out: str,
) -> None:
    """Write your own function as a case, which every engine can run.

    FILE.py:NAME is a torch function or module, or a JAX function. Large inputs are written to files beside the case.
    """
    from .own.command import ask_of, trace_command

    ask = ask_of(wanted, dtype, intended)
    for path in trace_command(function, made_by, ask, framework, Path(out)):
        click.echo(path)


@click.command()
@click.argument("path", metavar="NAME", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "function",
    default="",
    metavar="FILE.py:NAME",
    help="Your own function, which is written as the case, as `trace` does.",
)
@INPUTS
@options.reports_errors
def new(path: Path, function: str, made_by: str) -> None:
    """Write a small case to begin with.

    Beside it goes the JSON Schema by which editors complete and check cases. NAME is the file, with or without its
    ending `.yaml`.
    """
    from .own.command import ask_of, trace_command
    from .own.new_case import new_case

    ask = ask_of((), "", ())
    for file in new_case(path, (lambda file: trace_command(function, made_by, ask, "", file)) if function else None):
        click.echo(file)


@click.command()
@click.argument("first", metavar="A.py:NAME")
@click.argument("second", metavar="B.py:NAME")
@INPUTS
@click.option(
    "--parameters", default="", metavar="FILE.py:NAME",
    help="Your own function that makes B's parameters from those of A (a state dict, a pytree).",
)  # fmt: skip
@WANTED
@click.option(
    "--dtype", "-d", default="float64", show_default=True, metavar="DTYPE", shell_complete=options.dtypes,
    help="Cast every float input and parameter of both to this precision.",
)  # fmt: skip
@click.option("--no-judge", is_flag=True, help="Where both are the same computation, do not judge the steps of either.")
@click.option(
    "--out", "-o", default="", type=click.Path(), metavar="FILE",
    help="Also write the comparison: FILE.html has both graphs side by side; any other FILE is Markdown.",
)  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="Print only the first line, and errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.reports_errors
def compare(
    first: str,
    second: str,
    made_by: str,
    parameters: str,
    wanted: tuple[str, ...],
    dtype: str,
    no_judge: bool,
    out: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare two functions, such as a model and its port.

    Prints the first step that differs, why, and the proof. Both are torch functions or modules, or JAX functions, and
    run on the same inputs; a file of `gradaccord hear` may stand for either. Exit status: 0 the same computation,
    1 they differ or a run has a finding, 2 the command is wrong, one cannot be heard, or it failed.
    """
    import json

    from .own.comparing import compare_command, write_page
    from .telling.terminal import console

    options.exclude(quiet=quiet, json=as_json)
    found = compare_command(first, second, made_by, parameters, wanted, dtype, judge=not no_judge)
    if as_json:
        click.echo(json.dumps(found.record()))
    elif quiet:
        click.echo(found.headline)
    else:
        console().print(found)
    if out:
        write_page(found, Path(out))
    sys.exit(0 if found.sound else 1)


@click.command()
@FUNCTION
@INPUTS
@click.option(
    "--like", default="", metavar="FILE.heard",
    help="A file that `hear` wrote of another function: this function runs on its inputs and parameters.",
)  # fmt: skip
@click.option(
    "--parameters", default="", metavar="FILE.py:NAME",
    help="With --like: what makes this function's parameters from those in the file. FILE.py alone means `convert`.",
)  # fmt: skip
@PRECISION
@FRAMEWORK
@click.option("--out", "-o", required=True, type=click.Path(), metavar="FILE.heard", help="The file to write.")
@options.reports_errors
def hear(function: str, made_by: str, like: str, parameters: str, dtype: str, framework: str, out: str) -> None:
    """Record a run of your own function in a file, for `compare`.

    For an original and a port that cannot be installed side by side: each is heard where it runs. A function is heard
    at your own numbers and at random ones, in float64 unless --dtype says otherwise; with --like in that file's dtype.
    """
    from .own.command import hear_command

    taken, path = hear_command(function, made_by, like, parameters, dtype, framework, Path(out))
    graph = taken.points[0].heard.graph
    click.echo(f"{path}: {taken.name} ({taken.version}), {len(graph.operations)} calls at {len(taken.points)} points")


@click.command()
@click.argument("first", required=False, metavar="[A]")
@click.argument("second", required=False, metavar="[B]")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="A setting of both, whatever each calls it (lr=0.1), or of one alone (a.momentum=0.9, b.eps=1e-7). Repeat.",
)  # fmt: skip
@click.option("--all", "all_pairs", is_flag=True, help="All pairs that docs/dialects.md tells of, instead of A and B.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --all, one in each line.")
@click.option("--quiet", "-q", is_flag=True, help="Print only the first line, and errors.")
@options.reports_errors
def dialect(
    first: str | None,
    second: str | None,
    settings: tuple[str, ...],
    all_pairs: bool,
    as_markdown: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say how two optimisers differ, and what to set.

    A and B are optimisers as they are called (torch.optim.RMSprop, "optax.sgd(0.1, momentum=0.9)"), rules of the table
    ("rmsprop(eps_place=inside)"), or your own, FILE.py:NAME. Both step on the same gradients: tiny, zero, huge,
    alternating ones. Exit status: 0 they step alike, 1 they differ, 2 the command is wrong.
    """
    import json

    from .dialects.command import dialect_command
    from .dialects.pairs import page, records
    from .errors import CommandError
    from .telling.terminal import console

    options.exclude(markdown=as_markdown, json=as_json, quiet=quiet)
    if all_pairs == (first is not None):
        raise CommandError("expected two optimisers, or --all: gradaccord dialect torch.optim.RMSprop optax.rmsprop")
    if all_pairs:
        if settings or quiet:
            raise CommandError("--all takes neither --set nor --quiet: its pairs are those of the page")
        click.echo("\n".join(map(json.dumps, records())) if as_json else page().rstrip())
        sys.exit(0)
    if first is None or second is None:
        raise CommandError(f"only one optimiser, `{first}`: expected two")
    found = dialect_command(first, second, settings)
    if as_json:
        click.echo(json.dumps(found.record()))
    elif as_markdown:
        click.echo(found.markdown(), nl=False)
    elif quiet:
        click.echo(found.headline)
    else:
        console().print(found)
    sys.exit(0 if found.sound else 1)
