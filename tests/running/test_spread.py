"""Tests spread over processes: in the order of pytest-xdist's own, at a cost that does not grow with their number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gradaccord.harness.running.spread import Spread

NAMES = [f"cases/c{k // 3}.yaml::t{k % 3}" if k % 10 < 3 else f"tests/t.py::t{k}" for k in range(600)]


def scope_of(test: str) -> str:
    path = test.partition("::")[0]
    return path if path.endswith(".yaml") else test


class Theirs(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


class Node:
    def __init__(self, name: str) -> None:
        self.gateway, self.waiting, self.shutting_down = SimpleNamespace(id=name), list[int](), False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def begun(kind: type[LoadScopeScheduling], *more: Any) -> tuple[Any, list[Node]]:
    option = SimpleNamespace(loadscopereorder=True, tx=["2*popen"])
    config: Any = SimpleNamespace(option=option, getvalue=lambda name: getattr(option, name))
    scheduler: Any = kind(config, Producer("test", enabled=False), *more)
    nodes = [Node("a"), Node("b")]
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, [*NAMES])
    scheduler.schedule()
    return scheduler, nodes


def order(scheduler: Any, nodes: list[Node], largest: int) -> list[tuple[str, int]]:
    done: list[tuple[str, int]] = []
    while not scheduler.tests_finished:
        for node in nodes:
            if node.waiting:
                done.append((node.gateway.id, node.waiting.pop(0)))
                scheduler.mark_test_complete(node, done[-1][1])
            assert len(scheduler.assigned_work[node]) <= largest
    return done


def test_the_order_is_theirs_and_what_is_complete_is_forgotten() -> None:
    theirs = order(*begun(Theirs), largest=len(NAMES))
    assert order(*begun(Spread, scope_of), largest=4) == theirs
    assert len({k for _, k in theirs}) == len(theirs) >= len(NAMES) - 4  # xdist waits for no last one


@pytest.mark.parametrize("done", [0, 1, 7])
def test_what_a_process_that_died_left_is_done_by_another(done: int) -> None:
    scheduler, (one, other) = begun(Spread, scope_of)
    seen: list[int] = []
    for _ in range(done):
        seen.append(one.waiting.pop(0))
        scheduler.mark_test_complete(one, seen[-1])
    lost = NAMES[one.waiting[0]]
    assert scheduler.remove_node(one) == lost
    rest = [k for _, k in order(scheduler, [other], largest=4)]
    assert not {*seen} & {*rest} and NAMES.index(lost) in rest
