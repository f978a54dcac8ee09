"""Rules that divide each component by what its gradients have been so far."""

from __future__ import annotations

from .gradient import BUFFER
from .rule import DECOUPLED, Choice, Setting, Start, fraction, lerp, rule

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
    lines=f"""
        v = rho * v + (1 - rho) * square(g)
        [centered: yes] m = rho * m + (1 - rho) * g
        [centered: yes] also m = {lerp("m", "g", "(1 - rho)")}
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
OF_ROWS, OF_COLUMNS = "mean(s, axis=-1, keepdims=True)", "mean(s, axis=-2, keepdims=True)"
# The mean of all is that of the rows' means, or of the columns'. optax takes those of the shorter side.
OF_ALL, OF_ALL_TOO = "mean(row, axis=-2, keepdims=True)", "mean(column, axis=-1, keepdims=True)"
rule(
    "adafactor",
    settings={
        "step_size": Setting("0.01"),
        "power": Setting("0.8", open=False),
        "eps": Setting("1e-30", open=False),
        "least_scale": Setting("0.001", open=False),
        "clip_rms": Setting("1", least="1", open=False),
        "factored": Choice(
            {
                "yes": "the mean square of a matrix is kept by the means of its rows and columns",
                "no": "the mean square of each number is kept",
            }
        ),
        "eps_place": Choice(
            {
                "added": "eps is added to each squared gradient",
                "clamped": "the mean square is at least eps squared, and that of a row's mean at least eps",
            },
            where="eps",
        ),
        "bound": Choice(
            {"root": "the step size is 1 / sqrt(t) at most", "none": "the step size is as it is at every step"}
        ),
        "weight_decay": Setting("0", open=False),
        "decay": DECOUPLED,
    },
    start={"row": Start("0", shape="row"), "column": Start("0", shape="column"), "v": "0"},
    lines=f"""
        forget = t ** -power
        [eps_place: added] s = square(g) + eps
        [eps_place: clamped] s = square(g)
        [factored: yes] row = (1 - forget) * row + forget * {OF_ROWS}
        [factored: yes] also row = (1 - forget) * row + (1 - (1 - forget)) * {OF_ROWS}
        [factored: yes] also row = {lerp("row", OF_ROWS, "forget")}
        [factored: yes] column = (1 - forget) * column + forget * {OF_COLUMNS}
        [factored: yes] also column = (1 - forget) * column + (1 - (1 - forget)) * {OF_COLUMNS}
        [factored: yes] also column = {lerp("column", OF_COLUMNS, "forget")}
        [factored: no] v = (1 - forget) * v + forget * s
        [factored: no] also v = (1 - forget) * v + (1 - (1 - forget)) * s
        [factored: no] also v = {lerp("v", "s", "forget")}
        [factored: yes, eps_place: added] u = g / sqrt(row / {OF_ALL}) / sqrt(column)
        [factored: yes, eps_place: added] also u = g * (row / {OF_ALL}) ** -0.5 * column ** -0.5
        [factored: yes, eps_place: added] also u = g * row ** -0.5 * (column / {OF_ALL_TOO}) ** -0.5
        [factored: yes, eps_place: clamped] d = row * column / maximum({OF_ALL}, eps)
        [factored: yes, eps_place: clamped] u = g / sqrt(maximum(d, eps * eps))
        [factored: no, eps_place: added] u = g / sqrt(v)
        [factored: no, eps_place: added] also u = g * v ** -0.5
        [factored: no, eps_place: clamped] u = g / sqrt(maximum(v, eps * eps))
        length = sqrt(mean(square(u)))
        u = u / maximum(length / clip_rms, 1)
        scale = maximum(sqrt(mean(square(x))), least_scale)
        [bound: root] rate = minimum(step_size, 1 / sqrt(t))
        [bound: none] rate = step_size
        [not weight_decay] x = x - scale * rate * u
        [weight_decay, decay: coupled] x = x - scale * rate * u
        [weight_decay, decay: decoupled] x = x * (1 - step_size * weight_decay) - scale * rate * u
    """,
    source="Shazeer & Stern 2018, Adafactor: adaptive learning rates with sublinear memory cost, algorithms 4 and 5",
)
