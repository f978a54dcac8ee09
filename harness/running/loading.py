"""Engines by name: through the entry points that `offered.py` knows, or from a file, `path.py:prepare`.

Names are checked without importing anything; an engine is imported when a unit first asks for it.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from ..errors import CommandError, LoadingError, engine_folders, raised, raised_at
from ..reading.code import assigned
from ..records.evaluation import Engine, Prepare, Unsupported, Variant
from ..records.known import NOTHING, Knowledge, covers
from ..words import HIDDEN, nearest, visible
from .offered import installed, shipped


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once. Raises CommandError for one that is neither installed nor a function in a file."""
    names = tuple(dict.fromkeys(names))
    for name in names:
        if HIDDEN.search(name):
            raise CommandError(f"the engine {name!r}: a name without control characters is expected. Rename the file")
        if is_file(name):
            _check_file(name)
        elif name not in installed():
            known = f"Known: {', '.join(installed())}; or a file, `path.py:prepare`."
            raise CommandError(f"unknown engine `{name}`. {_hint(name, installed())}{known}")
    return names


def _hint(name: str, known: Iterable[str]) -> str:
    question = nearest(name, known)
    return f"{question} " if question else ""


def is_file(name: str) -> bool:
    """Whether an engine is named by its file, and not installed."""
    return ".py" in name


def split(name: str) -> tuple[Path, str]:
    """`path.py:prepare` as a path and the name of a function in it, `prepare` where none is given."""
    path, colon, function = name.rpartition(":")
    return (Path(path), function) if colon and path.endswith(".py") else (Path(name), "prepare")


def _check_file(name: str) -> None:
    path, function = split(name)
    if not path.is_file():
        raise CommandError(
            f"no engine file {path}: `--engine path.py:prepare` names a Python file and a function in it"
        )
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise CommandError(f"{path}:{error.lineno}:{error.offset}: {error.msg}") from None
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from None
    names = sorted(assigned(tree))
    if function not in names and "*" not in names:
        raise CommandError(
            f"{path} has no `{function}`. {_hint(function, names)}It has: {', '.join(names) or 'nothing'}."
        )


def load(name: str) -> Engine:
    """The engine of that name, as `loaded`. Raises Unsupported for a variant, which computes no gradient."""
    engine = loaded(name)
    if isinstance(engine, Variant):
        raise Unsupported(f"it computes the {engine.quantity} alone, in cases whose `derivatives` ask for it")
    return engine


@cache
def loaded(name: str) -> Engine | Variant:
    """The engine or variant of that name, imported now.

    Raises Unsupported where a package that it needs is not installed, LoadingError where its own code fails.
    """
    try:
        return _engine(_from_file(name) if is_file(name) else installed()[name].load(), name)
    except (Unsupported, LoadingError):
        raise
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "gradaccord"):
            raise LoadingError(f"cannot be loaded: {error}") from None
        raise Unsupported(f"{missing} is not installed: {_remedy(name, missing)}{raised_at(error)}") from None
    except BaseException as error:  # noqa: BLE001 a stranger's module may raise anything while it is imported
        raise LoadingError(f"cannot be loaded: {raised(error)}") from None


def _engine(target: Any, name: str) -> Engine | Variant:
    if isinstance(target, Engine | Variant):
        return target
    if callable(target):
        return Engine(cast("Prepare", target))
    raise LoadingError(f"`{name}` is {type(target).__name__}, expected an Engine or a function prepare(graph, dtype)")


def _from_file(name: str) -> Any:
    path, function = split(name)
    module_name = f"gradaccord_engine_{path.stem}"
    specification = importlib.util.spec_from_file_location(module_name, path.resolve())
    if specification is None or specification.loader is None:
        raise LoadingError(f"{path} is no Python file")
    folder = path.resolve().parent
    engine_folders.add(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # for modules beside it; last, so that a file `torch.py` hides no framework
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module  # dataclasses and pickle look a class's module up there
    specification.loader.exec_module(module)
    return getattr(module, function)


def _remedy(name: str, missing: str) -> str:
    """The command that installs what an engine lacks: its package's extra of that name, where there is one."""
    entry = installed().get(name)
    base = name.partition(":")[0]
    if entry is not None and entry.dist is not None:
        extras: Sequence[str] = entry.dist.metadata.get_all("Provides-Extra") or ()
        if base in extras:
            return f"pip install '{entry.dist.name}[{base}]'"
    return f"pip install {missing}"


def knowledge(name: str) -> Knowledge:
    """What is known of the engine in the version that runs. Only this project's own engines count as measured."""
    try:
        running = version(name)
        return Knowledge(tuple(one for one in loaded(name).known if covers(one.versions, running)), shipped(name))
    except BaseException as error:  # noqa: BLE001 a table that makes no sense must not fail a run
        raised(error)
        return NOTHING


def stated(text: object) -> str:
    """What an engine says, in one line of moderate length in which nothing is hidden."""
    return visible(" ".join(str(text).split()))[:500]


def version(name: str) -> str:
    """What the engine runs on, such as `torch 2.13.0`; empty where it does not say or is not there."""
    try:
        return stated(loaded(name).version())
    except BaseException as error:  # noqa: BLE001 a version that fails must not fail a run
        raised(error)
        return ""
