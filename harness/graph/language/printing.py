"""Nodes -> text: a graph as statements of the case language, which `expression.py` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..graph import Graph
from ..node import Arg, Constant, Node, Param

PRECEDENCE = {"<": 1, "<=": 1, ">": 1, ">=": 1, "==": 1, "!=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "@": 3, "**": 5}
COMPARISON, SIGN, POWER, ATOM = 1, 4, 5, 6
NUMBER = 0  # a negative one in place of a name, which has no brackets in a call alone


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
        text, precedence = _expression(graph, node, inner, names)
        anonymous = "." in node.name or ":" in node.name
        if anonymous and uses.get(node.name, 0) == 1 and node.name not in graph.outputs and len(text) < 100:
            inner[node.name] = (text, precedence)
        else:
            lines[names[node.name]] = text
    return lines


def readable_names(graph: Graph, fixed: Mapping[str, str] | None = None) -> dict[str, str]:
    """For every node a name that is an identifier, unique, and its own where it already is one and that is free.

    `fixed` are names that stand: those of a graph that this one goes on from.
    """
    names = dict(fixed or {})
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


def _expression(
    graph: Graph, node: Node, inner: Mapping[str, tuple[str, int]], names: Mapping[str, str]
) -> tuple[str, int]:
    def operand(arg: Arg, least: int) -> str:
        if isinstance(arg, Constant):
            text, precedence = arg.text, SIGN if arg.text.startswith("-") else ATOM
        else:
            name = names[arg]
            text, precedence = inner.get(arg, (name, NUMBER if name.startswith("-") else ATOM))
        return f"({text})" if precedence < least else text

    operation = graph.operation(node)
    if node.op == "getitem":
        return f"{operand(node.args[0], ATOM)}[{dict(node.params)['index']}]", ATOM
    if node.op == "negative":
        return f"-{operand(node.args[0], SIGN)}", SIGN
    if operation.operator:
        p = PRECEDENCE[operation.operator]
        left, right = (p + 1, p) if p == POWER else (p, p + 1)
        if p == COMPARISON:  # in the language, unlike in Python, they do not chain
            left = p + 1
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
