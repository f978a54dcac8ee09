"""One of the two runs: written out in primitive operations, with the numbers of every node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ..arithmetic import arrays
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Arg, Constant, Node
from ..hearing.heard import Heard, Place
from ..records.evaluation import Array
from .content import Content, Values, content, values

NAMED = {"pi": np.pi, "e": np.e, "inf": np.inf}
# The numbers of its one operand, in another layout; a constant may be all that is broadcast.
MOVES = frozenset(
    ("reshape", "permute_dims", "matrix_transpose", "expand_dims", "squeeze", "broadcast_to", "copy", "stop_gradient",
     "astype", "flip")
)  # fmt: skip

PARTS = MOVES | {"getitem", "negative", "concat"}
DEEP = 3  # steps back that tell a step from others like it

# What a node's number becomes, from the numbers of all before it.
Change: TypeAlias = Callable[[Mapping[str, Array]], Array]


@dataclass(frozen=True)
class Side:
    """A heard run, its graph in primitives, and its numbers, those of the textbook's middle terms beside them.

    `changed`: what was repaired on the way, by node. `numbers` and `noise` are of the run as it is repaired.
    """

    heard: Heard
    graph: Graph
    numbers: Mapping[str, Array]
    noise: Mapping[str, Array]
    beside: Mapping[str, Content]
    changed: Mapping[str, Change] = field(default_factory=dict[str, Change])

    @staticmethod
    def of(heard: Heard) -> Side:
        graph = expanded(heard.graph, stable=True)
        made = values(graph, heard.inputs)
        return Side(heard, graph, made.numbers, made.noise, _beside(heard, graph, made))

    def place(self, name: str) -> Place:
        return self.heard.places.get(self.owner(name), Place())

    def owner(self, name: str) -> str:
        """The call of the run that a node stands in."""
        return name.partition(":")[0]

    def label(self, arg: Arg) -> str:
        """A node as the user may know it: an input by its own name."""
        if isinstance(arg, Constant):
            return arg.text
        return self.heard.names.get(arg, self.owner(arg))

    @cached_property
    def live(self) -> frozenset[str]:
        """What a wanted float reaches, where no derivative needs to pass."""
        live = {node.name for node in self.graph.wanted}
        for node in self.graph.operations:
            if not live.isdisjoint(node.args):
                live.add(node.name)
        return frozenset(live)

    @cached_property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        users: dict[str, list[str]] = {}
        for node in self.graph.operations:
            for arg in dict.fromkeys(arg for arg in node.args if isinstance(arg, str)):
                users.setdefault(arg, []).append(node.name)
        return {name: tuple(found) for name, found in users.items()}

    @cached_property
    def order(self) -> Mapping[str, int]:
        return {node.name: k for k, node in enumerate(self.graph.nodes)}

    def content(self, name: str) -> Content:
        return self._contents.setdefault(name, self._made(name))

    @cached_property
    def _contents(self) -> dict[str, Content]:
        return {}

    def _made(self, name: str) -> Content:
        if name in self._contents:
            return self._contents[name]
        x = self.numbers[name]
        return content(x, self.noise.get(name, np.zeros(x.shape)))

    def floats(self) -> Iterator[Node]:
        return (node for node in self.graph.nodes if self.numbers[node.name].dtype.kind == "f")

    def is_one(self, name: str) -> bool:
        """Whether a number that no wanted float reaches is one number everywhere."""
        x = self.numbers[name]
        return name not in self.live and (x.size < 2 or bool((x == x.flat[0]).all()))

    def between(self, start: str, end: str) -> list[str]:
        """The steps from one number to another that is made of it, in the order of the run; none where it is not."""
        forward, first, last = {start}, self.order[start], self.order[end]
        nodes = self.graph.nodes[first + 1 : last + 1]
        for node in nodes:
            if not forward.isdisjoint(node.args):
                forward.add(node.name)
        if end not in forward or end == start:
            return []
        needed = {end}
        for node in reversed(nodes):
            if node.name in needed:
                needed |= forward.intersection(node.args)
        return [node.name for node in nodes if node.name in needed and node.op not in MOVES]

    def alone(self, start: str, end: str) -> bool:
        """Whether a number is made of another one alone, and of constants."""
        between = {start, *self.between(start, end)}
        args = [arg for name in between - {start} for arg in self.graph[name].args if isinstance(arg, str)]
        return all(arg not in self.live or self.source(arg) in between for arg in args)

    def root(self, name: str) -> str:
        """Where a number comes from that was only moved, or is a part of it, in one order or another."""
        node = self.graph[name]
        while node.op in PARTS and isinstance(node.args[0], str):
            node = self.graph[node.args[0]]
        return node.name

    def source(self, name: str) -> str:
        """Where a number comes from that was only moved."""
        node = self.graph[name]
        while node.op in MOVES and isinstance(node.args[0], str):
            node = self.graph[node.args[0]]
        return node.name

    def alike(self, node: Node) -> list[Node]:
        """The steps that are written as this one is, at its place: those of a loop."""
        return self._written[1][self._written[0][node.name]]

    def of_line(self, node: Node) -> list[Node]:
        """The steps that are this one at the same line, whatever they read: of a function that is called often."""
        return self._lines[self._line_key(node)]

    @cached_property
    def _lines(self) -> dict[object, list[Node]]:
        lines: dict[object, list[Node]] = {}
        for node in self.graph.operations:
            lines.setdefault(self._line_key(node), []).append(node)
        return lines

    def _line_key(self, node: Node) -> object:
        place = self.place(node.name)
        numbers = tuple(arg.text if isinstance(arg, Constant) else "" for arg in node.args)
        inside = node.name.partition(":")[2]
        return node.op, node.params, numbers, inside, place.file, place.line, place.call

    @cached_property
    def _written(self) -> tuple[dict[str, int], dict[int, list[Node]]]:
        """How each step is written, DEEP steps back and where, as one number; and the steps of each."""
        numbers: dict[object, int] = {}
        level = {
            node.name: numbers.setdefault(
                node.name if node.name in self.live and node.op == "input" else node.shape, len(numbers)
            )
            for node in self.graph.nodes
        }
        for _ in range(DEEP):
            before = level
            level = {
                node.name: before[node.name]
                if node.op == "input"
                else numbers.setdefault(
                    (
                        node.op,
                        node.params,
                        node.shape,
                        *(a.text if isinstance(a, Constant) else before[a] for a in node.args),
                    ),
                    len(numbers),
                )
                for node in self.graph.nodes
            }
        kinds = {name: numbers.setdefault((kind, self.place(name)), len(numbers)) for name, kind in level.items()}
        groups: dict[int, list[Node]] = {}
        for node in self.graph.nodes:
            groups.setdefault(kinds[node.name], []).append(node)
        return kinds, groups

    def parting(self, mine: str, theirs: str) -> tuple[str, str]:
        """Two results of the same steps from other numbers: those numbers."""
        while True:
            first, second = self.graph[mine], self.graph[theirs]
            if first.op == "input" or (first.op, first.params, len(first.args)) != (
                second.op,
                second.params,
                len(second.args),
            ):
                return mine, theirs
            others = [(x, y) for x, y in zip(first.args, second.args, strict=True) if x != y]
            pairs = [(x, y) for x, y in others if isinstance(x, str) and isinstance(y, str)]
            if not pairs or len(pairs) < len(others):
                return mine, theirs
            mine, theirs = pairs[0]

    # --- runs with something changed -----------------------------------------------------------------------------

    def rerun(self, changes: Mapping[str, Change]) -> dict[str, Array]:
        """The numbers of the nodes that come out otherwise with these changes. Raises ValueError, IndexError, TypeError
        or GraphError where what is changed does not fit."""
        return dict(self.rerunning(changes))

    def rerunning(self, changes: Mapping[str, Change]) -> Iterator[tuple[str, Array]]:
        """The same node by node, in the order of the run."""
        known, both = _Both(made := dict[str, Array](), self.numbers), {**self.changed, **changes}
        start = min((self.order[name] for name in changes), default=len(self.graph.nodes))
        for node in self.graph.nodes[start:]:
            step = both.get(node.name)
            if step is None and made.keys().isdisjoint(node.args):
                continue
            with np.errstate(all="ignore"):
                made[node.name] = np.asarray(step(known) if step else self.step(node, known))
            yield node.name, made[node.name]

    def step(self, node: Node, known: Mapping[str, Array]) -> Array:
        """A node on these numbers. Raises ValueError, IndexError or TypeError where they do not fit."""
        return applied(node.op, [number(arg, known) for arg in node.args], dict(node.params))

    def repaired(self, changes: Mapping[str, Change]) -> Side:
        made = self.rerun(changes)
        fresh = {name: x for name, x in made.items() if x.shape != self.numbers[name].shape}
        return replace(
            self,
            numbers={**self.numbers, **made},
            noise={**self.noise, **{name: np.zeros(x.shape) for name, x in fresh.items()}},
            changed={**self.changed, **changes},
        )


class _Both(Mapping[str, Array]):
    """What is new before what was there."""

    def __init__(self, new: Mapping[str, Array], old: Mapping[str, Array]) -> None:
        self._new, self._old = new, old

    def __getitem__(self, name: str) -> Array:
        return self._new[name] if name in self._new else self._old[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._old)

    def __len__(self) -> int:
        return len(self._old)


_FUNCTIONS = arrays.namespace("float64")


def applied(op: str, operands: list[Array], params: Mapping[str, object]) -> Array:
    """A primitive operation on arrays in float64."""
    given = dict(params)
    if op == "getitem":
        from ..graph.shapes import index_of

        given["index"] = index_of(str(given["index"]))
    return np.asarray(_FUNCTIONS[op](*operands, **given))


def number(arg: Arg, known: Mapping[str, Array]) -> Array:
    if isinstance(arg, str):
        return known[arg][()]
    return np.asarray(constant(arg))[()]


def constant(arg: Constant) -> float:
    """A number inside an expression in float64."""
    if arg.exact is not None:
        return float(arg.exact)
    sign, name = (-1, arg.text[1:]) if arg.text.startswith("-") else (1, arg.text)
    return sign * NAMED[name]


def _beside(heard: Heard, written: Graph, stable: Values) -> dict[str, Content]:
    """Contents of the textbook's middle terms, which the stable formula may lack."""
    textbook = expanded(heard.graph, stable=False)
    others = [node.name for node in textbook.operations if ":" in node.name and node not in written.nodes]
    if not others:
        return {}
    made = values(textbook, heard.inputs, others)
    return {
        f"{name}:textbook": content(made.numbers[name], made.noise[name])
        for name in others
        if made.numbers[name].dtype.kind == "f"
    }
