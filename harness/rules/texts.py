"""Settings and lines of rules as texts: whether one is a decimal, what it reads."""

from __future__ import annotations

import ast
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from ..graph.language.expression import parsed


def is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def plain(text: str) -> str:
    """A decimal as it is told, without needless digits: 0.0100 is 0.01, and 1E-08 is 1e-8; any other text as it is."""
    if not is_decimal(text):
        return text
    number = Decimal(text).normalize()
    return format(number, "f") if -5 <= number.adjusted() < 16 else str(number).lower()


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """The names that an expression reads; those of functions are none."""
    tree = parsed(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)


def computes(text: str) -> bool:
    """Whether an expression is more than a name or a number."""
    return any(isinstance(node, ast.Call | ast.BinOp | ast.Compare | ast.Subscript) for node in ast.walk(parsed(text)))
