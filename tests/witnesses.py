"""Every operation on single numbers by somebody else: mpmath's function, and points where it is worth comparing.

One row for each: a new operation on numbers needs one here, and the tests of both number systems ask for it.
"""

# The table of mpmath's functions has lambdas over its untyped numbers.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath

mp = mpmath.mp
Points = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """`near`: points for floating-point arithmetic, both tails, both sides of every switch of formula. `far`: for
    balls, which have no range; empty where balls need no function of their own."""

    function: Callable[..., Any]
    near: Points
    far: Points


def log_gamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x)))


EVERYWHERE = (-40.0, -3.75, -1.0, -0.3, -1e-9, 1e-12, 0.1, 0.5, 1.0, 2.718, 17.25, 60.0)
POSITIVE = (1e-30, 0.01, 0.5, 0.99999, 1.0, 1.00001, 2.0, 1234.5, 1e30)
UNIT = (-0.9999, -0.5, -1e-8, 0.0, 1e-8, 0.25, 0.75, 0.9999)
GAMMA = (-10.3, -2.5, -0.7, 1e-10, 0.1, 0.9, 1.01, 1.2499, 1.25, 1.4616, 1.99, 2.0, 2.26, 3.7, 9.99, 10.0, 171.6, 1e10)
PAIRS = ((0.3, 0.7), (2.5, 2.5), (4.0, -1.25), (1e-10, 3.0), (30.0, 29.5), (0.5, 1e5))
FAR = (0.0, 1e-20, -1e-20, 0.7, -0.7, 3.0, -20.5, 40.0)
FAR_POSITIVE = (1e-300, 1e-5, 0.5, 1.0, 1.0000000000000002, 2.5, 1e10, 1e300)
INSIDE = (0.0, 1e-20, -0.5, 0.999999999, -0.999999999)
FAR_GAMMA = (1e-8, 0.5, 1.0000001, 2.5, 171.5, 1e6, -0.5, -2.5, -2.0000001, -30.25)
POWERS = ((2.0, 0.5), (-3.0, 3.0), (-3.0, -2.0), (0.0, 0.0), (0.0, 3.0), (0.0, 0.3), (1.5, 1000.0), (7.0, -0.1))
AXES = ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, -1e-20))
FAR_PAIRS = ((0.3, 1.7), (-2.0, 0.5), (1e-20, 3.0), (700.0, -700.0), (1e5, 99999.0), (-3.0, -4.0))

# fmt: off
UNARY: Mapping[str, Witness] = {
    "negative": Witness(lambda x: -x, EVERYWHERE, ()),
    "abs": Witness(abs, EVERYWHERE, FAR),
    "sign": Witness(mp.sign, (*EVERYWHERE, 0.0), ()),
    "square": Witness(lambda x: x * x, EVERYWHERE, FAR),
    "sqrt": Witness(mp.sqrt, POSITIVE, (0.0, *FAR_POSITIVE)),
    "reciprocal": Witness(lambda x: 1 / x, EVERYWHERE, (*FAR_POSITIVE, -3.0)),
    "exp": Witness(mp.exp, EVERYWHERE, (*FAR, 700.0, -700.0, -1e5)),
    "expm1": Witness(mp.expm1, EVERYWHERE, (*FAR, 700.0, -700.0)),
    "log": Witness(mp.log, POSITIVE, FAR_POSITIVE),
    "log1p": Witness(mp.log1p, (-0.999, -1e-12, *POSITIVE), (*FAR_POSITIVE, 1e-20, -1e-20, -0.9999)),
    "log2": Witness(lambda x: mp.log(x, 2), POSITIVE, FAR_POSITIVE),
    "log10": Witness(mp.log10, POSITIVE, FAR_POSITIVE),
    "sin": Witness(mp.sin, EVERYWHERE, (*FAR, 1e22)),
    "cos": Witness(mp.cos, EVERYWHERE, (*FAR, 1e22)),
    "tan": Witness(mp.tan, EVERYWHERE, FAR),
    "asin": Witness(mp.asin, UNIT, (*INSIDE, 1.0, -1.0)),
    "acos": Witness(mp.acos, UNIT, (*INSIDE, 1.0, -1.0)),
    "atan": Witness(mp.atan, EVERYWHERE, (*FAR, 1e300)),
    "sinh": Witness(mp.sinh, EVERYWHERE, (*FAR, 700.0)),
    "cosh": Witness(mp.cosh, EVERYWHERE, (*FAR, 700.0)),
    "tanh": Witness(mp.tanh, EVERYWHERE, (*FAR, 700.0)),
    "asinh": Witness(mp.asinh, EVERYWHERE, (*FAR, -1e300)),
    "acosh": Witness(mp.acosh, (1.0, 1.001, 2.0, 1e10), (1.0, 1.0000000000000002, 2.0, 1e300)),
    "atanh": Witness(mp.atanh, UNIT, INSIDE),
    "erf": Witness(mp.erf, EVERYWHERE, FAR),
    "erfc": Witness(mp.erfc, (-5.0, -0.5, 0.0, 0.4, 0.6, 3.0, 9.0), (*FAR, 30.0, -30.0)),
    "lgamma": Witness(log_gamma, GAMMA[:-1], FAR_GAMMA),
    "digamma": Witness(mp.digamma, GAMMA, FAR_GAMMA),
    "sigmoid": Witness(lambda x: 1 / (1 + mp.exp(-x)), (-80.0, *EVERYWHERE, 700.0), (*FAR, 800.0, -800.0)),
    "softplus": Witness(lambda x: mp.log1p(mp.exp(x)), (-80.0, *EVERYWHERE, 700.0), (*FAR, 800.0, -800.0)),
    "floor": Witness(mp.floor, (*EVERYWHERE, 0.0), (0.5, -0.5, 2.0, -2.0, 1e300)),
    "ceil": Witness(mp.ceil, (*EVERYWHERE, 0.0), (0.5, -0.5, 2.0, -2.0, 1e300)),
    "stop_gradient": Witness(lambda x: x, EVERYWHERE, ()),
    "copy": Witness(lambda x: x, EVERYWHERE, ()),
}
BINARY: Mapping[str, Witness] = {
    "add": Witness(lambda a, b: a + b, PAIRS, ()),
    "subtract": Witness(lambda a, b: a - b, PAIRS, ()),
    "multiply": Witness(lambda a, b: a * b, PAIRS, ()),
    "divide": Witness(lambda a, b: a / b, PAIRS, ()),
    "pow": Witness(mp.power, (*PAIRS[:4], (12.0, 29.5), (-1.5, 3.0)), POWERS),
    "hypot": Witness(mp.hypot, (*PAIRS, (1e30, 1e29)), ((0.0, 0.0), (1e200, 1e200), *FAR_PAIRS)),
    "logaddexp": Witness(lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), (*PAIRS, (-700.0, -701.0)), FAR_PAIRS),
    "atan2": Witness(mp.atan2, (*PAIRS, (-1.0, -2.0), (1.0, -1e-9), (0.0, -1.0)), (*AXES, *FAR_PAIRS)),
    "maximum": Witness(max, PAIRS, FAR_PAIRS),
    "minimum": Witness(min, PAIRS, FAR_PAIRS),
}
# fmt: on
