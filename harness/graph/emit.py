"""A graph as straight-line Python source: one assignment per node, compiled once, run many times.

The same source runs on every number system: a namespace says what `tanh` is. A namespace has each
operation that the graph uses as a function of operands and keyword parameters, and `constant(text)`,
which makes a number of its own kind.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isinf
from typing import Any

from .graph import Graph
from .language.printing import readable_names
from .node import Arg, Constant, Node, Param, Use
from .shapes import index_of

Program = Callable[..., "tuple[Any, ...]"]
Namespace = Mapping[str, Any]

CONSTANT = re.compile(r"constant_\d+")  # as the source names the numbers that it hoists
CALLED = re.compile(r"= constant\(")
DEEPEST = 6  # levels of nesting, far below what Python's parser takes
LITERALS = {"pi": "3.141592653589793", "e": "2.718281828459045"}


def source(
    graph: Graph,
    outputs: Sequence[str],
    *,
    operators: bool = True,
    tagged: bool = False,
    held: bool = False,
    nested: bool = False,
) -> str:
    """The source of `def program(inputs...)`, which returns a tuple of the nodes `outputs`.

    `operators`: `a + b` instead of `add(a, b)`. `tagged`: the program takes `use` first and reads each
    active operand through `use(k, x)`, where k counts `graph.uses`. `held`: each result is what the namespace's
    `hold(x)` makes of it. `nested`: what is used once is written into its only consumer, so that its number lives no
    longer than a person's own code would keep it.
    """
    names = _names(graph)
    tags = {use: k for k, use in enumerate(graph.uses)} if tagged else {}
    constants: dict[str, str] = {}
    needed = graph.pruned(outputs).operations
    inner = _used_once(needed, outputs) if nested else frozenset[str]()
    depths: dict[str, int] = {}
    lines: list[str] = []
    for node in needed:
        text = _expression(graph, node, names, tags, constants, operators)
        depth = 1 + max((depths.get(arg, 0) for arg in node.args if isinstance(arg, str)), default=0)
        if node.name in inner and depth < DEEPEST:
            names[node.name] = f"({text})" if " " in text or text.startswith("-") else text
            depths[node.name] = depth
        else:
            lines.append(f"    {names[node.name]} = {f'hold({text})' if held else text}\n")
    hoisted = [f"    {name} = constant({text!r})\n" for text, name in constants.items()]
    parameters = ["use"] * tagged + [names[node.name] for node in graph.inputs]
    returned = "".join(f"{names[name]}, " for name in outputs)
    return f"def program({', '.join(parameters)}):\n{''.join(hoisted)}{''.join(lines)}    return ({returned})\n"


def _names(graph: Graph) -> dict[str, str]:
    """What the source calls each node: no word of Python, no function of the namespace, no constant, no other node."""
    taken = {*graph.vocabulary, "constant", "use", "hold", "slice"}
    names: dict[str, str] = {}
    for node, name in readable_names(graph).items():
        while name in taken or keyword.iskeyword(name) or CONSTANT.fullmatch(name):
            name += "_"
        names[node] = name
        taken.add(name)
    return names


def _used_once(nodes: Sequence[Node], outputs: Sequence[str]) -> frozenset[str]:
    counts = Counter(arg for node in nodes for arg in node.args if isinstance(arg, str))
    return frozenset(name for name, count in counts.items() if count == 1) - frozenset(outputs)


def _expression(
    graph: Graph,
    node: Node,
    names: Mapping[str, str],
    tags: Mapping[Use, int],
    constants: dict[str, str],
    operators: bool,
) -> str:
    operation = graph.operation(node)
    symbolic = operators and (operation.operator or node.op in ("negative", "getitem", "copy"))
    literal = symbolic and any(isinstance(arg, str) for arg in node.args)

    def operand(position: int, arg: Arg) -> str:
        if isinstance(arg, Constant):
            if literal and "inf" not in arg.text:
                return _literal(arg, exponent=node.op == "pow")
            return constants.setdefault(arg.text, f"constant_{len(constants)}")
        tag = tags.get(Use(node.name, position))
        return names[arg] if tag is None else f"use({tag}, {names[arg]})"

    operands = [operand(position, arg) for position, arg in enumerate(node.args)]
    if symbolic:
        match node.op:
            case "negative":
                return f"-{operands[0]}"
            case "copy":
                return operands[0]
            case "getitem":
                return f"{operands[0]}[{dict(node.params)['index']}]"
            case _:
                return f"{operands[0]} {operation.operator} {operands[1]}"
    params = [f"{name}={_parameter(name, value)}" for name, value in node.params]
    return f"{node.op}({', '.join(operands + params)})"


def _literal(constant: Constant, *, exponent: bool) -> str:
    """A float literal, for which float arithmetic is fastest; a whole exponent stays an integer."""
    sign, text = ("-", constant.text[1:]) if constant.text.startswith("-") else ("", constant.text)
    text = LITERALS.get(text, text)
    if text.isdigit() and not exponent:
        text += ".0"
    return f"({sign}{text})" if sign else text


def _parameter(name: str, value: Param) -> str:
    if isinstance(value, float) and isinf(value):
        return f"float('{value}')"
    return repr(index_of(str(value))) if name == "index" else repr(value)


def emit(
    graph: Graph,
    namespace: Namespace,
    outputs: Iterable[str],
    *,
    operators: bool = True,
    tagged: bool = False,
    held: bool = False,
    nested: bool = False,
) -> Program:
    """The compiled program, written by `source`. Raises KeyError naming an operation that the namespace lacks."""
    outputs = tuple(outputs)
    for name in missing(graph, namespace, operators=operators):
        raise KeyError(name)
    text = source(graph, outputs, operators=operators, tagged=tagged, held=held, nested=nested)
    scope: dict[str, Any] = dict(namespace)
    exec(compile(text, "<graph>", "exec"), scope)
    return scope["program"]


def walked(graph: Graph, namespace: Namespace, outputs: Iterable[str]) -> Program:
    """The same without source, node by node: for what is run a time or two, and would be longer in compiling."""
    outputs, constants = tuple(outputs), dict[str, None]()
    steps: list[tuple[str, Callable[..., Any], Sequence[Arg], Mapping[str, Any]]] = []
    for node in graph.pruned(outputs).operations:
        params = {name: index_of(str(value)) if name == "index" else value for name, value in node.params}
        steps.append((node.name, namespace[node.op], node.args, params))
        constants |= {arg.text: None for arg in node.args if isinstance(arg, Constant)}

    def program(*inputs: Any) -> tuple[Any, ...]:
        known = {text: namespace["constant"](text) for text in constants}
        numbers = {node.name: number for node, number in zip(graph.inputs, inputs, strict=True)}
        for name, function, args, params in steps:
            operands = [known[arg.text] if isinstance(arg, Constant) else numbers[arg] for arg in args]
            numbers[name] = function(*operands, **params)
        return tuple(numbers[name] for name in outputs)

    return program


def missing(graph: Graph, namespace: Namespace, *, operators: bool = True) -> list[str]:
    """What the source of a graph calls and a namespace does not have: operations in order of first use, and last
    `constant`, where a number stands in a call and not beside an operator."""
    lacking = dict.fromkeys(node.op for node in graph.operations if node.op not in namespace)
    numbers = any(isinstance(arg, Constant) for node in graph.operations for arg in node.args)
    if numbers and "constant" not in namespace:
        text = source(graph, [node.name for node in graph.nodes], operators=operators)
        lacking |= {"constant": None} if CALLED.search(text) else {}
    return list(lacking)
