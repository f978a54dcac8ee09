"""Moves of an optimiser at gradients that probe it: what the tests of rules judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradaccord.harness.paths.move import Move
from gradaccord.harness.records.evaluation import Advance
from gradaccord.harness.records.formats import FORMATS

Array = NDArray[Any]


def gradients(seed: int, shape: tuple[int, ...], dtype: str, steps: int = 12) -> list[Array]:
    """Some components of each kind: drawn, 0, alternating, constant, now and then 0; at times tiny and vast ones."""
    rng, size = np.random.default_rng(seed), int(np.prod(shape))
    scale = 10.0 ** rng.uniform(*((-3, 1) if dtype == "float16" else (-8, 3)), size)
    kind, made = rng.permutation(np.arange(size) % 6), list[Array]()
    for t in range(steps):
        g = rng.standard_normal(size) * scale
        g = np.select(
            [kind == 1, kind == 2, kind == 3, (kind == 4) & (t % 3 == 0)], [0 * g, scale * (-1) ** t, scale, 0 * g], g
        )
        if dtype != "float16" and t % 4 == 2:
            g[:2] = 10.0 ** rng.uniform(-40, -20), 10.0 ** rng.uniform(4, 9)
        made.append(g.astype(dtype).reshape(shape))
    return made


def beginning(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    rng = np.random.default_rng([seed, 1])
    return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 2, shape)).astype(dtype)


def walked(step: Advance, x: Array, slopes: Iterable[Array]) -> list[Move]:
    """The moves from x on, as long as x is finite; the optimiser holds one parameter, `x`."""
    moves, state, form = list[Move](), None, FORMATS[x.dtype.name]
    for t, g in enumerate(slopes, 1):
        moved = step({"x": g})
        new = {variable: np.array(arrays["x"]) for variable, arrays in moved.state.items()}
        after = np.array(moved.parameters["x"])
        moves.append(Move(t, form, x, g, state, new, after))
        if not np.isfinite(after.astype(np.float64)).all():
            break
        x, state = after, new
    return moves
