"""What a shell completes: cases, engines, operations, dtypes. How to switch it on stands in `docs/command-line.md`.

A shell asks at each press of a key, so a name is found without the loader of cases and without any framework.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from click import Context, Parameter
from click.shell_completion import CompletionItem


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
