"""The exact value of one link, and the rounding that one sound step may make there.

A link is one small step of a gradient: a value y = op(x), a term (what one use contributes to the
adjoint of what it reads), or an adjoint (the sum of its terms). Each is computed in ball arithmetic
from the very numbers that the engine fed into it. Stands on `numbers.py` and `rounding.py`; knows
neither engines nor verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Any, TypeAlias

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.expand import expanded
from ..graph.gradient import gradient
from ..graph.graph import Arg, Constant, Graph, Kind, Node, Params, Shape, Use
from ..graph.ops import OPERATIONS
from ..graph.shapes import axes_of, elementwise
from .numbers import balls, to_balls
from .rounding import EITHER_WAY, SELECTIONS, Format, entered, floats, radii, rounded

PRECISION = 128
MOST_PRECISION = 4096

Balls: TypeAlias = NDArray[Any]
Numbers: TypeAlias = NDArray[Any]


# Rules made of sums and products of g and the operands. The middle of their ball is the exact term, since a
# ball's product has the product of the middles for its middle; it need not be computed apart.
LINEAR = frozenset(
    (
        *("add", "subtract", "multiply", "negative", "copy", "square", "sum", "cumsum", "matmul", "einsum"),
        *("correlate2d", "correlate2d_input", "correlate2d_weight", "permute_dims", "matrix_transpose", "reshape"),
        *("broadcast_to", "expand_dims", "squeeze", "concat", "stack", "getitem", "place", "take", "scatter_add"),
        *("flip", "roll", "pad"),
    )
)


# Sums of products, which hardware computes from factors of fewer digits.
PRODUCTS = frozenset(
    ("matmul", "einsum", "vecdot", "linear", "conv2d", "correlate2d", "correlate2d_input", "correlate2d_weight")
)


@dataclass(frozen=True, slots=True)
class Operand:
    """What a step knows of a node that it reads: all static."""

    shape: Shape
    kind: Kind
    active: bool


@dataclass(frozen=True, slots=True)
class Residual:
    """An engine's numbers for one link against the ball of what they may be. Arrays have the link's shape.

    `deviation` is |engine - middle of the ball|, `radius` the ball's; `off` is |engine - exact| where
    exact is the step in exact arithmetic, and `exact` that number, in float64. `enclosed` marks elements
    whose ball says something: it is finite, or one infinity. `kink` marks elements at which the step has no
    single derivative, and `low`, `high` enclose all that it may be there. `products`: the step is a sum of products.
    """

    engine: Numbers
    deviation: NDArray[np.float64]
    radius: NDArray[np.float64]
    enclosed: NDArray[np.bool_]
    exact: NDArray[np.float64]
    off: NDArray[np.float64]
    kink: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    products: bool = False

    @property
    def score(self) -> NDArray[np.float64]:
        """Deviation over radius: sound up to 1, NaN where the ball or the engine's number is not finite."""
        with np.errstate(all="ignore"):
            return np.where(
                self.deviation == 0, np.where(np.isnan(self.radius), np.nan, 0.0), self.deviation / self.radius
            )


class Numerals:
    """An engine's array as balls, converted once: as it is, and widened by one rounding."""

    def __init__(self, array: Numbers, form: Format) -> None:
        self.array = array
        self._form = form

    @cached_property
    def exact(self) -> Any:
        return self.array if self.array.dtype.kind in "bi" else to_balls(self.array)

    @cached_property
    def widened(self) -> Any:
        return self.widened_by(self._form)

    def widened_by(self, form: Format, cost: float = 1) -> Any:
        if self.array.dtype.kind in "bi":
            return self.array
        widened = np.asarray(entered(self.exact, form, cost), dtype=object)
        if not np.isfinite(self.array).all():
            widened = np.where(np.isfinite(self.array), widened, self.exact)
        return widened

    def in_form(self, form: Format) -> Any:
        return self.widened if form is self._form else self.widened_by(form)


class Step:
    """One operation with its shapes: the programs of its value and its terms, compiled once."""

    def __init__(self, op: str, params: Params, operands: tuple[Operand | Constant, ...]) -> None:
        builder = Builder()
        args: list[Arg] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, Constant):
                args.append(operand)
            else:
                name = f"x{position}"
                args.append(builder.input(name, operand.shape, operand.kind, constant=not operand.active))
        builder.apply(op, args, dict(params), "y")
        self.op = op
        self.graph = builder.graph(["y"])
        self.operation = OPERATIONS[op]
        self.active = tuple(p for p, operand in enumerate(operands) if isinstance(operand, Operand) and operand.active)
        self.linear = op in LINEAR
        self.elementwise = self.operation.shape is elementwise
        self.products = op in PRODUCTS
        self.value_program = cache(self._value_program)
        self.term_program = cache(self._term_program)

    def _value_program(self, form: Format | None) -> Program:
        """`program(x...) -> (y,)`; exact by the textbook formula, or rounded step by step by the stable one."""
        ties = "decide" if self.op in SELECTIONS or self.operation.kind != "float" else "hull"
        namespace = balls(ties=ties)
        graph = expanded(self.graph, stable=form is not None)
        return emit(graph, namespace if form is None else rounded(namespace, form), ["y"], operators=False)

    def _term_program(self, form: Format | None) -> Program:
        """`program(x..., [y,] g) -> terms` of the active operands. A primitive's rounded rule reads the engine's y."""
        found = gradient(self.graph, stable=form is not None, seeded=True)
        namespace = balls(ties="hull")
        graph, names = found.graph, list[str]()
        zero = Node("structural_zero", "broadcast_to", (Constant("0"),), (("shape", ()),), (), "float")
        for position in self.active:
            term = found.terms[Use("y", position)]
            names.append(term if isinstance(term, str) else zero.name)
        nodes = [*graph.nodes, zero] if zero.name in names else list(graph.nodes)
        if form is not None and self.operation.primitive:
            nodes = [Node("y", "input", (), (), n.shape, n.kind) if n.name == "y" else n for n in nodes]
        program = Graph(tuple(nodes), tuple(names))
        return emit(program, namespace if form is None else rounded(namespace, form), names, operators=False)

    def value(self, operands: Sequence[Numerals], engine: Numerals, form: Format, *, refine: bool = True) -> Residual:
        """The value link y = op(x): op(x(1 ± u)), each rounding of its formula allowed.

        Without `refine` the exact value has just the precision of the moment: a loose one may look like a kink.
        """
        compute = refined if refine else _once
        exactly = [operand.exact for operand in operands]
        if self.operation.kind != "float" or self.op in SELECTIONS:
            middle = compute(lambda: self.value_program(None)(*exactly))[0]
            # A share, such as a third, is a quotient; whatever else selects is exact.
            return residual(engine, entered(middle, form) if self.op == "max_share" else middle, middle)
        enclosure = self.value_program(form)(*(operand.in_form(form) for operand in operands))[0]
        if self.op in ("linear", "conv2d") and len(operands) == 3:
            enclosure = enclosure + self._from_bias(operands[1], operands[2], form) * EITHER_WAY
        if self.operation.primitive:
            # The ball's middle is the exact value, unless the ball is wide; only then is it worth its own program.
            found = residual(engine, enclosure, None, self.products)
            with np.errstate(all="ignore"):
                if not np.any(found.radius > np.abs(found.exact) * form.unit**0.5):
                    return found
        exact = compute(lambda: self.value_program(None)(*exactly))[0]
        return residual(engine, enclosure, exact, self.products)

    def _from_bias(self, weight: Numerals, bias: Numerals, form: Format) -> Any:
        """A sum of n products that begins with the bias rounds it n times more than one that ends with it."""
        n = int(np.prod(weight.array.shape[1:]))
        sizes = np.asarray(abs(bias.exact), dtype=object) * (n * form.unit)
        return sizes.reshape(-1, 1, 1) if self.op == "conv2d" else sizes

    def enclosures(self, operands: Sequence[Numerals], y: Numerals, g: Numerals, form: Format) -> list[Any]:
        """What the terms of the active operands may be: the rule on the engine's g(1 ± u), x(1 ± u) and y(1 ± c u)."""
        own = [y.widened_by(form, max(self.operation.cost, 1))] if self.operation.primitive else []
        found = self.term_program(form)(*(operand.in_form(form) for operand in operands), *own, g.in_form(form))
        twice, noise = flint.arb(1, 2 * form.step), flint.arb(0, form.smallest)
        return [ball * twice + noise for ball in found]

    def existing(self, y: Numerals, found: Sequence[Residual]) -> list[Residual]:
        """The residuals of terms. A step that is NaN has no derivative, though the formula of one may be finite."""
        born = np.isnan(y.array) if self.elementwise and y.array.dtype.kind not in "bi" else np.zeros((), dtype=bool)
        if self.linear or not born.any():
            return list(found)
        alive = [~_gathered(born, one.engine.shape) for one in found]
        return [
            replace(one, enclosed=one.enclosed & here, kink=one.kink & here)
            for one, here in zip(found, alive, strict=True)
        ]

    def enclosed(
        self, operands: Sequence[Numerals], y: Numerals, g: Numerals, form: Format, *, refine: bool = True
    ) -> list[tuple[Any, Any]]:
        """For each active operand what its term may be, and what it is exactly."""
        compute = refined if refine else _once
        exact = compute(lambda: self.term_program(None)(*(operand.exact for operand in operands), g.exact))
        return list(zip(self.enclosures(operands, y, g, form), exact, strict=True))

    def terms(
        self,
        operands: Sequence[Numerals],
        y: Numerals,
        g: Numerals,
        engine: Sequence[Numerals],
        form: Format,
        *,
        refine: bool = True,
    ) -> list[Residual]:
        """The term links of the active operands. The exact terms are the derivative at the engine's own x and g."""
        if self.linear:
            enclosures = self.enclosures(operands, y, g, form)
            return [residual(*link, None, self.products) for link in zip(engine, enclosures, strict=True)]
        both = self.enclosed(operands, y, g, form, refine=refine)
        return self.existing(
            y, [residual(numbers, *link, self.products) for numbers, link in zip(engine, both, strict=True)]
        )


def _gathered(marked: NDArray[np.bool_], shape: Shape) -> NDArray[np.bool_]:
    """Marks of a result, gathered to an operand of a shape that was broadcast to it."""
    whole = np.asarray(marked.any(axis=tuple(range(marked.ndim - len(shape)))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 != whole.shape[i])
    return np.asarray(whole.any(axis=axes, keepdims=True))


@lru_cache(maxsize=4096)
def step(op: str, params: Params, operands: tuple[Operand | Constant, ...]) -> Step:
    return Step(op, params, operands)


def working() -> Any:
    """A context in which balls carry the precision that the truth starts from."""
    return flint.ctx.workprec(PRECISION)


def refined(compute: Callable[[], tuple[Any, ...]], bits: int = 80) -> tuple[Any, ...]:
    """Exact results, the precision doubled until all have `bits`. What stays loose is a hull, or does not exist."""
    results = compute()
    precision, most = PRECISION, max(MOST_PRECISION, 4 * bits)
    while precision < most and any(np.any(is_loose(result, bits)) for result in results):
        precision *= 2
        with flint.ctx.workprec(precision):
            results = compute()
    return results


def _once(compute: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    return compute()


def _loose(ball: Any, bits: int) -> bool:
    """Neither right to `bits` nor so small that no format could tell it from 0. What is not finite stays so."""
    if not isinstance(ball, flint.arb) or ball.is_exact() or ball.rel_accuracy_bits() >= bits:
        return False
    return bool(ball.is_finite() and not abs(ball) < _NOTHING)


is_loose = np.frompyfunc(_loose, 2, 1)
_NOTHING = flint.arb(2) ** -1042  # 2^-20 of the smallest normal float64


def residual(engine: Numerals, enclosure: Any, exact: Any | None, products: bool = False) -> Residual:
    """Measure an engine's array against an enclosure and, where it is known apart, the exact value."""
    numbers = engine.array
    own = to_balls(numbers.astype(np.float64)) if numbers.dtype.kind in "bi" else engine.exact
    ball: Any = np.broadcast_to(np.asarray(enclosure, dtype=object), numbers.shape)
    deviation, radius, middle = np.abs(floats(own - ball)), radii(ball), floats(ball)
    enclosed = np.asarray(_is_finite(ball), dtype=bool)
    if not enclosed.all():
        # The ball may be one infinity. An engine that says so is right; arithmetic on it would give NaN.
        infinite = np.isinf(middle) & (radius == 0)
        deviation = np.where(infinite & (numbers == middle), 0.0, deviation)
        enclosed |= infinite
    no_kink = np.zeros(numbers.shape, dtype=bool)
    if exact is None:
        return Residual(numbers, deviation, radius, enclosed, middle, deviation, no_kink, middle, middle, products)
    exactly: Any = np.broadcast_to(np.asarray(exact, dtype=object), numbers.shape)
    off, middle, spread = np.abs(floats(own - exactly)), floats(exactly), radii(exactly)
    with np.errstate(all="ignore"):
        off = np.where(numbers == middle, 0.0, off) if np.isinf(middle).any() else off
        kink = np.isfinite(spread) & (spread > np.abs(middle) * 2.0**-40) & (spread > 1e-313)
    low, high = (floats(_lower(exactly)), floats(_upper(exactly))) if kink.any() else (middle, middle)
    return Residual(numbers, deviation, radius, enclosed, middle, off, kink, low, high, products)


_is_finite = np.frompyfunc(flint.arb.is_finite, 1, 1)
_lower = np.frompyfunc(flint.arb.lower, 1, 1)
_upper = np.frompyfunc(flint.arb.upper, 1, 1)


def adjoint(engine: Numerals, terms: Sequence[Numbers], form: Format) -> Residual:
    """The adjoint link: the sum of the engine's own terms, with m u sum|terms| for m of them.

    The exact sum is kept as an unevaluated pair of float64 (Knuth's TwoSum; its own error is below
    m 2^-104 sum|terms|, far under the bound).
    """
    shape = engine.array.shape
    high, low, size = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    with np.errstate(all="ignore"):
        for term in terms:
            t = term.astype(np.float64)
            total = high + t
            back = total - high
            low = low + ((high - (total - back)) + (t - back))
            high = total
            size = size + np.abs(t)
        m = len(terms)
        exact = high + low
        deviation = np.abs((engine.array.astype(np.float64) - high) - low)
        radius = size * (m * (form.unit + m * 2.0**-104)) + (form.smallest if m else 0.0)
        same = ~np.isfinite(size) & (engine.array == high)
        deviation, radius = np.where(same, 0.0, deviation), np.where(same, 0.0, radius)
    enclosed, no_kink = np.isfinite(size) | same, np.zeros(shape, dtype=bool)
    return Residual(engine.array, deviation, radius, enclosed, exact, deviation, no_kink, exact, exact)


def adjoint_of_enclosures(engine: Numerals, terms: Sequence[tuple[Any, Any]], form: Format) -> Residual:
    """The adjoint link of an engine that shows no terms: the sum of what its terms may be, and of what they are."""
    zero: Any = np.full(engine.array.shape, flint.arb(0), dtype=object)
    total: Any = sum((ball for ball, _ in terms), start=zero)
    exact: Any = sum((term for _, term in terms), start=zero)
    size: Any = sum((abs(np.asarray(ball, dtype=object)) for ball, _ in terms), start=zero)
    bound = size * (len(terms) * form.unit) + form.smallest
    return residual(engine, total + bound * EITHER_WAY, exact)


def shares(
    op: str, params: Params, operands: Sequence[Numbers], terms: Sequence[Numbers], g: Numbers, form: Format
) -> NDArray[np.bool_] | None:
    """Where the terms of a maximum's tied operands do not sum to its adjoint g; None for other operations.

    Each term alone may lie anywhere between 0 and g at a tie. Together they must hand on all of g.
    """
    parts = [np.asarray(term, dtype=np.float64) for term in terms]
    if op in ("maximum", "minimum") and len(parts) == 2 and parts[0].shape == parts[1].shape == g.shape:
        total, size, count = parts[0] + parts[1], np.abs(parts[0]) + np.abs(parts[1]), 2
        ties = operands[0] == operands[1]
    elif op in ("max", "min") and parts:
        chosen = dict(params)
        axes, keep = axes_of(chosen["axis"], parts[0].ndim), bool(chosen["keepdims"])
        total, size = (np.sum(x, axis=axes, keepdims=keep) for x in (parts[0], np.abs(parts[0])))
        count = parts[0].size // max(g.size, 1)
        extremum = np.max if op == "max" else np.min
        largest = operands[0] == extremum(operands[0], axis=axes, keepdims=True)
        ties = np.sum(largest, axis=axes, keepdims=keep) > 1
    elif len(parts) == {"maximum": 2, "minimum": 2, "clip": 3}.get(op):
        # Broadcast operands have summed their shares already; what is left to hold is the sum of everything.
        total, size = (np.sum([np.sum(f(x)) for x in parts]) for f in (np.asarray, np.abs))
        count = sum(x.size for x in parts) + g.size
        size = size + np.sum(np.abs(g, dtype=np.float64))  # what cancelled inside a broadcast operand's sum
        g = np.asarray(np.sum(g, dtype=np.float64))
        ties = np.any([operands[0] == other for other in operands[1:]])
    else:
        return None
    with np.errstate(all="ignore"):
        sound = np.abs(total - g) <= 2 * count * form.unit * size + count * form.smallest
        return np.asarray(ties & ~(sound | ~np.isfinite(g)))
