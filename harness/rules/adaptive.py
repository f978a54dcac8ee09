"""Rules that divide each component by what its gradients have been so far."""

from __future__ import annotations

from .gradient import BUFFER
from .rule import Choice, Setting, fraction, rule

EPS_PLACE = Choice(
    {"outside": "eps is added to the root", "inside": "eps stands inside the root"},
    where="eps",
)

rule(
    "adagrad",
    settings={
        "step_size": Setting("0.01"),
        "eps": Setting("1e-10", open=False),
        "initial": Setting("0", open=False),
        "slowing": Setting("0", open=False),
        "eps_place": EPS_PLACE,
    },
    start={"s": "initial"},
    lines="""
        [slowing] step_size = step_size / (1 + (t - 1) * slowing)
        s = s + square(g)
        [eps_place: outside] u = g / (sqrt(s) + eps)
        [eps_place: inside] u = g / sqrt(s + eps)
        [eps_place: outside, decay: coupled] also x = x - step_size * g / (sqrt(s) + eps)
    """,
    source="Duchi, Hazan & Singer 2011, Adaptive subgradient methods for online learning and stochastic optimization",
)
rule(
    "rmsprop",
    settings={
        "step_size": Setting("0.01"),
        "rho": fraction("0.99"),
        "eps": Setting("1e-8", open=False),
        "momentum": fraction("0"),
        "initial": Setting("0", open=False),
        "eps_place": EPS_PLACE,
        "centered": Choice({"no": "the root is that of the mean square", "yes": "the root is that of the variance"}),
        "unbiased": Choice({"no": "the mean square is not bias-corrected", "yes": "the mean square is bias-corrected"}),
        "nesterov": Choice(
            {"no": "the step is the momentum buffer", "yes": "the step looks ahead of the momentum buffer"},
            where="momentum",
        ),
        "buffer": BUFFER,
    },
    start={"v": "initial", "m": "0", "b": "0"},
    lines="""
        v = rho * v + (1 - rho) * square(g)
        [centered: yes] m = rho * m + (1 - rho) * g
        [centered: yes] also m = g - (g - m) * (1 - (1 - rho))
        [unbiased: yes] unbias = 1 - rho ** t
        [centered: no, unbiased: no] spread = v
        [centered: no, unbiased: yes] spread = v / unbias
        [centered: yes, unbiased: no] spread = v - square(m)
        [centered: yes, unbiased: yes] spread = v / unbias - square(m / unbias)
        [eps_place: outside] u = g / (sqrt(spread) + eps)
        [eps_place: inside] u = g / sqrt(spread + eps)
        [momentum, buffer: before] b = momentum * b + u
        [momentum, buffer: before, nesterov: no] u = b
        [momentum, buffer: before, nesterov: yes] u = u + momentum * b
        [momentum, buffer: after] b = momentum * b - step_size * u
        [momentum, buffer: after, nesterov: no] x = x + b
        [momentum, buffer: after, nesterov: yes] x = x + (momentum * b - step_size * u)
    """,
    source="Tieleman & Hinton 2012, Neural networks for machine learning, lecture 6.5; centered by Graves 2013, "
    "Generating sequences with recurrent neural networks, eqs. 38 to 45",
)
rule(
    "adadelta",
    settings={"step_size": Setting("1"), "rho": fraction("0.9"), "eps": Setting("1e-6", open=False)},
    start={"s": "0", "d": "0"},
    lines="""
        s = rho * s + (1 - rho) * square(g)
        u = sqrt(d + eps) / sqrt(s + eps) * g
        d = rho * d + (1 - rho) * square(u)
    """,
    source="Zeiler 2012, ADADELTA: an adaptive learning rate method, algorithm 1",
)
