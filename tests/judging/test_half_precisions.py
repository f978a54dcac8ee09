"""Half precisions at ordinary widths: one operation computes in float32, sums included, and rounds once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from flint import arb
from numpy.typing import NDArray

from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import DTYPES, Evaluation
from gradaccord.harness.records.formats import BFLOAT16, FLOAT16, FORMATS
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.running.answers import sensible
from gradaccord.harness.running.loading import load as load_engine
from gradaccord.harness.truth.rounding import underflow

from ..subject import evaluated, subject

WIDTH = 4096
ORDINARY = 2304  # past 2048, from where n u is more than 1 in float16 too
HALVES = ("bfloat16", "float16")
SOUND = {"agree", "lossy", "ill-conditioned"}
halves = pytest.mark.parametrize("dtype", HALVES)
alone_too = pytest.mark.parametrize("alone", [False, True], ids=["all links", "gradients alone"])


def numbers(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(size=shape)


X, ROWS = numbers(ORDINARY), numbers(4, ORDINARY // 4)
LAYERS: Mapping[str, tuple[str | Mapping[str, str], Mapping[str, Any]]] = {
    "layer_norm": ("layer_norm(x)", {"x": X}),
    "layer_norm with weights": (
        "layer_norm(x, w, b)",
        {"x": ROWS, "w": numbers(ORDINARY // 4, seed=1), "b": numbers(ORDINARY // 4, seed=2)},
    ),
    "softmax": ("softmax(x)", {"x": X}),
    "log_softmax": ("log_softmax(x)", {"x": X}),
    "logsumexp": ("logsumexp(x)", {"x": X}),
    "cross_entropy": ("cross_entropy(x, t)", {"x": ROWS, "t": np.array([1, 5, 7, 2])}),
    "mean": ("mean(x)", {"x": X}),
    "norm": ("norm(x)", {"x": X}),
    "product": ("x @ w", {"x": numbers(2, ORDINARY), "w": numbers(ORDINARY, 3, seed=1)}),
    "running sum": ("cumsum(x, axis=0)", {"x": X}),
    "convolution": ("conv2d(x, w)", {"x": numbers(1, 36, 9, 9), "w": numbers(2, 36, 8, 8, seed=1)}),
    "attention": (
        {"w": "softmax(x @ matrix_transpose(k) / 8)", "f": "w @ v"},
        {"x": numbers(4, 64), "k": numbers(300, 64, seed=1), "v": numbers(300, 8, seed=2)},
    ),
    "softmax by hand": ({"e": "exp(x - max(x))", "f": "e / sum(e)"}, {"x": X}),
}  # fmt: skip
# Rounding alone may move this by as much as it is: e^x of an x near 20.
LOST = ("attention", "bfloat16")


@cache
def layer(name: str, dtype: str) -> Subject:
    graph, inputs = LAYERS[name]
    return subject(graph, dtype, **inputs)


@cache
def answer(name: str, dtype: str, engine: str) -> Evaluation:
    about = layer(name, dtype)
    found = load_engine(engine).prepare(about.graph, dtype)(about.inputs, about.cotangent)
    return sensible(found, about.graph, dtype)


def rows(about: Subject, evaluation: Evaluation, *, alone: bool) -> list[Row]:
    return judge(about, "x", replace(evaluation, terms=None, adjoints=None) if alone else evaluation)


def findings(about: Subject, evaluation: Evaluation, *, alone: bool = False) -> list[Row]:
    return [row for row in rows(about, evaluation, alone=alone) if row.verdict in FINDINGS]


def engines(name: str, dtype: str) -> dict[str, bool]:
    """Engines, and whether they wait for the whole tests. XLA compiles each operation for a second: of JAX a few."""
    compiled = (name, dtype) in {("log_softmax", "float16"), ("running sum", "float16")}
    others = {"jax": False, "jax:jit": False} if compiled else {}
    return {"backprop": dtype == "float16", "torch": dtype == "bfloat16", **others}


@pytest.mark.parametrize(
    "engine, name, dtype",
    [
        pytest.param(engine, name, dtype, marks=[pytest.mark.slow] * waits)
        for name in LAYERS
        for dtype in HALVES
        for engine, waits in engines(name, dtype).items()
    ],
)
def test_layers_of_ordinary_width_are_judged_and_sound_engines_pass(engine: str, name: str, dtype: str) -> None:
    for alone in (False, True):
        verdicts = {row.verdict for row in rows(layer(name, dtype), answer(name, dtype, engine), alone=alone)}
        assert verdicts <= SOUND


def changed(name: str, dtype: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Evaluation:
    """The hand-written engine's answer with another gradient of `x`, and with it its one term and its adjoint."""
    sound = answer(name, dtype, "backprop")
    uses = layer(name, dtype).graph.uses_of["x"]
    assert sound.terms is not None and sound.adjoints is not None
    wrong = change(sound.gradients["x"].astype(float)).astype(sound.gradients["x"].dtype)
    return replace(
        sound,
        gradients={**sound.gradients, "x": wrong},
        terms={**sound.terms, uses[0]: wrong},
        adjoints={**sound.adjoints, "x": wrong},
    )


GARBAGE: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "sevens": lambda x: np.full_like(x, 7),
    "twice": lambda x: 2 * x,
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("name", ["layer_norm", "softmax", "log_softmax", "cross_entropy", "product", "attention"])
@halves
@alone_too
def test_garbage_at_ordinary_width_is_a_finding(garbage: str, name: str, dtype: str, alone: bool) -> None:
    if garbage != "sevens" and alone and (name, dtype) == LOST:
        pytest.skip("no more than rounding may do there")
    assert findings(layer(name, dtype), changed(name, dtype, GARBAGE[garbage]), alone=alone)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "softmax"])
def test_one_component_that_is_off_by_a_twentieth_is_a_finding_in_float16(name: str) -> None:
    def off(x: NDArray[Any]) -> NDArray[Any]:
        x.flat[np.argmax(np.abs(x))] *= 1.05
        return x

    assert findings(layer(name, "float16"), changed(name, "float16", off))


@pytest.mark.parametrize("name", LAYERS)
@halves
def test_how_far_rounding_may_move_a_gradient_is_known(name: str, dtype: str) -> None:
    probes = layer(name, dtype).probes["x"]
    assert probes and np.isfinite([probe.bound for probe in probes]).all()


# --- sums ----------------------------------------------------------------------------------------------------

ONES = np.ones(WIDTH)
SUMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sum": ("sum(x)", {"x": ONES}),
    "mean": ("mean(x)", {"x": ONES}),
    "running sum": ("cumsum(x, axis=0)", {"x": ONES}),
    "product": ("x @ w", {"x": ONES.reshape(1, -1), "w": ONES.reshape(-1, 1)}),
    "einsum": ("einsum('i,i->', x, w)", {"x": ONES, "w": ONES}),
    "linear": ("linear(x, w, b)", {"x": ONES, "w": ONES.reshape(1, -1), "b": np.zeros(1)}),
    "convolution": ("conv2d(x, w)", {"x": ONES.reshape(1, 64, 8, 8), "w": ONES.reshape(1, 64, 8, 8)}),
    "scattered": ("scatter_add(x, i, axis=0, size=1)", {"x": ONES, "i": np.zeros(WIDTH, np.int64)}),
}  # fmt: skip


def summed(name: str, dtype: str) -> tuple[Subject, Evaluation]:
    """A sum, and what the hand-written engine makes of it."""
    graph, inputs = SUMS[name]
    about = subject(graph, dtype, **inputs)
    return about, load_engine("backprop").prepare(about.graph, dtype)(about.inputs, about.cotangent)


STUCK = {"bfloat16": 256, "float16": 2048}  # 256 + 1 is 256 in bfloat16


@pytest.mark.parametrize("name", SUMS)
@halves
def test_the_hand_written_engine_adds_in_float32(name: str, dtype: str) -> None:
    about, found = summed(name, dtype)
    assert np.max(found.values["f"].astype(float)) == (1 if name == "mean" else WIDTH)
    assert not findings(about, found)


@pytest.mark.parametrize("name", SUMS)
@halves
def test_a_sum_that_stops_growing_is_imprecise_and_says_what_it_looks_like(name: str, dtype: str) -> None:
    about, found = summed(name, dtype)
    stuck = np.minimum(found.values["f"].astype(float), STUCK[dtype] / (WIDTH if name == "mean" else 1))
    values = {**found.values, "f": stuck.astype(DTYPES[dtype])}
    first, *_ = findings(about, replace(found, values=values))
    assert first.verdict == "imprecise"
    assert first.reason.endswith(f"looks like sums kept in {dtype}")


@halves
def test_the_gradient_of_an_embedding_that_torch_adds_in_half_precision_is_told(dtype: str) -> None:
    about = subject({"f": "sum(take(w, i, axis=0))"}, dtype, w=numbers(3), i=np.zeros(WIDTH, np.int64))
    found = load_engine("torch").prepare(about.graph, dtype)(about.inputs, about.cotangent)
    assert found.gradients["w"][0] == STUCK[dtype]
    told = {row.quantity: row for row in findings(about, found)}
    assert {told["term"].verdict, told["gradient"].verdict} == {"imprecise"}
    assert f"sums kept in {dtype}" in told["gradient"].reason


def test_a_sum_that_is_further_off_than_zero_is_wrong() -> None:
    about = subject({"f": "sum(x)"}, "bfloat16", x=ONES)
    found = load_engine("backprop").prepare(about.graph, "bfloat16")(about.inputs, about.cotangent)
    wrong = {**found.values, "f": np.asarray(-1.0, DTYPES["bfloat16"])}
    assert {row.verdict for row in findings(about, replace(found, values=wrong))} == {"wrong"}


@pytest.mark.parametrize("op", ["logsumexp(x)", "log_softmax(x)", "cross_entropy(reshape(x, shape=[1, 4096]), t)"])
@halves
def test_an_engine_may_read_the_logarithm_that_it_has_rounded(op: str, dtype: str) -> None:
    """torch does. log 4096 is 8.3: half a unit of its last digit is 3 % of e^y in bfloat16."""
    inputs = {"t": np.array([1])} if "t)" in op else {}
    for size in (0.01, 0.2):
        about = subject({"f": op}, dtype, x=np.random.default_rng(5).uniform(-size, size, WIDTH), **inputs)
        found = load_engine("torch").prepare(about.graph, dtype)(about.inputs, about.cotangent)
        assert not findings(about, found)


@halves
def test_a_share_that_a_wide_maximum_hands_out_twice_is_a_finding(dtype: str) -> None:
    x = np.zeros(WIDTH)
    x[:2] = 1
    about = subject({"f": "max(x)"}, dtype, x=x)
    found = load_engine("backprop").prepare(about.graph, dtype)(about.inputs, about.cotangent)
    assert not [row for row in rows(about, found, alone=False) if row.verdict == "wrong"]
    twice = (2 * found.gradients["x"]).astype(DTYPES[dtype])
    assert found.terms is not None and found.adjoints is not None
    (use,) = found.terms
    wrong = replace(found, terms={use: twice}, adjoints={**found.adjoints, "x": twice}, gradients={"x": twice})
    assert any(row.verdict == "wrong" for row in rows(about, wrong, alone=False))


# --- the table ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_formats_that_add_in_themselves_lose_a_unit_at_each_addition(name: str) -> None:
    form = FORMATS[name]
    assert form.sums is form
    assert [form.of_sum(n) for n in (0, 1, 100)] == [0, form.unit, 100 * form.unit]


@pytest.mark.parametrize("name", HALVES)
def test_half_precisions_add_in_float32_and_round_once(name: str) -> None:
    form = FORMATS[name]
    assert form.sums is FORMATS["float32"]
    assert form.of_sum(WIDTH) == WIDTH * 2.0**-24 + form.unit
    assert [below.of_sum(WIDTH) for below in form.adding] == [WIDTH * form.unit]


def test_where_subnormals_are_kept_only_what_may_be_small_loses_more_than_digits() -> None:
    eta = FLOAT16.smallest
    for form, size, lost in ((FLOAT16, 1, 0), (FLOAT16, 2**-12, 0), (FLOAT16, 2**-14, eta), (BFLOAT16, 1, 2.0**-126)):
        assert underflow(form)(arb(size)).rad() == arb(0, lost).rad()
    assert underflow(FLOAT16)(arb(0, 1)).rad() == arb(0, eta).rad()


@pytest.mark.parametrize("text", ["std(x)", "sum(layer_norm(x) * y)", "log(var(x))"])
def test_where_r_has_no_end_shaken_runs_still_tell_garbage(text: str) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=16) + 100, random.normal(size=16)
    about = subject(text, "bfloat16", x=x, **({"y": y} if "y)" in text else {}))
    sound = replace(evaluated(about), terms=None, adjoints=None)
    assert not [row for row in judge(about, "x", sound) if row.finding]
    for garbage in (90.0, -90.0, np.nan):
        wrong = {**sound.gradients, "x": np.full_like(sound.gradients["x"], garbage)}
        assert [row.name for row in judge(about, "x", replace(sound, gradients=wrong)) if row.finding] == ["x"]
