"""Tangents and Hessian-vector products: what a case asks for, the truth of it, every variant, and planted faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from gradaccord.harness.answers import answer, answer_along, prepared_along
from gradaccord.harness.case import Case, find, load, schema, shipped
from gradaccord.harness.engine_loading import Unsupported, variants
from gradaccord.harness.engine_loading import load as load_engine
from gradaccord.harness.evaluation import Evaluation, Inputs
from gradaccord.harness.findings import unexplained
from gradaccord.harness.graph.directional import Directional
from gradaccord.harness.ledger import Ledger
from gradaccord.harness.rows import FINDINGS, Row
from gradaccord.harness.run import Unit, outcome
from gradaccord.harness.second_order import SECOND, Question, given, judge_along
from gradaccord.harness.subject import Subject
from gradaccord.harness.truth.germs import push
from gradaccord.harness.truth.numbers import to_balls
from gradaccord.harness.truth.proof import prove_second
from gradaccord.harness.truth.reference import reference
from gradaccord.harness.workers import Here

from .conftest import Command, assert_told

ASKING = [path for path in find([shipped()]) if "\nderivatives:" in path.read_text(encoding="utf-8")]
SMOOTH = [path for path in ASKING if "kinks" not in path.parts]
BOTH = ("tangent", "hessian_product")
VARIANTS = ("backprop", *variants())


def name_of(path: Path) -> str:
    return path.stem


def question(case: Case, dtype: str = "float64", point: int = 0) -> Question:
    inputs, cotangent = case.inputs(point, dtype), case.cotangent(dtype)
    return Question(Subject(case.name, point, dtype, case.graph, inputs, cotangent), case.direction(dtype))


def rows_of(case: Case, engines: tuple[str, ...], dtype: str) -> list[Row]:
    """What the engines get for a case in one dtype, ledger and kinks settled."""
    found = outcome(Unit(replace(case, update=None), 0, dtype, expectations=False), engines, Here())
    return list(Ledger(case).settle(found).rows)


def second(rows: list[Row], engine: str) -> list[Row]:
    return [row for row in rows if row.engine == engine and row.quantity in BOTH]


def is_forward(variant: str) -> bool:
    return variant.endswith((":forward", ":jit-forward"))


# --- the key -------------------------------------------------------------------------------------------------

PRODUCT = "name: product\ninputs: {a: 2, b: 3}\ngraph:\n  y: a * b\n"


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
            (slope, truth.values[asked.along.graph.output.name].balls),
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
        assert np.asarray(asked.along.truth.values[asked.along.graph.output.name].balls).item().overlaps(slope)


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
        tangent = along.truth.values[along.graph.output.name].balls[()] * off["tangent"]
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

    monkeypatch.setattr("gradaccord.harness.second_order.given", doubled)
    rows = rows_of(load(shipped() / "layers" / "attention.yaml"), ("torch:forward-reverse",), "float64")
    (doubt,) = (row for row in rows if row.verdict == "reference unreliable")
    assert doubt.engine == "truth" and doubt.reason.startswith(SECOND)
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
ASKED = "derivatives: [gradient, tangent, hessian_product]\n"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", VARIANTS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_every_variant_is_sound(engine: str, graph: str, dtype: str, load_text: Callable[[str], Case]) -> None:
    case = load_text("name: graph\n" + GRAPHS[graph] + ASKED)
    rows = rows_of(case, (engine,), dtype)
    if any("is float64, expected float32" in row.reason for row in rows):
        pytest.skip("of a Python float times a tensor without axes, torch's tangent is float64")
    found = second(rows, engine)
    tangent, product = {("tangent", case.graph.output.name)}, {("hessian_product", n.name) for n in case.graph.wanted}
    names = tangent | product if engine == "backprop" else tangent if is_forward(engine) else product
    assert {(row.quantity, row.name) for row in found} == names
    assert {row.verdict for row in found} <= {"agree", "lossy", "ill-conditioned"}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("path", ASKING, ids=name_of)
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
            assert any(entry.engine == engine for entry in case.accept)
            continue
        rows = judge_along(asked, engine, found.evaluation, found.again, found.seconds, BOTH)
        known = {entry.name for entry in case.accept if entry.engine == engine}
        assert rows
        assert not [row for row in rows if row.verdict in FINDINGS and row.name not in known]


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


# --- planted faults ------------------------------------------------------------------------------------------

SQUARES = "name: squares\ninputs:\n  x: [0.5, -1.25, 3]\n  y: 0.75\ngraph:\n  f: sum(square(x * y))\n" + ASKED


def off(case: Case, engine: str) -> set[tuple[str, str]]:
    return {(row.quantity, row.name) for row in rows_of(case, (engine,), "float64") if row.verdict in FINDINGS}


Plant = Callable[[str, Any], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Puts another `square` into an adapter; nothing that was prepared with it outlives the test."""

    def planted(module: str, square: Any) -> None:
        monkeypatch.setitem(import_module(f"gradaccord.engines.{module}_operations").OPERATIONS, "square", square)
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
        assert row.node.startswith((SECOND, quantity))


def test_a_link_of_the_gradient_graph_that_is_off_is_named() -> None:
    asked = question(load(shipped() / "functions" / "rosenbrock.yaml"))
    along = asked.along
    sound = answer("backprop", along.graph, "float64", along.inputs, along.cotangent).evaluation
    inner = next(node.name for node in along.graph.operations if node.name.startswith("grad_"))
    spoiled = replace(sound, values={**sound.values, inner: np.asarray(sound.values[inner] * (1 + 1e-12))})
    rows = judge_along(asked, "x", spoiled, None, 0.0, BOTH)
    assert f"{SECOND}value of {inner}" in {row.node for row in rows}


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
        "import numpy as np\nfrom gradaccord.harness.evaluation import Variant\n"
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
    assert not any(unexplained(row) for row in rows)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_third_as_a_share_of_the_largest_is_rounded_and_no_fault(dtype: str) -> None:
    case = replace(load(shipped() / "kinks" / "largest-ties.yaml"), derivatives=BOTH, accept=())
    rows = second(rows_of(case, ("backprop",), dtype), "backprop")
    assert rows
    assert not [row for row in rows if row.verdict in FINDINGS]
