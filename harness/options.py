"""What commands share: how a mistake ends, arguments and options, and what a shell completes of them.

How to switch completion on stands in `docs/command-line.md`.
A shell asks at each press of a key, so a name is found without the loader of cases and without any framework.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from click import Context, Parameter
from click.shell_completion import CompletionItem

WRONG = 2  # exit status: the input or the command is wrong
INTERRUPTED = 130


def reports_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake of the user's becomes its message and exit status 2, Ctrl-C before a run is under way status 130."""

    @wraps(command)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        from .errors import CommandError

        try:
            return command(*args, **kwargs)
        except CommandError as error:
            stop(str(error))
        except KeyboardInterrupt:
            click.echo("Interrupted before anything was complete.", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            sys.stderr.close()  # whoever read the output has gone, as `head` does
            sys.exit(0)
        except Exception as error:
            # Asked by name: importing the loader costs what an error should not wait for.
            if type(error).__name__ != "CaseErrors":
                raise
            stop(str(error))

    return reporting


def key() -> str:
    """The next key that is pressed."""
    try:
        return click.getchar()
    except OSError:
        stop("no terminal to wait at for a key, as --step-through does; without it all lines come at once")


def stop(message: str) -> NoReturn:
    from .words import visible

    message = visible(message)
    click.echo(f"error: {message}" if "\n" not in message and not _located(message) else message, err=True)
    sys.exit(WRONG)


def _located(message: str) -> bool:
    parts = message.split(":", 3)
    return len(parts) == 4 and parts[1].isdigit() and parts[2].isdigit()


# --- what a shell completes -----------------------------------------------------------------------------


def cases(context: Context, parameter: Parameter, typed: str) -> list[CompletionItem]:
    """Names of shipped cases and of their folders, and paths."""
    from .reading.names import shipped, shipped_names

    themes = [path.name for path in shipped().iterdir() if path.is_dir() and not path.name.startswith("_")]
    names = _beginning([*themes, *shipped_names()], typed) if os.sep not in typed else []
    if names:
        # Where there are names, bash looks for no files.
        here = [path.name for path in Path().iterdir() if path.is_dir() or path.suffix in (".yaml", ".yml")]
        names += _beginning((name for name in here if not name.startswith(".")), typed)
    return [*_files(typed), *map(CompletionItem, dict.fromkeys(names))]  # in bash, files put away what came before


def engines(context: Context, parameter: Parameter, typed: str) -> list[CompletionItem]:
    """Installed engines; files, for `path.py:prepare`, where none of them fits."""
    from .running.offered import installed

    return [*map(CompletionItem, _beginning(installed(), typed))] or _files(typed)


def operations(context: Context, parameter: Parameter, typed: str) -> list[CompletionItem]:
    """The operations of the case language."""
    from .graph.operations import OPERATIONS

    return [*map(CompletionItem, _beginning(sorted(OPERATIONS), typed))]


def dtypes(context: Context, parameter: Parameter, typed: str) -> list[CompletionItem]:
    """The precisions."""
    from .records.formats import FORMATS

    return [*map(CompletionItem, _beginning(FORMATS, typed))]


def _beginning(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in names if name.startswith(typed)]


def _files(typed: str) -> list[CompletionItem]:
    return [CompletionItem(typed, type="file")]


# --- what several commands take --------------------------------------------------------------------------

CASES = click.argument("path", nargs=-1, shell_complete=cases)
TAG = click.option(
    "--tag", multiple=True, metavar="NAME", help="Take only the cases that have this tag. Repeat for several."
)


def exclude(**given: object) -> None:
    """Raises CommandError where options contradict each other; each by its name, and whether it was given."""
    from .errors import CommandError

    names = [f"`--{name.replace('_', '-')}`" for name, value in given.items() if value]
    if len(names) > 1:
        raise CommandError(f"{' and '.join(names)} exclude each other: leave one of them out")
