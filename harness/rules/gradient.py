"""Rules that follow the gradient itself, its average or its sign."""

from __future__ import annotations

from .rule import STEP_SIZE, Setting, rule

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
    settings={"step_size": STEP_SIZE, "momentum": Setting("0.9", below="1")},
    start={"v": "0"},
    lines="""
        v = momentum * v + g
        u = v
    """,
    source="Polyak 1964, Some methods of speeding up the convergence of iteration methods, eq. 9, in the form of "
    "Sutskever et al. 2013, On the importance of initialization and momentum, that keeps the step size out of v",
)
