"""Truth without a ball for each number: pairs of float64 enclose what balls do, settle no tie, and prove no fault.

The witness is FLINT: the same graph on balls, and exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import flint
import numpy as np
import pytest
from numpy.typing import NDArray

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.node import Constant
from gradaccord.harness.graph.symbol import Symbol
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import find, load, shipped
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.formats import FORMATS, Format
from gradaccord.harness.records.rows import Row
from gradaccord.harness.truth import pairs, proof
from gradaccord.harness.truth.links import step
from gradaccord.harness.truth.numbers import to_balls
from gradaccord.harness.truth.pairs import Pairs, UnsettledError, as_balls, of_balls, of_floats, total
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.proof import Proof, prove
from gradaccord.harness.truth.reference import Number, Reference, reference
from gradaccord.harness.truth.shaken import Turned, spread_in_balls, turned_in_floats

from ..derivatives import DIFFERENTIATED, plant, rule_of
from ..examples import EXAMPLES, Example, example, real

Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small graphs go by pairs too, where these tell anything."""
    monkeypatch.setattr(pairs, "MANY", 0)
    monkeypatch.setattr(pairs, "MANY_EACH", 0)


def numbers_of(truth: Reference) -> list[Number]:
    return [*truth.values.values(), *truth.adjoints.values(), *truth.terms.values()]


def drawn(call: Example) -> tuple[Arrays, NDArray[Any]]:
    random = np.random.default_rng(0)
    inputs = {name: draw.at(random) for name, draw in call.operands.items()}
    return inputs, random.integers(1, 9, call.graph.output.shape)


def same_enclosures(found: Reference, exact: Reference) -> bool:
    """Whether all numbers are narrow and overlap those of balls, and read the same."""
    for mine, theirs in zip(numbers_of(found), numbers_of(exact), strict=True):
        with flint.ctx.workprec(200):
            apart = abs(as_balls(mine.pairs) - theirs.balls)
        if not (np.all(mine.tight) and all(x.contains(0) or not x > 0 for x in np.ravel(apart))):
            return False
        if not np.all(np.abs(mine.high - theirs.high) <= np.spacing(np.abs(theirs.high))):
            return False
    return True


TIED = {"max_share"}  # in all that its examples read: there nothing but balls tells


@pytest.mark.parametrize("op", EXAMPLES)
def test_pairs_enclose_what_balls_do_and_prove_it(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settled = 0
    for call in EXAMPLES[op]:
        inputs, cotangent = drawn(call)
        found = reference(call.graph, inputs, cotangent, in_pairs=True)
        if not found.in_pairs:
            continue
        settled += 1
        assert same_enclosures(found, reference(call.graph, inputs, cotangent)), call.text
        with monkeypatch.context() as patch:  # by forward mode on pairs, and by nothing else
            patch.setattr(proof, "_held", lambda *args: pytest.fail("it is proved in balls"))
            row = call.graph.operation(call.graph.output)
            if call.graph.wanted and row.differentiable and not row.selects:
                assert prove(call.graph, inputs, cotangent, found).proved
    assert settled or op in TIED


@pytest.mark.parametrize("op", DIFFERENTIATED)
def test_a_broken_rule_is_proved_by_no_pairs(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = rule_of(op)

    def wrong(*symbols: Symbol, **parameters: Any) -> list[Any]:
        return [
            term * Constant(str(1 + 2**-40)) if isinstance(term, Symbol) else term
            for term in right(*symbols, **parameters)
        ]

    step.cache_clear()
    plant(monkeypatch, op, wrong)
    proofs: list[Proof] = []
    for call in EXAMPLES[op]:
        inputs, cotangent = drawn(call)
        truth = reference(call.graph, inputs, cotangent, in_pairs=True)
        proofs.append(prove(call.graph, inputs, cotangent, truth))
    step.cache_clear()
    failed = [found for found in proofs if found.failure]
    assert failed
    assert all(found.apart[0].op == op for found in failed)


def test_a_value_that_is_off_is_proved_by_no_pairs() -> None:
    graph = example("tanh(x) @ y", x=real(4, 5), y=real(5, 3)).graph
    random = np.random.default_rng(0)
    inputs, cotangent = {"x": random.normal(size=(4, 5)), "y": random.normal(size=(5, 3))}, np.ones((4, 3))
    truth = reference(graph, inputs, cotangent, in_pairs=True)
    assert truth.in_pairs
    assert prove(graph, inputs, cotangent, truth).proved
    name = graph.output.name
    value = truth.hulls[name]
    low = value.low.copy()
    low[1, 2] += 2.0**-66 * abs(value.high[1, 2])
    bent = replace(truth, hulls={**truth.hulls, name: Number(value.high, low, value.radius)})
    assert prove(graph, inputs, cotangent, bent).failure


def test_what_pairs_do_not_tell_goes_to_balls() -> None:
    def asked(text: str, x: list[float]) -> Reference:
        numbers = np.array(x)
        return reference(example(text, x=real(len(x))).graph, {"x": numbers}, np.ones(len(x)), in_pairs=True)

    assert asked("relu(x)", [1.0, -2.0]).in_pairs
    assert not asked("relu(x)", [1.0, 0.0]).in_pairs  # a tie
    assert not asked("sqrt(x)", [1.0, 0.0]).in_pairs  # an infinite slope
    assert not asked("x * x", [1.0, 1e-200]).in_pairs  # beyond 2^±400
    assert not asked("exp(x) * 1", [1.0, -800.0]).in_pairs
    assert not asked("where(x > 0, x, -inf)", [1.0, -1.0]).in_pairs
    assert not asked("x - (x + 1e-30) + 1e-30", [1.0, 2.0]).in_pairs  # nothing is left of it


@pytest.mark.parametrize("path", find([shipped() / "layers"]), ids=lambda p: p.stem)
def test_rows_of_shipped_cases_stay_those_of_balls(path: Path) -> None:
    case = load(path)
    for dtype in case.dtypes[:1]:
        inputs, cotangent = case.inputs(0, dtype), case.cotangent(dtype)
        subject = Subject(case.name, 0, dtype, case.graph, inputs, cotangent)
        same_rows(subject, prepare(subject.graph, dtype)(inputs, cotangent))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_stay_those_of_balls_where_pairs_have_few_digits_left(dtype: str) -> None:
    graph = example("softmax(softmax(softmax(x @ w) @ x @ w) @ x @ w) @ x", x=real(16, 16), w=real(16, 16)).graph
    random = np.random.default_rng(0)
    inputs = {name: random.normal(size=(16, 16)).astype(dtype) for name in ("x", "w")}
    subject = Subject("", 0, dtype, graph, inputs, random.normal(size=(16, 16)).astype(dtype))
    known = [np.max(one.radius / np.abs(one.high)) for one in subject.truth.adjoints.values()]
    assert subject.truth.in_pairs
    assert 2.0**-70 < max(known) < 2.0**-61
    sound = prepare(graph, dtype)(inputs, subject.cotangent)
    alone = replace(sound, values={"result": sound.values["result"]}, terms=None, adjoints=None)
    off = {**sound.gradients, "w": sound.gradients["w"] * np.array(1 + 2.0**-9, dtype)}
    for evaluation, found in ((sound, False), (alone, False), (replace(alone, gradients=off), True)):
        rows = same_rows(subject, evaluation)
        assert any(row.finding for row in rows) == found


def same_rows(subject: Subject, evaluation: Evaluation) -> list[Row]:
    """The rows by pairs, which are those by balls."""
    in_balls = replace(subject)
    in_balls.__dict__["truth"] = reference(subject.graph, subject.inputs, subject.cotangent)
    rows = judge(subject, "backprop", evaluation)
    for mine, theirs in zip(rows, judge(in_balls, "backprop", evaluation), strict=True):
        # Digits are told up to 32, which is the last of pairs; and of two floats as near either is read.
        near = replace(mine, error=theirs.error, digits=theirs.digits, reference=theirs.reference, score=theirs.score)
        assert near == theirs
        size = abs(theirs.reference or 0)
        assert mine.score == pytest.approx(theirs.score, rel=2.0**-7)
        assert mine.reference == pytest.approx(theirs.reference, rel=2.0**-52, abs=0, nan_ok=True)
        assert mine.error == pytest.approx(theirs.error, rel=1e-12, abs=max(2.0**-52 * size, 1e-300), nan_ok=True)
    return rows


# --- arithmetic, against exact fractions ---------------------------------------------------------------------


def wild(random: np.random.Generator, *shape: int) -> Pairs:
    """Pairs of many scales, with some zeros and some digits in common."""
    high = random.normal(size=shape) * 2.0 ** random.integers(-60, 60, size=shape)
    high = np.where(random.random(shape) < 0.1, 0.0, high)
    high = np.where(random.random(shape) < 0.2, np.round(high), high)
    low = high * 2.0**-53 * random.uniform(-0.5, 0.5, size=shape)
    return Pairs(high + low, low - ((high + low) - high), np.abs(high) * 2.0**-100 * random.integers(0, 2, size=shape))


def exactly(x: Pairs) -> NDArray[Any]:
    convert = np.frompyfunc(lambda high, low: Fraction(float(high)) + Fraction(float(low)), 2, 1)
    return np.asarray(convert(x.high, x.low), dtype=object)


OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operation_on_pairs_loses_lies_in_its_radius(name: str) -> None:
    random = np.random.default_rng(0)
    a, b = wild(random, 4_000), wild(random, 4_000)
    b = Pairs(
        *(np.where(b.high == 0, x, part) for x, part in zip((1.0, 0.0, 0.0), (b.high, b.low, b.radius), strict=True))
    )
    # Next to one another, so that most digits cancel.
    near = random.random(4_000) < 0.3
    beside = np.nextafter(a.high, 9) + (a.high == 0)
    b = Pairs(np.where(near, beside, b.high), np.where(near, 0, b.low), np.where(near, 0, b.radius))
    still = [Pairs(x.high, x.low, np.zeros(4_000)) for x in (a, b)]
    with np.errstate(all="ignore"):
        found = pairs.pairs()[name](*still)
    exact = OPERATIONS[name](*map(exactly, still))
    off = np.array([abs(float(x)) for x in exactly(found) - exact])
    assert np.all(off <= found.radius)
    assert np.all(found.radius <= 2.0**-101 * np.abs(found.high))
    moved = pairs.pairs()[name](a, b).radius  # and what the operands may be off by is in it
    assert np.all(moved >= found.radius)


@pytest.mark.parametrize("shape, axis", [((7,), None), ((300, 11), 0), ((5, 400), -1), ((3, 4, 50), (0, 2))])
def test_what_a_sum_loses_lies_in_its_radius(shape: tuple[int, ...], axis: Any) -> None:
    x = wild(np.random.default_rng(1), *shape)
    found = total(Pairs(x.high, x.low, np.zeros(shape)), axis)
    off = np.array([abs(float(part)) for part in np.ravel(exactly(found) - np.sum(exactly(x), axis=axis))])
    assert np.all(off <= np.ravel(found.radius))
    assert np.all(found.radius <= 2.0**-95 * np.sum(np.abs(x.high), axis=axis))
    assert np.all(total(x, axis).radius >= np.sum(x.radius, axis=axis))


def test_what_a_product_loses_lies_in_its_radius() -> None:
    random = np.random.default_rng(2)
    for inner in (1, 9, 130):
        a, b = wild(random, 8, inner), wild(random, inner, 6)
        still = [Pairs(x.high, x.low, np.zeros(x.high.shape)) for x in (a, b)]
        for parts in ((2,), (3, 4)):
            found = pairs.products_of("matmul", parts)(*still)
            off = np.array([abs(float(x)) for x in np.ravel(exactly(found) - exactly(a) @ exactly(b))])
            assert np.all(off <= np.ravel(found.radius))
        with_radii = pairs.products_of("matmul")(a, b)
        assert np.all(with_radii.radius >= a.radius @ np.abs(b.high) * (1 - 1e-12))


def test_balls_become_pairs_around_them_and_back() -> None:
    with working():
        numbers = to_balls(np.array([3, -1, 7], dtype=object)) / to_balls(np.array([7.0, 3.0, 1.0]))
        x = of_balls(numbers)
        assert x.radius[2] == 0
        assert x.sure(2.0**-100)
        assert all(mine.contains(ball.mid()) for mine, ball in zip(as_balls(x), numbers, strict=True))
        with pytest.raises(UnsettledError):
            of_balls(numbers / to_balls(0))
    with pytest.raises(UnsettledError):
        of_floats(np.array([1.0, np.nan]))


# --- shaken runs -----------------------------------------------------------------------------------------------


def _value(name: str) -> tuple[Literal["value"], str]:
    return "value", name


def turned(text: str, x: NDArray[Any], form: Format) -> tuple[Turned | None, Turned | None]:
    """Of the value of an expression, by how much shaken runs are off: in float64 and in balls."""
    graph, inputs, ones = example(text, x=real(*x.shape)).graph, {"x": x}, np.ones(())
    truth, key = reference(graph, inputs, ones), _value(graph.output.name)
    number = truth.values[graph.output.name]
    with working():
        in_balls = spread_in_balls(graph, inputs, ones, key, number.balls, form)
    return turned_in_floats(graph, inputs, ones, key, number.pairs, form), in_balls


def test_shaken_runs_of_a_coarse_format_are_those_of_balls() -> None:
    x = np.random.default_rng(0).normal(size=40).astype(np.float32)
    for text in ("sum(tanh(x) * x - x)", "sum(relu(x) / (x * x + 1))"):
        for form in (FORMATS["float32"], FORMATS["bfloat16"]):
            found, exact = turned(text, x, form)
            assert found is not None
            assert exact is not None
            np.testing.assert_allclose(found.by, exact.by, rtol=1e-6)
            np.testing.assert_allclose(found.power, exact.power, rtol=1e-6)


@pytest.mark.parametrize(
    "text, x, dtype",
    [
        ("sum(tanh(x))", [1.0, 2.0], "float64"),  # whose own rounding is as large
        ("sum(exp(x))", [1.0, -800.0], "float32"),
        ("sum(x * x)", [1.0, 1e-130], "float32"),
        ("sum(exp(x))", [1.0, 700.0], "float32"),
    ],
)
def test_shaken_runs_that_float64_does_not_hold_are_left_to_balls(text: str, x: list[float], dtype: str) -> None:
    assert turned(text, np.array(x), FORMATS[dtype])[0] is None
