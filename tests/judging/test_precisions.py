"""bfloat16 and float16: engines keep them, sound ones pass, faults are caught; what an imprecise step looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as backprop
from gradaccord.engines.finite_difference import engine as finite_difference
from gradaccord.engines.pytorch import engine as pytorch
from gradaccord.engines.pytorch import operations as pytorch_operations
from gradaccord.engines.pytorch import tensors
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.allowance import used
from gradaccord.harness.judging.judge import judge, judged
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.evaluation import DTYPES, Evaluation, Unsupported
from gradaccord.harness.records.formats import FORMATS, TF32
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.running.answers import answer, sensible
from gradaccord.harness.running.loading import load as load_engine
from gradaccord.harness.running.run import run, units

from ..subject import subject

HALVES = ("bfloat16", "float16")
halves = pytest.mark.parametrize("dtype", HALVES)
ENGINES = ("backprop", "torch", "jax", "jax:jit")
engines = pytest.mark.parametrize("engine", ENGINES)


def evaluated(about: Subject, engine: str = "backprop") -> Evaluation:
    found = load_engine(engine).prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    return sensible(found, about.graph, about.dtype)


def off(about: Subject, evaluation: Evaluation) -> list[Row]:
    return [row for row in judge(about, "x", evaluation) if row.verdict in FINDINGS]


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape)


NETWORKS: Mapping[str, tuple[Mapping[str, str], Mapping[str, Any]]] = {
    "attention": (
        {"s": "q @ matrix_transpose(k)", "w": "softmax(s / sqrt(2))", "out": "tanh(w @ v)"},
        {"q": numbers(3, 2), "k": numbers(4, 2, seed=1), "v": numbers(4, 2, seed=2)},
    ),
    "layer": (
        {"h": "gelu(linear(layer_norm(x), w, b))", "loss": "cross_entropy(h, t)"},
        {"x": numbers(4, 8), "w": numbers(5, 8, seed=1), "b": numbers(5, seed=2), "t": np.array([0, 4, 2, 2])},
    ),
    "constants": (
        {"y": "0.1 * x ** 3 - 300 * x / 7 + 1e-5", "z": "where(y > 0, y, 0.01 * y)", "f": "mean(std(z, axis=-1))"},
        {"x": numbers(3, 4)},
    ),
    "special": (
        {"y": "erf(x) + lgamma(abs(x) + 0.5) * digamma(x) + polygamma(x, n=1)", "z": "sum(y * sigmoid(x))"},
        {"x": np.array([0.3, 2.5, -1.3, -2.6])},
    ),
    "convolution": (
        {"y": "max(relu(conv2d(x, w, padding=(1, 1))), axis=(2, 3))", "z": "sum(square(y))"},
        {"x": numbers(1, 2, 4, 4), "w": numbers(3, 2, 3, 3, seed=1)},
    ),
    "one number": ({"y": "exp(a * b) / (1 + a)", "z": "y - log(a)"}, {"a": 1.3, "b": -0.7}),
}


def by_jax_once(engine: str, dtype: str, network: str) -> Any:
    """JAX compiles for long: by default it has each network once, and compiled two."""
    once = {"jax": "bfloat16", "jax:jit": "float16"}.get(engine, dtype) == dtype
    again = engine == "jax:jit" and network not in ("layer", "one number")
    return pytest.param(engine, dtype, network, marks=() if once and not again else pytest.mark.slow)


@pytest.mark.parametrize(
    "engine, dtype, network",
    [by_jax_once(engine, dtype, network) for engine in ENGINES for dtype in HALVES for network in NETWORKS],
)
def test_engines_keep_the_dtype_and_are_sound_in_it(engine: str, dtype: str, network: str) -> None:
    graph, inputs = NETWORKS[network]
    about = subject(graph, dtype, **inputs)
    found = evaluated(about, engine)
    assert (found.status, found.reason) == ("ok", "")  # `sensible` refuses other dtypes
    rows = judge(about, engine, found)
    assert not [row for row in rows if row.verdict not in ("agree", "lossy", "ill-conditioned")]
    assert max(row.score or 0 for row in rows) > 0


FAULTS: Mapping[str, Callable[[float, float], float]] = {
    "not a number": lambda x, u: float("nan"),
    "another sign": lambda x, u: -x,
    "twice": lambda x, u: 2 * x,
    "zero": lambda x, u: 0.0,
    "ten units": lambda x, u: x * (1 + 20 * u),
}


@pytest.mark.parametrize("fault", FAULTS)
@halves
def test_a_fault_in_one_term_of_half_precision_is_caught(dtype: str, fault: str) -> None:
    about = subject({"y": "a * b", "z": "y + b", "f": "sum(z * a)"}, dtype, a=numbers(3), b=numbers(3, seed=1))
    sound = evaluated(about)
    assert sound.terms is not None
    for use, term in sound.terms.items():
        wrong = term.copy()
        place = np.argmax(np.abs(wrong.astype(float)))
        wrong.flat[place] = FAULTS[fault](float(wrong.flat[place]), FORMATS[about.dtype].unit)
        rows = off(about, replace(sound, terms={**sound.terms, use: wrong}))
        assert any(row.use == use for row in rows), f"{fault} in the term {use} got past the judge"


def test_small_numbers_of_float16_are_judged_as_sharply_as_its_spacing() -> None:
    about = subject({"f": "x * 3"}, "float16", x=1e-6)
    sound = evaluated(about)
    wrong = sound.values["f"] + np.float16(2**-22)
    assert off(about, replace(sound, values={**sound.values, "f": wrong}))


@engines
def test_what_underflows_in_float16_raises_no_alarm(engine: str) -> None:
    inputs = {"x": np.array([3.0, -20.0, 50.0]), "w": np.array([1e-6, 3e-8, 1e-8])}
    about = subject({"y": "square(x) * w", "f": "sum(y * w)"}, "float16", **inputs)
    assert not off(about, evaluated(about, engine))


@engines
def test_what_is_beyond_float16_is_an_overflow_at_its_node(engine: str) -> None:
    about = subject({"y": "x * 400", "f": "y / 400"}, "float16", x=300.0)
    value = next(row for row in judge(about, engine, evaluated(about, engine)) if row.name == "y" and row.finding)
    assert (value.verdict, str(value.node)) == ("overflow", "value of y")
    assert "beyond the largest float16 6.55e+04" in value.reason


@halves
@engines
def test_a_sum_longer_than_the_format_has_digits_raises_no_alarm(engine: str, dtype: str) -> None:
    about = subject({"f": "sum(x * w)"}, dtype, x=np.full(3000, 0.25), w=numbers(3000))
    assert not off(about, evaluated(about, engine))


def test_a_function_of_an_infinity_that_an_input_became_is_undefined() -> None:
    about = subject({"f": "sum(sin(x) + cos(x))"}, "float16", x=np.array([1.0, np.inf]))
    assert {row.verdict for row in judge(about, "x", evaluated(about))} <= {
        "agree",
        "ill-conditioned",
        "undefined",
    }


# --- what lacks a precision -----------------------------------------------------------------------------------


@halves
def test_finite_differences_have_too_few_digits(dtype: str) -> None:
    with pytest.raises(Unsupported, match=f"{dtype} has too few digits"):
        finite_difference.prepare(subject({"f": "x * x"}, dtype, x=1.0).graph, dtype)


def test_a_kernel_that_torch_lacks_is_unsupported_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(x: Any) -> Any:
        raise NotImplementedError("\"sinh_cpu\" not implemented for 'Half'")

    monkeypatch.setitem(pytorch_operations.OPERATIONS, "sinh", lacking)
    about = subject({"f": "sinh(x)"}, "float16", x=1.0)
    found = pytorch.prepare(about.graph, "float16")(about.inputs, about.cotangent)
    assert (found.status, found.reason) == ("unsupported", "torch: \"sinh_cpu\" not implemented for 'Half'")


# --- which cases run in it --------------------------------------------------------------------------------------

CASE = "name: p\ninputs: {a: 1.5, b: 2}\ngraph: {y: a * b}\n"


def test_a_dtype_that_is_asked_for_runs_every_case_without_a_list_of_its_own(tmp_path: Any) -> None:
    free, bound = tmp_path / "free.yaml", tmp_path / "bound.yaml"
    free.write_text(CASE)
    bound.write_text(CASE.replace("name: p", "name: q") + "dtypes: [float64, bfloat16]\n")
    cases = [load(free), load(bound)]
    assert [(u.case.name, u.dtype) for u in units(cases)] == [
        ("p", "float64"), ("p", "float32"), ("q", "float64"), ("q", "bfloat16"),
    ]  # fmt: skip
    assert [(u.case.name, u.dtype) for u in units(cases, ["float16"])] == [("p", "float16")]
    assert [(u.case.name, u.dtype) for u in units(cases, ["bfloat16"])] == [("p", "bfloat16"), ("q", "bfloat16")]


@pytest.mark.parametrize("dtypes, stale", [((), True), (("float16",), False)])
def test_an_entry_promises_nothing_in_a_dtype_that_its_case_does_not_list(
    tmp_path: Any, dtypes: tuple[str, ...], stale: bool
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(CASE + "accept: [{engine: backprop, quantity: gradient, name: a, verdict: wrong, reason: none}]\n")
    rows = [row for outcome in run(units([load(path)], dtypes), Settings(("backprop",))) for row in outcome.rows]
    assert any(row.engine == "ledger" for row in rows) == stale


def test_a_second_answer_in_bfloat16_is_compared_too() -> None:
    about = subject({"f": "x * x"}, "bfloat16", x=np.array([1.5, np.nan]))
    found = answer("backprop", subject({"f": "x * 2"}, "bfloat16", x=about.inputs["x"]).graph, "bfloat16",
                   about.inputs, about.cotangent)  # fmt: skip
    assert found.evaluation.status == "ok"
    assert found.again is not None


# --- what an imprecise step looks like --------------------------------------------------------------------------


def shortened(x: Any, bits: int) -> Any:
    """To so many bits, by rounding to nearest."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.rint(fraction * 2**bits), exponent - bits).astype(x.dtype)


def product(dtype: str, bits: int) -> list[Row]:
    """A product whose factors had only so many bits, like those of tensor cores; all else is sound."""
    about = subject({"y": "a @ b"}, dtype, a=numbers(6, 8), b=numbers(8, 5, seed=1))
    a, b = about.inputs["a"], about.inputs["b"]
    g = about.cotangent
    exact = shortened(a, bits).astype(float) @ shortened(b, bits).astype(float)
    terms = {
        Use("y", 0): (shortened(g, bits) @ shortened(b, bits).T).astype(a.dtype),
        Use("y", 1): (shortened(a, bits).T @ shortened(g, bits)).astype(a.dtype),
    }
    adjoints = {"a": terms[Use("y", 0)], "b": terms[Use("y", 1)], "y": g}
    values = {"a": a, "b": b, "y": exact.astype(a.dtype)}
    return off(about, Evaluation("ok", "", values, {"a": adjoints["a"], "b": adjoints["b"]}, terms, adjoints))


@pytest.mark.parametrize(
    "dtype, bits, looks",
    [
        ("float64", 24, "float32 products"),
        ("float64", 11, "TF32 products"),
        ("float32", 11, "TF32 products"),
        ("float32", 8, "bfloat16 products"),
    ],
)
def test_products_of_shortened_factors_say_what_they_look_like(dtype: str, bits: int, looks: str) -> None:
    rows = product(dtype, bits)
    assert {row.quantity for row in rows} >= {"value", "term", "gradient"}
    assert {row.verdict for row in rows} == {"imprecise"}
    assert all(f"looks like {looks}" in row.reason for row in rows)


def test_a_product_whose_result_alone_is_bfloat16_is_within_what_such_factors_may_do() -> None:
    about = subject({"y": "a @ b"}, "float32", a=numbers(6, 8), b=numbers(8, 5, seed=1))
    sound = evaluated(about)
    y = sound.values["y"].astype(DTYPES["bfloat16"]).astype(np.float32)
    rows = off(about, replace(sound, values={**sound.values, "y": y}))
    assert [row.verdict for row in rows if row.quantity == "value"] == ["imprecise"]
    assert rows[0].reason.endswith("looks like bfloat16 products")


def test_tf32_has_ten_bits_of_fraction_and_the_range_of_float32() -> None:
    assert (TF32.unit, TF32.smallest) == (2.0**-11, float(np.finfo(np.float32).tiny))
    assert TF32.largest == (2 - 2.0**-10) * 2.0**127 < float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    "dtype, lower, looks",
    [
        ("float64", "float32", "float32 inside float64"),
        ("float32", "bfloat16", "bfloat16 inside float32"),
    ],
)
def test_a_step_in_a_lower_precision_says_which(
    dtype: str, lower: str, looks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    kinds = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    monkeypatch.setitem(
        pytorch_operations.OPERATIONS,
        "tanh",
        lambda x: torch.tanh(x.double()).to(kinds[lower]).to(tensors.DTYPES[dtype]),
    )
    about = subject({"y": "tanh(x)", "f": "sum(y)"}, dtype, x=np.array([0.5, -0.3, 1.2]))
    rows = off(about, pytorch.prepare(about.graph, dtype)(about.inputs, about.cotangent))
    value = next(row for row in rows if row.quantity == "value" and row.name == "y")
    assert value.verdict == "imprecise"
    assert value.reason.endswith(f"looks like {looks}")


def test_a_step_that_is_right_to_a_few_bits_is_wrong() -> None:
    about = subject({"y": "tanh(x)", "f": "sum(y)"}, "float64", x=np.array([0.5, -0.3]))
    sound = evaluated(about)
    rows = off(about, replace(sound, values={**sound.values, "y": sound.values["y"] * 1.02}))
    assert next(row for row in rows if row.name == "y").verdict == "wrong"


# --- how much of its allowance an operation uses ------------------------------------------------------------------


def test_used_has_the_own_scores_of_sound_links_by_operation() -> None:
    about = subject({"y": "exp(a)", "z": "y * y + a", "f": "z / 3"}, "float64", a=0.3)
    rows, own = judged(about, "backprop", evaluated(about))
    found = used(own, about.graph)
    assert {("exp", "value"), ("exp", "term"), ("multiply", "term"), ("sum of terms", "adjoint")} <= set(found)
    assert ("input", "value") not in found
    assert len(found["multiply", "term"]) == 2
    assert max(max(scores) for scores in found.values()) == max(row.score or 0 for row in rows)


def test_a_link_that_is_off_uses_no_allowance() -> None:
    about = subject({"y": "exp(a)"}, "float64", a=0.3)
    sound = evaluated(about)
    rows, own = judged(about, "x", replace(sound, values={**sound.values, "y": sound.values["y"] * 2}))
    assert any(row.finding for row in rows)
    assert ("exp", "value") not in used(own, about.graph)
    assert backprop.version()
