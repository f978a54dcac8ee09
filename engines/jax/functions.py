"""JAX's own compiled functions: which are operations of the vocabulary, and which are worth a node of their own."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.extend.core import Literal

from .equation import Meaning
from .places import is_of_jax
from .replay import MOVES

# `(jaxpr, operand)` -> what the function is, None where it is called in a way that the vocabulary does not have.
Known: TypeAlias = Callable[[Any, Callable[[int], Any]], Meaning | None]


def plain(op: str, arity: int = 1) -> Known:
    return lambda jaxpr, operand: Meaning(op, range(arity)) if len(jaxpr.invars) == arity else None


def with_number(op: str, parameter: str) -> Known:
    """A function of x whose second argument, where it is given, is a number."""

    def known(jaxpr: Any, operand: Callable[[int], Any]) -> Meaning | None:
        if len(jaxpr.invars) == 1:
            return Meaning(op, [0])
        given = np.asarray(operand(1))
        return Meaning(op, [0], {parameter: float(given)}) if given.ndim == 0 else None

    return known


def gelu(jaxpr: Any, operand: Callable[[int], Any]) -> Meaning:
    by_tanh = any(e.primitive.name == "tanh" for e in equations(jaxpr))
    return Meaning("gelu", [0], {"approximate": "tanh" if by_tanh else "none"})


def log_softmax(jaxpr: Any, operand: Callable[[int], Any]) -> Meaning | None:
    if len(jaxpr.invars) != 1:  # only where a condition holds
        return None
    axes = {axis for e in equations(jaxpr) if e.primitive.name == "reduce_max" for axis in map(int, e.params["axes"])}
    return Meaning("log_softmax", [0], {"axis": axes.pop()}) if len(axes) == 1 else None


FUNCTIONS: Mapping[str, Known] = {
    "relu": plain("relu"),
    "silu": plain("silu"),
    "softplus": plain("softplus"),
    "logaddexp": plain("logaddexp", 2),
    "gelu": gelu,
    "hypot": plain("hypot", 2),
    "clip": plain("clip", 3),
    "leaky_relu": with_number("leaky_relu", "negative_slope"),
    "elu": with_number("elu", "alpha"),
    "log_softmax": log_softmax,
}

# Primitives that round neither forwards nor backwards; what gives no float does not either.
EXACT = {
    *(set(MOVES) - {"broadcast_in_dim"}), "abs", "clamp", "copy", "dynamic_slice", "dynamic_update_slice",
    "expand_dims", "iota", "max", "min", "neg", "reduce_max", "reduce_min", "select_n", "sign", "sort", "split",
    "stack", "stop_gradient", "top_k", "unstack", "scatter",
}  # fmt: skip
# What rounds several times by itself, forwards or backwards.
SERIAL = {"cummax", "cummin", "cumprod", "cumlogsumexp"}
HOLDERS = {"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"}


def equations(jaxpr: Any) -> list[Any]:
    """Those of a jaxpr and of what it calls."""
    found = list[Any]()
    for e in jaxpr.eqns:
        found.append(e)
        for value in e.params.values():
            for held in value if isinstance(value, (tuple, list)) else (value,):
                held = getattr(held, "jaxpr", held)
                if hasattr(held, "eqns"):
                    found += equations(held)
    return found


def source_of(jaxpr: Any) -> tuple[str, str]:
    """The name of the function that a jaxpr was made of, and its file and line."""
    name, _, where = (getattr(jaxpr.debug_info, "func_src_info", "") or "").partition(" at ")
    return name, where


def is_jax_own(jaxpr: Any) -> bool:
    return is_of_jax(source_of(jaxpr)[1])


def rounds_together(jaxpr: Any, live: Sequence[bool]) -> bool:
    """Whether XLA may fuse roundings of a compiled function, or of its derivative, so that its parts alone would have
    other bits. `live` says which of its arguments a wanted float reaches."""
    return _roundings(jaxpr, live) > 1


def _roundings(jaxpr: Any, live: Sequence[bool]) -> int:
    reached = {var for var, is_live in zip(jaxpr.invars, live, strict=True) if is_live}
    count = 0
    for e in jaxpr.eqns:
        ins = [not isinstance(x, Literal) and x in reached for x in e.invars]
        outs = [out for out in e.outvars if jax.numpy.issubdtype(out.aval.dtype, jax.numpy.floating)]
        name = e.primitive.name
        if not any(ins) or not outs:
            continue
        reached.update(outs)
        if name in HOLDERS:
            held = e.params["jaxpr"] if "jaxpr" in e.params else e.params["call_jaxpr"]
            count += _roundings(held.jaxpr, ins)
        elif name not in EXACT:
            count += 2 if name in SERIAL else 1
    return count


def known(jaxpr: Any, operand: Callable[[int], Any]) -> Sequence[Meaning] | None:
    """JAX's own function as an operation of the vocabulary, where it is one."""
    name = source_of(jaxpr)[0]
    meaning = FUNCTIONS[name](jaxpr, operand) if name in FUNCTIONS and len(jaxpr.outvars) == 1 else None
    return None if meaning is None else [meaning]
