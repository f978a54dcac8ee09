"""What a proposal is: something at one step of one side that, done otherwise, may make it the other's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as with_fields
from functools import cached_property
from typing import TypeVar

from ..graph.node import Arg, Node
from ..records.evaluation import Array
from .matching import Match
from .side import MOVES, Change, Side

T = TypeVar("T")

MOST = 24  # steps of a side that are tried


@dataclass(frozen=True)
class Proposal:
    """`changes` to the steps of one side. `reason` says what is changed, with `{here}` and `{there}` for the places of
    the two nodes that it is about. `begins`: the first step of what is replaced, where that is several."""

    changes: Mapping[str, Change]
    reason: str
    here: str
    there: str = ""
    begins: str = ""


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

    @cached_property
    def first(self) -> frozenset[str]:
        """The first steps to blame: both sides have all that they read."""
        return frozenset(self.match.first(self.blamed))

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
        order = sorted(self.blamed, key=lambda name: name not in self.first)
        nodes = [self.here.graph[name] for name in order]
        return [node for node in nodes if node.op != "input"][:MOST]

    @cached_property
    def blamed_set(self) -> frozenset[str]:
        return frozenset(self.blamed)

    @cached_property
    def partners(self) -> Mapping[str, tuple[Node, ...]]:
        """For each target, blamed steps of the other side that read one of the same numbers, the first ones first."""
        return {node.name: tuple(self._partners(node)) for node in self.targets}

    def _partners(self, node: Node) -> Iterator[Node]:
        bad, seen = set(self.others), set[str]()
        for arg in node.args:
            if not isinstance(arg, str) or self.here.numbers[arg].dtype.kind != "f" or self.here.is_one(arg):
                continue
            made = self.here.content(self.here.source(arg))
            for like in self.match.index.find(made):
                if like in self.there.order:
                    for user in self.readers(like):
                        if user in bad and user not in seen:
                            seen.add(user)
                            yield self.there.graph[user]

    def read_instead(self, node: Node, arg: str) -> Iterator[tuple[str, str]]:
        """Earlier nodes of this side that a partner reads there, and the partner."""
        size = self.here.numbers[arg].size
        for other in self.partners[node.name]:
            for theirs in other.args:
                if not isinstance(theirs, str) or self.there.numbers[theirs].dtype.kind != "f":
                    continue
                if self.there.numbers[theirs].size != size:
                    continue
                for name in self.turned.match.index.find(self.there.content(theirs)):
                    if name != arg and name in self.here.order and self.here.order[name] < self.here.order[node.name]:
                        yield name, other.name
                        break

    def negated(self, name: str) -> bool:
        """Whether the other side has these numbers with the other sign alone."""
        return (
            name in self.here.live
            and self.here.numbers[name].dtype.kind == "f"
            and not self.match.index.first(self.here.content(name))
            and bool(self.match.index.first(self.here.content(name).negated()))
        )

    def readers(self, name: str) -> Iterator[str]:
        """What reads a node of the other side, through what only moves it."""
        waiting = [name]
        while waiting:
            for user in self.there.users.get(waiting.pop(), ()):
                yield user
                if self.there.graph[user].op in MOVES:
                    waiting.append(user)


def everywhere(
    question: Question,
    node: Node,
    make: Callable[[Node], Change | None],
    reason: str,
    there: str = "",
) -> Iterator[Proposal]:
    """A change of one step, that of all written as it is, and that of all at its line."""
    change = make(node)
    if change is None:
        return
    yield Proposal({node.name: change}, reason, node.name, there)
    count = 1
    for steps in (question.here.alike(node), question.here.of_line(node)):
        if len(steps) > count:
            count = len(steps)
            others = {other.name: change for other in steps if (change := make(other)) is not None}
            if len(others) > 1:
                yield Proposal(others, reason, node.name, there)


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
