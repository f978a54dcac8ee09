"""What a proposal is: something at one step of one side that, done otherwise, may make it the other's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as with_fields
from functools import cached_property
from typing import TypeVar

from ..graph.node import Arg, Constant, Node
from ..records.evaluation import Array
from .matching import Match
from .side import MOVES, Change, Side

T = TypeVar("T")

DEEP = 3  # steps back that tell a step from others like it
MOST = 24  # steps of a side that are tried


@dataclass(frozen=True)
class Proposal:
    """`changes` to the steps of one side. `reason` says what is changed, with `{here}` and `{there}` for the places of
    the two nodes that it is about. What is `whole` counts only where the outputs agree by it, for it leaves out what is
    itself to blame."""

    changes: Mapping[str, Change]
    reason: str
    here: str
    there: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Question:
    """Where two runs part: a match, the nodes to blame on either side and the first of them."""

    match: Match
    blamed: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def here(self) -> Side:
        return self.match.here

    @property
    def there(self) -> Side:
        return self.match.there

    @cached_property
    def turned(self) -> Question:
        """The same question asked of the other side."""
        return Question(self.match.back, self.others, self.blamed)

    @cached_property
    def first_there(self) -> str:
        """The first step to blame on the other side; empty for none."""
        return next(iter(self.match.back.first(self.others)), "")

    @property
    def calls(self) -> Iterator[Node]:
        """The calls of this run that the targets stand in."""
        for name in distinct(self.here.owner(node.name) for node in self.targets):
            node = self.here.heard.graph.by_name.get(name)
            if node is not None and node.op != "input" and name in self.here.order:
                yield node

    @cached_property
    def targets(self) -> list[Node]:
        """The steps to look at: the first ones, and those behind them in the order of the run."""
        first = self.match.first(self.blamed)
        rest = [name for name in self.blamed if name not in set(first)]
        nodes = [self.here.graph[name] for name in [*first, *rest]]
        return [node for node in nodes if node.op != "input"][:MOST]

    @cached_property
    def partners(self) -> Mapping[str, tuple[Node, ...]]:
        """For each target, blamed steps of the other side that read one of the same numbers, the first ones first."""
        return {node.name: tuple(self._partners(node)) for node in self.targets}

    def _partners(self, node: Node) -> Iterator[Node]:
        bad, seen = set(self.others), set[str]()
        for arg in node.args:
            if not isinstance(arg, str) or self.here.numbers[arg].dtype.kind != "f" or arg not in self.here.live:
                continue
            made = self.here.content(self.here.source(arg))
            for like in self.match.index.find(made):
                if like in self.there.order:
                    for user in self.readers(like):
                        if user in bad and user not in seen:
                            seen.add(user)
                            yield self.there.graph[user]

    def readers(self, name: str) -> Iterator[str]:
        """What reads a node of the other side, through what only moves it."""
        waiting = [name]
        while waiting:
            for user in self.there.users.get(waiting.pop(), ()):
                yield user
                if self.there.graph[user].op in MOVES:
                    waiting.append(user)

    def alike(self, node: Node) -> list[Node]:
        """The steps of this side that are written as this one is, at its place: those of a loop."""
        key = self._written(node.name, DEEP), self.here.place(node.name)
        return [
            other
            for other in self._steps.get(node.op, ())
            if (self._written(other.name, DEEP), self.here.place(other.name)) == key
        ]

    @cached_property
    def _steps(self) -> Mapping[str, list[Node]]:
        steps: dict[str, list[Node]] = {}
        for node in self.here.graph.operations:
            steps.setdefault(node.op, []).append(node)
        return steps

    def _written(self, name: str, deep: int) -> object:
        node = self.here.graph[name]
        if node.op == "input":
            return name if node.name in self.here.live else node.shape
        args = (arg.text if isinstance(arg, Constant) else deep and self._written(arg, deep - 1) for arg in node.args)
        return node.op, node.params, node.shape, tuple(args)


def everywhere(
    question: Question,
    node: Node,
    make: Callable[[Node], Change | None],
    reason: str,
    there: str = "",
    *,
    whole: bool = False,
) -> Iterator[Proposal]:
    """A change of one step, and that of all written as it is."""
    change = make(node)
    if change is None:
        return
    yield Proposal({node.name: change}, reason, node.name, there, whole)
    others = {other.name: change for other in question.alike(node) if (change := make(other)) is not None}
    if len(others) > 1:
        yield Proposal(others, reason, node.name, there, whole)


def with_argument(node: Node, k: int, arg: Arg) -> Node:
    """The step with another operand at one place."""
    return with_fields(node, args=(*node.args[:k], arg, *node.args[k + 1 :]))


def replaced(side: Side, node: Node, **new: object) -> Change:
    """A step with other operands or parameters, or another operation."""
    other = with_fields(node, **new)  # pyright: ignore[reportArgumentType]
    return lambda known: side.step(other, known)


def needed(node: Node, known: Mapping[str, Array]) -> dict[str, Array]:
    """What a step reads."""
    return {arg: known[arg] for arg in node.args if isinstance(arg, str)}


def distinct(found: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(found))
