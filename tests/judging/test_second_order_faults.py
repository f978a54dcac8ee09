"""Faults planted in second derivatives, in every variant and in the hand-written graph: each is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.judging.second_order import judge_along
from gradaccord.harness.reading.case import Case, load, shipped
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.running.answers import answer, answer_along, prepared_along

from ..second_order import ASKED, BOTH, PRODUCT, VARIANTS, question, rows_of, second

SQUARES = "name: squares\ninputs:\n  x: [0.5, -1.25, 3]\n  y: 0.75\ngraph:\n  f: sum(square(x * y))\n" + ASKED


def off(case: Case, engine: str) -> set[tuple[str, str]]:
    return {(row.quantity, row.name) for row in rows_of(case, (engine,), "float64") if row.verdict in FINDINGS}


Plant = Callable[[str, Any], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Puts another `square` into an adapter; nothing that was prepared with it outlives the test."""

    def planted(module: str, square: Any) -> None:
        monkeypatch.setitem(import_module(f"gradaccord.engines.{module}.operations").OPERATIONS, "square", square)
        prepared_along.cache_clear()

    yield planted
    prepared_along.cache_clear()


def torch_square(off: float) -> Any:
    """x^2 whose derivative is right and whose second derivative is off by a factor, in reverse mode."""
    torch = pytest.importorskip("torch")

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(x: Any) -> Any:
            return 2 * x

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            pass

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * off * g

        @staticmethod
        def jvp(ctx: Any, t: Any) -> Any:
            return 2 * off * t

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(x: Any) -> Any:
            return x * x

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * Twice.apply(ctx.saved_tensors[0])

        @staticmethod
        def jvp(ctx: Any, t: Any) -> Any:
            return t * Twice.apply(ctx.saved_tensors[0])

    return Square.apply


def jax_square(off: float) -> Any:
    jax = pytest.importorskip("jax")

    @jax.custom_jvp
    def twice(x: Any) -> Any:
        return 2 * x

    @jax.custom_jvp
    def square(x: Any) -> Any:
        return x * x

    twice.defjvp(lambda x, t: (twice(*x), 2 * off * t[0]))
    square.defjvp(lambda x, t: (square(*x), t[0] * twice(*x)))
    return square


PLANTS = [
    *(("torch:" + nesting, torch_square, "pytorch") for nesting in ("reverse-reverse", "forward-reverse")),
    *(
        ("jax:" + nesting, jax_square, "jax")
        for nesting in ("reverse-reverse", "forward-reverse", "reverse-forward", "jit-forward-reverse")
    ),
]


@pytest.mark.parametrize("engine, square, module", PLANTS, ids=[plant[0] for plant in PLANTS])
def test_a_second_derivative_that_is_off_is_found(
    engine: str, square: Callable[[float], Any], module: str, load_text: Callable[[str], Case], plant: Plant
) -> None:
    case = load_text(SQUARES)
    plant(module, square(1.0))
    assert off(case, engine) == set()
    plant(module, square(1 + 1e-9))
    assert off(case, engine) == {("hessian_product", "x"), ("hessian_product", "y")}


def test_a_tangent_that_is_off_is_found(load_text: Callable[[str], Case], plant: Plant) -> None:
    jax = pytest.importorskip("jax")
    square = jax.custom_jvp(lambda x: x * x)
    square.defjvp(lambda x, t: (square(*x), 2 * (1 + 1e-12) * x[0] * t[0]))
    plant("jax", square)
    assert off(load_text(SQUARES), "jax:forward") == {("tangent", "f")}


def test_what_has_no_forward_rule_is_unsupported_in_the_words_of_the_framework(
    load_text: Callable[[str], Case], plant: Plant
) -> None:
    jax = pytest.importorskip("jax")
    square = jax.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g,))
    plant("jax", square)
    (row,) = (row for row in rows_of(load_text(SQUARES), ("jax:forward",), "float64") if row.engine == "jax:forward")
    assert (row.verdict, row.quantity) == ("unsupported", "run")
    assert "jvp" in row.reason


@pytest.mark.parametrize("fault", [1e-12, np.nan, np.inf, -2.0])
@pytest.mark.parametrize("quantity", BOTH)
def test_a_hand_written_second_derivative_that_is_off_is_found(quantity: str, fault: float) -> None:
    """The links of the gradient graph name the node; without them the bound finds it."""
    asked = question(load(shipped() / "layers" / "attention.yaml"))
    along, name = asked.along, "q"
    sound = answer("backprop", along.graph, "float64", along.inputs, along.cotangent).evaluation
    s = along.graph.output.name
    spoiled = (
        replace(sound, values={**sound.values, s: np.asarray(sound.values[s] * (1 + fault))})
        if quantity == "tangent"
        else replace(sound, gradients={**sound.gradients, name: sound.gradients[name] * (1 + fault)})
    )
    for shown in (spoiled, replace(spoiled, values={s: spoiled.values[s]}, terms=None, adjoints=None)):
        rows = {(row.quantity, row.name): row for row in judge_along(asked, "x", shown, None, 0.0, BOTH)}
        row = rows[quantity, asked.subject.graph.output.name if quantity == "tangent" else name]
        assert row.verdict == ("not finite" if not np.isfinite(fault) else "imprecise" if abs(fault) < 1 else "wrong")
        assert row.finding
        assert str(row.node).startswith(("second order: ", quantity))


def test_a_link_of_the_gradient_graph_that_is_off_is_named() -> None:
    asked = question(load(shipped() / "functions" / "rosenbrock.yaml"))
    along = asked.along
    sound = answer("backprop", along.graph, "float64", along.inputs, along.cotangent).evaluation
    inner = next(node.name for node in along.graph.operations if node.name.startswith("grad_"))
    spoiled = replace(sound, values={**sound.values, inner: np.asarray(sound.values[inner] * (1 + 1e-12))})
    rows = judge_along(asked, "x", spoiled, None, 0.0, BOTH)
    assert f"second order: value of {inner}" in {str(row.node) for row in rows}


RETURNS = {
    "{}": "it gave no hessian_product of `a`",
    "None": "its hessian_products are NoneType",
    "{'a': v['a'], 'b': v['b'].astype('float32')}": "its hessian_product of `b` is float32, expected float64",
    "{'a': v['a'], 'b': np.zeros(2)}": "its hessian_product of `b` has shape (2,)",
    "{'a': v['a'], 'b': 1.0}": "its hessian_product of `b` is float",
    "{**v, 'c': v['a']}": "which the graph does not have",
    "v['a'].fill(7) or v": "it changed its direction of `a`",
    "inputs['a'].fill(7) or v": "it changed its input `a`",
    "1 / 0": "ZeroDivisionError",
}


@pytest.mark.parametrize("returned", RETURNS)
def test_nonsense_of_a_variant_is_its_failure(returned: str, tmp_path: Path, load_text: Callable[[str], Case]) -> None:
    path = tmp_path / "variant.py"
    path.write_text(
        "import numpy as np\nfrom gradaccord.harness.records.evaluation import Variant\n"
        f"variant = Variant('hessian_product', lambda graph, dtype: lambda inputs, cotangent, v: {returned})\n"
    )
    asked = question(load_text(PRODUCT + ASKED))
    about = asked.subject
    found = answer_along(
        f"{path}:variant", about.graph, "float64", about.inputs, about.cotangent, asked.direction, BOTH
    )
    assert found is not None
    assert found.evaluation.status == "failed"
    assert RETURNS[returned] in found.evaluation.reason


def test_a_variant_that_answers_differently_twice_is_unstable() -> None:
    asked = question(load(shipped() / "functions" / "rosenbrock.yaml"))
    first = Evaluation("ok", gradients={name: np.ones(()) for name in "xy"})
    again = Evaluation("ok", gradients={name: np.zeros(()) for name in "xy"})
    (row,) = judge_along(asked, "x", first, again, 0.0, BOTH)
    assert row.verdict == "unstable"


def test_choices_at_a_kink_are_told_alike_by_all_engines() -> None:
    case = load(shipped() / "kinks" / "relu.yaml")
    rows = [row for row in rows_of(case, VARIANTS, "float64") if row.quantity == "tangent"]
    assert {row.verdict for row in rows} == {"convention"}
    assert len({row.reason for row in rows}) == 1
    assert not any(row.unexplained for row in rows)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_third_as_a_share_of_the_largest_is_rounded_and_no_fault(dtype: str) -> None:
    case = replace(load(shipped() / "kinks" / "largest-ties.yaml"), derivatives=BOTH, accept=())
    rows = second(rows_of(case, ("backprop",), dtype), "backprop")
    assert rows
    assert not [row for row in rows if row.verdict in FINDINGS]
