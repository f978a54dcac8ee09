"""Accumulation: a rule that steps by what several gradients add up to, and stands still in between."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from .rule import Line


def in_turns(lines: Iterable[Line], kept: Container[str]) -> Iterator[Line]:
    """The lines of a rule as they are where it steps at every k-th gradient alone, below those of `TURNS`: the number
    of the step is that of its own steps, and what is `kept` stays as it was before the last of k."""
    for line in lines:
        text = _by_turn(line.text)
        if line.name in kept:
            text = f"where(last, {text}, {line.name})"
        yield replace(line, text=text)


@lru_cache(maxsize=4096)
def _by_turn(text: str) -> str:
    return ast.unparse(_Turn().visit(ast.parse(text, mode="eval")))


class _Turn(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("turn", node.ctx) if node.id == "t" else node
