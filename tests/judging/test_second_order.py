"""Tangents and Hessian-vector products: what a case asks for, the truth of it, and every engine, all healthy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from gradaccord.harness.graph.directional import Directional
from gradaccord.harness.judging.second_order import Question, given, judge_along
from gradaccord.harness.reading.case import Case, load, schema, shipped
from gradaccord.harness.records.evaluation import Inputs
from gradaccord.harness.running.answers import answer_along
from gradaccord.harness.running.loading import Unsupported
from gradaccord.harness.running.loading import load as load_engine
from gradaccord.harness.running.offered import variants
from gradaccord.harness.running.unit import Unit, outcome
from gradaccord.harness.running.workers import Here
from gradaccord.harness.truth.germs import push
from gradaccord.harness.truth.numbers import to_balls
from gradaccord.harness.truth.proof import prove_second
from gradaccord.harness.truth.reference import reference

from ..conftest import Command, assert_told
from ..second_order import (
    ASKED,
    ASKING,
    BOTH,
    PRODUCT,
    SMOOTH,
    VARIANTS,
    is_forward,
    name_of,
    question,
    rows_of,
    second,
)

# --- the key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, said",
    [
        ("derivatives: [gradient, ‸tangnt]", "one of gradient, tangent, hessian_product Did mean `tangent`"),
        ("derivatives: [tangent, ‸tangent]", "`tangent` twice each one once"),
        ("derivatives: ‸[]", "an empty list list of derivatives"),
        ("derivatives: ‸tangent", "`tangent` as `derivatives` list of derivatives"),
    ],
)  # fmt: skip
def test_a_wrong_list_of_derivatives_is_told_at_its_place(tmp_path: Path, key: str, said: str) -> None:
    assert_told(tmp_path / "case.yaml", PRODUCT + key + "\n", [said])


def test_the_gradient_is_always_computed_and_the_schema_has_the_key(load_text: Callable[[str], Case]) -> None:
    assert load_text(PRODUCT).derivatives == ()
    assert load_text(PRODUCT + "derivatives: [gradient]\n").derivatives == ()
    assert load_text(PRODUCT + "derivatives: [hessian_product]\n").derivatives == ("hessian_product",)
    assert schema()["properties"]["derivatives"]["items"]["enum"] == ["gradient", *BOTH]


def test_a_direction_has_both_signs_and_is_exact_in_every_dtype() -> None:
    case = load(shipped() / "layers" / "mlp.yaml")
    wide, narrow = case.direction("float64"), case.direction("float32")
    together = np.concatenate([part.ravel() for part in wide.values()])
    assert {True, False} == set((together > 0).tolist())
    assert len(set(np.abs(together).tolist())) == 13
    assert all(np.array_equal(wide[name], narrow[name]) for name in wide)
    assert np.array_equal(together * 16, np.round(together * 16)) and np.abs(together * 16).max() < 2**8


# --- the truth -------------------------------------------------------------------------------------------------


def test_rosenbrock_has_its_textbook_hessian() -> None:
    """f = (1 - x)^2 + 100 (y - x^2)^2: f_xx = 2 - 400 (y - 3 x^2), f_xy = -400 x, f_yy = 200."""
    asked = question(load(shipped() / "functions" / "rosenbrock.yaml"))
    x, y = (Fraction(float(asked.subject.inputs[name])) for name in "xy")
    v, w = (Fraction(float(asked.direction[name])) for name in "xy")
    truth = asked.along.truth
    hessian = {"x": (2 - 400 * (y - 3 * x**2)) * v - 400 * x * w, "y": -400 * x * v + 200 * w}
    slope = (-2 * (1 - x) - 400 * x * (y - x**2)) * v + 200 * (y - x**2) * w
    with ctx.workprec(truth.precision):
        for number, ball in (
            (slope, truth.hulls[asked.along.graph.output.name].balls),
            *((hessian[name], truth.adjoints[name].balls) for name in "xy"),
        ):
            enclosed = np.asarray(ball).item()
            assert enclosed.overlaps(arb(number.numerator) / number.denominator)
            assert enclosed.rad() < 1e-20


@pytest.mark.parametrize("path", ASKING, ids=name_of)
def test_germs_of_the_case_itself_give_the_same_tangent(path: Path) -> None:
    """Forward mode on the case's own graph, by FLINT's formulas: it shares nothing with the gradient graph."""
    asked = question(load(path))
    subject = asked.subject
    with ctx.workprec(128):
        _, slopes = push(subject.graph, subject.inputs, asked.direction)
        slope = np.sum(slopes[subject.graph.output.name] * to_balls(subject.cotangent))
        assert np.asarray(asked.along.truth.hulls[asked.along.graph.output.name].balls).item().overlaps(slope)


@pytest.mark.parametrize("path", SMOOTH, ids=name_of)
def test_the_product_is_the_limit_of_differences_of_the_gradient(path: Path) -> None:
    """(g(x + h v) - g(x - h v)) / 2h at h = 2^-60, in ball arithmetic of 400 bits: off by some h^2."""
    asked = question(load(path))
    subject, h = asked.subject, Fraction(1, 2**60)

    def gradients(step: Fraction) -> Mapping[str, Any]:
        moved = {
            name: np.vectorize(lambda x, v: Fraction(x) + step * Fraction(v), otypes=[object])(
                subject.inputs[name], asked.direction[name]
            )
            for name in asked.direction
        }
        return reference(subject.graph, {**subject.inputs, **moved}, subject.cotangent, bits=400).adjoints

    above, below = gradients(h), gradients(-h)
    with ctx.workprec(500):
        for name in asked.direction:
            slope = np.ravel((above[name].balls - below[name].balls) * arb(2) ** 59)
            error = np.ravel(asked.along.truth.adjoints[name].balls) - slope
            size = max((abs(float(x.mid())) for x in slope.flat), default=0.0)
            assert all(abs(float(e.mid())) <= 1e-25 * max(size, 1e-10) for e in error.flat)


@pytest.mark.parametrize("path", SMOOTH, ids=name_of)
def test_the_truth_of_a_smooth_case_is_proved_in_second_order_too(path: Path) -> None:
    proof = question(load(path)).proof
    assert proof.proved
    assert [check.what for check in proof.directions[-2:]] == ["tangent", "Hessian-vector product"]


@pytest.mark.parametrize("spoiled", BOTH)
def test_a_truth_that_is_off_by_a_hair_is_not_proved(spoiled: str) -> None:
    asked = question(load(shipped() / "layers" / "attention.yaml"))
    subject, along = asked.subject, asked.along
    with ctx.workprec(128):
        off = {quantity: 1 + arb(2) ** -55 if quantity == spoiled else arb(1) for quantity in BOTH}
        tangent = along.truth.hulls[along.graph.output.name].balls[()] * off["tangent"]
        products = {name: along.truth.adjoints[name].balls * off["hessian_product"] for name in asked.direction}
    proof = prove_second(
        along.proof, subject.graph, subject.inputs, subject.cotangent, asked.direction, tangent, products
    )
    assert [check.what for check in proof.apart] == ["tangent" if spoiled == "tangent" else "Hessian-vector product"]


def test_a_gradient_graph_of_something_else_is_noticed_and_nobody_is_judged_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own proof cannot tell: it is the gradient graph of the case along another direction."""

    def doubled(found: Directional, inputs: Inputs, cotangent: Any, direction: Inputs) -> Inputs:
        return given(found, inputs, cotangent, {name: 2 * v for name, v in direction.items()})

    monkeypatch.setattr("gradaccord.harness.judging.second_order.given", doubled)
    rows = rows_of(load(shipped() / "layers" / "attention.yaml"), ("torch:forward-reverse",), "float64")
    (doubt,) = (row for row in rows if row.verdict == "reference unreliable")
    assert doubt.engine == "truth" and doubt.reason.startswith("second order: ")
    assert {row.verdict for row in second(rows, "torch:forward-reverse")} == {"not judged"}


# --- the engines -----------------------------------------------------------------------------------------------

GRAPHS = {
    "scalars": "inputs: {x: 0.75, y: -1.25}\ngraph:\n  f: exp(sin(x) * y) / (1 + x ** 2)\n",
    "matrices": (
        "inputs:\n  a: [[1.5, -0.25], [0.5, 2]]\n  b: [[0.75, 1], [-1, 0.5]]\n  t: {dtype: int64, values: [1, 0]}\n"
        "graph:\n  y: cross_entropy(a @ b @ tanh(a), t)\n"
    ),
    "an output with axes": "inputs:\n  x: [0.5, -1, 2]\n  y: 1.5\ngraph:\n  z: softmax(x * y) * log(y)\n",
    "linear": "inputs: {x: [1, 2], y: [3, 5]}\ngraph:\n  z: x - 2 * y\n",
    "one input of two": "inputs: {x: 2, y: 3}\ngraph:\n  z: x ** 3 + 2 * y\n",
}
DTYPES = ("float64", "float32")


def by_jax_once(graph: str, engine: str, dtype: str) -> Any:
    """JAX compiles for long: by default it has each graph in one dtype, every other one in float32."""
    once = not engine.startswith("jax") or dtype == DTYPES[list(GRAPHS).index(graph) % 2]
    return pytest.param(graph, engine, dtype, marks=() if once else pytest.mark.slow)


@pytest.mark.parametrize(
    "graph, engine, dtype",
    [by_jax_once(graph, engine, dtype) for graph in GRAPHS for engine in VARIANTS for dtype in DTYPES],
)
def test_every_variant_is_sound(graph: str, engine: str, dtype: str, load_text: Callable[[str], Case]) -> None:
    case = load_text("name: graph\n" + GRAPHS[graph] + ASKED)
    rows = rows_of(case, (engine,), dtype)
    if any("is float64, expected float32" in row.reason for row in rows):
        pytest.skip("of a Python float times a tensor without axes, torch's tangent is float64")
    found = second(rows, engine)
    tangent, product = {("tangent", case.graph.output.name)}, {("hessian_product", n.name) for n in case.graph.wanted}
    names = tangent | product if engine == "backprop" else tangent if is_forward(engine) else product
    assert {(row.quantity, row.name) for row in found} == names
    assert {row.verdict for row in found} <= {"agree", "lossy", "ill-conditioned"}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if k % 2 else (), id=name_of(path)) for k, path in enumerate(ASKING)],
)
def test_no_healthy_engine_is_blamed_at_random_points(path: Path, dtype: str, seed: int) -> None:
    case, random = load(path), np.random.default_rng(seed)
    asked = question(case, dtype)
    subject = asked.subject
    moved = {
        name: np.asarray(subject.inputs[name] + random.normal(size=v.shape), dtype)
        for name, v in asked.direction.items()
    }
    asked = Question(replace(subject, inputs={**subject.inputs, **moved}), asked.direction)
    about = asked.subject
    for engine in VARIANTS:
        found = answer_along(engine, about.graph, dtype, about.inputs, about.cotangent, asked.direction, BOTH)
        assert found is not None
        if found.evaluation.status != "ok":
            assert found.knowledge.failure(found.evaluation.known)
            continue
        rows = judge_along(asked, engine, found.evaluation, found.again, found.seconds, BOTH, found.knowledge)
        assert rows
        known = {entry.engine for entry in case.accept}  # in the case's ledger: not healthy
        assert not [row for row in rows if row.unexplained and row.engine not in known]


def test_only_those_that_a_case_asks_for_say_anything(load_text: Callable[[str], Case]) -> None:
    engines = (*VARIANTS, "torch", "jax")
    plain = rows_of(load_text(PRODUCT), engines, "float64")
    assert {row.engine for row in plain} == {"backprop", "torch", "jax"}
    tangents = list(rows_of(load_text(PRODUCT + "derivatives: [tangent]\n"), engines, "float64"))
    found = {(row.engine, row.quantity) for row in tangents if row.quantity in BOTH}
    forward = {name for name in variants() if is_forward(name)}
    assert found == {(engine, "tangent") for engine in ("backprop", *forward)}
    with pytest.raises(Unsupported, match="tangent alone"):
        load_engine("torch:forward")


def test_variants_alone_where_no_case_asks_for_them_are_a_wrong_command(gradaccord: Command, product: Path) -> None:
    done = gradaccord("run", product, "--engine", "torch:forward")
    assert done.returncode == 2
    assert "derivatives: [gradient, tangent," in done.stderr


def test_prove_prints_the_tangent_and_the_products(gradaccord: Command) -> None:
    """Rosenbrock at (-6/5, 1) along (1/2, -13/16): f_x = -1078/5, f_y = -88; f_xx = 1330, f_xy = 480, f_yy = 200."""
    done = gradaccord("prove", shipped() / "functions" / "rosenbrock.yaml")
    assert done.returncode == 0
    told = dict(re.findall(r"^  (\w+ of \w)\s+\[?([-\d.]+)", done.stdout, re.MULTILINE))
    assert float(told["tangent of f"]) == pytest.approx(-215.6 / 2 + 88 * 13 / 16)
    assert float(told["hessian_product of x"]) == pytest.approx(1330 / 2 - 480 * 13 / 16)
    assert float(told["hessian_product of y"]) == pytest.approx(480 / 2 - 200 * 13 / 16)
    assert done.stdout.count("proved: forward and reverse mode") == 2


def test_pairs_compare_engines_on_tangents_and_products() -> None:
    case = load(shipped() / "functions" / "rosenbrock.yaml")
    engines = ("backprop", "torch:forward", "torch:forward-reverse", "jax:reverse-reverse")
    pairs = outcome(Unit(replace(case, update=None), 0, "float64", expectations=False), engines, Here()).pairs
    assert {(p.quantity, p.name, p.engine_a, p.engine_b) for p in pairs} >= {
        ("tangent", "f", "backprop", "torch:forward"),
        ("hessian_product", "x", "backprop", "jax:reverse-reverse"),
        ("hessian_product", "y", "torch:forward-reverse", "jax:reverse-reverse"),
    }
    assert all(pair.ulps < 100 for pair in pairs)
