"""A graph and its gradient a hair beside a point: what they tend to, whatever step has no number at the point itself.

The hair is 2^-3000, far below every format, in balls of more bits; ties are decided there as everywhere else. A
function that is continuous and whose gradient has a limit has that limit as its derivative (mean value theorem).
Whether there is one shows a thinner hair: log(x) has none at 0, though it is a moderate number at both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, nan
from typing import Any, TypeAlias

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Constant
from .arrays import ZERO, array
from .numbers import balls, constant, to_balls
from .poles import BEYOND, BITS, HAIR
from .precision import is_tight

Array: TypeAlias = NDArray[Any]
# Of a direction for each input, and a hair: the contracted output there, and each wanted input's gradient.
Beside: TypeAlias = Callable[[Mapping[str, Array], arb], "tuple[Any, dict[str, Array]]"]

THINNER = arb(2) ** -4500
AT_RANDOM = 8  # ways to move all inputs
NOTHING = arb(2) ** -1100  # below every format, and above what a hair adds to a limit
SHRUNK = arb(2) ** -100  # what is so small, and by as much smaller with a thinner hair, tends to 0


def contracted(numbers: Array, cotangent: Array) -> Any:
    """<cotangent, numbers>; what the cotangent leaves out may be anything."""
    pairs = zip(array(numbers).flat, to_balls(cotangent).flat, strict=True)
    return sum((a * b for a, b in pairs if not b.is_zero()), start=ZERO)


def beside(graph: Graph, inputs: Mapping[str, Array], cotangent: Array, bits: int = BITS) -> Beside:
    """The graph at its inputs moved by a hair along directions of whole numbers, in balls of so many bits."""
    derived = gradient(graph, stable=False, seeded=True)
    wanted = {node.name: derived.adjoints[node.name] for node in graph.wanted}
    names = list(dict.fromkeys([graph.output.name, *(arg for arg in wanted.values() if isinstance(arg, str))]))
    program = emit(derived.graph, balls(ties="decide"), names, operators=False)
    arguments = {**inputs, derived.seed: cotangent}

    def there(directions: Mapping[str, Array], hair: arb) -> tuple[Any, dict[str, Array]]:
        with flint.ctx.workprec(bits):
            operands = [
                to_balls(arguments[node.name]) + to_balls(directions[node.name]) * hair
                if node.name in directions
                else to_balls(arguments[node.name])
                if node.kind == "float"
                else arguments[node.name]
                for node in derived.graph.inputs
            ]
            made = dict(zip(names, map(array, program(*operands)), strict=True))
            slopes = {
                name: array(constant(arg.text)) if isinstance(arg, Constant) else made[arg]
                for name, arg in wanted.items()
            }
            slopes = {name: np.broadcast_to(slope, graph[name].shape) for name, slope in slopes.items()}
            return contracted(made[graph.output.name], cotangent), slopes

    return there


def around(graph: Graph, inputs: Mapping[str, Array], cotangent: Array) -> dict[str, tuple[Array, Array]]:
    """The least and the greatest that each component of the gradient tends to around the point, NaN where nothing is
    known: choices that fit together are the derivative there, where all inputs have moved and none is tied.

    Looked at where ties break in the order of the elements and against it, upwards and downwards, and at random.
    """
    there, random = beside(graph, inputs, cotangent), np.random.default_rng(1)
    sizes = {node.name: int(np.prod(np.shape(inputs[node.name]))) for node in graph.wanted}
    whole = sum(sizes.values())
    ranks = np.arange(1, whole + 1)
    shuffled = [random.permutation(ranks) * random.choice((-1, 1), whole) for _ in range(AT_RANDOM)]
    ends: dict[str, tuple[Array, Array]] = {}
    here, _ = there({}, HAIR)
    for way in (ranks, ranks[::-1], -ranks, -ranks[::-1], *shuffled):
        cuts = np.split(way, np.cumsum(list(sizes.values()))[:-1])
        directions = {name: cut.reshape(np.shape(inputs[name])) for name, cut in zip(sizes, cuts, strict=True)}
        (value, slopes), (_, closer) = (there(directions, hair) for hair in (HAIR, THINNER))
        if here.is_finite() and not near(here, value):  # beyond a jump there is another function
            continue
        for name in sizes:
            tends = np.asarray(_limit(slopes[name], closer[name]), dtype=np.float64)
            low, high = ends.get(name, (tends, tends))
            ends[name] = np.fmin(low, tends), np.fmax(high, tends)
    return ends


def limit(at: Any, closer: Any) -> float:
    """What a number tends to that is `at` a hair beside a point and `closer` a thinner one.

    A float, an infinity, or NaN if that is not known.
    """
    if not all(is_tight(x) or abs(x) < NOTHING for x in (at, closer)):  # a hull overlaps whatever it likes
        return nan
    if abs(closer) < NOTHING or abs(closer) < (abs(at) * SHRUNK).min(SHRUNK):
        return 0.0
    if near(at, closer):
        return float(closer.mid())
    grows = abs(closer) > BEYOND or abs(closer) > abs(at) * 1.25 > 100
    return (inf if closer > 0 else -inf) if grows and (at > 0) == (closer > 0) else nan


def near(a: Any, b: Any) -> bool:
    """Whether two numbers are one, as far as can be seen."""
    if not (a.is_finite() and b.is_finite()):
        return False
    return bool(a.overlaps(b) or abs(a - b) < abs(a) * arb(2) ** -64 or abs(a - b) < NOTHING)


_limit = np.frompyfunc(limit, 2, 1)
