"""Every reverse rule is proved: held in ball arithmetic against germs, which share nothing with it.

For cotangents c and directions v of random integers, <c, J v> by forward mode must overlap <J^T c, v> by
reverse mode, both finite and tight, so that an overlap proves some twenty digits. The same check is then
handed wrong rules, and must refuse every one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb

from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.gradient import gradient
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Constant
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.graph.operations.operation import Bound
from gradaccord.harness.graph.operations.parameters import CHECKS
from gradaccord.harness.graph.symbol import Symbol, f
from gradaccord.harness.truth.germs import germs, push
from gradaccord.harness.truth.numbers import balls, to_balls

from ..derivatives import DIFFERENTIATED, plant, rule_of
from ..examples import EXAMPLES, Example, example, real

PRECISIONS = (128, 256, 512, 1024, 2048)
DIGITS = 1e-20
SEEDS = (0, 1)


# --- the check --------------------------------------------------------------------------------------------


def against_germs(example: Example, seed: int, *, stable: bool) -> str:
    """What is wrong with the gradient of an example at one point, or nothing."""
    graph = example.graph
    random = np.random.default_rng(seed)
    inputs = {name: draw.at(random) for name, draw in example.operands.items()}
    cotangent = random.integers(1, 9, graph.output.shape) * random.choice([-1, 1], graph.output.shape)
    directions = {node.name: random.integers(1, 9, node.shape) for node in graph.wanted}
    found = "loose"
    for precision in PRECISIONS:
        if "loose" in found:
            with flint.ctx.workprec(precision):
                found = _compared(graph, inputs, np.asarray(cotangent), directions, stable)
    return found


def _compared(graph: Graph, inputs: dict[str, Any], cotangent: Any, directions: dict[str, Any], stable: bool) -> str:
    reverse = gradient(graph, stable=stable, seeded=True)
    numbers = {**inputs, reverse.seed: cotangent}
    program = emit(reverse.graph, balls(ties="decide"), reverse.graph.outputs, operators=False)
    value, *gradients = program(
        *(to_balls(numbers[node.name]) if node.kind == "float" else numbers[node.name] for node in reverse.graph.inputs)
    )
    assert gradients, "an example without a derivative proves nothing"
    for node, found in zip(graph.wanted, gradients, strict=True):
        values, slopes = push(graph, inputs, {node.name: directions[node.name]})
        forward = values[graph.output.name]
        if np.shape(value) != forward.shape or np.shape(found) != node.shape:
            return f"{node.name}: shapes {np.shape(value)}, {np.shape(found)}"
        for mine, theirs in zip(_flat(value), _flat(forward), strict=True):
            if problem := _apart(mine, theirs, abs(theirs)):
                return f"value: {problem}"
        pushed, pulled = [
            [a * int(b) for a, b in zip(_flat(numbers), integers.ravel(), strict=True)]
            for numbers, integers in ((slopes[graph.output.name], cotangent), (found, directions[node.name]))
        ]
        size = sum(map(abs, pulled), arb(0)) + sum(map(abs, pushed), arb(0))
        if problem := _apart(sum(pushed, arb(0)), sum(pulled, arb(0)), size):
            return f"derivative in {node.name}: {problem}"
    return ""


def _flat(numbers: Any) -> list[Any]:
    return np.asarray(numbers, dtype=object).ravel().tolist()


def _apart(a: Any, b: Any, size: Any) -> str:
    """Why two enclosures do not prove each other: not finite, loose, or apart."""
    if not (a.is_finite() and b.is_finite()):
        return f"not finite: {a} and {b}"
    if not a.overlaps(b):
        return f"{a} and {b} are apart"
    if not all(x.is_exact() or x.rad() <= DIGITS * size.mid() for x in (a, b)):
        return f"loose: {a} and {b}"
    return ""


def disagreements(op: str, *, stable: bool = True) -> list[str]:
    return [
        f"{example.text} at point {seed}: {found}"
        for example in EXAMPLES[op]
        for seed in SEEDS
        if (found := against_germs(example, seed, stable=stable))
    ]


@pytest.mark.parametrize("op", EXAMPLES)
def test_the_gradient_by_the_textbook_formula_is_proved_by_germs(op: str) -> None:
    assert disagreements(op, stable=False) == []


STABLE = [name for name, operation in OPERATIONS.items() if operation.stable is not None]


@pytest.mark.parametrize("op", STABLE)
def test_the_value_and_gradient_of_the_stable_formula_are_those_of_the_textbook(op: str) -> None:
    assert disagreements(op, stable=True) == []


# --- the check itself is checked -----------------------------------------------------------------------------


def _scaled(term: Symbol) -> Symbol:
    return term * Constant("1.000000000001")


def _negated(term: Symbol) -> Symbol:
    return -term


def _reversed(term: Symbol) -> Symbol:
    return f.flip(term, axis=None)


FAULTS: dict[str, Callable[[Symbol], Any]] = {
    "times 1 + 1e-12": _scaled,
    "negated": _negated,
    "dropped": lambda term: None,
    "reversed": _reversed,
}


def _operands(op: str) -> list[int]:
    operands = OPERATIONS[op].operands
    return [0, 1] if operands[0].variadic else [k for k, operand in enumerate(operands) if operand.kind == "float"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("op,position", [(op, position) for op in DIFFERENTIATED for position in _operands(op)])
def test_a_wrong_rule_is_caught(op: str, position: int, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = rule_of(op)

    def wrong(g: Symbol, *rest: Any, **parameters: Any) -> list[Any]:
        terms = list(right(g, *rest, **parameters))
        term = terms[position] if position < len(terms) else None
        if isinstance(term, Symbol):
            terms[position] = FAULTS[fault](term)
        return terms

    plant(monkeypatch, op, wrong)
    assert any("apart" in found for found in disagreements(op))


# Where both terms are the adjoint itself, or pieces of it, swapping changes nothing or the shapes.
SYMMETRIC = ("add", "concat", "stack")


@pytest.mark.parametrize("op", [op for op in DIFFERENTIATED if len(_operands(op)) == 2 and op not in SYMMETRIC])
def test_a_rule_with_its_operands_swapped_is_caught(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, (first, second) = rule_of(op), _operands(op)

    def wrong(g: Symbol, y: Symbol, *xs: Symbol, **parameters: Any) -> list[Any]:
        terms = list(right(g, y, *xs, **parameters))
        if len(terms) > second and xs[first].shape == xs[second].shape:
            terms[first], terms[second] = terms[second], terms[first]
        return terms

    plant(monkeypatch, op, wrong)
    assert any("apart" in found for found in disagreements(op))


@pytest.mark.parametrize("op", STABLE)
def test_a_stable_formula_that_is_not_the_textbook_s_is_caught(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = OPERATIONS[op]

    def wrong(bound: Bound) -> str:
        *statements, result = right.formula(bound, stable=True).split("; ")
        return "; ".join([*statements, f"({result}) * 1.000000000001"])

    monkeypatch.setitem(OPERATIONS, op, replace(right, stable=wrong))
    assert any("value" in found for found in disagreements(op, stable=True))
    assert disagreements(op, stable=False) == []


def test_an_operation_read_twice_has_both_its_terms() -> None:
    call = example("sum(x * exp(x) + x / (1 + x * x) + (x + x)) + softmax(x * y) @ (x - y)", x=real(3), y=real(3))
    assert [against_germs(call, seed, stable=stable) for seed in SEEDS for stable in (True, False)] == [""] * 4


# --- the tables are complete -----------------------------------------------------------------------------------


def test_every_operation_has_examples_that_use_it() -> None:
    assert set(EXAMPLES) == set(OPERATIONS)
    strays = [
        call.text
        for op, calls in EXAMPLES.items()
        for call in calls
        if op not in [node.op for node in call.graph.nodes]
    ]
    assert strays == []


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_is_a_composite_or_says_what_it_means_and_how_it_is_differentiated(op: str) -> None:
    operation = OPERATIONS[op]
    assert (operation.definition is None) == bool(operation.meaning)
    ways = [operation.definition is not None, operation.derivative is not None, not operation.differentiable]
    assert ways.count(True) == 1
    assert operation.stable is None or operation.definition is not None
    assert operation.definition is None or operation.cost == 0, "a composite costs what its formula costs"


def test_every_parameter_has_a_check() -> None:
    assert set(CHECKS) == {name for operation in OPERATIONS.values() for name in operation.parameters}


def test_no_number_system_knows_an_operation_that_does_not_exist() -> None:
    primitives = {name for name, operation in OPERATIONS.items() if operation.primitive}
    for namespace in (balls(ties="decide"), balls(ties="hull"), germs()):
        assert set(namespace) == primitives | {"constant"}
