"""Adam and what was made of it."""

from __future__ import annotations

from .rule import Setting, rule

# torch interpolates by lerp, from the far end where beta1 is below a half; there |m| may dwarf |g|.
MEAN = """
    m = beta1 * m + (1 - beta1) * g
    also m = g - (g - m) * (1 - (1 - beta1))
"""
BETA1, BETA2 = Setting("0.9", below="1", open=False), Setting("0.999", below="1", open=False)
EPS = Setting("1e-8", open=False)

rule(
    "adam",
    settings={"step_size": Setting("0.001"), "beta1": BETA1, "beta2": BETA2, "eps": EPS},
    start={"m": "0", "v": "0"},
    lines=f"""
        {MEAN}
        v = beta2 * v + (1 - beta2) * square(g)
        unbias1 = 1 - beta1 ** t
        unbias2 = 1 - beta2 ** t
        u = (m / unbias1) / (sqrt(v / unbias2) + eps)
    """,
    source="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1",
)
