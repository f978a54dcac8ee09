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
from itertools import pairwise
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

    def along(
        self, xs: Sequence[tuple[str, int]], states: Sequence[str], weights: Sequence[str], size: int
    ) -> tuple[list[str], list[str]]:
        """One layer in one direction: the outputs of all steps, and the last states. Each step has so many rows of the
        batch, which come and go at its end."""
        rows, found, gone = xs[0][1], list[str](), list[list[str]]()
        whole = rows == max(count for _, count in xs)
        now = list(states) if whole else [self.rows(state, 0, rows) for state in states]
        for x, count in xs:
            if count < rows:
                gone.insert(0, [self.rows(state, count, rows) for state in now])
                now = [self.rows(state, 0, count) for state in now]
            elif count > rows:
                come = [self.rows(state, rows, count) for state in states]
                now = [self.name(f"concat([{a}, {b}])") for a, b in zip(now, come, strict=True)]
            rows = count
            h, c = self.cell(x, now[0], now[-1], weights, size)
            now = [h, c][: len(now)]
            found.append(h)
        for rest in gone:
            now = [self.name(f"concat([{a}, {b}])") for a, b in zip(now, rest, strict=True)]
        return found, now

    def rows(self, state: str, start: int, stop: int) -> str:
        return self.name(f"{state}[{start}:{stop}]")


@row("lstm", "gru", "rnn_tanh", "rnn_relu")
def _(x: Any, hx: Any, weights: Any, *settings: Any, name: str) -> Step:
    if isinstance(hx, torch.Tensor) and not hx.is_floating_point():  # a packed sequence: the rows of each step
        weights_packed, *settings_packed = settings
        ends = [0, *hx.cumsum(0).tolist()]
        xs = [(f"x0[{a}:{b}]", b - a) for a, b in pairwise(ends)]
        return _layers(name, x, xs, weights, weights_packed, settings_packed, "concat([{}])")
    if x.ndim != 3:
        raise Unheard(f"`{name}` without a batch", "Give it a batch of one.")
    axis = int(bool(settings[5]))  # batch_first
    xs = [(f"x0[:, {t}]" if axis else f"x0[{t}]", x.shape[1 - axis]) for t in range(x.shape[axis])]
    return _layers(name, x, xs, hx, weights, settings[:5], f"stack([{{}}], axis={axis})")


def _layers(
    name: str, x: Any, xs: list[tuple[str, int]], hx: Any, weights: Any, settings: Sequence[Any], together: str
) -> Step:
    """All layers: `xs` are what each step reads and how many rows, `together` makes one of the outputs of the last."""
    _has_biases, layers, dropout, train, bidirectional = settings
    ways, states = 2 if bidirectional else 1, list(hx) if isinstance(hx, list | tuple) else [hx]
    if dropout and train and layers > 1:
        raise Unheard(f"`{name}` with dropout between its layers", "Call `.eval()`, or set dropout=0.")
    if len(xs) * layers * ways > LONGEST:
        raise Unheard(
            f"`{name}` of {len(xs)} steps in {layers * ways} layers and directions", "Check it with a shorter sequence."
        )
    each, size, text = len(weights) // (layers * ways), states[-1].shape[-1], _Text(name)
    last: list[list[str]] = []
    for layer in range(layers):
        sides: list[list[str]] = []
        for way in range(ways):
            k = layer * ways + way
            own = [f"x{1 + len(states) + k * each + j}" for j in range(each)]
            begun = [f"x{1 + j}[{k}]" for j in range(len(states))]
            found, ended = text.along(xs if way == 0 else xs[::-1], begun, own, size)
            last.append(ended)
            sides.append(found if way == 0 else found[::-1])
        outputs = (
            sides[0] if ways == 1 else [text.name(f"concat([{a}, {b}], axis=-1)") for a, b in zip(*sides, strict=True)]
        )
        xs = [(output, count) for output, (_, count) in zip(outputs, xs, strict=True)]
    results = [together.format(", ".join(output for output, _ in xs))]
    results += [f"stack([{', '.join(ended[k] for ended in last)}])" for k in range(len(states))]
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
