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

    def source(self, name: str) -> str:
        """Where a number comes from that was only moved."""
        node = self.graph[name]
        while node.op in MOVES and isinstance(node.args[0], str):
            node = self.graph[node.args[0]]
        return node.name

    # --- runs with something changed -----------------------------------------------------------------------------

    def rerun(self, changes: Mapping[str, Change]) -> dict[str, Array]:
        """The numbers of the nodes that come out otherwise with these changes. Raises ValueError, IndexError, TypeError
        or GraphError where what is changed does not fit."""
        known, both = _Both(made := dict[str, Array](), self.numbers), {**self.changed, **changes}
        start = min((self.order[name] for name in changes), default=len(self.graph.nodes))
        with np.errstate(all="ignore"):
            for node in self.graph.nodes[start:]:
                if node.name in both:
                    made[node.name] = np.asarray(both[node.name](known))
                elif not made.keys().isdisjoint(node.args):
                    made[node.name] = np.asarray(self.step(node, known))
        return made

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
