"""What gradient checkers notice, side by side, each at its defaults: torch, JAX, chex, HIPS autograd, gradaccord.

Each is handed the same function with the derivative of one tanh off by a factor, in the whole rule or in a single
entry, and functions that are right. A checker is a function that says whether it accepts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from bent import in_backprop
from networks import NETWORKS, Network
from plant import Plant

from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject

Bend = Callable[[Any], Any]
Accepts = Callable[[Network, float, bool], bool]
FINEST, COARSEST, STEPS_A_DECADE = -16, 0, 2


def factor(error: float, single: bool, shape: tuple[int, ...]) -> Any:
    """What the cotangent of the bent step is multiplied by."""
    factors = np.full(shape, 1.0 if single else 1 + error)
    factors.flat[0] = 1 + error
    return factors


def by_torch(network: Network, error: float, single: bool) -> bool:
    import torch

    class Bent(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = torch.tanh(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            (y,) = ctx.saved_tensors
            return grads[0] * (1 - y * y) * torch.tensor(factor(error, single, tuple(y.shape)))

    weights = {name: torch.tensor(array) for name, array in network.weights.items()}
    x = torch.tensor(network.x, requires_grad=True)

    def function(x: Any) -> Any:
        return network.function(torch, Bent.apply, x, weights)

    return bool(torch.autograd.gradcheck(function, (x,), raise_exception=False))


def _jax_function(network: Network, error: float, single: bool) -> Callable[[Any], Any]:
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def bent(x: Any) -> Any:
        return jnp.tanh(x)

    def back(y: Any, g: Any) -> Any:
        return (g * (1 - y * y) * factor(error, single, y.shape),)

    bent.defvjp(lambda x: (jnp.tanh(x), jnp.tanh(x)), back)
    return lambda x: network.function(jnp, bent, x, network.weights)


def by_jax(network: Network, error: float, single: bool) -> bool:
    import jax
    from jax.test_util import check_grads

    with jax.enable_x64(True):
        function = _jax_function(network, error, single)
        return _passes(lambda: check_grads(function, (network.x,), order=1, modes=["rev"]))


def by_chex(network: Network, error: float, single: bool) -> bool:
    import chex
    import jax

    with jax.enable_x64(True):
        function = _jax_function(network, error, single)
        return _passes(lambda: chex.assert_numerical_grads(function, (network.x,), order=1, modes=["rev"]))


def by_autograd(network: Network, error: float, single: bool) -> bool:
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive

    numpy: Any = anp
    bent = primitive(numpy.tanh)
    defvjp(bent, lambda y, x: lambda g: g * (1 - y * y) * factor(error, single, y.shape))
    return _autograd_accepts(lambda x: network.function(numpy, bent, x, network.weights), network.x)


def _autograd_accepts(function: Callable[[Any], Any], x: Any) -> bool:
    from autograd import test_util

    check: Any = test_util.check_grads
    np.random.seed(0)  # its random directions
    return _passes(lambda: check(function, modes=["rev"], order=1)(x))


def by_gradaccord(network: Network, error: float, single: bool) -> bool:
    about = network.subject
    bend = factor(error, single, about.graph["bent"].shape)
    return _judged_sound(about, Plant(about.graph, about.dtype, Use("bent", 0), "", lambda term: term * bend))


def _judged_sound(about: Subject, plant: Plant) -> bool:
    with in_backprop(plant) as prepare:
        evaluation = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    return not any(row.finding for row in judge(about, "backprop", evaluation))


def _passes(check: Callable[[], object]) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            check()
        except AssertionError:
            return False
    return True


CHECKERS: Mapping[str, Accepts] = {
    "torch gradcheck": by_torch,
    "jax check_grads": by_jax,
    "chex": by_chex,
    "HIPS autograd": by_autograd,
    "gradaccord": by_gradaccord,
}


def detection_table() -> tuple[Sequence[str], list[list[str]]]:
    rows = [
        [name, "single entry" if single else "whole rule", *(_noticed(a, make(), single) for a in CHECKERS.values())]
        for name, make in NETWORKS.items()
        for single in (False, True)
    ]
    return ("function", "planted in", *CHECKERS), rows


def _noticed(accepts: Accepts, network: Network, single: bool) -> str:
    """The smallest error of a grid of exponents that is noticed, by halving; assumes that larger ones are too."""
    low, high = FINEST * STEPS_A_DECADE, COARSEST * STEPS_A_DECADE
    if accepts(network, 10.0**COARSEST, single):
        return "not even 1"
    while high - low > 1:
        middle = (low + high) // 2
        if accepts(network, 10.0 ** (middle / STEPS_A_DECADE), single):
            low = middle
        else:
            high = middle
    return f"{10.0 ** (high / STEPS_A_DECADE):.0e}"


# --- functions that are right ---------------------------------------------------------------------------------


SOUND: Mapping[str, tuple[str, str, Any]] = {
    "relu at 0": ("relu(x)", "float64", [0.0, 1.0]),
    "abs at 0": ("abs(x)", "float64", [0.0, 1.0]),
    "tanh in float32": ("tanh(x)", "float32", [0.3, -0.8, 1.2]),
    "exp(3 x) in float32": ("exp(3 * x)", "float32", [0.3, 2.0, 3.0]),
    "ill-conditioned: (x + 1e8) - 1e8": ("(x + 100000000) - 100000000", "float64", [0.3, 0.7]),
    "ill-conditioned: sin(1e6 x)": ("sin(1000000 * x)", "float64", [0.3, 0.7]),
    "tiny argument: log x at 1e-7": ("log(x)", "float64", [1e-7, 2e-7]),
}
TINY = "twice the gradient of 1e-6 tanh(x), wrong"


def false_alarm_table() -> tuple[Sequence[str], list[list[str]]]:
    rows = [
        [name, *("accepted" if ok else "**refused**" for ok in _verdicts(text, dtype, np.array(x, dtype)))]
        for name, (text, dtype, x) in SOUND.items()
    ]
    tiny = _tiny()
    rows.append([TINY, *("**accepted**" if accepts(tiny, 1.0, False) else "refused" for accepts in CHECKERS.values())])
    return ("function", *CHECKERS), rows


def _tiny() -> Network:
    def function(xp: Any, step: Any, x: Any, w: Mapping[str, Any]) -> Any:
        return (step(x) * 1e-6).sum()

    return Network(np.array([0.3, -0.8]), {}, {"bent": "tanh(x)", "out": "sum(bent * 1e-6)"}, function)


def _verdicts(text: str, dtype: str, x: Any) -> Iterator[bool]:
    """Whether each checker accepts the sum of a function that is right."""
    import autograd.numpy as anp
    import chex
    import jax
    import jax.numpy as jnp
    import torch
    from jax.test_util import check_grads as jax_check

    from gradaccord.engines import backprop

    def function(xp: Any) -> Callable[[Any], Any]:
        relu = {torch: torch.relu, jnp: jax.nn.relu}.get(xp, lambda x: xp.maximum(x, 0))
        scope = {"relu": relu, **{name: getattr(xp, name) for name in ("abs", "tanh", "exp", "sin", "log")}}
        return lambda x: eval(text, {"x": x, **scope}).sum()

    tensor = torch.tensor(x, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield bool(torch.autograd.gradcheck(function(torch), (tensor,), raise_exception=False))
    with jax.enable_x64(True):
        yield _passes(lambda: jax_check(function(jnp), (x,), order=1))
        yield _passes(lambda: chex.assert_numerical_grads(function(jnp), (x,), order=1))
    yield _autograd_accepts(function(anp), x)
    about = Network(x, {}, {"y": text, "out": "sum(y)"}, lambda *_: None).subject
    about = Subject("sound", 0, dtype, about.graph, {"x": x}, np.ones((), dtype))
    rows = judge(about, "backprop", backprop.prepare(about.graph, dtype)(about.inputs, about.cotangent))
    yield not any(row.finding for row in rows)
