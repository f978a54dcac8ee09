"""Symbols: ordinary arithmetic that builds nodes. Derivative rules are written with them.

`x * 1`, `x + 0` and the like are simplified and constants folded exactly, so that a gradient reads
like the chain rule on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import TypeAlias

from .build import Builder
from .graph import Arg, Constant, Shape

ZERO, ONE = Constant("0"), Constant("1")
_EXACT = Context(prec=1000)

Operand: TypeAlias = "Symbol | Constant | int | float"


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A node or constant together with the builder that it belongs to."""

    builder: Builder
    arg: Arg
    base: str = "t"  # new nodes are named after it

    @property
    def shape(self) -> Shape:
        return self.builder.shape(self.arg)

    def called(self, base: str) -> Symbol:
        """The same; nodes made from it are named after `base`."""
        return Symbol(self.builder, self.arg, base)

    @property
    def zero(self) -> bool:
        return isinstance(self.arg, Constant) and self.arg.exact == 0

    def __add__(self, other: Operand) -> Symbol:
        return call(self, "add", self, other)

    def __radd__(self, other: Operand) -> Symbol:
        return call(self, "add", other, self)

    def __sub__(self, other: Operand) -> Symbol:
        return call(self, "subtract", self, other)

    def __rsub__(self, other: Operand) -> Symbol:
        return call(self, "subtract", other, self)

    def __mul__(self, other: Operand) -> Symbol:
        return call(self, "multiply", self, other)

    def __rmul__(self, other: Operand) -> Symbol:
        return call(self, "multiply", other, self)

    def __truediv__(self, other: Operand) -> Symbol:
        return call(self, "divide", self, other)

    def __rtruediv__(self, other: Operand) -> Symbol:
        return call(self, "divide", other, self)

    def __pow__(self, other: Operand) -> Symbol:
        return call(self, "pow", self, other)

    def __matmul__(self, other: Symbol) -> Symbol:
        return call(self, "matmul", self, other)

    def __neg__(self) -> Symbol:
        return call(self, "negative", self)


class Functions:
    """Every operation as a function on symbols: `f.exp(x)`, `f.sum(x, axis=0)`."""

    def __getattr__(self, op: str) -> Callable[..., Symbol]:
        def function(*operands: Operand, **params: object) -> Symbol:
            near = next(operand for operand in operands if isinstance(operand, Symbol))
            return call(near, op, *operands, **params)

        return function


f = Functions()


def call(near: Symbol, op: str, *operands: Operand, **params: object) -> Symbol:
    """One operation on symbols and numbers, simplified where that changes no shape."""
    args = [_arg(operand) for operand in operands]
    simple = _simplified(near.builder, op, args)
    found = near.builder.apply(op, args, params, base=near.base) if simple is None else simple
    return Symbol(near.builder, found, near.base)


def _arg(operand: Operand) -> Arg:
    if isinstance(operand, Symbol):
        return operand.arg
    return operand if isinstance(operand, Constant) else Constant(repr(operand))


def _simplified(builder: Builder, op: str, args: list[Arg]) -> Arg | None:
    if op == "negative":
        return _negated(builder, args[0])
    if op == "matrix_transpose" and isinstance(args[0], str) and builder.nodes[args[0]].op == op:
        return builder.nodes[args[0]].args[0]
    if op not in _FOLD:
        return None
    a, b = args
    p = a.exact if isinstance(a, Constant) else None
    q = b.exact if isinstance(b, Constant) else None
    if p is not None and q is not None:
        return _folded(op, p, q)
    if op == "multiply":
        for number, other in ((p, b), (q, a)):
            if number == 0 and builder.shape(other) == ():
                return ZERO
            if number == 1:
                return other
            if number == -1:
                return _negated(builder, other)
    elif op == "add" and (p == 0 or q == 0):
        return b if p == 0 else a
    elif (op == "subtract" and q == 0) or (op in ("divide", "pow") and q == 1):
        return a
    elif op == "divide" and q == -1:
        return _negated(builder, a)
    return None


def _negated(builder: Builder, arg: Arg) -> Arg | None:
    if isinstance(arg, Constant):
        return Constant(arg.text[1:] if arg.text.startswith("-") else "-" + arg.text)
    node = builder.nodes[arg]
    return node.args[0] if node.op == "negative" else builder.apply("negative", [arg], {}, base=arg.split(":")[0])


_FOLD: dict[str, Callable[[Fraction, Fraction], Fraction | None]] = {
    "add": lambda p, q: p + q,
    "subtract": lambda p, q: p - q,
    "multiply": lambda p, q: p * q,
    "divide": lambda p, q: p / q if q else None,
    "pow": lambda p, q: None,
}


def _folded(op: str, p: Fraction, q: Fraction) -> Constant | None:
    """The exact result where it is a decimal of moderate length."""
    if op == "pow":
        return ONE if q == 0 else None
    value = _FOLD[op](p, q)
    if value is None:
        return None
    decimal = _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Constant(str(decimal)) if Fraction(decimal) == value and len(str(decimal)) < 40 else None
