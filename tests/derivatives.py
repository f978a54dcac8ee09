"""What tests that plant wrong derivatives share: the right one of an operation as a function, and the exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gradaccord.harness.graph.gradient import terms
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.graph.symbol import Symbol

Rule = Callable[..., Sequence[Any]]

DIFFERENTIATED = [name for name, operation in OPERATIONS.items() if operation.derivative is not None]


def rule_of(op: str) -> Rule:
    """The derivative of an operation as `(g, y, *operands, **parameters) -> terms`, as it stands now."""
    operation = OPERATIONS[op]

    def rule(g: Symbol, y: Symbol, *xs: Symbol, **params: Any) -> Sequence[Any]:
        return terms(operation, g, y, xs, params)

    return rule


def plant(monkeypatch: pytest.MonkeyPatch, op: str, rule: Rule) -> None:
    monkeypatch.setitem(OPERATIONS, op, replace(OPERATIONS[op], derivative=rule))
