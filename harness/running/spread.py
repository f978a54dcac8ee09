"""Tests spread over the processes of pytest-xdist: those of one file of cases stay together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, SupportsIndex

from xdist.scheduler import LoadScopeScheduling


class Spread(LoadScopeScheduling):
    """Its parent goes through all tests of a process whenever one is complete; here what is complete is forgotten, and
    a test is found by its name at once, so that 14,000 tests cost no more each than 14."""

    def __init__(self, config: Any, log: Any, scope_of: Callable[[str], str]) -> None:
        super().__init__(config, log)
        self._scope_of = scope_of

    def _split_scope(self, nodeid: str) -> str:
        return self._scope_of(nodeid)

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        super().add_node_collection(node, collection)
        if node in self.registered_collections:
            self.registered_collections[node] = _Indexed(collection)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        scopes, scope = self.assigned_work[node], self._split_scope(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        if all(scopes[scope].values()):
            del scopes[scope]


class _Indexed(list[str]):
    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self)}

    def index(self, value: str, start: SupportsIndex = 0, stop: SupportsIndex = 0) -> int:
        return self._places[value]
