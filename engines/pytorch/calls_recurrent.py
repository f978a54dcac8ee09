"""torch's recurrent layers, `rnn`, `lstm` and `gru`: one node each, whose text is the steps written out.

Formulas: docs.pytorch.org/docs/stable/nn.html, "Recurrent Layers". Weights come as torch has them, for each layer and
direction: weight_ih, weight_hh, bias_ih, bias_hh, and of an lstm with projections weight_hr.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .calls import Step, Unheard, joined, row

LONGEST = 400  # cells that a text may have


@dataclass
class _Text:
    """Statements of one layer after another; each name is given once."""

    kind: str
    lines: list[str] = field(default_factory=list[str])
    count: int = 0

    def name(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"s{self.count} = {text}")
        return f"s{self.count}"

    def cell(self, x: str, h: str, c: str, weights: Sequence[str], size: int) -> tuple[str, str]:
        """The next h and c of one cell with its weights."""
        biased = len(weights) >= 4
        a = self.name(f"linear({x}, {weights[0]}{', ' + weights[2] if biased else ''})")
        b = self.name(f"linear({h}, {weights[1]}{', ' + weights[3] if biased else ''})")

        def gate(of: str, k: int) -> str:
            return f"{of}[:, {k * size}:{(k + 1) * size}]"

        match self.kind:
            case "lstm":
                z = self.name(f"{a} + {b}")
                i, f, g, o = (gate(z, k) for k in range(4))
                c = self.name(f"sigmoid({f}) * {c} + sigmoid({i}) * tanh({g})")
                h = self.name(f"sigmoid({o}) * tanh({c})")
                return (self.name(f"linear({h}, {weights[-1]})") if len(weights) % 2 else h), c
            case "gru":
                r, u = (self.name(f"sigmoid({gate(a, k)} + {gate(b, k)})") for k in range(2))
                n = self.name(f"tanh({gate(a, 2)} + {r} * {gate(b, 2)})")
                return self.name(f"(1 - {u}) * {n} + {u} * {h}"), c
            case "rnn_relu":
                return self.name(f"relu({a} + {b})"), c
            case _:
                return self.name(f"tanh({a} + {b})"), c


@row("lstm", "gru", "rnn_tanh", "rnn_relu")
def _(
    x: Any, hx: Any, weights: Any, has_biases: bool, layers: int, dropout: float, train: bool, bidirectional: bool,
    batch_first: bool = False, *, name: str,
) -> Step:  # fmt: skip
    if not isinstance(weights, list | tuple):
        raise Unheard(f"`{name}` of a packed sequence", "Give it padded sequences.")
    if dropout and train and layers > 1:
        raise Unheard(f"`{name}` with dropout between its layers", "Call `.eval()`, or set dropout=0.")
    if x.ndim != 3:
        raise Unheard(f"`{name}` without a batch", "Give it a batch of one.")
    states = list(hx) if isinstance(hx, list | tuple) else [hx]
    steps, ways = x.shape[1 if batch_first else 0], 2 if bidirectional else 1
    if steps * layers * ways > LONGEST:
        raise Unheard(
            f"`{name}` of {steps} steps in {layers * ways} layers and directions", "Check it with a shorter sequence."
        )
    first = 1 + len(states)
    each = len(weights) // (layers * ways)
    size = states[-1].shape[-1]
    text = _Text(name)
    at = (lambda t: f"x0[:, {t}]") if batch_first else (lambda t: f"x0[{t}]")
    outputs = [at(t) for t in range(steps)]
    last: list[tuple[str, str]] = []
    for layer in range(layers):
        sides: list[list[str]] = []
        for way in range(ways):
            k = layer * ways + way
            own = [f"x{first + k * each + j}" for j in range(each)]
            h, c = f"x1[{k}]", f"x2[{k}]" if len(states) > 1 else ""
            found: list[str] = []
            for x_t in outputs if way == 0 else reversed(outputs):
                h, c = text.cell(x_t, h, c, own, size)
                found.append(h)
            last.append((h, c))
            sides.append(found if way == 0 else found[::-1])
        outputs = (
            sides[0] if ways == 1 else [text.name(f"concat([{a}, {b}], axis=-1)") for a, b in zip(*sides, strict=True)]
        )
    results = [f"stack([{', '.join(outputs)}], axis={1 if batch_first else 0})"]
    results += [f"stack([{', '.join(pair[k] for pair in last)}])" for k in range(len(states))]
    return Step(name, [x, *states, *weights], text="; ".join([*text.lines, joined(*results)]))


@row("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _(x: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *, name: str) -> Step:
    states = list(hx) if isinstance(hx, list | tuple) else [hx]
    weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
    first = 1 + len(states)
    text = _Text(name.removesuffix("_cell"))
    own = [f"x{first + k}" for k in range(len(weights))]
    h, c = text.cell("x0", "x1", "x2", own, states[-1].shape[-1])
    last = joined(h, c) if len(states) > 1 else h
    operands: list[torch.Tensor] = [x, *states, *weights]
    return Step(name, operands, text="; ".join([*text.lines, last]))
