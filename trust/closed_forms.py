"""The reference against closed forms that share nothing with it: derivatives from textbooks, evaluated by mpmath.

60 digits on one side, 400 bits of ball arithmetic on the other, at points that are exact in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import mpmath as mp
import numpy as np
from mpmath import mpf

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.gradient import gradient
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.truth.numbers import balls, to_balls
from gradaccord.harness.truth.reference import reference

DIGITS, BITS = 60, 400
SMALLEST = mpf(2) ** -1022  # what a float64 holds in full
Vector = list[Any]


@dataclass(frozen=True, slots=True)
class Form:
    """A function of a vector x in the case language, and its gradient by hand."""

    text: str
    gradient: Callable[[Vector], Vector]
    points: Sequence[Sequence[float]]


def each(derivative: Callable[[Any], Any]) -> Callable[[Vector], Vector]:
    """The gradient of a sum of one function of each element."""
    return lambda x: [derivative(t) for t in x]


def log_sum_exp(x: Vector) -> Vector:
    total = mp.fsum(mp.exp(t) for t in x)
    return [mp.exp(t) / total for t in x]


def softmax_row(x: Vector) -> Vector:
    """The first row of diag(s) - s s^T."""
    s = log_sum_exp(x)
    return [s[0] * ((k == 0) - s[k]) for k in range(len(x))]


def log_determinant(x: Vector) -> Vector:
    """log(ad - bc): the transposed inverse."""
    a, b, c, d = x
    determinant = a * d - b * c
    return [d / determinant, -c / determinant, -b / determinant, a / determinant]


def rosenbrock(x: Vector) -> Vector:
    a, b = x
    return [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]


def variance(x: Vector) -> Vector:
    mean = mp.fsum(x) / len(x)
    return [2 * (t - mean) / len(x) for t in x]


def product(x: Vector) -> Vector:
    return [mp.fprod(x[:k] + x[k + 1 :]) for k in range(len(x))]


def standardised(x: Vector) -> Vector:
    """The first entry of (x - mean) / sqrt(var + eps), by the quotient rule."""
    n, eps = len(x), mpf("1e-5")
    mean = mp.fsum(x) / n
    r = mp.sqrt(mp.fsum((t - mean) ** 2 for t in x) / n + eps)
    return [((k == 0) - mpf(1) / n) / r - (x[0] - mean) * (x[k] - mean) / (n * r**3) for k in range(n)]


ANY = ((0.3, -1.25, 2.5), (-17.0, 0.0078125, 6.5), (1e-9, -3.0, 29.0))
POSITIVE = ((0.3, 1.25, 2.5), (17.0, 0.0078125, 6.5), (1e-9, 3.0, 290.0))
INSIDE = ((0.3, -0.99, 0.5), (1e-9, 0.9999999, -0.7))

FORMS: Mapping[str, Form] = {
    "tanh: 1 / cosh^2": Form("sum(tanh(x))", each(lambda t: 1 / mp.cosh(t) ** 2), ANY),
    "sigmoid: s (1 - s)": Form("sum(sigmoid(x))", each(lambda t: 1 / (2 + mp.exp(t) + mp.exp(-t))), ANY),
    "softplus: sigmoid": Form("sum(softplus(x))", each(lambda t: 1 / (1 + mp.exp(-t))), ANY),
    "erf: 2/sqrt(pi) e^(-x^2)": Form("sum(erf(x))", each(lambda t: 2 / mp.sqrt(mp.pi) * mp.exp(-t * t)), ANY),
    "gelu: Phi + x phi": Form("sum(gelu(x))", each(lambda t: mp.ncdf(t) + t * mp.npdf(t)), ANY[:1]),
    "expm1: e^x": Form("sum(expm1(x))", each(mp.exp), ANY),
    "tan: 1 / cos^2": Form("sum(tan(x))", each(lambda t: 1 / mp.cos(t) ** 2), ANY),
    "asinh: 1 / sqrt(x^2 + 1)": Form("sum(asinh(x))", each(lambda t: 1 / mp.sqrt(t * t + 1)), ANY),
    "atanh: 1 / (1 - x^2)": Form("sum(atanh(x))", each(lambda t: 1 / (1 - t * t)), INSIDE),
    "acos: -1 / sqrt(1 - x^2)": Form("sum(acos(x))", each(lambda t: -1 / mp.sqrt(1 - t * t)), INSIDE),
    "log10: 1 / (x ln 10)": Form("sum(log10(x))", each(lambda t: 1 / (t * mp.log(10))), POSITIVE),
    "lgamma: digamma": Form("sum(lgamma(x))", each(mp.digamma), POSITIVE),
    "digamma: trigamma": Form("sum(digamma(x))", each(lambda t: mp.psi(1, t)), POSITIVE),
    "x^x: x^x (ln x + 1)": Form("sum(x ** x)", each(lambda t: t**t * (mp.log(t) + 1)), POSITIVE[:2]),
    "log-sum-exp: softmax": Form("logsumexp(x)", log_sum_exp, ANY),
    "softmax: diag(s) - s s^T": Form("softmax(x)[0]", softmax_row, ANY),
    "norm: x / |x|": Form("norm(x)", lambda x: [t / mp.sqrt(mp.fsum(s * s for s in x)) for t in x], ANY),
    "variance: 2 (x - mean) / n": Form("var(x)", variance, ANY),
    "product: the others' product": Form("prod(x)", product, ANY),
    "layer norm: its Jacobian": Form("layer_norm(x)[0]", standardised, ANY),
    "log det 2x2: transposed inverse": Form(
        "log(x[0] * x[3] - x[1] * x[2])", log_determinant, ((2.0, 0.5, -1.0, 3.0), (1.0, 1.0, 1.0, 1.0000001))
    ),
    "Rosenbrock": Form("(1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2", rosenbrock, ((-1.2, 1.0), (1.0, 1.0000001))),
    "angle: (-y, x) / r^2": Form(
        "atan2(x[1], x[0])", lambda x: [-x[1] / (x[0] ** 2 + x[1] ** 2), x[0] / (x[0] ** 2 + x[1] ** 2)], ((0.3, -2.0),)
    ),
}


def gradients(text: str, x: Any) -> tuple[list[Any], list[float], list[Any]]:
    """The gradient of a text in x: as `reference` hands it out, its radii, and the same on balls of `BITS` bits."""
    builder = Builder()
    builder.input("x", x.shape)
    Parser(builder).define("y", text)
    graph, one = builder.graph(["y"]), np.ones(())
    found = reference(graph, {"x": x}, one).adjoints["x"]
    pairs = [mpf(high) + mpf(low) for high, low in zip(found.high.tolist(), found.low.tolist(), strict=True)]
    sweep = gradient(graph, stable=False, seeded=True)
    program = emit(sweep.graph, balls(ties="hull"), sweep.graph.outputs[1:], operators=False)
    with flint.ctx.workprec(BITS):
        (slope,) = program(*(to_balls({"x": x, sweep.seed: one}[node.name]) for node in sweep.graph.inputs))
    return pairs, found.radius.tolist(), [_exactly(ball) for ball in np.broadcast_to(slope, x.shape)]


def _exactly(ball: Any) -> Any:
    """A ball's middle."""
    mantissa, exponent = ball.mid().man_exp()
    return mp.ldexp(mpf(int(mantissa)), int(exponent))


def rows() -> Iterator[list[str]]:
    """Name, points, entries, the largest relative differences of both, and whether the reference is sound."""
    for name, form in FORMS.items():
        worst, entries, sound = [mpf(0), mpf(0)], 0, True
        for point in form.points:
            with mp.workdps(DIGITS):
                right = form.gradient([mpf(t) for t in point])
                pairs, radii, wide = gradients(form.text, np.array(point))
                for number, pair, radius, exact in zip(right, pairs, radii, wide, strict=True):
                    entries += 1
                    sound &= bool(abs(pair - number) <= max(abs(number) * mpf(2) ** -100, mpf(radius), SMALLEST))
                    if abs(number) > SMALLEST:
                        worst[0] = max(worst[0], abs(pair - number) / abs(number))
                    worst[1] = max(worst[1], abs(exact - number) / abs(number))
        yield [
            name,
            str(len(form.points)),
            str(entries),
            *(str(mp.nstr(off, 2)) for off in worst),
            "yes" if sound else "**no**",
        ]
