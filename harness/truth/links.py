"""The exact value of one link, and the rounding that one sound step may make there.

A link is one small step of a gradient: a value y = op(x), a term (what one use contributes to the
adjoint of what it reads), or an adjoint (the sum of its terms). Each is computed in ball arithmetic
from the very numbers that the engine fed into it. Stands on `numbers.py` and `rounding.py`; knows
neither engines nor verdicts.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache, partial, reduce
from math import prod
from typing import Any, NamedTuple

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.expand import expanded
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Arg, Constant, Kind, Node, Params, Shape, Use
from ..graph.operations.operation import Operation
from ..records.formats import Format
from .choice import NO_NUMBER, Ties
from .germs import mover
from .intervals import exactly, known, on, rounded_pairs, settled, suit, widened
from .next_to_one import EITHER_WAY, as_read
from .numbers import balls, to_balls
from .pairs import UnsettledError, pairs
from .poles import jumps, limits
from .precision import once, refined
from .products import in_floats, suits, term_estimates, value_estimate
from .residuals import Numerals, Residual, at_kink, beyond_doubt, is_finite, plain, residual, union
from .rounding import entered, floats, log_of_sum_read, radii, rounded, underflow, unless_infinite
from .together import LENGTH


@dataclass(frozen=True, slots=True)
class OperandType:
    """What a step knows of a node that it reads: all static."""

    shape: Shape
    kind: Kind
    active: bool


class Enclosed(NamedTuple):
    """Of a term: the ball that it may lie in, and what it is exactly."""

    ball: Any
    exact: Any


class Step:
    """One operation with its shapes: the programs of its value and its terms, compiled once."""

    def __init__(
        self,
        op: str,
        params: Params,
        operands: tuple[OperandType | Constant, ...],
        definitions: tuple[Operation, ...] = (),
    ) -> None:
        builder = Builder(definitions)
        args: list[Arg] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, Constant):
                args.append(operand)
            else:
                name = f"x{position}"
                args.append(builder.input(name, operand.shape, operand.kind, constant=not operand.active))
        builder.apply(op, args, dict(params), "y")
        self.graph = builder.graph(["y"])
        self.operation = builder.vocabulary[op]
        self.active = tuple(
            p for p, operand in enumerate(operands) if isinstance(operand, OperandType) and operand.active
        )
        self.elementwise = self.operation.elementwise
        self.in_floats = in_floats(self.operation, params) and len(self.graph.inputs) == len(operands)
        self.value_program = cache(self._value_program)
        self.term_program = cache(self._term_program)
        self.has_kinks = cache(self._has_kinks)
        self.value_estimate = cache(partial(value_estimate, self.graph))
        self.open_germs = cache(lambda: mover(self.graph, power=2, length=LENGTH, ties="open"))
        self.value_intervals = cache(self._value_intervals)
        self.term_intervals = cache(self._term_intervals)
        self.term_estimates = cache(partial(term_estimates, self.graph, self.active))

    @cached_property
    def at_equality(self) -> Sequence[Ties]:
        """How a tie is decided beside from both sides, where the step's own formula asks whether numbers are equal."""
        asks = {"equal", "not_equal"} & {node.op for node in expanded(self.graph, stable=False).operations}
        return ("decide",) if asks else ()

    @cached_property
    def size(self) -> int:
        """How many numbers its textbook formula goes through."""
        return sum(prod(node.shape) for node in expanded(self.graph, stable=False).nodes)

    def _value_program(self, form: Format | None, stable: bool | None = None) -> Program:
        """`program(x...) -> (y,)`; exact by the textbook formula, or rounded step by step by the stable one.

        `stable` chooses the formula by itself.
        """
        ties = "decide" if self.operation.selects or self.operation.kind != "float" else "hull"
        namespace = balls(ties=ties)
        graph = expanded(self.graph, stable=form is not None if stable is None else stable)
        return emit(graph, namespace if form is None else rounded(namespace, form), ["y"], operators=False)

    @cached_property
    def value_in_intervals(self) -> bool:
        """Whether intervals know all that its value goes through."""
        row = self.operation
        plain = row.kind == "float" and not row.selects and row.bias_axis is None
        return plain and known(expanded(self.graph, stable=True))

    @cached_property
    def terms_in_intervals(self) -> bool:
        """The same of its terms."""
        return known(self._term_graph(is_rounded=True)) and known(self._term_graph(is_rounded=False))

    def _value_intervals(self, form: Format) -> Any:
        return on(expanded(self.graph, stable=True), ["y"], rounded_pairs(form))

    def _term_intervals(self, form: Format | None) -> Any:
        """The terms that a sound step may give, or what they are exactly."""
        program = self._term_graph(form is not None)
        return on(program, program.outputs, pairs() if form is None else rounded_pairs(form))

    def _term_program(self, form: Format | None, ties: Ties = "hull", stable: bool | None = None) -> Program:
        """`program(x..., [y,] g) -> terms` of the active operands. A primitive's rounded rule reads the engine's y."""
        program = self._term_graph(form is not None, stable)
        namespace = balls(ties=ties)
        if form is not None:
            namespace = rounded(namespace, form, reads_log=self.operation.reads_log)
        return emit(program, namespace, program.outputs, operators=False)

    def _term_graph(self, is_rounded: bool, stable: bool | None = None) -> Graph:
        derivative = gradient(self.graph, stable=is_rounded if stable is None else stable, seeded=True)
        graph, names = derivative.graph, list[str]()
        zero = Node("structural_zero", "broadcast_to", (Constant("0"),), (("shape", ()),), (), "float")
        for position in self.active:
            term = derivative.terms[Use("y", position)]
            names.append(term if isinstance(term, str) else zero.name)
        nodes = [*graph.nodes, zero] if zero.name in names else list(graph.nodes)
        if is_rounded and self.operation.primitive:
            nodes = [Node("y", "input", (), (), n.shape, n.kind) if n.name == "y" else n for n in nodes]
        return replace(graph, nodes=tuple(nodes), outputs=tuple(names))

    @cached_property
    def chooses(self) -> bool:
        """Whether its textbook formula, or the rule that follows from it, chooses by the numbers it reads."""
        return _selects(gradient(self.graph, seeded=True).graph)

    def _has_kinks(self) -> bool:
        """Whether the rule of an elementwise operation chooses by the numbers it reads."""
        return self.elementwise and self.chooses

    def value(self, operands: Sequence[Numerals], engine: Numerals, form: Format, *, refine: bool = True) -> Residual:
        """The value link y = op(x): op(x(1 ± u)), each rounding of its formula allowed.

        Without `refine` the exact value has just the precision of the moment: a loose one may look like a kink.
        """
        from_bias = self.operation.bias_axis is not None and len(operands) == len(self.operation.operands)
        arrays = [operand.array for operand in operands]
        if self.in_floats and suits(arrays, form):
            estimate = self.value_estimate(form)(*arrays)[0]
            if from_bias:
                sizes = np.abs(arrays[-1].astype(np.float64))
                estimate = estimate.widened(0, self._from_bias(operands[1], sizes, form))
            sure = beyond_doubt(engine, estimate)
            if sure is not None:
                return sure
        if (sure := self._value_in_intervals(operands, engine, form)) is not None:
            return sure
        compute = refined if refine else once
        exactly = [operand.exact for operand in operands]
        if self.operation.kind != "float" or self.operation.selects:
            middle = compute(lambda: self.value_program(None)(*exactly))[0]
            # A share, such as a third, is a quotient; whatever else selects is exact.
            return residual(engine, entered(middle, form) if self.operation.cost else middle, middle)
        enclosure = self.enclosure(operands, form)
        if self.operation.primitive:
            # The ball's middle is the exact value, unless the ball is wide; only then is it worth its own program.
            measurement = residual(engine, enclosure, None, self.operation.products)
            with np.errstate(all="ignore"):
                if not np.any(measurement.radius > np.abs(measurement.exact) * form.unit**0.5):
                    return measurement
        elif not self.chooses:
            measurement = residual(engine, enclosure, None, self.operation.products)
            if plain(measurement, form).all():
                return measurement
        exact = compute(lambda: self.value_program(None)(*exactly))[0]
        return residual(engine, enclosure, exact, self.operation.products)

    def enclosure(self, operands: Sequence[Numerals], form: Format) -> Any:
        """What the value may be, of an operation that does not select: op(x(1 ± u)), each rounding allowed."""
        ball = self.value_program(form)(*(operand.in_form(form) for operand in operands))[0]
        if self.operation.bias_axis is None or len(operands) < len(self.operation.operands):
            return ball
        return ball + self._from_bias(operands[1], abs(operands[-1].exact), form) * EITHER_WAY

    def _from_bias(self, weight: Numerals, sizes: Any, form: Format) -> Any:
        """A sum of n products that begins with the bias rounds it n times more than one that ends with it."""
        bound = sizes * (int(np.prod(weight.array.shape[1:])) * form.sums.step)
        assert self.operation.bias_axis is not None
        return bound.reshape(-1, *[1] * (-1 - self.operation.bias_axis))

    def enclosures(
        self, operands: Sequence[Numerals], y: Numerals, g: Numerals, form: Format, ties: Ties = "hull"
    ) -> list[Any]:
        """What the terms of the active operands may be: the rule on the engine's g(1 ± u), x(1 ± u) and y(1 ± c u)."""
        how = as_read(self.operation, operands[0].exact, form)
        results = [y.widened_by(form, *how)] if self.operation.primitive else []
        terms = self.term_program(form, ties)(
            *(operand.in_form(form) for operand in operands), *results, g.in_form(form)
        )
        twice, noise = flint.arb(1, 2 * form.step), underflow(form)
        if self.operation.log_of_sum:
            twice = twice + log_of_sum_read(self.operation.cost, [operand.array for operand in operands], y.array, form)
        return [unless_infinite(ball * twice + noise(ball), ball) for ball in terms]

    def existing(self, y: Numerals, g: Numerals, residuals: Sequence[Residual]) -> list[Residual]:
        """The residuals of terms. A step that is NaN has no derivative, though the formula of one may be finite; and a
        step that was handed NaN hands on nothing else."""
        if not self.elementwise:
            return list(residuals)
        born = np.isnan(g.array)
        if not self.operation.linear and y.array.dtype.kind not in "bi":
            born = born | np.isnan(y.array)
        if not born.any():
            return list(residuals)
        alive = [~_gathered(born, link.engine.shape) for link in residuals]
        return [
            replace(link, enclosed=link.enclosed & here, kink=link.kink & here)
            for link, here in zip(residuals, alive, strict=True)
        ]

    def enclosed(
        self,
        operands: Sequence[Numerals],
        y: Numerals,
        g: Numerals,
        form: Format,
        *,
        refine: bool = True,
        hulls: Sequence[Any] = (),
    ) -> list[Enclosed]:
        """For each active operand what its term may be, those of `enclosures` if they are given, and what it is
        exactly."""

        def at(ties: Ties, balls: Sequence[Any] = ()) -> list[Enclosed]:
            run = self.term_program(None, ties)
            exact = (refined if refine else once)(lambda: run(*(operand.exact for operand in operands), g.exact))
            return [*map(Enclosed, balls or self.enclosures(operands, y, g, form, ties), exact)]

        hulls = at("hull", hulls)
        if not self.has_kinks() or any(x.array.shape != g.array.shape for x in operands):
            return hulls
        kinks = [at_kink(floats(hull.exact), radii(hull.exact)) for hull in hulls]
        if not any(np.any(kink) for kink in kinks):
            return hulls
        # A hull opens each comparison by itself. Those of one step look at one number, and open together; what `==`
        # chooses lies on neither side.
        return [*map(_opened_together, hulls, kinks, *(at(ties) for ties in ("above", "below", *self.at_equality)))]

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
        products = self.operation.products
        sure = self._sure_in_floats(operands, g, engine, form) or self._terms_in_intervals(operands, y, g, engine, form)
        if sure is not None:
            return sure
        hulls = self.enclosures(operands, y, g, form)
        if self.operation.linear or not (self.operation.primitive or self.chooses):
            found = [residual(numbers, ball, None, products) for numbers, ball in zip(engine, hulls, strict=True)]
            if self.operation.linear or all(plain(link, form).all() for link in found):
                return self.existing(y, g, found)
        terms = self.enclosed(operands, y, g, form, refine=refine, hulls=hulls)
        if refine and self.elementwise:
            terms = [Enclosed(*self._at_poles(k, operands, g, *term)) for k, term in enumerate(terms)]
        pairs = zip(engine, terms, strict=True)
        return self.existing(y, g, [residual(numbers, term.ball, term.exact, products) for numbers, term in pairs])

    def _sure_in_floats(
        self, operands: Sequence[Numerals], g: Numerals, engine: Sequence[Numerals], form: Format
    ) -> list[Residual] | None:
        """The term links of a large product, if float64 is enough to tell that all of their numbers are sound."""
        arrays = [x.array for x in (*operands, g)]
        if not (self.in_floats and suits(arrays, form)):
            return None
        sure = [answer for answer in map(beyond_doubt, engine, self.term_estimates(form)(*arrays)) if answer]
        return sure if len(sure) == len(engine) else None

    def _value_in_intervals(self, operands: Sequence[Numerals], engine: Numerals, form: Format) -> Residual | None:
        """The value link of a large step, if intervals tell that all of its numbers are sound."""
        if not (suit([*operands, engine], form) and self.value_in_intervals):
            return None
        try:
            (found,) = self.value_intervals(form)(*(widened(x.array, form) for x in operands))
            return settled(engine, found, found.middle)
        except UnsettledError:
            return None

    def _terms_in_intervals(
        self, operands: Sequence[Numerals], y: Numerals, g: Numerals, engine: Sequence[Numerals], form: Format
    ) -> list[Residual] | None:
        """The term links of a large step, if intervals tell that all of their numbers are sound."""
        if not (suit([*operands, y, g], form) and self.terms_in_intervals):
            return None
        try:
            how = as_read(self.operation, operands[0].array, form)
            read = [widened(y.array, form, *how)] if self.operation.primitive else []
            seen = [widened(x.array, form) for x in operands]
            terms = self.term_intervals(form)(*seen, *read, widened(g.array, form))
            found = [term.widened(2, form) for term in terms]
            exact = [term.middle for term in found]
            if not self.operation.linear:
                exact = self.term_intervals(None)(*(exactly(x.array) for x in (*operands, g)))
            return [settled(*link) for link in zip(engine, found, exact, strict=True)]
        except UnsettledError:
            return None

    def _at_poles(
        self, which: int, operands: Sequence[Numerals], g: Numerals, enclosure: Any, exact: Any
    ) -> tuple[Any, Any]:
        """The enclosure of a term and its exact value, with their limits where they are infinite."""
        arrays = [x.array for x in (*operands, g)]
        if np.all(is_finite(exact)) or any(x.shape != g.array.shape or x.dtype.kind in "bi" for x in arrays):
            return enclosure, exact
        finite = [np.isfinite(np.asarray(x, dtype=np.float64)) for x in arrays]
        poles = ~np.asarray(is_finite(exact), dtype=bool) & np.all(finite, axis=0) & (g.array != 0)
        if not poles.any():
            return enclosure, exact
        flat = [np.asarray(x[poles], dtype=np.float64) for x in arrays]
        limit_balls = to_balls(limits(self.value_program(None), self.term_program(None), which, flat[:-1], flat[-1]))
        # Of a negative 0, which balls do not know, the sign of an infinity is that of IEEE 754.
        signed = np.any([(x == 0) & np.signbit(x) for x in flat[:-1]], axis=0)
        moved = [node.name for node in self.graph.inputs].index(f"x{self.active[which]}")
        nowhere = signed | jumps(self.value_program(None), moved, flat[:-1])
        limit_balls[nowhere] = NO_NUMBER
        unknown = np.array([ball.is_nan() for ball in limit_balls.flat], dtype=bool) & ~nowhere
        balls = [
            np.array(np.broadcast_to(np.asarray(numbers, dtype=object), poles.shape)) for numbers in (enclosure, exact)
        ]
        for copy in balls:
            copy[poles] = np.where(unknown, copy[poles], limit_balls)
        return balls[0], balls[1]


def _opened_together(hull: Enclosed, kink: NDArray[np.bool_], *chosen: Enclosed) -> Enclosed:
    """The hull with what all choices span at its kinks."""
    return Enclosed(
        np.where(kink, reduce(union, [choice.ball for choice in chosen]), hull.ball),
        np.where(kink, reduce(union, [choice.exact for choice in chosen]), hull.exact),
    )


def _selects(graph: Graph) -> bool:
    return any(graph.operation(node).selects for node in graph.operations)


def _gathered(marked: NDArray[np.bool_], shape: Shape) -> NDArray[np.bool_]:
    """Marks of a result, gathered to an operand of a shape that was broadcast to it."""
    whole = np.asarray(marked.any(axis=tuple(range(marked.ndim - len(shape)))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 != whole.shape[i])
    return np.asarray(whole.any(axis=axes, keepdims=True))


@lru_cache(maxsize=4096)
def step(
    op: str, params: Params, operands: tuple[OperandType | Constant, ...], definitions: tuple[Operation, ...] = ()
) -> Step:
    return Step(op, params, operands, definitions)


def step_of(graph: Graph, node: Node, active: Container[str] | None = None) -> Step:
    """The step of a node, with terms of the operands that are `active`; of those of the graph unless given. Nodes of
    one operation with operands of the same shapes share theirs."""
    active = graph.active if active is None else active
    operands = tuple(
        arg if isinstance(arg, Constant) else OperandType(graph[arg].shape, graph[arg].kind, arg in active)
        for arg in node.args
    )
    return step(node.op, node.params, operands, graph.definitions_of(node))
