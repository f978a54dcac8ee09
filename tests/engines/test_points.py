"""A graph at many points in one run gives what it gives at each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradaccord.engines.finite_difference.points import OVER_AXES, RULES, program
from gradaccord.harness.arithmetic.arrays import namespace
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.expand import expanded
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.operations import OPERATIONS

from ..examples import EXAMPLES, Draw, Example, example, real

POINTS = 3
MIXED = [
    example("a * x + a[0, :]", a=real(4, 3), x=Draw((3,), constant=True)),
    example("a + x", a=real(), x=Draw((2, 3), constant=True)),
    example("a @ x", a=real(3), x=Draw((2, 3, 4), constant=True)),
    example("x @ a", a=real(4), x=Draw((2, 3, 4), constant=True)),
    example("concat(a, x, axis=-1)", a=real(2, 3), x=Draw((2, 1), constant=True)),
    example("stack(a, 2, x, axis=0)", a=real(), x=Draw((), constant=True)),
    example('einsum(a, x, subscripts="ij,jk->ik") ** 3', a=real(2, 3), x=Draw((3, 2), constant=True)),
    example("correlate2d(x, a, groups=2)", a=real(4, 1, 2, 2), x=Draw((2, 2, 3, 3), constant=True)),
    example("reshape(a, shape=[6]) - sum(x)", a=real(2, 3), x=Draw((2,), constant=True)),
    example("roll(a, shift=1, axis=0) ** -2", a=real(2, 3)),
    example("sum(x * 2)", a=real(2), x=Draw((2,), constant=True)),
]


def at_points(graph: Graph, values: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    moved = [node.name for node in graph.wanted]
    together = {
        name: np.stack([value[name] for value in values]) if name in moved else x for name, x in values[0].items()
    }
    with np.errstate(all="ignore"):
        return program(graph, namespace("float64"), moved)(together, None)


def one_by_one(graph: Graph, values: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    run = emit(graph, namespace("float64"), [graph.output.name])
    with np.errstate(all="ignore"):
        return np.stack([run(*(value[node.name][()] for node in graph.inputs))[0] for value in values])


@pytest.mark.parametrize(
    "each", [*(each for row in EXAMPLES.values() for each in row), *MIXED], ids=lambda each: each.text
)
def test_together_is_one_by_one(each: Example) -> None:
    graph = expanded(each.graph, stable=True)
    if not graph.wanted:
        pytest.skip("nothing moves")
    random = np.random.default_rng(0)
    fixed = {name: np.asarray(draw.at(random)) for name, draw in each.operands.items()}
    wanted = {node.name for node in graph.wanted}
    values = [fixed | {name: np.asarray(each.operands[name].at(random)) for name in wanted} for _ in range(POINTS)]
    together, alone = at_points(graph, values), one_by_one(graph, values)
    assert together.shape == alone.shape
    # Products may add in another order, so that a sum that cancels keeps an absolute error.
    np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-13 * np.nanmax(np.abs(alone), initial=1.0))


def test_rows_are_about_operations_that_there_are() -> None:
    assert {*OVER_AXES, *RULES} <= {name for name, row in OPERATIONS.items() if row.primitive and not row.elementwise}


def test_every_moved_operand_is_shaken_and_no_other() -> None:
    each = example("x * a + sum(b * b)", a=real(2), b=real(2), x=Draw((2,), constant=True))
    sizes: list[tuple[int, ...]] = []

    def shake(x: Any) -> Any:
        sizes.append(x.shape)
        return x * 2

    values = {"x": np.ones(2), "a": np.ones((POINTS, 2)), "b": np.ones((POINTS, 2))}
    result = program(each.graph, namespace("float64"), ["a", "b"])(values, shake)
    assert len(sizes) == len(each.graph.uses)
    # a is 2, its product shaken 4; b is 2, its square shaken 8, their sum 16 shaken 32
    np.testing.assert_array_equal(result, np.full((POINTS, 2), 4.0 + 32.0))
