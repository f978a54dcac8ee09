"""Large products are judged in float64, and no verdict changes: the same residual as in balls, bounds that hold.

The witness is FLINT: `in_balls` is the same step with float64 switched off, and error bounds are held against
exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flint
import numpy as np
import pytest
from numpy.typing import NDArray

from gradaccord.harness.graph.node import Constant, Params
from gradaccord.harness.judging.classify import Judgement, classify
from gradaccord.harness.records.formats import FORMATS, TF32, Format
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.truth import links, products
from gradaccord.harness.truth.links import OperandType, Step, step
from gradaccord.harness.truth.numbers import product, to_balls
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.products import Estimate, term_estimates, value_estimate
from gradaccord.harness.truth.residuals import Numerals, Residual, beyond_doubt
from gradaccord.harness.truth.rounding import floats

DTYPES = ("float64", "float32")
IMAGES: Params = (("stride", (2, 1)), ("padding", (1, 0)), ("dilation", (1, 2)), ("groups", 2))
STEPS: Mapping[str, tuple[str, Params, tuple[tuple[int, ...], ...]]] = {
    "matrices": ("matmul", (), ((10, 15), (15, 6))),
    "a square": ("matmul", (), ((12, 12), (12, 12))),
    "one long sum": ("matmul", (), ((2, 1000), (1000, 2))),
    "batches": ("matmul", (), ((2, 5, 6), (2, 6, 4))),
    "a batch and a matrix": ("matmul", (), ((2, 2, 5, 6), (6, 4))),
    "batches that broadcast": ("matmul", (), ((2, 1, 5, 6), (3, 6, 4))),
    "batches and a vector": ("matmul", (), ((2, 3, 8, 9), (9,))),
    "a vector and a matrix": ("matmul", (), ((40,), (40, 20))),
    "a matrix and a vector": ("matmul", (), ((20, 40), (40,))),
    "two vectors": ("matmul", (), ((100,), (100,))),
    "vecdot": ("vecdot", (("axis", -1),), ((6, 12), (6, 12))),
    "linear": ("linear", (), ((2, 3, 12), (6, 12), (6,))),
    "linear without bias": ("linear", (), ((5, 12), (6, 12))),
    "linear of a vector": ("linear", (), ((20,), (10, 20), (10,))),
    "conv2d": ("conv2d", IMAGES, ((1, 4, 7, 8), (4, 2, 3, 2), (4,))),
    "correlate2d": ("correlate2d", IMAGES, ((1, 4, 7, 8), (4, 2, 3, 2))),
    "correlate2d_input": ("correlate2d_input", (("shape", (1, 4, 7, 8)), *IMAGES), ((1, 4, 4, 6), (4, 2, 3, 2))),
    "correlate2d_weight": ("correlate2d_weight", (("shape", (4, 2, 3, 2)), *IMAGES), ((1, 4, 4, 6), (1, 4, 7, 8))),
    "einsum": ("einsum", (("subscripts", "bij,bkj->ibk"),), ((2, 5, 6), (2, 4, 6))),
    "einsum that sums one operand alone": ("einsum", (("subscripts", "ijl,kj->ik"),), ((8, 9, 2), (7, 9))),
    "einsum of three": ("einsum", (("subscripts", "ij,jk,kl->il"),), ((8, 9), (9, 7), (7, 5))),
}
NOT_IN_FLOATS = ("einsum of three", "einsum that sums one operand alone")
DATA: Mapping[str, Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]] = {
    "normal": lambda x, random: x,
    "half zeros": lambda x, random: np.maximum(x, 0),
    "zeros alone": lambda x, random: x * 0,
    "near the smallest": lambda x, random: x * {8: 1e-300, 4: 1e-30}[x.dtype.itemsize],
    "near the largest": lambda x, random: x * {8: 1e140, 4: 1e15}[x.dtype.itemsize],
    "beyond the largest product": lambda x, random: x * {8: 1e300, 4: 1e30}[x.dtype.itemsize],
    "subnormal": lambda x, random: x * np.finfo(x.dtype).smallest_subnormal * 20,
    "many scales": lambda x, random: x * random.choice([1e-6, 1, 1e6], size=x.shape).astype(x.dtype),
    "rows of many scales": lambda x, random: x * random.choice([1e-9, 1, 1e9], size=(*x.shape[:-1], 1)).astype(x.dtype),
}


class Case:
    """A step, numbers for all that it reads, and a sound engine's answers: the exact ones, rounded."""

    def __init__(self, name: str, dtype: str, data: str = "normal") -> None:
        op, params, shapes = STEPS[name]
        random = np.random.default_rng(5)
        self.form = FORMATS[dtype]
        self.step: Step = step(op, params, tuple(OperandType(shape, "float", True) for shape in shapes))

        def numbers(shape: tuple[int, ...]) -> NDArray[Any]:
            return DATA[data](random.normal(size=shape).astype(dtype), random)

        with np.errstate(all="ignore"), working():
            self.operands = [numbers(shape) for shape in shapes]
            self.g = numbers(self.step.graph.output.shape)
            exact = [to_balls(x) for x in self.operands]
            found = [*self.step.value_program(None)(*exact), *self.step.term_program(None)(*exact, to_balls(self.g))]
            self.answers = [np.asarray(floats(x)).astype(dtype) for x in found]

    def read(self, form: Format, link: int) -> Residual:
        """The value's residual, or that of the `link`th term."""
        operands = [Numerals(x, self.form) for x in self.operands]
        y, *terms = (Numerals(x, self.form) for x in self.answers)
        if link == 0:
            return self.step.value(operands, y, form)
        return self.step.terms(operands, y, Numerals(self.g, self.form), terms, form)[link - 1]

    def residuals(self) -> list[Residual]:
        with working():
            return [self.read(self.form, link) for link in range(len(self.answers))]

    def verdict(self, link: int = 0) -> Judgement:
        with working():
            return classify(lambda form: self.read(form, link), self.form)


def in_balls(monkeypatch: pytest.MonkeyPatch, judge: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(products, "SMALLEST", 10**9)
        return judge()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each link that float64 was asked about, whether it settled it."""
    asked: list[bool] = []

    def counted(engine: Numerals, found: Estimate) -> Residual | None:
        residual = beyond_doubt(engine, found)
        asked.append(residual is not None)
        return residual

    monkeypatch.setattr(links, "beyond_doubt", counted)
    return asked


# --- the same residual as in balls ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", STEPS)
def test_float64_gives_the_residual_that_balls_give(
    name: str, data: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(name, dtype, data)
    tolerance = products.ENOUGH if "scales" in data else 1e-6
    for share in (0.0, 0.5, -0.9):
        here, there = case.residuals(), in_balls(monkeypatch, case.residuals)
        for found, expected in zip(here, there, strict=True):
            assert found.radius.shape == expected.radius.shape
            np.testing.assert_allclose(found.score, expected.score, rtol=1e-6, atol=tolerance)
            np.testing.assert_allclose(found.radius, expected.radius, rtol=1e-6)
            np.testing.assert_allclose(found.exact, expected.exact, rtol=1e-6)
            assert (found.enclosed == expected.enclosed).all() and found.products == expected.products
        with np.errstate(all="ignore"):
            case.answers = [
                (answer + share * found.radius).astype(dtype) for answer, found in zip(case.answers, there, strict=True)
            ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", ["normal", "half zeros", "zeros alone"])
@pytest.mark.parametrize("name", [name for name in STEPS if name not in NOT_IN_FLOATS])
def test_sound_numbers_need_no_balls(name: str, data: str, dtype: str, settled: list[bool]) -> None:
    case = Case(name, dtype, data)
    case.residuals()
    assert len(settled) == 1 + len(case.operands) ** 2  # every term is measured anew to read one
    assert all(settled)


@pytest.mark.parametrize("data", ["beyond the largest product", "subnormal"])
def test_extreme_exponents_are_left_to_balls(data: str, settled: list[bool]) -> None:
    Case("matrices", "float64", data).residuals()
    assert settled == []


@pytest.mark.parametrize("data", ["normal", "half zeros", "many scales"])
def test_formats_of_finer_results_than_factors_and_coarse_ones_give_the_same_radius(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("linear", "float32", data)
    for form in (TF32, FORMATS["bfloat16"], FORMATS["float16"]):
        for link in range(4):
            with working():
                found = case.read(form, link)
                expected = in_balls(monkeypatch, lambda form=form, link=link: case.read(form, link))
            np.testing.assert_allclose(found.radius, expected.radius, rtol=form.unit)


# --- the bound itself, against exact arithmetic ------------------------------------------------------------

SPREADS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], NDArray[Any]]] = {
    "normal": lambda random, shape: random.normal(size=shape),
    "all the largest below a power of two": lambda random, shape: np.full(shape, 2.0 - 2.0**-52),
    "exponents from 2^-300 to 2^300": lambda random, shape: np.ldexp(
        random.normal(size=shape), random.integers(-300, 300, shape)
    ),
    "products that cancel": lambda random, shape: (
        np.where(np.indices(shape).sum(axis=0) % 2, 1, -1) * (1 + random.integers(0, 4, shape) * 2.0**-50)
    ),
    "mostly zeros": lambda random, shape: random.normal(size=shape) * (random.random(size=shape) < 0.05),
    "halves of a unit": lambda random, shape: 1 + random.integers(0, 2**30, shape) * 2.0**-31,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 7, 512, 513])
@pytest.mark.parametrize("first", SPREADS)
@pytest.mark.parametrize("second", SPREADS)
def test_the_middle_is_known_to_within_the_bound_and_no_ball_is_wider_than_flints(
    first: str, second: str, inner: int, dtype: str
) -> None:
    random = np.random.default_rng(inner)
    a, b = SPREADS[first](random, (6, inner)), SPREADS[second](random, (inner, 5))
    operands = tuple(OperandType(x.shape, "float", True) for x in (a, b))
    found = value_estimate(step("matmul", (), operands).graph, FORMATS[dtype])(a, b)[0]
    with flint.ctx.workprec(4000):
        off = abs(product(to_balls(a), to_balls(b)) - to_balls(found.high) - to_balls(found.low))
        assert np.all(off <= to_balls(found.error))
        unit = flint.arb(FORMATS[dtype].unit)
        size = product(to_balls(np.abs(a)), to_balls(np.abs(b)))
        most = size * (2 * unit + inner * unit + (inner + 2) * unit**2 * 3) + inner * FORMATS[dtype].smallest
        assert np.all(to_balls(found.radius) <= most * (1 + flint.arb(2) ** -21))
        if dtype == "float64" and first == second == "normal":
            assert np.all(found.error <= products.ENOUGH * found.radius)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", ["normal", "many scales"])
@pytest.mark.parametrize("name", [name for name in STEPS if name not in NOT_IN_FLOATS])
def test_the_bound_holds_for_every_step_its_terms_and_their_sums(name: str, data: str, dtype: str) -> None:
    case = Case(name, dtype, data)
    graph, read = case.step.graph, [*case.operands, case.g]
    found = [
        *value_estimate(graph, case.form)(*case.operands),
        *term_estimates(graph, case.step.active, case.form)(*read),
    ]
    with flint.ctx.workprec(4000):
        exact = [to_balls(x) for x in read]
        middles = [*case.step.value_program(None)(*exact[:-1]), *case.step.term_program(None)(*exact)]
        for estimate, middle in zip(found, middles, strict=True):
            assert np.all(abs(middle - to_balls(estimate.high) - to_balls(estimate.low)) <= to_balls(estimate.error))


def test_a_constant_factor_is_left_to_balls() -> None:
    factor = step("einsum", (("subscripts", ",ij->ij"),), (Constant("0.1"), OperandType((9, 9), "float", True)))
    assert not factor.in_floats


def test_leading_parts_are_whole_numbers_of_units_and_nothing_is_lost() -> None:
    x = np.random.default_rng(0).normal(size=(50, 50))
    parts, rests, unit = products.split(x, 2, 20, -1)
    for k, part in enumerate(parts):
        assert np.all(part % (unit * 2.0 ** (-20 * k)) == 0) and np.all(np.abs(part) <= 2.0 ** (20 - 20 * k) * unit)
    assert np.all(np.abs(rests[2]) <= unit * 2.0**-21)
    assert np.all(sum(map(to_balls, parts), start=to_balls(rests[2])) == to_balls(x))


def test_a_library_whose_products_lack_bits_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [np.ones((10, 10)), np.ones((10, 10))]
    assert products.suits(numbers, FORMATS["float64"])
    monkeypatch.setattr(products, "faithful", lambda: False)
    assert not products.suits(numbers, FORMATS["float64"])


# --- planted faults ----------------------------------------------------------------------------------------

SMALL = {"float64": 1e-12, "float32": 1e-5}
FAULTS: Mapping[str, Callable[[float, float, str], float]] = {
    "not a number": lambda y, size, dtype: float("nan"),
    "infinity": lambda y, size, dtype: float("inf"),
    "another sign": lambda y, size, dtype: -y,
    "zero": lambda y, size, dtype: 0.0,
    "a small share of its sum of sizes": lambda y, size, dtype: y + SMALL[dtype] * size,
}


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [name for name in STEPS if name != "one long sum"])
def test_a_fault_in_one_element_is_found_and_told_as_balls_tell_it(
    name: str, fault: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(name, dtype)
    sizes = Case(name, dtype)
    sizes.operands, sizes.g = [np.abs(x) for x in case.operands], np.abs(case.g)
    for link, answer in enumerate(case.answers):
        sound, wrong = case.answers[link], answer.copy()
        index = np.unravel_index(np.argmax(np.abs(answer)), answer.shape)
        size = in_balls(monkeypatch, sizes.residuals)[link].exact[index]
        wrong[index] = FAULTS[fault](float(answer[index]), float(size), dtype)
        case.answers[link] = wrong
        verdict = case.verdict(link)
        assert verdict.verdict in FINDINGS, f"{fault} got past the judge"
        assert verdict.index == tuple(map(int, index))
        assert verdict == in_balls(monkeypatch, lambda link=link: case.verdict(link))
        case.answers[link] = sound


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_transposed_product_is_found(dtype: str) -> None:
    case = Case("a square", dtype)
    for link in range(3):
        sound = case.answers[link]
        case.answers[link] = sound.T
        assert case.verdict(link).verdict == "wrong"
        case.answers[link] = sound


def test_float32_inside_float64_is_imprecise_and_a_product_in_tf32_looks_like_it() -> None:
    case = Case("a square", "float64")
    case.answers[0] = (case.operands[0].astype(np.float32) @ case.operands[1].astype(np.float32)).astype(np.float64)
    found = case.verdict()
    assert found.verdict == "imprecise" and "float32" in found.reason
