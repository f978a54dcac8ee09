"""A GPT of 109,312 parameters beside its JAX port: `gradaccord.compare`, and what people do instead, in turns.

Its peers run both models and their gradients once and hold them together by a tolerance, which says that they differ
and not where; and torch's own gradient checker in its fast mode, which sees one of them alone.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import heard
import numpy as np
from timing import once, ratio

ROUNDS = 5
HEAD = (
    "layers | parameters | nodes, both | first compare | further compare | of that heard | compared | judged | "
    "times both models' gradients with allclose | times torch's gradcheck, fast mode"
)


def convert(state: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the port from those of torch's model."""
    s = {name: x.numpy() for name, x in state.items()}

    def linear(name: str) -> dict[str, Any]:
        return {"w": s[f"{name}.weight"].T, "b": s[f"{name}.bias"]}

    def norm(name: str) -> dict[str, Any]:
        return {"w": s[f"{name}.weight"], "b": s[f"{name}.bias"]}

    layers = sum(name.endswith("ln_1.weight") for name in s)
    blocks = [
        {part: norm(f"blocks.{k}.{part}") for part in ("ln_1", "ln_2")}
        | {part: linear(f"blocks.{k}.{part}") for part in ("attn", "proj", "up", "down")}
        for k in range(layers)
    ]
    whole = {"wte": s["wte.weight"], "wpe": s["wpe.weight"], "blocks": blocks, "ln_f": norm("ln_f")}
    return {**whole, "head": s["head.weight"].T}


def ported_rows(layers: tuple[int, ...] = (1, 2, 4)) -> Iterator[list[str]]:
    """For 1, 2 and 4 layers: the first comparison, and further ones in turns with what people do instead."""
    import gradaccord

    torch: Any = import_module("torch")
    for count in layers:
        heard.LAYERS = count
        (original, inputs), (port, _) = heard.torch_model(), heard.jax_model()
        found: list[Any] = []

        def compare(original: Any = original, port: Any = port, inputs: Any = inputs, found: Any = found) -> None:
            found.append(gradaccord.compare(original, port, *inputs, parameters=convert))

        first = once(compare)
        found[0].assert_same()
        calls = {
            "compare": compare,
            "allclose": allclose(original, port, inputs),
            "gradcheck": heard.gradcheck(heard.torch_model()[0], inputs),
        }
        calls["allclose"]()
        taken = {name: list[float]() for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                taken[name].append(once(call))
        seconds = found[-1].seconds
        yield [
            f"{count}",
            f"{sum(p.numel() for p in original.parameters()):,}",
            f"{found[-1].nodes:,}" if hasattr(found[-1], "nodes") else "",
            f"{first:.2f} s",
            f"{statistics.median(taken['compare']):.2f} s",
            f"{seconds['a'] + seconds['b']:.2f} s",
            f"{seconds['aligned']:.2f} s",
            f"{seconds['judged']:.2f} s",
            f"{ratio(taken['compare'], taken['allclose']):.0f}",
            f"{ratio(taken['compare'], taken['gradcheck']):.1f}",
        ]
    del torch


def allclose(original: Any, port: Any, inputs: tuple[Any, ...]) -> Any:
    """Value and gradient of either model, and numpy's allclose on all of them."""
    torch: Any = import_module("torch")
    jax: Any = import_module("jax")
    parameters = list(original.parameters())
    names = [name for name, _ in original.named_parameters()]
    arrays = [jax.numpy.asarray(x.numpy()) for x in inputs]
    both = jax.jit(jax.value_and_grad(port))

    def run() -> None:
        value = original(*inputs)
        gradients = torch.autograd.grad(value, parameters)
        theirs, tree = both(convert(original.state_dict()), *arrays)
        mine = convert(dict(zip(names, gradients, strict=True)))
        assert np.allclose(value.item(), theirs, rtol=1e-4)
        pairs = zip(jax.tree.leaves(mine), jax.tree.leaves(tree), strict=True)
        assert all(np.allclose(x, y, rtol=1e-3, atol=1e-5) for x, y in pairs)

    return run


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    for row in ported_rows(tuple(map(int, sys.argv[1:])) or (1, 2, 4)):
        print(" | ".join(row), flush=True)
