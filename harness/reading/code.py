"""Python files that a case or a command names: looked at, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..graph.native import NAMESPACES
from ..words import nearest
from .yaml_text import Scalar, Source, shortened

EXAMPLE = "a file and a function in it, such as `model.py:Block`"
FOLDER = "a .py file inside the folder of the case"


@dataclass(frozen=True, slots=True)
class Function:
    """A person's own function: the framework that it is written in, its file and what it is called there."""

    framework: str
    file: Path
    name: str

    def __str__(self) -> str:
        """As in `torch: model.py:Block`."""
        return f"{self.framework}: {self.file.name}:{self.name}"


def functions(source: Source, call: Mapping[str, tuple[Scalar, tuple[Scalar, Scalar] | None]]) -> tuple[Function, ...]:
    """What the key `call` of a case names, by framework; each mistake is noted at its place."""
    found: list[Function] = []
    for framework, (key, value) in call.items():
        if framework not in NAMESPACES:
            known = f"one of: {', '.join(NAMESPACES)}"
            source.error(key, f"code of `{shortened(framework)}`", known, nearest(framework, NAMESPACES))
        elif value is not None:
            found += [Function(framework, *named) for named in _named(source, value[1])]
    return tuple(found)


def _named(source: Source, place: Scalar) -> Iterator[tuple[Path, str]]:
    """The file and the name that a text gives; none where something is wrong with it."""
    file, _, name = place.text.strip().partition(":")
    if not file.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        source.error(place, f"`{shortened(place.text)}`", EXAMPLE)
        return
    folder = source.path.parent.resolve()
    path = (folder / file).resolve()
    if Path(file).is_absolute() or not path.is_relative_to(folder):
        source.error(place, f"the file `{shortened(file)}`", FOLDER, "a case opens no other file")
    elif not path.is_file():
        near = nearest(file, sorted(one.name for one in folder.glob("*.py")))
        source.error(place, f"no file `{shortened(file)}` beside the case", FOLDER, near)
    else:
        try:
            names = assigned(ast.parse(path.read_bytes()))
        except (SyntaxError, ValueError) as error:
            where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            source.error(place, f"`{file}` cannot be read: {error.args[0]}{where}", "a file in Python")
            return
        first = name.partition(".")[0]
        if first not in names and "*" not in names:
            have = f"one of: {shortened(', '.join(sorted(names)))}" if names else "a file with a function"
            source.error(place, f"`{file}` has no `{first}`", have, nearest(first, sorted(names)))
            return
        yield path, name


def assigned(tree: ast.Module) -> set[str]:
    """Names that a module's statements bind, not those inside a function or class; `*` where it imports all of
    another's."""
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        waiting += ast.iter_child_nodes(node)
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
            case _:
                pass
    return names
