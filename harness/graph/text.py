"""Nodes -> text: a graph as statements of the case language, which `expression.py` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from .graph import Arg, Constant, Graph, Node, Param
from .ops import OPERATIONS

PRECEDENCE = {"less": 1, "less_equal": 1, "greater": 1, "greater_equal": 1, "equal": 1, "not_equal": 1, "add": 2,
              "subtract": 2, "multiply": 3, "divide": 3, "matmul": 3, "negative": 4, "pow": 5}  # fmt: skip
ATOM = 6


def text_of(graph: Graph, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """The graph as statements of the language: name -> expression. Without `names`, under its readable ones.

    A node with a dotted or coloned name that is used once is printed inside its consumer; the
    others become statements, under a name that the language can read.
    """
    uses: dict[str, int] = {}
    for node in graph.nodes:
        for arg in node.args:
            if isinstance(arg, str):
                uses[arg] = uses.get(arg, 0) + 1
    names = names or readable_names(graph)
    inner: dict[str, tuple[str, int]] = {}
    lines: dict[str, str] = {}
    for node in graph.operations:
        text, precedence = _expression(node, inner, names)
        anonymous = "." in node.name or ":" in node.name
        if anonymous and uses.get(node.name, 0) == 1 and node.name not in graph.outputs and len(text) < 100:
            inner[node.name] = (text, precedence)
        else:
            lines[names[node.name]] = text
    return lines


def readable_names(graph: Graph, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """For every node a name that is an identifier, unique, and its own where it already is one and that is free.

    `given` are names that stand: those of a graph that this one goes on from.
    """
    names = dict(given or {})
    taken = set(names.values())
    # Stable: nodes with a name of their own come first, and keep it.
    for node in sorted(graph.nodes, key=lambda node: not node.name.isidentifier()):
        if node.name not in names:
            name = node.name.replace(".", "_").replace(":", "_")
            while name in taken:
                name += "_"
            names[node.name] = name
            taken.add(name)
    return names


def _expression(node: Node, inner: Mapping[str, tuple[str, int]], names: Mapping[str, str]) -> tuple[str, int]:
    def operand(arg: Arg, least: int) -> str:
        if isinstance(arg, Constant):
            text, precedence = arg.text, 4 if arg.text.startswith("-") else ATOM
        else:
            text, precedence = inner.get(arg, (names[arg], ATOM))
        return f"({text})" if precedence < least else text

    operation = OPERATIONS[node.op]
    if node.op == "getitem":
        return f"{operand(node.args[0], ATOM)}[{dict(node.params)['index']}]", ATOM
    if node.op == "negative":
        return f"-{operand(node.args[0], PRECEDENCE['negative'])}", PRECEDENCE["negative"]
    if operation.operator:
        p = PRECEDENCE[node.op]
        left, right = (p + 1, p) if node.op == "pow" else (p, p + 1)
        if p == 1:
            left = 2
        return f"{operand(node.args[0], left)} {operation.operator} {operand(node.args[1], right)}", p
    operands = [operand(arg, 0) for arg in node.args]
    if operation.operands[0].variadic and node.op != "einsum":
        operands = [f"[{', '.join(operands)}]"]
    params = [
        f"{name}={_literal(value)}"
        for name, value in node.params
        if value != operation.parameters[name] and name != "subscripts"
    ]
    if node.op == "einsum":
        operands.insert(0, '"' + cast(str, dict(node.params)["subscripts"]) + '"')
    return f"{node.op}({', '.join(operands + params)})", ATOM


def _literal(value: Param) -> str:
    return f"[{', '.join(map(_literal, value))}]" if isinstance(value, tuple) else repr(value)
