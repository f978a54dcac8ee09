"""The proof of a reference: reverse mode held against germs, which share nothing with it.

Along a direction v of random integers, forward mode gives the slope <c, J v> of the output contracted with
its cotangent c; reverse mode gives <gradient, v>. They are one number, so their enclosures must overlap: for
the whole graph, and for each operation by itself, <g, J v> = <J^T g, v> with its true adjoint g. The adjoint
of a node must be the sum of its terms. Values are enclosed twice as well, by balls and by germs.

An overlap proves as much as both enclosures are tight. One that is not finite proves nothing; at a kink the
gradient is a hull, and the slope of one side must lie in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any, Literal, TypeAlias

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Kind, Node, Use
from .arrays import ZERO, array
from .forward import push_along
from .germs import Push, coefficient, mover, pusher
from .links import Step, step_of
from .numbers import ball, to_balls
from .pairs import DOWN, Pairs, UnsettledError, add, as_balls, multiply, of_floats, subtract, total, worth_pairs
from .precision import MOST_PRECISION, PRECISION, is_loose, working
from .reference import Reference, reference
from .rounding import middle

BITS = 60  # of accuracy, from which on an enclosure proves something
NARROW = arb(2) ** -BITS
DIGITS = 25  # of enclosures in messages
STILL = ", kinks standing still"
PLAIN: Mapping[Kind, Any] = {"int": np.int64, "bool": np.bool_}
LARGEST = 999  # component of a direction: large, so that two seldom cancel

# proved: both enclosures are tight; contained: they overlap, one is a hull; open: one is not finite;
# apart: no number is in both. From best to worst.
Result: TypeAlias = Literal["proved", "contained", "open", "apart"]
RESULTS: tuple[Result, ...] = ("proved", "contained", "open", "apart")
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Balls: TypeAlias = Any
Pair: TypeAlias = tuple[Balls, Balls]
Found: TypeAlias = tuple[Result, str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """Numbers enclosed twice, the worst of them: `forward` by germs, `reverse` by the reference. `op` is the
    operation that answers for them, empty for the whole graph."""

    what: str
    op: str
    result: Result
    forward: str
    reverse: str

    def __str__(self) -> str:
        return f"{self.what}: forward mode gives {self.forward}, the reference {self.reverse}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked. `operations` is empty where the whole graph proves itself and no more was asked for."""

    loose: str
    precision: int
    values: tuple[Check, ...]
    directions: tuple[Check, ...]
    operations: tuple[Check, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether values and gradient are single numbers that both derivations agree on."""
        return not self.loose and all(check.result == "proved" for check in (*self.values, *self.directions))

    @property
    def apart(self) -> tuple[Check, ...]:
        """The checks that failed, those of operations first."""
        return tuple(c for c in (*self.operations, *self.values, *self.directions) if c.result == "apart")

    @property
    def suspect(self) -> str:
        """The check that failed, by the operation and its node; empty where none did."""
        return self.apart[0].what if self.apart else ""

    @property
    def failed(self) -> bool:
        """Whether the reference is unreliable."""
        return bool(self.apart or self.loose)

    @property
    def failure(self) -> str:
        """Why the reference is unreliable, in words; empty where it is not."""
        if self.apart:
            return str(self.apart[0])
        return f"`{self.loose}` is loose at {self.precision:,} bits, and no kink explains it" if self.loose else ""


def prove(
    graph: Graph,
    inputs: Arrays,
    cotangent: NDArray[Any],
    truth: Reference,
    *,
    directions: int = 2,
    seed: int = 0,
    thorough: bool = False,
) -> Proof:
    """The proof of what `reference` found, with its own arguments. Operations are checked where the whole graph
    does not prove itself, or where `thorough` asks for them."""
    if not thorough:
        proof = _in_pairs(graph, inputs, cotangent, truth, max(directions, 1), np.random.default_rng(seed))
        if proof is not None and proof.proved:
            return proof
    random = np.random.default_rng(seed)
    push = pusher(graph)
    numbers = _plain(graph, inputs)
    values: list[Check] = []
    slopes: list[Check] = []
    pulled = {node.name: truth.adjoints[node.name].balls for node in graph.wanted}
    enclosed = {name: truth.hulls[name].balls for name in graph.outputs}
    for k in range(max(directions, 1)):
        valued, along = _held(push, numbers, enclosed, cotangent, pulled, random, truth.precision)
        slopes += [Check(f"direction {k + 1}{suffix}", "", *comparison) for suffix, comparison in along.items()]
        values = values or [Check(f"value of `{name}`", "", *comparison) for name, comparison in valued.items()]
    whole = Proof(truth.loose, truth.precision, tuple(values), tuple(slopes))
    if whole.proved and not thorough:
        return whole
    return Proof(
        truth.loose,
        truth.precision,
        whole.values,
        whole.directions,
        tuple(_operations(graph, cotangent, truth, random)),
    )


def prove_second(
    whole: Proof,
    graph: Graph,
    inputs: Arrays,
    cotangent: NDArray[Any],
    v: Arrays,
    tangent: Balls,
    products: Arrays,
    *,
    seed: int = 0,
) -> Proof:
    """The proof of a contracted gradient graph, held against germs of length 3 of the `graph` that it came from.

    Along u = v + w and v - w the coefficients of t^2 are <u, H u> / 2, so half of their difference is <w, H v>: that
    shares nothing with reverse mode, first or second. Where `whole` proves nothing, at kinks, this does not either.
    """
    if not whole.proved:
        return whole
    random, run = np.random.default_rng(seed), mover(graph, length=3)
    numbers = _plain(graph, inputs)
    w = {name: _direction(random, np.shape(part)) for name, part in v.items()}
    ahead, behind = ({name: v[name] + sign * w[name] for name in v} for sign in (1, -1))
    precision = PRECISION
    while True:
        with flint.ctx.workprec(precision):

            def along(u: Arrays, k: int) -> Pair:
                return _contracted([(coefficient(run(numbers, u)[graph.output.name], k), to_balls(cotangent))])

            slope, size = along(v, 1)
            (a, above), (b, below) = along(ahead, 2), along(behind, 2)
            reverse, sum_of_sizes = _contracted([(products[name], w[name].astype(object)) for name in w])
            checks = (
                Check("tangent", "", *_compared(slope, tangent, size)),
                Check("Hessian-vector product", "", *_compared((a - b) / 2, reverse, above + below + sum_of_sizes)),
            )
        results = {check.result for check in checks}
        if precision >= MOST_PRECISION or "apart" in results or results == {"proved"}:
            return replace(whole, directions=(*whole.directions, *checks))
        precision *= 2


def _in_pairs(
    graph: Graph, inputs: Arrays, cotangent: NDArray[Any], truth: Reference, count: int, random: np.random.Generator
) -> Proof | None:
    """The proof of a large graph by forward mode on pairs, along all directions at once. None where they tell nothing.

    Values are the same along every direction, and are compared once.
    """
    names = [node.name for node in graph.wanted]
    if truth.loose or not names or not worth_pairs(graph, [*inputs.values(), cotangent]):
        return None
    ways: list[Arrays] = [{name: _direction(random, graph[name].shape) for name in names} for _ in range(count)]
    try:
        with working(), np.errstate(all="ignore"):
            outputs = push_along(graph, _plain(graph, inputs), ways)
            valued = {name: _alike(x.value, truth.hulls[name].pairs) for name, x in outputs.items()}
            sloped: list[Found] = []
            for slope, way in zip(outputs[graph.output.name].slopes, ways, strict=True):
                pushed, bound = _sum_of_products([(slope, cotangent)])
                reverse, size = _sum_of_products([(truth.adjoints[name].pairs, way[name]) for name in names])
                sloped.append(_compared(pushed, reverse, size + bound))
    except UnsettledError:
        return None
    return Proof(
        truth.loose,
        truth.precision,
        tuple(Check(f"value of `{name}`", "", *found) for name, found in valued.items()),
        tuple(Check(f"direction {k + 1}", "", *found) for k, found in enumerate(sloped)),
    )


def _alike(forward: Pairs, reverse: Pairs) -> Found:
    """Two enclosures of the same array; the first of its numbers speaks for all. Raises UnsettledError where pairs do
    not tell that both are narrow and overlap."""
    middles = (Pairs(x.high, x.low, np.zeros_like(x.radius)) for x in (forward, reverse))
    apart = subtract(*middles).size
    overlap = (apart == 0) | (apart <= (forward.radius + reverse.radius) * DOWN)
    if not (overlap.all() and forward.sure(2.0**-BITS / 2) and reverse.sure(2.0**-BITS / 2)):
        raise UnsettledError
    first = (as_balls(x.first) for x in (forward, reverse))
    return next((_compared(a, b, ZERO) for a, b in zip(*first, strict=True)), ("proved", "", ""))


def _sum_of_products(products: Sequence[tuple[Pairs, NDArray[Any]]]) -> Pair:
    """The sum of all products of numbers and weights, and no more than the sum of their sizes; as balls."""
    parts = [multiply(numbers, of_floats(weights)) for numbers, weights in products]
    sums = [total(part) for part in parts]
    size = sum(float(np.sum(np.abs(part.high))) for part in parts) * DOWN
    return as_balls(reduce(add, sums))[()], arb(size)


def _plain(graph: Graph, inputs: Arrays) -> Arrays:
    """Integers and booleans may come as objects; floats stay what they are, decimals as exact as the precision."""
    plain = {node.name: inputs[node.name].astype(PLAIN[node.kind]) for node in graph.inputs if node.kind in PLAIN}
    return {**inputs, **plain}


def _direction(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int64]:
    signs = np.where(random.integers(2, size=shape) == 0, -1, 1)
    return np.asarray(random.integers(1, LARGEST + 1, size=shape) * signs)


# --- one operation after the other ----------------------------------------------------------------------------


def _operations(graph: Graph, cotangent: Balls, truth: Reference, random: np.random.Generator) -> Iterator[Check]:
    """The value, the product and the sum of every node, each from the reference's own enclosures."""
    for node in graph.nodes:
        if node.op != "input":
            yield from _operation(graph, node, truth, random)
        if node.name in truth.adjoints:
            yield _sum(graph, node, cotangent, truth)


def _operation(graph: Graph, node: Node, truth: Reference, random: np.random.Generator) -> Iterator[Check]:
    """y by germs, and <g, J v> = <J^T g, v> along a v of its own."""
    now = step_of(graph, node)
    inputs = {
        f"x{k}": truth.values[arg].high.astype(np.int64) if graph[arg].kind == "int" else truth.hulls[arg].balls
        for k, arg in enumerate(node.args)
        if isinstance(arg, str)
    }
    pulled = {
        f"x{k}": truth.terms[use].balls for k in range(len(node.args)) if (use := Use(node.name, k)) in truth.terms
    }
    g = truth.adjoints[node.name].balls if pulled else np.full(node.shape, ZERO)
    value = {"y": truth.hulls[node.name].balls}
    valued, along = _held(_pusher(now), inputs, value, g, pulled, random, truth.precision)
    if any(np.any(_is_nan(balls)) for balls in inputs.values() if balls.dtype == object):
        along = {suffix: _nothing_proved(found) for suffix, found in along.items()}
    place, op = f"`{node.op}` in `{node.name}`", node.op
    yield Check(f"value of {place}", op, *valued["y"])
    if "apart" in [comparison[0] for comparison in along.values()] and not graph.operation(node).primitive:
        op = _culprit(expanded(now.graph, stable=False), inputs, g, truth, random) or op
        place = f"`{op}` inside {place}" if op != node.op else place
    for suffix, comparison in along.items():
        yield Check(f"product of {place}{suffix}", op, *comparison)


def _nothing_proved(found: Found) -> Found:
    """A comparison beside a number that is none, which says nothing where both sides are numbers by chance."""
    return ("open", *found[1:]) if found[0] == "apart" else found


@lru_cache(maxsize=4096)
def _pusher(now: Step) -> Push:
    return pusher(now.graph)


def _culprit(inner: Graph, inputs: Arrays, g: Balls, truth: Reference, random: np.random.Generator) -> str:
    """The operation in the definition of a composite that fails by itself, at the middles of the balls."""
    exact, seed = {name: np.asarray(middle(balls)) for name, balls in inputs.items()}, np.asarray(middle(g))
    with flint.ctx.workprec(truth.precision):
        inner_truth = reference(inner, exact, seed)
    return next((check.op for check in _operations(inner, seed, inner_truth, random) if check.result == "apart"), "")


def _sum(graph: Graph, node: Node, cotangent: Balls, truth: Reference) -> Check:
    """The adjoint of a node is the sum of its terms; the output's begins with the cotangent."""
    terms = [truth.terms[use].balls for use in graph.uses_of[node.name]]
    start = to_balls(cotangent) if node.name == graph.output.name else np.full(node.shape, ZERO, dtype=object)
    with flint.ctx.workprec(truth.precision):
        total = array(sum(terms, start=start))
        return Check(f"adjoint of `{node.name}`", "", *_worst(total, truth.adjoints[node.name].balls))


# --- two enclosures of the same numbers --------------------------------------------------------------------------


def _held(
    push: Push, inputs: Arrays, values: Arrays, g: Balls, pulled: Arrays, random: np.random.Generator, precision: int
) -> tuple[dict[str, Found], dict[str, Found]]:
    """Values and, of each direction, the slope by germs against the reference's.

    Where a random direction proves nothing, a second one moves only what has a single finite derivative.
    """
    v: Arrays = {name: _direction(random, np.shape(balls)) for name, balls in pulled.items()}
    valued, sloped = _along(push, inputs, v, values, g, pulled, precision)
    if not v or sloped[0] in ("proved", "apart"):
        return valued, {"": sloped} if v else {}
    calm: Arrays = {name: np.where(_is_tight(balls), v[name], 0) for name, balls in pulled.items()}
    if not any(part.any() for part in calm.values()):
        return valued, {"": sloped}
    return valued, {"": sloped, STILL: _along(push, inputs, calm, values, g, pulled, precision)[1]}


def _along(
    push: Push, inputs: Arrays, v: Arrays, values: Arrays, g: Balls, pulled: Arrays, precision: int
) -> tuple[dict[str, Found], Found]:
    """Values and slope along one direction, the precision doubled while only germs are loose."""
    with flint.ctx.workprec(precision):
        reverse, size = _contracted([(balls, v[name].astype(object)) for name, balls in pulled.items()])
        hull = not (_tight(reverse, size) and all(_tight(x, ZERO) for balls in values.values() for x in balls.flat))
    precision = PRECISION
    while True:
        with flint.ctx.workprec(precision):
            forward, slopes = push(inputs, v)
            valued = {name: _worst(forward[name], balls) for name, balls in values.items()}
            pushed, bound = _contracted([(slopes[next(iter(values))], to_balls(g))])
            sloped = _compared(pushed, reverse, size + bound)
        results = {sloped[0], *(comparison[0] for comparison in valued.values())}
        if hull or precision >= MOST_PRECISION or "apart" in results or results == {"proved"}:
            return valued, sloped
        precision *= 2


def _contracted(pairs: Sequence[Pair]) -> tuple[Balls, Balls]:
    """The sum of all products of balls and numbers, and the sum of their sizes. What stands still adds nothing."""
    products = [x * y for balls, numbers in pairs for x, y in zip(balls.flat, numbers.flat, strict=True) if y != 0]
    return sum(products, start=ZERO), sum([abs(x) for x in products], start=ZERO)


def _worst(forward: Balls, reverse: Balls) -> Found:
    """The gravest of the comparisons, element by element."""
    comparisons = [_compared(ball(a), b, ZERO) for a, b in zip(forward.flat, reverse.flat, strict=True)]
    return max(comparisons, key=lambda comparison: RESULTS.index(comparison[0]), default=("proved", "", ""))


def _compared(forward: Balls, reverse: Balls, size: Balls) -> Found:
    if forward is reverse:
        return "proved" if _tight(reverse, size) else "contained" if reverse.is_finite() else "open", "", ""
    result: Result = "apart"
    if not (forward.is_finite() and reverse.is_finite()):
        result = "open"
    elif forward.overlaps(reverse):
        result = "proved" if _tight(forward, size) and _tight(reverse, size) else "contained"
    return result, forward.str(DIGITS), reverse.str(DIGITS)


def _tight(x: Balls, size: Balls) -> bool:
    """Whether a ball is narrow, beside itself or the size of what was summed."""
    return x.is_finite() and (not is_loose(x, BITS) or bool(x.rad() <= size.mid() * NARROW))


_is_nan: Any = np.frompyfunc(lambda x: bool(x.is_nan()), 1, 1)
_is_tight = np.frompyfunc(lambda x: _tight(x, ZERO), 1, 1)
