"""What a row of the vocabulary says of an operation. The contract of a row, stated once:

* The signature is that of a Python function. Operands are floats unless annotated (`int`, `bool`),
  `*xs` takes a list, `bias=None` may be left out; what follows the bare `*` are parameters.
* A composite has a `definition`, the textbook formula in the case language: what the operation *means*, judged
  against. `stable` is what the hand-written engine runs where the textbook formula would overflow or cancel. Both see
  the operands, the parameters and `size(x, axis=...)`; a definition that depends on which operands or parameters
  were given is a function of the bound arguments `p`. A composite is rounded and differentiated step by step.
* A primitive has a `meaning` in words, a `cost` and a `derivative`, or is not `differentiable`.
* `cost` is c: one sound evaluation is within c units roundoff of the exact value, beyond one rounding of what it
  reads (0: exact, only signs or places change). An ulp is one to two of them.
* `derivative` gives a term for each operand, in the shape that broadcasting gave the result; None for one that has
  none (an index, a condition). It is text in the case language, one for each operand, which reads `g`, the adjoint of
  the result, `y`, the result, the operands and the parameters by name; or a function of the same,
  `(g, y, *operands, **parameters)`, on symbols, whose arithmetic builds nodes. Formulas: Abramowitz & Stegun 1964
  (chapters 3, 4, 6, 7) for scalar functions; Giles 2008, "Collected matrix derivative results", for matrices.

Names follow the Python array API standard, then SciPy special, then PyTorch and ONNX.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict, Unpack, cast

from ..node import Kind, Node, Param, Shape
from ..shapes import ShapeRule, elementwise
from ..symbol import Symbolic

REQUIRED = "required"

# What a definition function sees: parameters by name, for each operand its shape (None: left out), and under `kinds`
# the kind of each operand that is no number, for one that may be of `any`.
Bound: TypeAlias = Mapping[str, object]
Definition: TypeAlias = str | Callable[[Bound], str]
Shares: TypeAlias = Literal["", "operands", "largest", "smallest"]
Derivative: TypeAlias = "str | tuple[str | None, ...] | Callable[..., Sequence[Symbolic | None]]"


@dataclass(frozen=True, slots=True)
class Operand:
    name: str
    kind: Kind = "float"
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True, slots=True, eq=False)  # an operation is itself alone: it can be a key
class Operation:
    """A row, its signature read. Beside what the contract above says, it has traits, for who judges or runs it.

    `half`: how often it rounds in half precision, where frameworks compute in float32; XLA some in several steps.
    `linear`: its derivative is made of sums and products of the adjoint and the operands, so that the middle of a
    ball's term is the exact term.
    `sums`: of the operands' shapes and the parameters, how many roundings one element of the result may gather.
    `joints`: of the same, how many of these a half precision makes between operations, each to its few digits:
    frameworks compose it of several.
    `products`: it is a sum of products, which hardware may compute from factors of fewer digits.
    `selects`: it chooses by the numbers that it reads, and reads them unperturbed.
    `moves`: the numbers of its one operand at other places, or repeated, or zeros; nothing is computed.
    `analytic`: NumPy extends it to the complex plane, there as accurate as on the line; for all its nodes or some.
    `shares`: its operands, or the largest or smallest elements of its one, share the adjoint at a tie.
    `bias_axis`: the axis of the result, counted from the last, along which its last operand is added as a bias.
    `log_of_sum`: it is log(e^a + e^b), whose derivative reads the result.
    `reads_log`: frameworks differentiate it by e^(x - y) of a rounded logarithm y where its formula divides by a sum.
    `of_two`: what somebody has in mind who gives it two operands, where it takes one.

    A definition of a graph's own says besides which other ones its text calls, `within`; the function that each
    framework runs in its place, `native`; and whether it is made of elementwise operations alone, `pointwise`.
    """

    name: str
    signature: str
    operands: tuple[Operand, ...]
    parameters: Mapping[str, Param]  # name -> default, or REQUIRED
    shape: ShapeRule
    kind: Kind
    cost: float = 0
    half: float = 1
    meaning: str = ""
    definition: Definition | None = None
    stable: Definition | None = None
    operator: str = ""
    differentiable: bool = True
    derivative: Derivative | None = None
    linear: bool = False
    sums: Callable[..., int] | None = None
    joints: Callable[..., int] | None = None
    products: bool = False
    selects: bool = False
    moves: bool = False
    analytic: bool | Callable[[Node], bool] = False
    shares: Shares = ""
    bias_axis: int | None = None
    log_of_sum: bool = False
    reads_log: bool = False
    of_two: str = ""
    within: tuple[Operation, ...] = ()
    native: Mapping[str, str] = field(default_factory=dict[str, str])
    pointwise: bool = False

    @property
    def primitive(self) -> bool:
        return self.definition is None

    @property
    def elementwise(self) -> bool:
        return self.shape is elementwise or self.pointwise

    @property
    def keeps(self) -> bool:
        """Whether it puts the numbers of its operands at other places and computes nothing: integers stay integers."""
        return self.moves or (self.primitive and self.operands[0].variadic and not self.cost)

    @property
    def written(self) -> str:
        """Its signature behind its name, as in `less(a, b) -> bool`."""
        arguments, arrow, kind = self.signature.partition(" -> ")
        return f"{self.name}({arguments}){arrow}{kind}"

    def formula(self, bound: Bound, *, stable: bool) -> str:
        """The text of the definition for these arguments, in the case language."""
        chosen = self.stable if stable and self.stable is not None else self.definition
        assert chosen is not None, f"{self.name} is primitive"
        return chosen if isinstance(chosen, str) else chosen(bound)


OPERATIONS: dict[str, Operation] = {}


class Rest(TypedDict, total=False):
    """What a row may say behind its name, signature and shape rule."""

    cost: float
    half: float
    meaning: str
    definition: Definition
    stable: Definition
    operator: str
    differentiable: bool
    derivative: Derivative
    linear: bool
    sums: Callable[..., int]
    joints: Callable[..., int]
    products: bool
    selects: bool
    moves: bool
    analytic: bool | Callable[[Node], bool]
    shares: Shares
    bias_axis: int
    log_of_sum: bool
    reads_log: bool
    of_two: str


def row(name: str, signature: str, shape: ShapeRule = elementwise, **rest: Unpack[Rest]) -> None:
    """Add one operation to the vocabulary."""
    assert name not in OPERATIONS, f"{name} has two rows"
    OPERATIONS[name] = operation(name, signature, shape, **rest)


def operation(name: str, signature: str, shape: ShapeRule = elementwise, **rest: Unpack[Rest]) -> Operation:
    """An operation from a row. Raises SyntaxError for a signature that Python would not take."""
    head = signature.replace(" ->", ") ->") if "->" in signature else signature + ")"
    function = cast(ast.FunctionDef, ast.parse(f"def f({head}: ...").body[0])
    arguments = function.args
    required = len(arguments.args) - len(arguments.defaults)
    operands = [
        Operand(argument.arg, _kind(argument.annotation), optional=place >= required)
        for place, argument in enumerate(arguments.args)
    ]
    if arguments.vararg is not None:
        operands.append(Operand(arguments.vararg.arg, variadic=True))
    parameters: dict[str, Param] = {
        argument.arg: REQUIRED if default is None else cast(Param, ast.literal_eval(default))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    ways = ["definition" in rest, "derivative" in rest, not rest.get("differentiable", True)]
    assert ways.count(True) == 1, f"{name}: a definition, a derivative or none at all"
    return Operation(name, signature, tuple(operands), parameters, shape, _kind(function.returns), **rest)


def _kind(annotation: ast.expr | None) -> Kind:
    return "float" if annotation is None else cast(Kind, ast.unparse(annotation))


def along(x: Shape, *rest: Shape, axis: int, size: int = 0) -> int:
    """Roundings of a sum along an axis: one less than it has elements."""
    return max(x[axis] - 1, 0)
