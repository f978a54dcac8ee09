"""Primitives that add up, multiply or choose along axes, within running prefixes and within windows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from ...harness.hearing.heard import Refused
from ...harness.records.evaluation import Array
from .equation import Equation, Meaning, Row


def reduced(ours: str) -> Row:
    return lambda e: Meaning(ours, [0], {"axis": tuple(map(int, e.params["axes"]))})


def psum(e: Equation) -> Meaning:
    """A sum over a named axis, which `vmap` has turned into one of the array."""
    axes = e.params["axes"]
    if not all(isinstance(axis, int | np.integer) for axis in axes):
        raise Refused("`psum` over devices", remedy="Run the function on one device, without it")
    return Meaning("sum", [0], {"axis": tuple(map(int, axes))})


def by_body(e: Equation) -> Meaning:
    """`lax.reduce` by a function of two numbers, where that is one primitive."""
    _ = e.params["computation"]
    return Meaning(BODIES[_body(e)][0], [0], {"axis": tuple(map(int, e.params["dimensions"]))})


# --- running ones --------------------------------------------------------------------------------------------


def cumsum(e: Equation) -> Meaning:
    axis = int(e.params["axis"])
    if e.params["reverse"]:
        return Meaning("cumsum", [0], text=f"flip(cumsum(flip(x0, axis={axis}), axis={axis}), axis={axis})")
    return Meaning("cumsum", [0], {"axis": axis})


def running(text: str, stable: str = "") -> Row:
    """Element i of the result is made of those up to i. `text` reads `there`, whether an element is, `x` and `axis`."""

    def row(e: Equation) -> Meaning:
        axis, n = int(e.params["axis"]), e.shape[int(e.params["axis"])]
        there = np.tril(np.ones((n, n), dtype=bool))
        mask = (there.T if e.params["reverse"] else there).reshape(n, n, *[1] * (len(e.shape) - axis - 1))
        words = {"there": "x1", "x": f"expand_dims(x0, axis={axis})", "axis": str(axis + 1)}
        filled = [form.format_map(words) for form in (text, stable)]
        return Meaning(e.primitive, [0, mask], text=filled[0], stable=filled[1])

    return row


# --- windows -------------------------------------------------------------------------------------------------

# What JAX's own body of a window does: ours, and what stands outside.
BODIES = {"add": ("sum", "0"), "max": ("max", "-1e300"), "min": ("min", "1e300"), "mul": ("prod", "1")}


def windowed(e: Equation) -> Meaning:
    """The reduction over the elements at one place of every window, stacked."""
    how = _how(e)
    ours, outside = BODIES[how]
    size, steps = e.params["window_dimensions"], e.params["window_strides"]
    base, within = e.params["base_dilation"], e.params["window_dilation"]
    padding = [tuple(map(int, pair)) for pair in e.params["padding"]]
    if set(base) != {1} or any(n < 0 for pair in padding for n in pair):
        raise Refused(f"`{e.primitive}` of spread elements, or with a negative padding")
    if np.any(padding) and ours in ("max", "min") and e.results[0].dtype == np.float16:
        outside = "-65504" if ours == "max" else "65504"
    x = f"pad(x0, widths={[list(pair) for pair in padding]}, value={outside})" if np.any(padding) else "copy(x0)"

    def part(at: tuple[int, ...]) -> str:
        places = zip(at, e.shape, steps, strict=True)
        return "p[" + ", ".join(f"{a}:{a + (n - 1) * s + 1}:{s}" for a, n, s in places) + "]"

    parts = [part(tuple(np.multiply(at, within))) for at in product(*map(range, size))]
    return Meaning(e.primitive, [0], text=f"p = {x}; {ours}(stack([{', '.join(parts)}], axis=0), axis=0)")


def _how(e: Equation) -> str:
    if e.primitive != "reduce_window":
        return {"sum": "add"}.get(how := e.primitive.rsplit("_", 1)[1], how)
    return _body(e)


def _body(e: Equation) -> str:
    body = getattr(e.params["jaxpr"], "jaxpr", e.params["jaxpr"])
    _ = [e.params[name] for name in ("consts",) if name in e.params]
    names = [inner.primitive.name for inner in body.eqns]
    start = float(np.asarray(e.operand(1))) if len(e.shapes) == 2 else np.nan
    neutral = {"add": 0.0, "max": -np.inf, "min": np.inf, "mul": 1.0}
    if len(names) != 1 or neutral.get(names[0]) != start:
        raise Refused(f"`{e.primitive}` by {' and '.join(names)} from {start}")
    return names[0]


# --- the derivative of the largest of a window ----------------------------------------------------------------


def scattered_back(e: Equation) -> Meaning:
    """Of each window the number goes where the window's choice stands, which is taken from the run."""
    size = int(np.prod(e.shapes[1]))
    text = f"reshape(scatter_add(reshape(x0, shape=[-1]), x1, axis=0, size={size}), shape={list(e.shape)})"
    return Meaning(e.primitive, [0, _chosen(e, 1, e.shapes[0])], text=text)


def gathered_there(e: Equation) -> Meaning:
    """Of each window the number at the place that another array chooses, which is taken from the run."""
    text = f"reshape(take(reshape(x0, shape=[-1]), x1, axis=0), shape={list(e.shape)})"
    return Meaning(e.primitive, [0, _chosen(e, 1, e.shape)], text=text)


def _chosen(e: Equation, of: int, windows: tuple[int, ...]) -> Array:
    """The place in operand `of` that each window chooses: the first of the largest, or of the smallest."""
    shape = e.shapes[of]
    better = {"ge": np.greater, "le": np.less}[e.params["select_prim"].name]
    size, steps = e.params["window_dimensions"], e.params["window_strides"]
    padding = e.params["padding"]
    if any(set(e.params[name]) != {1} for name in ("base_dilation", "window_dilation") if name in e.params):
        raise Refused(f"`{e.primitive}` of spread elements")
    x = np.asarray(e.operand(of)).astype(np.float64)
    places = np.arange(x.size).reshape(shape)
    found = np.full(windows, -1)
    best = np.zeros(windows)
    for at in product(*map(range, size)):
        index = [np.arange(n) * s + a - low for n, s, a, (low, _) in zip(windows, steps, at, padding, strict=True)]
        inside = np.ix_(*((i >= 0) & (i < n) for i, n in zip(index, shape, strict=True)))
        there = np.ix_(*(i[(i >= 0) & (i < n)] for i, n in zip(index, shape, strict=True)))
        wins = (found[inside] < 0) | better(x[there], best[inside])
        found[inside] = np.where(wins, places[there], found[inside])
        best[inside] = np.where(wins, x[there], best[inside])
    return found.reshape(-1)


ROWS: Mapping[str, Row] = {
    "psum": psum,
    "reduce": by_body,
    "select_and_scatter_add": scattered_back,
    "select_and_gather_add": gathered_there,
    "reduce_sum": reduced("sum"),
    "reduce_max": reduced("max"),
    "reduce_min": reduced("min"),
    "reduce_prod": reduced("prod"),
    "cumsum": cumsum,
    "cumprod": running("prod(where({there}, {x}, 1), axis={axis})"),
    "cummax": running("max(where({there}, {x}, -inf), axis={axis})"),
    "cummin": running("min(where({there}, {x}, inf), axis={axis})"),
    "cumlogsumexp": running(
        "log(sum(where({there}, exp({x}), 0), axis={axis}))", "logsumexp(where({there}, {x}, -inf), axis={axis})"
    ),
    **dict.fromkeys(["reduce_window", "reduce_window_sum", "reduce_window_max", "reduce_window_min"], windowed),
}
