"""Balls enclose what is so: held against mpmath at 80 digits, and against points inside wide balls."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from flint import arb

from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.truth.numbers import BINARY, UNARY, ball, balls, constant, to_balls

from .. import witnesses

DECIDE, HULL, ABOVE, BELOW = (balls(ties=ties) for ties in ("decide", "hull", "above", "below"))
NAN, INFINITY = float("nan"), float("inf")
mp = mpmath.mp


@pytest.fixture(autouse=True)
def precision() -> Any:
    with flint.ctx.workprec(128), mp.workdps(80):
        yield


ONE = {op: (witness.function, witness.far) for op, witness in witnesses.UNARY.items() if witness.far}
TWO = {op: (witness.function, witness.far) for op, witness in witnesses.BINARY.items() if witness.far}


def from_mpmath(value: Any) -> Any:
    """An 80-digit value, which may be off in its last digits."""
    with flint.ctx.workprec(300):
        return arb(mpmath.nstr(value, 75)) * arb(1, 1e-70)


def proves(found: Any, value: Any) -> bool:
    """Whether a ball encloses a value and gives at least 27 digits of it."""
    return bool(found.is_finite() and found.overlaps(from_mpmath(value)) and found.rel_accuracy_bits() >= 90)


@pytest.mark.parametrize("op,x", [(op, x) for op, (_, points) in ONE.items() for x in points])
def test_a_function_of_one_number_encloses_mpmath(op: str, x: float) -> None:
    assert proves(DECIDE[op](ball(x)), ONE[op][0](mp.mpf(x)))


@pytest.mark.parametrize("op,a,b", [(op, *pair) for op, (_, pairs) in TWO.items() for pair in pairs])
def test_a_function_of_two_numbers_encloses_mpmath(op: str, a: float, b: float) -> None:
    assert proves(DECIDE[op](ball(a), ball(b)), TWO[op][0](mp.mpf(a), mp.mpf(b)))


@pytest.mark.parametrize("bits", [10, 53, 400])
@pytest.mark.parametrize("op", ONE)
def test_the_enclosure_holds_at_every_precision(op: str, bits: int) -> None:
    function, points = ONE[op]
    with mp.workdps(150), flint.ctx.workprec(bits):
        found = [(DECIDE[op](ball(x)), mpmath.nstr(function(mp.mpf(x)), 145)) for x in points]
    with flint.ctx.workprec(600):
        assert all(y.overlaps(arb(value) * arb(1, 1e-140)) for y, value in found)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("x", witnesses.FAR_GAMMA)
def test_polygamma_encloses_mpmath(x: float, n: int) -> None:
    assert proves(DECIDE["polygamma"](ball(x), n=n), mp.polygamma(n, mp.mpf(x)))


def test_an_error_of_1e_25_is_seen() -> None:
    assert not proves(DECIDE["exp"](ball(0.7)), mp.exp(mp.mpf(0.7)) * (1 + mp.mpf("1e-25")))
    assert not proves(DECIDE["exp"](arb(0.7, 1e-20)), mp.exp(mp.mpf(0.7))), "a loose ball proves nothing"


def test_every_function_of_single_numbers_is_held_against_mpmath() -> None:
    assert set(ONE) == set(UNARY)
    assert set(TWO) == set(BINARY)
    assert set(UNARY) | set(BINARY) < {name for name, operation in OPERATIONS.items() if operation.primitive}


# --- wide balls -------------------------------------------------------------------------------------------

WIDE = [(middle, radius) for middle in (-2.0, -0.4, 0.0, 0.9, 1.0, 3.5) for radius in (1e-6, 0.3, 1.0)]
FRACTIONS = (-1.0, -0.5, 0.0, 0.3, 1.0)


def within(middle: float, radius: float) -> list[Any]:
    return [ball(Fraction(middle) + Fraction(radius) * Fraction(part)) for part in FRACTIONS]


@pytest.mark.parametrize("op", UNARY)
def test_a_wide_ball_encloses_the_values_of_its_points(op: str) -> None:
    for middle, radius in WIDE:
        enclosure = DECIDE[op](arb(middle, radius))
        for point in within(middle, radius):
            value = DECIDE[op](point)
            assert not value.is_finite() or not enclosure.is_finite() or enclosure.overlaps(value), (
                middle,
                radius,
                point,
            )


@pytest.mark.parametrize("op", [*BINARY, "multiply", "divide", "less", "equal", "greater_equal"])
def test_wide_balls_enclose_the_values_of_their_points(op: str) -> None:
    for left in WIDE:
        for right in (*WIDE[::4], (2.0, 0.0), (3.0, 0.0), (-1.0, 0.0)):
            enclosure = DECIDE[op](arb(*left), arb(*right))
            for a in within(*left)[::2]:
                for b in within(*right)[::2]:
                    value = DECIDE[op](a, b)
                    assert not value.is_finite() or not enclosure.is_finite() or enclosure.overlaps(value), (
                        left,
                        right,
                    )


@pytest.mark.parametrize(
    "op,operands,low,high",
    [
        ("square", [(0, 0.5)], 0, 0.25),
        ("sqrt", [(0, 0.25)], 0, 0.5),
        ("abs", [(0, 0.5)], 0, 0.5),
        ("asin", [(1, 0.5)], 0.5235, 1.5708),
        ("acosh", [(1, 0.5)], 0, 0.9625),
        ("floor", [(2, 0.5)], 1, 2),
        ("ceil", [(2, 0.5)], 2, 3),
        ("hypot", [(0, 1), (0, 1)], 0, 1.4143),
        ("pow", [(0, 1), (2, 0)], 0, 1),
        ("pow", [(0, 1), (3, 0)], -1, 1),
        ("pow", [(0, 1), (0, 0)], 1, 1),
        ("pow", [(0.5, 0.5), (0.5, 0)], 0, 1),
        ("maximum", [(0, 1), (0.5, 0)], 0.5, 1),
        ("logaddexp", [(0, 1), (0, 1)], -0.307, 1.694),
    ],
)
def test_a_ball_over_an_edge_gives_a_finite_hull(
    op: str, operands: list[tuple[float, float]], low: float, high: float
) -> None:
    found = DECIDE[op](*(arb(*operand) for operand in operands))
    assert found.contains(ball(Fraction(low) + Fraction(1, 1000))) or low == high
    assert low - 0.51 <= float(found.lower()) <= low + 0.001
    assert high - 0.001 <= float(found.upper()) <= high + 0.01


@pytest.mark.parametrize(
    "op,x", [("sqrt", -1), ("log", -1), ("asin", 2), ("acos", -2), ("acosh", 0), ("atanh", 2), ("lgamma", -2)]
)
def test_outside_the_domain_there_is_no_number(op: str, x: float) -> None:
    assert DECIDE[op](ball(x)).is_nan()


@pytest.mark.parametrize(
    "op,x,limit",
    [("exp", -INFINITY, 0), ("exp", INFINITY, INFINITY), ("expm1", -INFINITY, -1), ("log", 0, -INFINITY),
     ("log", INFINITY, INFINITY), ("log1p", -1, -INFINITY), ("sqrt", INFINITY, INFINITY), ("tanh", -INFINITY, -1),
     ("erf", INFINITY, 1), ("erfc", -INFINITY, 2), ("sigmoid", -INFINITY, 0), ("softplus", INFINITY, INFINITY),
     ("reciprocal", INFINITY, 0), ("floor", -INFINITY, -INFINITY)],
)  # fmt: skip
def test_at_infinity_there_are_limits(op: str, x: float, limit: float) -> None:
    found = DECIDE[op](ball(x))
    assert found.is_exact()
    assert float(found) == limit


# --- conditions --------------------------------------------------------------------------------------------


def interval(condition: Any) -> tuple[float, float]:
    """Its ends; a radius is kept to 30 bits and rounded outward."""
    return round(float(condition.lower()), 8), round(float(condition.upper()), 8)


NO, YES, OPEN = (0.0, 0.0), (1.0, 1.0), (0.0, 1.0)
POINTS = {"smaller": (1, 2), "larger": (2, 1), "tied": (2, 2)}


@pytest.mark.parametrize(
    "op,smaller,larger,tied",
    [
        ("less", YES, NO, NO),
        ("less_equal", YES, NO, YES),
        ("greater", NO, YES, NO),
        ("greater_equal", NO, YES, YES),
        ("equal", NO, NO, YES),
        ("not_equal", YES, YES, NO),
    ],
)
def test_points_are_compared_as_ieee_says_and_ties_are_open_in_hulls(
    op: str, smaller: Any, larger: Any, tied: Any
) -> None:
    for name, expected in (("smaller", smaller), ("larger", larger), ("tied", tied)):
        a, b = map(ball, POINTS[name])
        assert interval(DECIDE[op](a, b)) == expected
        assert interval(HULL[op](a, b)) == (OPEN if name == "tied" else expected)
        assert interval(DECIDE[op](arb(1, 1), arb(1.5, 1))) == OPEN
        assert interval(DECIDE[op](ball(NAN), b)) == (YES if op == "not_equal" else NO)
        assert interval(DECIDE[op](arb.nan(), b)) == OPEN


@pytest.mark.parametrize("op", ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"])
def test_from_one_side_a_tie_is_what_it_is_next_to_it(op: str) -> None:
    tied, above, below = ball(2), ball(3), ball(1)
    assert ABOVE[op](tied, tied) == ABOVE[op](arb(2, 1), tied) == DECIDE[op](above, tied)
    assert BELOW[op](tied, tied) == BELOW[op](arb(2, 1), tied) == DECIDE[op](below, tied)
    assert ABOVE[op](above, tied) == BELOW[op](above, tied) == DECIDE[op](above, tied)


def test_the_sign_of_zero_is_zero_or_open() -> None:
    assert [float(side["sign"](x)) for side in (ABOVE, BELOW) for x in (ball(0), arb(0.1, 1))] == [1, 1, -1, -1]
    assert float(DECIDE["sign"](ball(0))) == 0
    assert interval(HULL["sign"](ball(0))) == (-1, 1)
    assert interval(DECIDE["sign"](arb(0.1, 1))) == (-1, 1)
    assert [float(HULL["sign"](ball(x))) for x in (-3, 1e-300)] == [-1, 1]


@pytest.mark.parametrize(
    "row,decided,hull",
    [
        ([1, 3, 2], [NO, YES, NO], [NO, YES, NO]),
        ([3, 1, 3], [(0.5, 0.5), NO, (0.5, 0.5)], [OPEN, NO, OPEN]),
        ([arb(3, 1), 1, arb(3.5, 0.1)], [OPEN, NO, OPEN], [OPEN, NO, OPEN]),
        ([5], [YES], [YES]),
    ],
)
def test_the_largest_share_it(row: list[Any], decided: list[Any], hull: list[Any]) -> None:
    x = to_balls(np.array([ball(number) for number in row], dtype=object))
    assert [interval(share) for share in DECIDE["max_share"](x, axis=0)] == decided
    assert [interval(share) for share in HULL["max_share"](x, axis=-1)] == hull


def test_where_takes_one_branch_whole_or_the_hull_of_both() -> None:
    where, yes, no, undecided = DECIDE["where"], ball(1), ball(0), arb(0.5, 0.5)
    assert float(where(yes, ball(3), arb.nan())) == 3
    assert float(where(no, arb.pos_inf(), ball(4))) == 4
    assert interval(where(undecided, ball(3), ball(4))) == (3, 4)
    assert where(undecided, ball(3), arb.nan()).is_nan()
    assert [float(x) for x in where(np.array([True, False]), ball(3), ball(4))] == [3, 4]


# --- numbers in and out ----------------------------------------------------------------------------------------


def test_floats_become_exactly_themselves() -> None:
    numbers = np.array([0.1, -0.0, 5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, NAN])
    with flint.ctx.workprec(30):
        found = to_balls(numbers)
    assert all(x.is_exact() for x in found)
    np.testing.assert_array_equal([float(x) for x in found], numbers)
    assert [float(x) for x in to_balls(np.array([0.1], dtype=np.float32))] == [float(np.float32(0.1))]
    assert [float(x) for x in to_balls(np.array([2**62 + 1, -3]))] == [2.0**62, -3]
    assert [float(x) for x in to_balls(np.array([True, False]))] == [1, 0]
    assert to_balls(np.float64(3)).shape == ()
    assert to_balls(np.zeros((0, 3))).shape == (0, 3)


def test_decimals_are_as_exact_as_the_precision() -> None:
    tenth = ball(Fraction(1, 10))
    assert not tenth.is_exact()
    assert (tenth * 10).contains(1)
    assert tenth.rel_accuracy_bits() > 120
    assert to_balls(np.array([Fraction(1, 4), 2, True, np.float32(0.5)], dtype=object)).tolist() == [0.25, 2, 1, 0.5]
    assert constant("0.1").overlaps(tenth)
    assert constant("0.1").rel_accuracy_bits() > 120
    assert proves(constant("-pi"), -mp.pi)
    assert proves(constant("e"), mp.e)
    assert float(constant("-inf")) == -INFINITY
    with flint.ctx.workprec(300):
        assert constant("0.1").rel_accuracy_bits() > 280, "a constant is remembered for its own precision alone"


# --- arrays: whole numbers, against NumPy --------------------------------------------------------------------------


def whole(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).integers(-5, 6, shape).astype(np.float64)


def same_numbers(found: Any, expected: Any) -> None:
    found = np.asarray(found, dtype=object)
    assert all(x.is_exact() for x in found.ravel())
    np.testing.assert_array_equal(np.vectorize(float, otypes=[float])(found), expected, strict=True)


@pytest.mark.parametrize(
    "a,b",
    [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((4, 2, 3), (3, 2)), ((2, 1, 2, 3), (3, 3, 2)),
     ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((0, 2, 3), (3, 1))],
)  # fmt: skip
def test_matrix_products_are_those_of_numpy(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    left, right = whole(*a), whole(*b, seed=1)
    same_numbers(DECIDE["matmul"](to_balls(left), to_balls(right)), np.asarray(left @ right))


@pytest.mark.parametrize(
    "subscripts,shapes",
    [("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bjk->kbi", [(2, 2, 3), (2, 3, 2)]), ("i,ij,j->", [(2,), (2, 3), (3,)]),
     ("ij->j", [(2, 3)]), ("ij->ji", [(2, 3)]), ("ij,kl->il", [(2, 3), (2, 2)]), (",i->i", [(), (3,)]),
     ("ij,ij->ij", [(2, 3), (2, 3)]),
     ("ij,ik,il->jkl", [(2, 2), (2, 3), (2, 2)]), ("i,i->", [(0,), (0,)])],
)  # fmt: skip
def test_einsum_is_that_of_numpy(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    xs = [whole(*shape, seed=k) for k, shape in enumerate(shapes)]
    expected = np.asarray(np.einsum(subscripts, *xs))
    same_numbers(DECIDE["einsum"](*map(to_balls, xs), subscripts=subscripts), expected)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, -1), ()])
@pytest.mark.parametrize("keepdims", [True, False])
def test_reductions_are_those_of_numpy(axis: Any, keepdims: bool) -> None:
    x = whole(2, 3, 4)
    same_numbers(DECIDE["sum"](to_balls(x), axis=axis, keepdims=keepdims), np.asarray(x.sum(axis, keepdims=keepdims)))
    same_numbers(DECIDE["max"](to_balls(x), axis=axis, keepdims=keepdims), np.asarray(x.max(axis, keepdims=keepdims)))


def test_a_sum_over_nothing_is_zero() -> None:
    same_numbers(DECIDE["sum"](to_balls(np.zeros((0, 2))), axis=0, keepdims=False), np.zeros(2))


@pytest.mark.parametrize(
    "index", [(0,), (slice(None), 1), (slice(2, 0, -1), None), (..., 2), (1, 1), (1, ..., 1), (None, 0, 0)]
)
def test_place_is_the_transpose_of_getitem(index: Any) -> None:
    x, expected = whole(3, 3), np.zeros((3, 3))
    expected[index] = x[index]
    picked = DECIDE["getitem"](to_balls(x), index=index)
    same_numbers(picked, np.asarray(x[index]))
    same_numbers(DECIDE["place"](picked, index=index, shape=(3, 3)), expected)


def test_elements_are_gathered_added_and_padded() -> None:
    x, indices = whole(2, 4), np.array([2, 0, 2, 1])
    added = np.zeros((2, 3))
    for k, index in enumerate(indices):
        added[:, index] += x[:, k]
    same_numbers(DECIDE["scatter_add"](to_balls(x), indices, axis=-1, size=3), added)
    each = np.array([[1, 0, 2, 2], [0, 1, 1, 2]])
    same_numbers(DECIDE["take_along_axis"](to_balls(x), each, axis=1), np.take_along_axis(x, each, axis=1))
    summed = np.sum(x[..., None] * (each[..., None] == np.arange(3)), axis=1)
    same_numbers(DECIDE["scatter_add_along_axis"](to_balls(x), each, axis=-1, size=3), summed)
    same_numbers(DECIDE["take"](to_balls(x), indices, axis=1), x[:, indices])
    same_numbers(DECIDE["cumsum"](to_balls(x), axis=1), np.cumsum(x, axis=1))
    same_numbers(DECIDE["one_hot"](indices, size=3), np.eye(3)[indices])
    same_numbers(
        DECIDE["pad"](to_balls(x), widths=((1, 0), (0, 2)), value=3), np.pad(x, ((1, 0), (0, 2)), constant_values=3)
    )
    same_numbers(DECIDE["stack"](ball(1), ball(2), axis=0), np.array([1.0, 2.0]))


@pytest.mark.parametrize("stride,padding,dilation,groups", [((1, 1), (0, 0), (1, 1), 1), ((2, 1), (1, 2), (1, 2), 2)])
def test_correlation_is_the_sum_that_defines_it(stride: Any, padding: Any, dilation: Any, groups: int) -> None:
    x, weight = whole(2, 4, 5, 6), whole(2, 4 // groups, 2, 3)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    found = DECIDE["correlate2d"](to_balls(x), to_balls(weight), **geometry)
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    expected = np.zeros(found.shape)
    channels, outputs = 4 // groups, 2 // groups
    for n, o, i, j in np.ndindex(*found.shape):
        rows = i * stride[0] + np.arange(2) * dilation[0]
        columns = j * stride[1] + np.arange(3) * dilation[1]
        own = slice(o // outputs * channels, (o // outputs + 1) * channels)
        expected[n, o, i, j] = np.sum(padded[n, own][:, rows][:, :, columns] * weight[o])
    same_numbers(found, expected)
