"""A person's own model heard and judged: a GPT of 109,312 parameters, in float32, beside its plain run.

Times are processor time without imports; of a first check, what JAX compiles is told apart. Memory is the peak of a
process that makes one check, beside that of one that makes a plain run.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from timing import once, ratio

WORDS, WIDTH, HEADS, LENGTH, LAYERS, BATCH = 64, 64, 4, 16, 2, 2
ROUNDS = 5
Call = Callable[[], Any]


def torch_model() -> tuple[Any, tuple[Any, ...]]:
    """The model as people write it, and a batch."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attn, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
            self.register_buffer("mask", torch.tril(torch.ones(LENGTH, LENGTH)) == 0)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            heads = (
                t.view(batch, length, HEADS, -1).transpose(1, 2) for t in self.attn(self.ln_1(x)).split(WIDTH, dim=2)
            )
            q, k, v = heads
            scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
            weights = F.softmax(scores.masked_fill(self.mask, float("-inf")), dim=-1)
            x = x + self.proj((weights @ v).transpose(1, 2).reshape(batch, length, WIDTH))
            return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.ln_f, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)

        def forward(self, tokens: Any, targets: Any) -> Any:
            x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
            for block in self.blocks:
                x = block(x)
            return F.cross_entropy(self.head(self.ln_f(x)).flatten(0, 1), targets.flatten())

    torch.manual_seed(0)
    return GPT(), tuple(torch.randint(0, WORDS, (BATCH, LENGTH)) for _ in range(2))


def jax_model() -> tuple[Any, tuple[Any, ...]]:
    """The same as a function of a pytree of parameters, and a batch."""
    import jax
    import jax.numpy as jnp

    def linear(p: Any, x: Any) -> Any:
        return x @ p["w"] + p["b"]

    def norm(p: Any, x: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * p["w"] + p["b"]

    def block(p: Any, x: Any) -> Any:
        batch, length, _ = x.shape
        parts = jnp.split(linear(p["attn"], norm(p["ln_1"], x)), 3, axis=-1)
        q, k, v = (t.reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3) for t in parts)
        mask = jnp.tril(jnp.ones((length, length), bool))
        scores = jnp.where(mask, q @ k.swapaxes(-2, -1) / math.sqrt(WIDTH // HEADS), -jnp.inf)
        mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
        x = x + linear(p["proj"], mixed)
        return x + linear(p["down"], jax.nn.gelu(linear(p["up"], norm(p["ln_2"], x))))

    def gpt(params: Any, tokens: Any, targets: Any) -> Any:
        x = params["wte"][tokens] + params["wpe"][: tokens.shape[1]]
        for p in params["blocks"]:
            x = block(p, x)
        logits = jax.nn.log_softmax(norm(params["ln_f"], x) @ params["head"])
        return -jnp.take_along_axis(logits, targets[..., None], -1).mean()

    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return jnp.asarray(rng.normal(size=shape) / math.sqrt(shape[0]), jnp.float32)

    def layer(n: int, m: int) -> Any:
        return {"w": drawn(n, m), "b": drawn(m)}

    def scale() -> Any:
        return {"w": jnp.ones(WIDTH), "b": jnp.zeros(WIDTH)}

    params = {
        "wte": drawn(WORDS, WIDTH),
        "wpe": drawn(LENGTH, WIDTH),
        "blocks": [
            {
                "ln_1": scale(), "ln_2": scale(), "attn": layer(WIDTH, 3 * WIDTH), "proj": layer(WIDTH, WIDTH),
                "up": layer(WIDTH, 4 * WIDTH), "down": layer(4 * WIDTH, WIDTH),
            }
            for _ in range(LAYERS)
        ],
        "ln_f": scale(),
        "head": drawn(WIDTH, WORDS),
    }  # fmt: skip
    tokens, targets = (jnp.asarray(rng.integers(0, WORDS, (BATCH, LENGTH)), jnp.int32) for _ in range(2))
    return gpt, (params, tokens, targets)


def plain_of(framework: str, function: Any, inputs: tuple[Any, ...]) -> Call:
    """Value and gradient, as a user computes them."""
    if framework == "torch":
        torch: Any = import_module("torch")
        parameters = list(function.parameters())
        return lambda: torch.autograd.grad(function(*inputs), parameters)
    jax: Any = import_module("jax")
    both = jax.jit(jax.value_and_grad(function))
    return lambda: jax.block_until_ready(both(*inputs))


def gradcheck(function: Any, inputs: tuple[Any, ...]) -> Call:
    """torch's own checker, which needs float64, in its fast mode."""
    torch: Any = import_module("torch")
    wide = function.double()
    names = dict(wide.named_parameters())
    call = torch.func.functional_call

    def loss(*parameters: Any) -> Any:
        return call(wide, dict(zip(names, parameters, strict=True)), inputs)

    return lambda: torch.autograd.gradcheck(loss, tuple(names.values()), fast_mode=True, raise_exception=False)


MODELS = {"torch": torch_model, "jax": jax_model}


def heard_rows() -> Iterator[list[str]]:
    """For each framework: the first check, compiling apart, and further ones in turns with plain runs."""
    import gradaccord

    for framework, make in MODELS.items():
        import_module(framework)
        function, inputs = make()
        checks: list[Any] = []

        def check(function: Any = function, inputs: Any = inputs, checks: list[Any] = checks) -> None:
            checks.append(gradaccord.check(function, *inputs))

        plain = plain_of(framework, function, inputs)
        first = once(check)
        if not checks[0].sound:
            raise SystemExit(f"the {framework} model is called wrong:\n{checks[0]}")
        calls = {"plain": plain, "check": check}
        if framework == "torch":
            calls["gradcheck"] = gradcheck(make()[0], inputs)
        plain()
        counts = {name: 10 if name == "plain" else 1 for name in calls}
        taken = {name: list[float]() for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                taken[name].append(once(call, counts[name]) / counts[name])
        checked = checks[-1]
        than = ratio(taken["gradcheck"], taken["check"]) if "gradcheck" in taken else None
        plainly, each = statistics.median(taken["plain"]), statistics.median(taken["check"])
        yield [
            framework,
            f"{sum(checked.links.values()):,}",
            f"{plainly * 1e3:.1f} ms",
            f"{first:.2f} s",
            f"{checks[0].seconds.get('compiled', 0.0):.2f} s",
            f"{each:.2f} s",
            f"{ratio(taken['check'], taken['plain']):.0f}",
            "" if than is None else f"{than:.2f}",
            _memory(framework),
        ]


HEAD = (
    "framework | links | plain run | first check | of it compiled | further check | times a plain run | "
    "torch's gradcheck, fast mode, takes times a check | memory, times a plain run's"
)


def _memory(framework: str) -> str:
    """How much more a check needs than a plain run, each in a process of its own, beyond the model's."""
    needed = [_peak(framework, what) for what in ("plain", "check")]
    return f"{needed[1] / needed[0]:.1f}"


def _peak(framework: str, what: str) -> int:
    words = [sys.executable, str(Path(__file__)), framework, what]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    return int(done.stdout.split()[-1])


def _measure(framework: str, what: str) -> int:
    """Bytes of the process at its peak."""
    import resource

    function, inputs = MODELS[framework]()
    if what == "plain":
        plain_of(framework, function, inputs)()
    else:
        import gradaccord

        gradaccord.check(function, *inputs)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(_measure(*sys.argv[1:3]))
