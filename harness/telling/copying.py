"""A framework's vocabulary copied out of its source, by `ast`, for a script that runs without gradaccord.

The file is the adapter's `operations.py`: its table `DIFFERENT`, the rows that `namespace` adds for a dtype, and what
is `ABSENT`. Whatever else the table of operations has goes by the framework's own name.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from ..errors import CommandError


@dataclass(frozen=True, slots=True)
class Copy:
    """Imports, definitions in the order that they need, and for each function that was asked for its expression."""

    imports: Sequence[str]
    definitions: Sequence[str]
    rows: Sequence[tuple[str, str]]


def copy(vocabulary: str, functions: str, names: Sequence[str], dtype: str) -> Copy:
    """What a script needs to call these functions. `functions` is the framework's own module as the file calls it.

    Raises CommandError for one that the framework does not have.
    """
    module = _module(vocabulary)
    inside = next(node for node in module.tree.body if isinstance(node, ast.FunctionDef) and node.name == "namespace")
    rows = {**_rows(inside), **_rows(module.bound["DIFFERENT"])}
    for name in _rows(module.bound["ABSENT"]).keys() & set(names):
        raise CommandError(f"`{name}` has no counterpart there, so this case has no script")
    reads = {read for name in names if name in rows for read in _reads(rows[name])}
    local = {name: node for node in inside.body for name in binds(node)}
    setup = [node for name, node in local.items() if name in reads]
    reads = (reads - set(local)) | {name for node in setup for name in _reads(node)} - {"dtype"}
    closure = _Closure()
    closure.add(module, reads)
    definitions = [f"\n\n{text}" if text.startswith(("def ", "class ", "@")) else f"\n{text}" for text in closure.texts]
    if setup:
        definitions += ["", f"dtype = {dtype!r}", *(module.source(node) for node in setup)]
    texts = [
        (name, " ".join(module.source(rows[name]).split()) if name in rows else f"{functions}.{name}") for name in names
    ]
    return Copy(list(closure.imports), definitions, texts)


def _rows(node: ast.AST) -> Mapping[str, ast.expr]:
    """The entries of every dictionary in a piece of source."""
    return {
        key.value: value
        for table in ast.walk(node)
        if isinstance(table, ast.Dict)
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


class _Module:
    """A module's source: what each of its names is bound by at the top level."""

    def __init__(self, name: str) -> None:
        self.name = name
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, f"{name} has no source"
        self.text = Path(spec.origin).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.bound = {name: node for node in self.tree.body for name in binds(node)}

    def source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ""


@cache
def _module(name: str) -> _Module:
    return _Module(name)


def binds(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case _:
            pass


class _Closure:
    """Imports and definitions, each after what it reads."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.texts: dict[str, None] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, module: _Module, names: Iterable[str]) -> None:
        for name in sorted(names):
            if name not in module.bound or (module.name, name) in self._seen:
                continue
            self._seen.add((module.name, name))
            node = module.bound[name]
            if isinstance(node, ast.ImportFrom) and node.level:
                self.add(_module(_absolute(module.name, node)), [name])
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imports[_one_import(node, name)] = None
            else:
                self.add(module, _reads(node))
                self.texts[_unannotated(module.source(node), node)] = None


def _absolute(module: str, node: ast.ImportFrom) -> str:
    parts = module.split(".")[: -node.level]
    return ".".join([*parts, *(node.module.split(".") if node.module else [])])


def _one_import(node: ast.Import | ast.ImportFrom, name: str) -> str:
    alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
    renamed = f" as {alias.asname}" if alias.asname else ""
    return (
        f"from {node.module} import {alias.name}{renamed}"
        if isinstance(node, ast.ImportFrom)
        else f"import {alias.name}{renamed}"
    )


def _unannotated(text: str, node: ast.stmt) -> str:
    """An assignment without its annotation; the annotations of functions are never evaluated."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return f"{ast.unparse(node.target)} = {ast.unparse(node.value)}"
    return text


def _reads(node: ast.AST) -> set[str]:
    """Names that running a definition may look up elsewhere; those in annotations are left out."""
    names: set[str] = set()
    bound: set[str] = set()
    waiting: list[ast.AST] = [node]
    while waiting:
        here = waiting.pop()
        match here:
            case ast.Name(id=name, ctx=ast.Load()):
                names.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                bound.add(name)
            case _:
                pass
        for field, value in ast.iter_fields(here):
            if field not in ("annotation", "returns"):
                children = cast("list[object]", value if isinstance(value, list) else [value])
                waiting += [child for child in children if isinstance(child, ast.AST)]
    return names - bound if isinstance(node, ast.FunctionDef) else names
