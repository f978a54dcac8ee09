"""A GPT of 109,312 parameters beside its JAX port: `gradaccord.compare`, and what people do instead, in turns.

Its peers run both models and their gradients once and hold them together by a tolerance, which says that they differ
and not where; and torch's own gradient checker in its fast mode, which sees one of them alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import heard
import numpy as np
from timing import once, ratio

ROUNDS = 3
HEAD = (
    "layers | parameters | first compare | further compare | of that without judging both runs | "
    "times both models' gradients and allclose | times torch's gradcheck, fast mode"
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
    """For models of so many layers: the first comparison, and further ones in turns with what people do instead."""
    for count in layers:
        heard.LAYERS = count
        yield _row(count)


def _row(layers: int) -> list[str]:
    import gradaccord
    from gradaccord.harness.own.compared import Compared

    import_module("torch")
    (original, inputs), (port, _) = heard.torch_model(), heard.jax_model()
    found: list[Compared] = []

    def compare(**options: Any) -> None:
        found.append(gradaccord.compare(original, port, *inputs, parameters=convert, **options))

    first = once(compare)
    found[0].assert_same()
    calls: dict[str, heard.Call] = {
        "compare": compare,
        "unjudged": lambda: compare(judge=False),
        "allclose": allclose(original, port, inputs),
        "gradcheck": heard.gradcheck(heard.torch_model()[0], inputs),
    }
    calls["allclose"]()
    taken = {name: list[float]() for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            taken[name].append(once(call))
    whole, unjudged = (statistics.median(taken[name]) for name in ("compare", "unjudged"))
    return [
        f"{layers}",
        f"{sum(parameter.numel() for parameter in original.parameters()):,}",
        f"{first:.2f} s",
        f"{whole:.2f} s",
        f"{unjudged:.2f} s",
        f"{ratio(taken['compare'], taken['allclose']):.0f}",
        f"{ratio(taken['compare'], taken['gradcheck']):.1f}",
    ]


def allclose(original: Any, port: Any, inputs: tuple[Any, ...]) -> heard.Call:
    """Value and gradient of either model, and numpy's allclose on all of them."""
    torch: Any = import_module("torch")
    jax: Any = import_module("jax")
    parameters, names = list(original.parameters()), [name for name, _ in original.named_parameters()]
    arrays = [jax.numpy.asarray(x.numpy()) for x in inputs]
    both = jax.jit(jax.value_and_grad(port))

    def run() -> None:
        value = original(*inputs)
        gradients = convert(dict(zip(names, torch.autograd.grad(value, parameters), strict=True)))
        other, theirs = both(convert(dict(original.state_dict())), *arrays)
        pairs = zip(jax.tree.leaves(gradients), jax.tree.leaves(theirs), strict=True)
        same = all(np.allclose(x, y, rtol=1e-3, atol=1e-5) for x, y in pairs)
        if not (same and np.allclose(value.item(), other, rtol=1e-4)):
            raise SystemExit("the port gives other numbers than the original")

    return run
