"""Adam and what was made of it."""

from __future__ import annotations

from .rule import DECOUPLED, Choice, Setting, Start, fraction, lerp, rule

BETAS = {
    "step_size": Setting("0.001"),
    "beta1": fraction("0.9"),
    "beta2": fraction("0.999"),
    "eps": Setting("1e-8", open=False),
}
EPS_ROOT = {"eps_root": Setting("0", open=False)}
EPS_PLACE = {
    "eps_place": Choice(
        {
            "after": "eps is added after bias correction",
            "before": "eps is added to the root before bias correction",
        },
        where="eps",
    )
}
MEAN = f"""
    m = beta1 * m + (1 - beta1) * g
    also m = {lerp("m", "g", "(1 - beta1)")}
"""
MOMENTS = f"""
    {MEAN}
    v = beta2 * v + (1 - beta2) * square(g)
    unbias1 = 1 - beta1 ** t
    unbias2 = 1 - beta2 ** t
"""
ROOT = """
    [not eps_root] d = sqrt(v / unbias2)
    [eps_root] d = sqrt(v / unbias2 + eps_root)
"""
STEP = f"""
    {MOMENTS}
    {ROOT}
    [eps_place: after] u = (m / unbias1) / (d + eps)
    [eps_place: before] u = (m / unbias1) * sqrt(unbias2) / (sqrt(v) + eps)
"""

rule(
    "adam",
    settings={**BETAS, **EPS_ROOT, **EPS_PLACE},
    start={"m": "0", "v": "0"},
    lines=STEP,
    source="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1; eps before bias correction is "
    "the order at the end of its section 2",
)
rule(
    "adamw",
    settings={**BETAS, "weight_decay": Setting("0.01", open=False), "decay": DECOUPLED, **EPS_ROOT, **EPS_PLACE},
    start={"m": "0", "v": "0"},
    lines=STEP,
    source="Loshchilov & Hutter 2019, Decoupled weight decay regularization, algorithm 2",
)
rule(
    "amsgrad",
    settings={
        **BETAS,
        **EPS_ROOT,
        "largest": Choice(
            {
                "raw": "the largest is taken of second moments as they are, and bias-corrected afterwards",
                "corrected": "the largest is taken of bias-corrected second moments",
            }
        ),
        "unbiased_mean": Choice({"yes": "the mean is bias-corrected", "no": "the mean is not bias-corrected"}),
        "unbiased_square": Choice(
            {"yes": "the second moment is bias-corrected", "no": "the second moment is not bias-corrected"}
        ),
    },
    start={"m": "0", "v": "0", "w": "0"},
    lines=f"""
        {MOMENTS}
        [unbiased_square: no] w = maximum(w, v)
        [unbiased_square: yes, largest: raw] w = maximum(w, v)
        [unbiased_square: yes, largest: corrected] w = maximum(w, v / unbias2)
        [unbiased_square: no] d = w
        [unbiased_square: yes, largest: raw] d = w / unbias2
        [unbiased_square: yes, largest: corrected] d = w
        [eps_root] d = d + eps_root
        [unbiased_mean: yes] m_hat = m / unbias1
        [unbiased_mean: no] m_hat = m
        u = m_hat / (sqrt(d) + eps)
    """,
    source="Reddi, Kale & Kumar 2018, On the convergence of Adam and beyond, algorithm 2, which corrects no bias",
)
rule(
    "adamax",
    settings={**BETAS, "step_size": Setting("0.002")},
    start={"m": "0", "v": "0"},
    lines=f"""
        {MEAN}
        v = maximum(beta2 * v, abs(g) + eps)
        unbias1 = 1 - beta1 ** t
        u = (m / unbias1) / v
    """,
    source="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 2",
)
rule(
    "nadam",
    settings={
        **BETAS,
        "step_size": Setting("0.002"),
        "psi": Setting("0.004", open=False),
        **EPS_ROOT,
        "momentum_schedule": Choice(
            {
                "dozat": "beta1 grows from its half to itself, by 0.96 to the power of t psi",
                "none": "beta1 is the same at every step",
            }
        ),
    },
    start={"m": "0", "v": "0", "p": Start("1", shape="scalar")},
    lines=f"""
        {MOMENTS}
        {ROOT}
        [momentum_schedule: dozat] mu = beta1 * (1 - 0.5 * 0.96 ** (t * psi))
        [momentum_schedule: dozat] next_mu = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
        [momentum_schedule: dozat] p = p * mu
        [momentum_schedule: dozat] of_g = (1 - mu) / (1 - p)
        [momentum_schedule: dozat] of_m = next_mu / (1 - p * next_mu)
        [momentum_schedule: none] of_g = (1 - beta1) / unbias1
        [momentum_schedule: none] of_m = beta1 / (1 - beta1 ** (t + 1))
        u = (of_g * g + of_m * m) / (d + eps)
        also u = of_g * g / (d + eps) + of_m * m / (d + eps)
    """,
    source="Dozat 2016, Incorporating Nesterov momentum into Adam, algorithm 2",
)
rule(
    "radam",
    settings={
        **BETAS,
        "threshold": Setting("5"),
        **EPS_ROOT,
        "eps_place": Choice(
            {
                "before": "eps is added to the root before bias correction",
                "after": "eps is added after bias correction",
            },
            where="eps",
        ),
    },
    start={"m": "0", "v": "0"},
    lines=f"""
        {MOMENTS}
        most = 2 / (1 - beta2) - 1
        rho = most - 2 * t * beta2 ** t / unbias2
        rectified = rho > threshold
        r = where(rectified, sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)), 1)
        {ROOT}
        [eps_place: before] u = where(rectified, r * (m / unbias1) * sqrt(unbias2) / (sqrt(v) + eps), m / unbias1)
        [eps_place: after] u = where(rectified, r * (m / unbias1) / (d + eps), m / unbias1)
    """,
    source="Liu et al. 2020, On the variance of the adaptive learning rate and beyond, algorithm 2",
)
rule(
    "adabelief",
    settings={**BETAS, "eps": Setting("1e-16", open=False), "eps_root": Setting("1e-16", open=False)},
    start={"m": "0", "s": "0"},
    lines=f"""
        {MEAN}
        s = beta2 * s + (1 - beta2) * square(g - m) + eps_root
        unbias1 = 1 - beta1 ** t
        unbias2 = 1 - beta2 ** t
        u = (m / unbias1) / (sqrt(s / unbias2) + eps)
    """,
    source="Zhuang et al. 2020, AdaBelief optimizer: adapting stepsizes by the belief in observed gradients",
)
rule(
    "yogi",
    settings={
        **BETAS,
        "step_size": Setting("0.01"),
        "eps": Setting("0.001", open=False),
        "initial": Setting("1e-6", open=False),
    },
    start={"m": "initial", "v": "initial"},
    lines=f"""
        {MEAN}
        v = v - (1 - beta2) * sign(v - square(g)) * square(g)
        unbias1 = 1 - beta1 ** t
        unbias2 = 1 - beta2 ** t
        u = (m / unbias1) / (sqrt(v / unbias2) + eps)
    """,
    source="Zaheer et al. 2018, Adaptive methods for nonconvex optimization, algorithm 2",
)
