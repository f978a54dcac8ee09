"""Symbols: ordinary arithmetic that builds nodes. Derivatives are written with them.

`x * 1`, `x + 0` and the like are simplified and constants folded exactly, so that a gradient reads
like the chain rule on paper.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Protocol, TypeAlias

from .node import NAMED_CONSTANTS, Arg, Constant, Node, Shape

ZERO, ONE = Constant("0"), Constant("1")
_EXACT = Context(prec=1000)

Symbolic: TypeAlias = "Symbol | Constant | int | float"


class Nodes(Protocol):
    """What symbols need of the `Builder` that they build into."""

    nodes: dict[str, Node]

    def apply(
        self, op: str, args: Sequence[Arg], params: Mapping[str, object], name: str = "", base: str = "t"
    ) -> str: ...

    def shape(self, arg: Arg) -> Shape: ...


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A node or constant together with the builder that it belongs to."""

    builder: Nodes
    arg: Arg
    base: str = "t"  # new nodes are named after it

    @property
    def shape(self) -> Shape:
        return self.builder.shape(self.arg)

    def called(self, base: str) -> Symbol:
        """This symbol, but nodes made from it are named after `base`."""
        return Symbol(self.builder, self.arg, base)

    @property
    def zero(self) -> bool:
        return isinstance(self.arg, Constant) and self.arg.exact == 0

    def __add__(self, other: Symbolic) -> Symbol:
        return call(self, "add", self, other)

    def __radd__(self, other: Symbolic) -> Symbol:
        return call(self, "add", other, self)

    def __sub__(self, other: Symbolic) -> Symbol:
        return call(self, "subtract", self, other)

    def __rsub__(self, other: Symbolic) -> Symbol:
        return call(self, "subtract", other, self)

    def __mul__(self, other: Symbolic) -> Symbol:
        return call(self, "multiply", self, other)

    def __rmul__(self, other: Symbolic) -> Symbol:
        return call(self, "multiply", other, self)

    def __truediv__(self, other: Symbolic) -> Symbol:
        return call(self, "divide", self, other)

    def __rtruediv__(self, other: Symbolic) -> Symbol:
        return call(self, "divide", other, self)

    def __pow__(self, other: Symbolic) -> Symbol:
        return call(self, "pow", self, other)

    def __matmul__(self, other: Symbol) -> Symbol:
        return call(self, "matmul", self, other)

    def __neg__(self) -> Symbol:
        return call(self, "negative", self)


class Functions:
    """Every operation as a function on symbols: `f.exp(x)`, `f.sum(x, axis=0)`."""

    def __getattr__(self, op: str) -> Callable[..., Symbol]:
        def function(*operands: Symbolic, **params: object) -> Symbol:
            near = next(operand for operand in operands if isinstance(operand, Symbol))
            return call(near, op, *operands, **params)

        return function


f = Functions()


def reshaped(x: Symbol, shape: Shape) -> Symbol:
    return x if x.shape == shape or isinstance(x.arg, Constant) else f.reshape(x, shape=shape)


def repeated(x: Symbol, shape: Shape) -> Symbol:
    return x if x.shape == shape else f.broadcast_to(x, shape=shape)


@cache
def function_of(texts: tuple[str | None, ...], names: tuple[str, ...]) -> Callable[..., tuple[Symbolic | None, ...]]:
    """Expressions of the case language as one function of symbols and of parameters, Python's own values.

    `names` are those of its arguments. One of them is `g`, the symbol that new nodes are named after.
    """
    text = "".join(f"{text}, " for text in texts)
    tree = _Calls().visit(ast.parse(f"lambda {', '.join(names)}: ({text})", mode="eval"))
    constants = {name: Constant(name) for name in NAMED_CONSTANTS}
    code = compile(ast.fix_missing_locations(tree), f"<{text}>", "eval")
    return eval(code, {"__builtins__": {}, "call": call, **constants})


class _Calls(ast.NodeTransformer):
    """`exp(x)` read as `call(g, "exp", x)`."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        assert isinstance(node.func, ast.Name)
        operands = [self.visit(operand) for operand in node.args]
        arguments: list[ast.expr] = [ast.Name("g", ast.Load()), ast.Constant(node.func.id), *operands]
        keywords = [self.visit(keyword) for keyword in node.keywords]
        return ast.Call(ast.Name("call", ast.Load()), arguments, keywords)


def call(near: Symbol, op: str, *operands: Symbolic, **params: object) -> Symbol:
    """One operation on symbols and numbers, simplified where that changes no shape."""
    args = [_arg(operand) for operand in operands]
    simple = _simplified(near.builder, op, args)
    arg = near.builder.apply(op, args, params, base=near.base) if simple is None else simple
    return Symbol(near.builder, arg, near.base)


def _arg(operand: Symbolic) -> Arg:
    if isinstance(operand, Symbol):
        return operand.arg
    return operand if isinstance(operand, Constant) else Constant(repr(operand))


def _simplified(builder: Nodes, op: str, args: list[Arg]) -> Arg | None:
    """What is simpler than the node and the same, if anything."""
    if op in _UNARY:
        return _UNARY[op](builder, args[0])
    if op not in _BINARY:
        return None
    a, b = args
    p = a.exact if isinstance(a, Constant) else None
    q = b.exact if isinstance(b, Constant) else None
    if p is not None and q is not None:
        return _folded(op, p, q)
    return _BINARY[op](builder, a, p, b, q)


def _negated(builder: Nodes, arg: Arg) -> Arg | None:
    if isinstance(arg, Constant):
        return Constant(arg.text[1:] if arg.text.startswith("-") else "-" + arg.text)
    node = builder.nodes[arg]
    return node.args[0] if node.op == "negative" else builder.apply("negative", [arg], {}, base=arg.split(":")[0])


def _transposed(builder: Nodes, arg: Arg) -> Arg | None:
    node = builder.nodes[arg] if isinstance(arg, str) else None
    return node.args[0] if node is not None and node.op == "matrix_transpose" else None


_UNARY: Mapping[str, Callable[[Nodes, Arg], Arg | None]] = {"negative": _negated, "matrix_transpose": _transposed}


# Of two arguments and the number that each is, if it is one; one of them at most is.
def _sum(builder: Nodes, a: Arg, p: Fraction | None, b: Arg, q: Fraction | None) -> Arg | None:
    return b if p == 0 else a if q == 0 else None


def _difference(builder: Nodes, a: Arg, p: Fraction | None, b: Arg, q: Fraction | None) -> Arg | None:
    return a if q == 0 else None


def _product(builder: Nodes, a: Arg, p: Fraction | None, b: Arg, q: Fraction | None) -> Arg | None:
    for number, other in ((p, b), (q, a)):
        if number == 0 and builder.shape(other) == ():
            return ZERO
        if number == 1:
            return other
        if number == -1:
            return _negated(builder, other)
    return None


def _quotient(builder: Nodes, a: Arg, p: Fraction | None, b: Arg, q: Fraction | None) -> Arg | None:
    return a if q == 1 else _negated(builder, a) if q == -1 else None


def _power(builder: Nodes, a: Arg, p: Fraction | None, b: Arg, q: Fraction | None) -> Arg | None:
    return a if q == 1 else None


_Simplify: TypeAlias = "Callable[[Nodes, Arg, Fraction | None, Arg, Fraction | None], Arg | None]"
_BINARY: Mapping[str, _Simplify] = {
    "add": _sum,
    "subtract": _difference,
    "multiply": _product,
    "divide": _quotient,
    "pow": _power,
}
_FOLD: Mapping[str, Callable[[Fraction, Fraction], Fraction | None]] = {
    "add": lambda p, q: p + q,
    "subtract": lambda p, q: p - q,
    "multiply": lambda p, q: p * q,
    "divide": lambda p, q: p / q if q else None,
    "pow": lambda p, q: Fraction(1) if q == 0 else None,
}


def _folded(op: str, p: Fraction, q: Fraction) -> Constant | None:
    """The exact result where it is a decimal of moderate length."""
    value = _FOLD[op](p, q)
    if value is None:
        return None
    decimal = _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Constant(str(decimal)) if Fraction(decimal) == value and len(str(decimal)) < 40 else None
