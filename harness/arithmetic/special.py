"""The special functions that NumPy lacks: erf, erfc, ln|Gamma| and its derivatives.

Enter numbers or arrays of float64 or float32; the result has their shape and dtype. All is computed
in float64, so that float32 results are as good as rounded. Imports NumPy alone, no framework.

Formulas: Abramowitz & Stegun 1964, chapter 6 (cited by number); the Hurwitz zeta function by
Euler-Maclaurin summation (Johansson 2015, "Rigorous high-precision computation of the Hurwitz zeta
function", equation 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Float64: TypeAlias = NDArray[np.float64]

EULER = 0.5772156649015329
HALF_LOG_2PI = 0.9189385332046727
LARGE = 10.0  # from here on Stirling's series has all digits


@lru_cache
def bernoulli(count: int) -> tuple[Fraction, ...]:
    """B_0, B_2, ..., by sum over k < n of C(n, k) B_k = 0 (23.1.3)."""
    numbers = [Fraction(1)]
    for n in range(2, 2 * count + 1):
        numbers.append(-sum((math.comb(n, k) * b for k, b in enumerate(numbers)), Fraction(0)) / n)
    return tuple(numbers[::2][:count])


def hurwitz(s: int, q: Float64) -> Float64:
    """zeta(s, q), the sum over k >= 0 of (q + k)^-s, for whole s >= 2 and q > 0: all its terms are positive."""
    terms = 10 + s
    total = sum((q + k) ** float(-s) for k in range(terms))
    edge = q + terms
    tail = np.full_like(edge, 0.5)
    factor = np.asarray(s / edge)
    for j, b in enumerate(bernoulli(12)[1:], start=1):
        tail = tail + float(b / math.factorial(2 * j)) * factor
        factor = factor * ((s + 2 * j - 1) * (s + 2 * j)) / (edge * edge)
    return total + edge ** float(1 - s) / (s - 1) + tail * edge ** float(-s)


# zeta(k) - 1 for k = 2, 3, ..., the coefficients of ln Gamma around 2: they fall like 2^-k, and z stays within 3/4.
ZETA_1 = tuple(float(hurwitz(k, np.float64(2.0))) for k in range(2, 44))  # pyright: ignore[reportArgumentType]
LGAMMA_2 = (0.0, 1 - EULER, *((-1) ** k * c / k for k, c in enumerate(ZETA_1, start=2)))  # 6.1.33
DIGAMMA_2 = (1 - EULER, *((-1) ** k * c for k, c in enumerate(ZETA_1, start=2)))  # 6.3.14
STIRLING = tuple(float(b / (2 * k * (2 * k - 1))) for k, b in enumerate(bernoulli(11)[1:], start=1))  # 6.1.41
STIRLING_DIGAMMA = tuple(float(-b / (2 * k)) for k, b in enumerate(bernoulli(11)[1:], start=1))  # 6.3.18


def polynomial(coefficients: Sequence[float], x: Float64) -> Float64:
    """c_0 + c_1 x + ..., by Horner's rule."""
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= x
        total += c
    return total


def in_float64(function: Callable[..., Float64]) -> Callable[..., Array]:
    """A function of a float64 vector, for numbers and arrays of any shape and dtype. Overflow and poles are silent."""

    def wrapped(x: Array, **parameters: int) -> Array:
        x = np.asarray(x)
        with np.errstate(all="ignore"):
            result = function(np.ravel(x).astype(np.float64), **parameters)
            return result.reshape(x.shape).astype(x.dtype)[()]

    return wrapped


def _through(function: Callable[[float], float]) -> Callable[..., Array]:
    def each(x: Float64) -> Float64:
        return np.fromiter(map(function, x.tolist()), np.float64, x.size)

    return in_float64(each)


erf = _through(math.erf)  # the C library's: within 1 ulp, and 0.1 microseconds an element
erfc = _through(math.erfc)


@in_float64
def lgamma(x: Float64) -> Float64:
    """ln |Gamma(x)|; +inf at the poles 0, -1, ... (`math.lgamma` loses its digits around the roots 1 and 2.)"""
    result = np.full_like(x, np.nan)
    positive = x > 0
    result[positive] = _lgamma_positive(x[positive])
    negative = x <= 0
    z = -x[negative]
    sine = np.abs(np.sin(np.pi * _distance(z)))
    result[negative] = np.where(sine == 0, np.inf, np.log(np.pi / (z * sine)) - _lgamma_positive(z))  # 6.1.17
    result[np.isinf(x)] = np.inf
    return result


def _lgamma_positive(x: Float64) -> Float64:
    large = x >= LARGE
    y = np.where(large, x, LARGE)
    series = (y - 0.5) * np.log(y) - y + (HALF_LOG_2PI + polynomial(STIRLING, 1 / (y * y)) / y)
    near, factor, below = _towards_2(np.where(large, 2.0, x), product=True)
    taylor = polynomial(LGAMMA_2, near)
    # Below the range the logarithm of x itself is split off: near its root at 1 it is log1p that keeps the digits.
    small = np.where(x > 0.5, np.log1p(np.minimum(x, 2) - 1), np.log(np.where(x > 0, x, 1)))
    taylor = np.where(below == 2, taylor - small - np.log1p(x), np.where(below == 1, taylor - small, taylor))
    return np.where(large, series, taylor + np.log(factor))


@in_float64
def digamma(x: Float64) -> Float64:
    """d/dx ln |Gamma(x)|; -inf at 0, NaN at -1, -2, ..."""
    reflected = x < 0
    z = np.where(reflected, 1 - x, x)
    large = z >= LARGE
    y = np.where(large, z, LARGE)
    square = 1 / (y * y)
    series = np.log(y) - (0.5 / y - square * polynomial(STIRLING_DIGAMMA, square))
    near, total, below = _towards_2(np.where(large, 2.0, z), product=False)
    taylor = polynomial(DIGAMMA_2, near) + total
    taylor = np.where(below == 2, taylor - 1 / (z + 1), taylor)
    taylor = np.where(below >= 1, taylor - 1 / z, taylor)
    result = np.where(large, series, taylor)
    distance = _distance(x)
    reflection = np.where(distance == 0, np.nan, np.pi / np.tan(np.pi * distance))  # 6.3.7
    return np.where(reflected, result - reflection, result)


@in_float64
def polygamma(x: Float64, *, n: int) -> Float64:
    """The n-th derivative of digamma, n >= 1: (-1)^(n+1) n! zeta(n + 1, x) (6.4.10)."""
    sign = 1.0 if n % 2 else -1.0
    reflected = x < 0
    derivative = sign * float(math.factorial(n)) * hurwitz(n + 1, np.where(reflected, 1 - x, x))
    if not reflected.any():
        return derivative
    distance = np.where(reflected, _distance(x), 0.25)
    pole = np.inf if n % 2 else np.nan
    other = np.where(distance == 0, pole, -_cotangent_derivative(n, distance))
    return np.where(reflected, other - sign * derivative, derivative)  # 6.4.7


def _cotangent_derivative(n: int, r: Float64) -> Float64:
    """The n-th derivative of pi cot(pi x), a polynomial in c = cot(pi x), for dc/dx = -pi (1 + c^2)."""
    p = np.polynomial.Polynomial([0, 1])
    for _ in range(n):
        p = -(p.deriv() * np.polynomial.Polynomial([1, 0, 1]))
    return math.pi ** (n + 1) * np.asarray(p(1 / np.tan(np.pi * r)))


def _distance(x: Float64) -> Float64:
    """x minus the nearest integer: exact, and sin(pi x) is as good as sin(pi distance)."""
    return x - np.rint(x)


def _towards_2(x: Float64, *, product: bool) -> tuple[Float64, Float64, NDArray[np.int64]]:
    """x shifted by whole numbers into 5/4 <= x < 9/4, minus 2.

    Also the product, or the sum of reciprocals, of what the recurrence (6.1.15, 6.3.5) passes on
    the way down, and how many steps (1 or 2) lead up for a smaller x.
    """
    gathered = np.full_like(x, 1.0 if product else 0.0)
    near = x.copy()
    while (above := near >= 2.25).any():
        near = np.where(above, near - 1, near)
        step = near if product else 1 / near
        gathered = np.where(above, gathered * step if product else gathered + step, gathered)
    below = np.where(x < 0.25, 2, np.where(x < 1.25, 1, 0))
    return np.where(below == 0, near - 2, np.where(below == 1, x - 1, x)), gathered, below
