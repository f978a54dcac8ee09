"""Rules that read the whole of a parameter: its norm, or that of its step."""

from __future__ import annotations

from .adam import BETAS, MOMENTS
from .gradient import MOMENTUM
from .rule import STEP_SIZE, Choice, Setting, rule

rule(
    "lamb",
    settings={
        **BETAS,
        "eps": Setting("1e-6", open=False),
        "weight_decay": Setting("0", open=False),
        "decay": Choice({"decoupled": "weight decay is added to the step before its norm is taken"}),
    },
    start={"m": "0", "v": "0"},
    lines=f"""
        {MOMENTS}
        u = (m / unbias1) / (sqrt(v / unbias2) + eps)
        [weight_decay] u = u + weight_decay * x
        length = norm(x)
        stride = norm(u)
        ratio = where(length > 0, where(stride > 0, length / stride, 1), 1)
        x = x - step_size * (u * ratio)
    """,
    source="You et al. 2020, Large batch optimization for deep learning: training BERT in 76 minutes, algorithm 2",
)
rule(
    "lars",
    settings={
        "step_size": STEP_SIZE,
        "momentum": MOMENTUM,
        "trust": Setting("0.001"),
        "eps": Setting("0", open=False),
        "nesterov": Choice(
            {"no": "the step is the momentum buffer", "yes": "the step looks ahead of the momentum buffer"},
            where="momentum",
        ),
    },
    start={"b": "0"},
    lines="""
        length = norm(x)
        slope = norm(g)
        ratio = where(length > 0, where(slope > 0, trust * length / (slope + eps), 1), 1)
        b = momentum * b - step_size * (g * ratio)
        [nesterov: no] x = x + b
        [nesterov: yes] x = x + (momentum * b - step_size * (g * ratio))
    """,
    source="You, Gitman & Ginsburg 2017, Large batch training of convolutional networks, algorithm 1",
)
