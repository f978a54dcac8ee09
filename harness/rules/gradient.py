"""Rules that follow the gradient itself, its average or its sign."""

from __future__ import annotations

from .rule import DECOUPLED, STEP_SIZE, Choice, Setting, Start, fraction, rule

MOMENTUM = fraction("0.9")
BUFFER = Choice(
    {
        "before": "the momentum buffer adds up gradients, and the step size of today multiplies all of it",
        "after": "the momentum buffer adds up steps, each with the step size of its time",
    },
    changing="step_size",
)

rule(
    "ascent",
    promise="up",
    settings={"step_size": STEP_SIZE},
    lines="x = x + step_size * g",
    source="Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées; its sign turned",
)
rule(
    "descent",
    settings={"step_size": STEP_SIZE},
    lines="u = g",
    source="Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées",
)
rule(
    "momentum",
    settings={
        "step_size": STEP_SIZE,
        "momentum": Setting("0.9", below="1"),
        "dampening": fraction("0"),
        "first": Choice(
            {
                "undamped": "the first gradient enters the momentum buffer undamped",
                "damped": "the first gradient enters the momentum buffer as every other",
            },
            where="dampening",
        ),
        "buffer": BUFFER,
    },
    start={"v": "0"},
    lines="""
        [dampening, first: undamped] begins = t == 1
        [dampening, first: undamped] g = where(begins, g, (1 - dampening) * g)
        [dampening, first: damped] g = (1 - dampening) * g
        [buffer: before] v = momentum * v + g
        [buffer: before] u = v
        [buffer: after] v = momentum * v - step_size * g
        [buffer: after] x = x + v
    """,
    source="Polyak 1964, Some methods of speeding up the convergence of iteration methods, eq. 9, in the form of "
    "Sutskever et al. 2013, On the importance of initialization and momentum, that keeps the step size out of v",
)
rule(
    "nesterov",
    settings={"step_size": STEP_SIZE, "momentum": Setting("0.9", below="1"), "buffer": BUFFER},
    start={"v": "0"},
    lines="""
        [buffer: before] v = momentum * v + g
        [buffer: before] u = g + momentum * v
        [buffer: after] v = momentum * v - step_size * g
        [buffer: after] x = x + (momentum * v - step_size * g)
    """,
    source="Nesterov 1983, A method of solving a convex programming problem with convergence rate O(1/k^2), as a "
    "change of momentum by Sutskever et al. 2013, On the importance of initialization and momentum, eq. 7",
)
rule(
    "sign",
    settings={"step_size": STEP_SIZE},
    lines="u = sign(g)",
    source="Bernstein et al. 2018, signSGD: compressed optimisation for non-convex problems, algorithm 1",
)
rule(
    "signum",
    settings={"step_size": STEP_SIZE, "beta": fraction("0.9")},
    start={"m": "0"},
    lines="""
        m = beta * m + (1 - beta) * g
        u = sign(m)
    """,
    source="Bernstein et al. 2018, signSGD: compressed optimisation for non-convex problems, algorithm 2",
)
rule(
    "lion",
    settings={
        "step_size": Setting("0.0001"),
        "beta1": fraction("0.9"),
        "beta2": fraction("0.99"),
        "decay": DECOUPLED,
    },
    start={"m": "0"},
    lines="""
        u = sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g
    """,
    source="Chen et al. 2023, Symbolic discovery of optimization algorithms, algorithm 2",
)
rule(
    "rprop",
    settings={
        "step_size": Setting("0.01"),
        "eta_minus": Setting("0.5", below="1"),
        "eta_plus": Setting("1.2", least="1"),
        "shortest": Setting("1e-6"),
        "longest": Setting("50"),
        "applied": Choice(
            {
                "now": "each step moves by the sign of its own gradient",
                "late": "each step moves by what the step before it found, the first one not at all",
            }
        ),
    },
    start={"s": "step_size", "p": "0"},
    lines="""
        turned = g * p
        factor = where(turned > 0, eta_plus, where(turned < 0, eta_minus, 1))
        [applied: now] s = minimum(maximum(s * factor, shortest), longest)
        [applied: now] g = where(turned < 0, 0, g)
        [applied: now] p = g
        [applied: now] x = x - sign(p) * s
        [applied: late] s = where(turned == 0, s, minimum(maximum(s * factor, shortest), longest))
        [applied: late] d = where(turned < 0, 0, p)
        [applied: late] p = where(turned < 0, 0, s * sign(g))
        [applied: late] x = x - d
    """,
    source="Riedmiller & Braun 1993, A direct adaptive method for faster backpropagation learning",
)
rule(
    "asgd",
    settings={
        "step_size": Setting("0.01"),
        "shrinking": Setting("0.0001", open=False),
        "power": Setting("0.75", open=False),
        "begin": Setting("1000000", open=False),
    },
    start={"a": "0", "eta": Start("step_size", shape="scalar"), "mu": Start("1", shape="scalar")},
    lines="""
        x = x * (1 - shrinking * eta) - eta * g
        alone = mu == 1
        a = where(alone, x, a + (x - a) * mu)
        eta = step_size / (1 + shrinking * step_size * t) ** power
        mu = 1 / maximum(t - begin, 1)
    """,
    source="Polyak & Juditsky 1992, Acceleration of stochastic approximation by averaging",
)
