"""The statements of a case file -> a Graph: names, definitions, order, what is used.

Every mistake is noted at its place, and a statement that failed causes no follow-up.
"""

from __future__ import annotations

import ast
import keyword
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from functools import cached_property
from math import prod

from ..graph.build import Builder
from ..graph.define import size_of
from ..graph.graph import Graph
from ..graph.language.expression import ExpressionError, Parser, parsed
from ..graph.language.habits import undefined
from ..graph.language.mistakes import mistakes
from ..graph.node import NAMED_CONSTANTS, Arg, GraphError, Node
from ..graph.operations import OPERATIONS
from .definitions import Natives, Statements, definitions, expression_error, plain
from .inputs import MAX_ELEMENTS, Input
from .yaml_text import WORD, Scalar, Source, shortened

RESERVED = {"gradient": "`expect` has a key of that name", "expect": "`points` has a key of that name"}
MAX_GRAPH = 500_000
SUGGESTIONS = 50  # looking for a near name among thousands is slow


class Names(Mapping[str, Arg]):
    """The names that a statement may use: those defined so far. Says why another one may not be used.

    `lost` are words of what was not read, which may have defined others; where the file is `partial`, any may be lost.
    """

    def __init__(
        self, declared: Mapping[str, Scalar], texts: Mapping[str, str], lost: Set[str], *, partial: bool = False
    ) -> None:
        self.declared, self.texts, self.lost, self.partial = declared, texts, lost, partial
        self.ready: set[str] = set()
        self.failed: set[str] = set()
        self.at = ""  # the statement being read
        self.follows = False  # whether it uses one that failed
        self.meant: set[str] = set()  # names that undefined ones are taken for
        self._suggestions = SUGGESTIONS

    def __contains__(self, name: object) -> bool:
        return name in self.declared or (isinstance(name, str) and self.excused(name))

    def __getitem__(self, name: str) -> Arg:
        if name in self.ready:
            return name
        problem = self.problem(name)
        self.follows = self.follows or problem is None
        raise problem or GraphError(f"`{name}` failed", "")

    def excused(self, name: str) -> bool:
        """Whether a name is not there because of a mistake that is told elsewhere."""
        if name in self.declared:
            return name in self.failed
        return (
            name in self.lost or name.partition(".")[0] in self.failed or (self.partial and name not in NAMED_CONSTANTS)
        )

    def problem(self, name: str) -> GraphError | None:
        """Why the statement being read may not use a name; None where it may, or where that is told elsewhere."""
        if name in self.ready or self.excused(name):
            return None
        if name not in self.declared:
            if name in NAMED_CONSTANTS:
                return None
            error = undefined(name, [*self, *NAMED_CONSTANTS])
            self.meant.update(error.remedy.split("`")[1:2])
            return error
        if name == self.at:
            return GraphError(f"`{name}` uses itself", "names defined above it", "a graph has no cycles")
        place = self.declared[name].line + 1
        self._suggestions -= 1
        cycle = self._path(name, self.at) if self._suggestions > 0 else None
        if cycle:
            path = " needs ".join(f"`{n}`" for n in (self.at, *cycle))
            return GraphError(f"a cycle: {path}", "names defined above", "a graph has no cycles")
        text = f"`{name}` is used before it is defined on line {place}"
        return GraphError(text, "names defined above", f"move `{name}` up")

    def _path(self, start: str, goal: str) -> list[str] | None:
        """The shortest way from one statement to another by the names that they use."""
        came: dict[str, str] = {start: ""}
        queue = [start]
        for name in queue:
            if name == goal:
                path = [name]
                while came[path[-1]]:
                    path.append(came[path[-1]])
                return path[::-1]
            for other in WORD.findall(self.texts.get(name, "")):
                if other in self.declared and other not in came:
                    came[other] = name
                    queue.append(other)
        return None

    def __iter__(self) -> Iterator[str]:
        self._suggestions -= 1
        return iter(self.declared if self._suggestions > 0 else ())

    def __len__(self) -> int:
        return len(self.declared)


def check_name(source: Source, key: Scalar) -> bool:
    """Whether a key can be the name of an input or a node."""
    name = key.text
    if name in RESERVED:
        source.error(key, f"the name `{name}`", "another name", RESERVED[name])
    elif not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
        source.error(key, f"the name `{shortened(name)}`", "letters, digits and `_`, not beginning with a digit")
    elif keyword.iskeyword(name):
        source.error(key, f"the name `{name}`, which is a word of expressions", "another name", f"call it `{name}_`")
    else:
        return True
    return False


# --- the graph ---------------------------------------------------------------------------------------------


class _Limited(Builder):
    """A builder that gives up: definitions that call each other twice grow without bound."""

    size = 0

    def add(self, node: Node) -> str:
        own = node.op != "input" and node.op not in OPERATIONS
        self.size += size_of(self.vocabulary[node.op]) if own else 1
        if self.size > MAX_GRAPH:
            raise GraphError(f"more than {MAX_GRAPH:,} nodes", "a smaller graph")
        return super().add(node)


class Assembly:
    """The graph of a file while its statements are read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.builder: Builder = _Limited()
        self.texts: dict[str, str] = {}
        self.inputs: Set[str] = frozenset()
        self.names = Names({}, {}, frozenset())

    def read(
        self,
        inputs: Mapping[str, tuple[Scalar, Input | None]],
        graph: Statements,
        define: Statements,
        natives: Natives | None = None,
        *,
        complete: bool = True,
    ) -> None:
        """Build every input and every statement that is right; note what is wrong with the others.

        Unless `complete` a part of the file could not be read, and names are missing because of that.
        """
        source, self.inputs = self.source, inputs.keys()
        keys = {name: key for name, (key, _) in inputs.items()}
        for name, (key, _) in graph.items():
            if name in keys:
                source.error(
                    key,
                    f"`{name}` is an input already, on line {keys[name].line + 1}",
                    "each name once",
                    "rename one of them",
                )
            keys.setdefault(name, key)
        for name, (_, value) in graph.items():
            if value is not None and name not in inputs:
                self.texts[name] = value[1].text
        self.names = names = Names(keys, self.texts, source.lost, partial=not complete)
        for name, (key, entry) in inputs.items():
            if check_name(source, key) and entry is not None and key not in source.twice:
                self.builder.input(name, entry.shape, entry.kind, constant=entry.constant)
                names.ready.add(name)
            else:
                names.failed.add(name)
        used = (
            {word for text in (*self.texts.values(), *_texts(define)) for word in WORD.findall(text)}
            if define
            else set[str]()
        )
        defined = definitions(source, define, natives or {}, used)
        for operation in defined.values():
            if operation is not None:
                self.builder.define(operation)
        parser = Parser(self.builder, names)
        broken = {name for name, f in defined.items() if f is None}
        for name, (key, value) in graph.items():
            if name in inputs:
                continue
            good = check_name(source, key) and key not in source.twice
            if broken and value is not None and not broken.isdisjoint(WORD.findall(self.texts[name])):
                good = False
            if value is not None and self._statement(parser, name, value[1], defined, good=good):
                names.ready.add(name)
            else:
                names.failed.add(name)

    def _statement(self, parser: Parser, name: str, place: Scalar, functions: Collection[str], *, good: bool) -> bool:
        """Build a statement, or say all that is wrong with it; unless `good` its text is only looked at."""
        text = plain(self.source, name, place)
        if text is None:
            return False
        names, start = self.names, len(self.builder.order)
        names.at, names.follows = name, False
        first: ExpressionError | None = None
        try:
            if good:
                parser.define(name, text)
        except ExpressionError as error:
            first = None if names.follows else error
            good = False
        if not good:
            errors: dict[tuple[int, int, str], ExpressionError] = {}
            with suppress(ExpressionError):  # a text that cannot be parsed is told as `first`
                match parsed(text).body:
                    case [ast.Expr(tree)]:
                        for error in mistakes(tree, [text.strip()], names.problem, functions, names.ready):
                            errors[error.line, error.column, error.found] = error
                    case _:
                        pass
            if first is not None:
                errors.setdefault((first.line, first.column, first.found), first)
            for error in errors.values():
                expression_error(self.source, name, place, text, error)
            return False
        for node in self.builder.order[start:]:
            if node.shape and prod(node.shape) > MAX_ELEMENTS:
                self.source.error(
                    place,
                    f"`{shortened(f'{name}: {text}')}` has {prod(node.shape):,} elements",
                    f"at most {MAX_ELEMENTS:,}, which fits into memory",
                )
                return False
        return True

    @cached_property
    def active(self) -> frozenset[str]:
        """The nodes that have a gradient; asked once everything is read."""
        return self.graph(()).active

    def unused(self, output: str, asked: Iterable[str]) -> None:
        """Note every input and statement that the output does not need and that nothing asks for."""
        names = self.names
        if any(name not in self.texts and name not in self.inputs for name in names.failed):
            return  # a statement without text may need anything
        needed = {output, *asked, *names.lost, *names.meant}
        for name in names.failed:
            needed.add(name)
            needed.update(WORD.findall(self.texts.get(name, "")))
        nodes = self.builder.nodes
        for node in reversed(self.builder.order):
            if node.name in needed or (node.name.partition(".")[0] in names.failed):
                needed.update(arg for arg in node.args if isinstance(arg, str))
        for name, key in names.declared.items():
            if name not in needed:
                what = "input" if name in nodes and nodes[name].op == "input" else "node"
                self.source.error(
                    key,
                    f"`{name}` is an unused {what}",
                    f"one that `{output}` depends on or that `expect` names",
                    "remove it, or name the `output`",
                )

    def graph(self, outputs: Iterable[str]) -> Graph:
        """What was built; the first output is the one that the gradient is taken of."""
        return self.builder.graph(tuple(outputs))

    def node(self, name: str) -> Node | None:
        return self.builder.nodes.get(name)


def _texts(define: Statements) -> Iterator[str]:
    return (value[1].text for _, value in define.values() if value is not None)
