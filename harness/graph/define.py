"""Definitions: a text in the case language becomes an operation of a graph's own, one node wherever it is called.

What it means is its text, its derivative is that of the text. A case's `define` makes them, and so does whoever hears
a call that the vocabulary lacks.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from .build import Builder
from .emit import Namespace, Program, emit
from .expand import expanded
from .graph import Graph, own, vocabulary
from .language.expression import Parser, parsed
from .node import NAMED_CONSTANTS, Arg, GraphError, Kind, Param, Params, Shape
from .operations.operation import REQUIRED, Operand, Operation, Rest, operation

_STEPS = (ast.Call, ast.BinOp, ast.Compare, ast.Subscript, ast.UnaryOp)
_SIGNATURE = re.compile(r"\s*([^\W\d]\w*)\s*\((.*)\)\s*(->\s*\w+)?\s*", re.DOTALL)


@dataclass(frozen=True)
class Inferred:
    """The shape rule of a definition: its text, built for operands of these shapes."""

    name: str
    operands: tuple[Operand, ...]
    text: str
    kind: Kind
    within: tuple[Operation, ...]

    def __call__(self, shapes: Sequence[Shape], params: Mapping[str, Param]) -> Shape:
        try:
            return _inferred(self, tuple(shapes), tuple(params.items()))
        except GraphError as error:  # its place is one in the definition; the call is where it happens
            if "inside `" in error.found:
                raise
            raise GraphError(f"{error.found}, inside `{self.name}`", error.expected, error.remedy) from None


@lru_cache(maxsize=4096)
def _inferred(rule: Inferred, shapes: tuple[Shape, ...], params: Params) -> Shape:
    builder, scope = Builder(rule.within), dict[str, Arg]()
    for operand, shape in zip(rule.operands, shapes, strict=True):
        scope[operand.name] = builder.input(operand.name, shape, operand.kind)
    result = Parser(builder, scope, dict(params), separator=":").body("y", rule.text, "")
    kind = builder.nodes[result].kind if isinstance(result, str) else "float"
    if kind != rule.kind:
        raise GraphError(
            f"a result that is {kind}", f"one that is {rule.kind}", f"the signature may end in `-> {kind}`"
        )
    return builder.shape(result)


def signature_of(signature: str) -> tuple[str, str, str]:
    """A signature such as `pick(x, i: int, *, axis=0) -> float` as its name, its arguments and its kind.

    Raises GraphError for what is none.
    """
    match = _SIGNATURE.fullmatch(signature)
    shown = signature if len(signature) <= 60 else signature[:57] + "..."
    if match is None:
        raise GraphError(f"`{shown}`", "a name and its operands, as in `swish(x): x * sigmoid(x)`")
    name, arguments, kind = match[1], match[2].strip(), (match[3] or "").removeprefix("->").strip()
    expected = "operands such as `x`, `i: int` or `m: bool`, and behind a `*` parameters, as in `axis=-1`"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about `1if`, which is refused anyway
            tree = cast(ast.FunctionDef, ast.parse(f"def {name}({arguments}): ...").body[0]).args
    except SyntaxError:
        raise GraphError(f"`{shown}`", expected) from None
    named = [*tree.args, *tree.kwonlyargs]
    kinds = {ast.unparse(argument.annotation) for argument in tree.args if argument.annotation} | {kind or "float"}
    plain = not (tree.posonlyargs or tree.vararg or tree.kwarg or tree.defaults)
    if (
        not plain
        or not tree.args
        or not kinds <= {"float", "int", "bool"}
        or any(a.annotation for a in tree.kwonlyargs)
    ):
        raise GraphError(f"`{shown}`", expected)
    for default in (default for default in tree.kw_defaults if default is not None):
        try:
            ast.literal_eval(default)
        except ValueError:
            raise GraphError(f"`{shown}`", "defaults that are numbers, words or lists of them") from None
    if len({argument.arg for argument in named}) < len(named) or not {a.arg for a in named}.isdisjoint(NAMED_CONSTANTS):
        raise GraphError(f"`{shown}`", f"names that differ, and none of {', '.join(NAMED_CONSTANTS)}")
    return name, arguments, kind


def written(operation: Operation) -> str:
    """The signature that makes a definition, with what is no float marked so."""
    operands = [x.name if x.kind == "float" else f"{x.name}: {x.kind}" for x in operation.operands]
    settings = [
        name if default == REQUIRED else f"{name}={default!r}" for name, default in operation.parameters.items()
    ]
    kind = "" if operation.kind == "float" else f" -> {operation.kind}"
    return f"{operation.name}({', '.join([*operands, *(['*'] if settings else []), *settings])}){kind}"


def in_order(definitions: Sequence[Operation]) -> Iterator[Operation]:
    """Definitions, and those that their texts call, each behind those."""
    done: dict[str, Operation] = {}

    def visit(definition: Operation) -> None:
        if definition.name not in done:
            for inner in definition.within:
                visit(inner)
            done[definition.name] = definition

    for definition in own(*definitions).values():
        visit(definition)
    return iter(done.values())


def argument_names(arguments: str) -> tuple[str, ...]:
    """The names of operands and parameters, as `signature_of` gives them."""
    tree = cast(ast.FunctionDef, ast.parse(f"def f({arguments}): ...").body[0]).args
    return tuple(argument.arg for argument in (*tree.args, *tree.kwonlyargs))


def define(
    signature: str,
    text: str,
    *,
    stable: str = "",
    within: tuple[Operation, ...] = (),
    native: tuple[tuple[str, str], ...] = (),
) -> Operation:
    """An operation by its signature, `pick(x, i: int, *, axis=0) -> float`, and its textbook formula, which sees the
    operands, the parameters, `size(x, axis=...)`, the vocabulary and the definitions `within`. An operand that the text
    hands on as an index or a condition is one, and the result is what the text gives, without being marked so.

    `stable` is what is computed where the textbook formula overflows or cancels. `native` names the function of each
    framework that runs in its place. Raises GraphError for a signature that is none, ExpressionError for a text.
    """
    return _defined(signature_of(signature), text.strip(), stable.strip(), within, native)


@lru_cache(maxsize=4096)  # an operation is itself alone: who defines the same twice gets the same
def _defined(
    signature: tuple[str, str, str],
    text: str,
    stable: str,
    within: tuple[Operation, ...],
    native: tuple[tuple[str, str], ...],
) -> Operation:
    name, arguments, kind = signature
    rest: Rest = {"definition": text, "stable": stable} if stable else {"definition": text}
    called = {*_called(text), *_called(stable)}
    needed = tuple(inner for inner in within if inner.name in called)
    known = vocabulary(needed)
    made = operation(name, f"{arguments} -> {kind or _kind(text, known)}", **rest)
    made = replace(made, operands=tuple(_as_used(operand, text, known) for operand in made.operands))
    pointwise = all(word in known and known[word].elementwise for word in called) and not _selects_places(text)
    rule = Inferred(name, made.operands, text, made.kind, needed)
    return replace(made, shape=rule, within=needed, native=dict(native), pointwise=pointwise)


def runnable(graph: Graph, namespace: Namespace, *, composites: bool = False) -> Namespace:
    """The namespace with what runs the graph's own definitions, where it has no function for one: their texts, on the
    namespace's own functions, those for other definitions among them. With `composites` also those of the vocabulary,
    such as softmax, so that primitives are enough: `missing(written_out(graph, namespace), namespace)` says which."""
    used = (graph.operation(node) for node in graph.operations if graph.defines(node) or composites)
    lacking = dict.fromkeys(operation for operation in used if not operation.primitive)
    return {**{one.name: _Running(one, namespace, composites=composites) for one in lacking}, **namespace}


def written_out(graph: Graph, namespace: Namespace) -> Graph:
    """The graph with every composite written out that the namespace has no function for."""
    return expanded(graph, stable=True, keep=namespace)


class _Running:
    """A definition as a function of arrays and parameters, compiled once for each of their shapes."""

    def __init__(self, operation: Operation, namespace: Namespace, *, composites: bool) -> None:
        self.operation, self.namespace, self.composites = operation, namespace, composites
        self._programs: dict[tuple[tuple[Shape, ...], Params], Program] = {}

    def __call__(self, *operands: Any, **params: Any) -> Any:
        shapes = tuple(tuple(getattr(x, "shape", ())) for x in operands)
        key = shapes, tuple(params.items())
        if key not in self._programs:
            call, own = _call(self.operation, shapes, params), not self.composites
            graph = expanded(call, stable=True, own=own, keep=self.namespace)
            self._programs[key] = emit(graph, self.namespace, graph.outputs)
        return self._programs[key](*operands)[0]


def _call(operation: Operation, shapes: Sequence[Shape], params: Mapping[str, Param]) -> Graph:
    """A graph of one call, of operands under their own names."""
    builder = Builder((operation,))
    names = [builder.input(x.name, shape, x.kind) for x, shape in zip(operation.operands, shapes, strict=False)]
    return builder.graph([builder.apply(operation.name, names, params, "result")])


@lru_cache(maxsize=4096)
def size_of(operation: Operation) -> int:
    """How many operations a call of a definition is, once it is written out."""
    own = {inner.name: inner for inner in operation.within}
    steps = [node for node in ast.walk(parsed(cast(str, operation.definition))) if isinstance(node, _STEPS)]
    names = [node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else "" for node in steps]
    return sum(size_of(own[name]) if name in own else 1 for name in names)


def _called(text: str) -> Iterator[str]:
    """The operations that a text calls by their names."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _kind(text: str, known: Mapping[str, Operation]) -> Kind:
    """What the last expression of a text gives, by its outermost step."""
    match parsed(text).body[-1:]:
        case [ast.Expr(ast.Compare())]:
            return "bool"
        case [ast.Expr(ast.Call(ast.Name(op)))] if op in known:
            return known[op].kind
        case _:
            return "float"


def _as_used(operand: Operand, text: str, known: Mapping[str, Operation]) -> Operand:
    """An operand, as an integer or a condition where a call in the text takes it for one."""
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in known:
            continue
        takes = known[node.func.id].operands
        for given, taken in zip(node.args, takes, strict=False):
            if isinstance(given, ast.Name) and given.id == operand.name and taken.kind in ("int", "bool"):
                return replace(operand, kind=taken.kind)
    return operand


def _selects_places(text: str) -> bool:
    return any(
        isinstance(node, ast.Subscript) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))
        for node in ast.walk(parsed(text))
    )
