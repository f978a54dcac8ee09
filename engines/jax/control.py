"""Loops and branches follow the run: `cond`, `while`, `scan`, heard step by step."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax

from ...harness.hearing.heard import Refused
from ...harness.words import counted
from .equation import Meaning

if TYPE_CHECKING:
    from .walk import Value, Walk


def branch(walk: Walk, e: Any, values: Sequence[Value]) -> Sequence[Value]:
    chosen = min(max(int(np.asarray(values[0].array)), 0), len(e.params["branches"]) - 1)
    if not e.params.get("branches_platforms"):  # JAX's own choice by the machine
        walk.note("`cond`:", f"branch {chosen} of {len(e.params['branches'])}", walk.place(e))
    taken = e.params["branches"][chosen]
    return walk.run(taken.jaxpr, taken.consts, values[1:])


def repeat(walk: Walk, e: Any, values: Sequence[Value]) -> Sequence[Value]:
    p = e.params
    of_test, of_body = p["cond_nconsts"], p["body_nconsts"]
    test, body = p["cond_jaxpr"], p["body_jaxpr"]
    for_test, for_body = values[:of_test], values[of_test : of_test + of_body]
    carry, turns = list(values[of_test + of_body :]), 0
    while (going := np.asarray(walk.run(test.jaxpr, test.consts, [*for_test, *carry])[0].array)).any():
        if turns == walk.ask.longest:
            raise _too_long("`while`", f"more than {turns}", walk, e)
        new = walk.run(body.jaxpr, body.consts, [*for_body, *carry])
        carry = new if going.all() else [_going(walk, e, going, *pair) for pair in zip(new, carry, strict=True)]
        turns += 1
    walk.note("`while`:", f"{counted(turns, 'turn')} of the run", walk.place(e))
    return carry


def _going(walk: Walk, e: Any, going: Any, new: Value, old: Value) -> Value:
    """Of loops that run side by side those that have ended keep what they have."""
    mask = np.broadcast_to(going.reshape(*going.shape, *[1] * (len(new.shape) - going.ndim)), new.shape)
    choose = partial(lax.select, mask)
    if not (new.node or old.node) or not new.is_float:
        return walk.constant(new.aval, lambda: choose(new.array, old.array))
    return walk.record(choose, [new, old], [new.aval], [Meaning("where", [mask, 0, 1])], walk.place(e))[0]


def scan(walk: Walk, e: Any, values: Sequence[Value]) -> Sequence[Value]:
    p, body = e.params, e.params["jaxpr"]
    constants, carried, length = p["num_consts"], p["num_carry"], p["length"]
    if length > walk.ask.longest:
        raise _too_long("`scan`", str(length), walk, e)
    carry, rows = values[constants : constants + carried], values[constants + carried :]
    outs: dict[int, Sequence[Value]] = {}
    for turn in reversed(range(length)) if p["reverse"] else range(length):
        now = [_row(walk, e, x, turn) for x in rows]
        given = walk.run(body.jaxpr, body.consts, [*values[:constants], *carry, *now])
        carry, outs[turn] = given[:carried], given[carried:]
    if not length:
        return [*carry, *walk.folded(e, values)[carried:]]
    columns = zip(*(outs[turn] for turn in range(length)), strict=True)
    return [*carry, *(_stacked(walk, e, list(column)) for column in columns)]


def _row(walk: Walk, e: Any, x: Value, turn: int) -> Value:
    """Row `turn` of what is scanned."""
    take = partial(lax.index_in_dim, index=turn, keepdims=False)
    aval = jax.ShapeDtypeStruct(x.shape[1:], x.aval.dtype)
    if not x.node or not x.is_float:
        return walk.constant(aval, lambda: take(x.array))
    return walk.record(take, [x], [aval], [Meaning("getitem", [0], {"index": str(turn)})], walk.place(e))[0]


def _stacked(walk: Walk, e: Any, rows: list[Value]) -> Value:
    aval = jax.ShapeDtypeStruct((len(rows), *rows[0].shape), rows[0].aval.dtype)

    def stack(*arrays: Any) -> Any:
        return lax.concatenate([lax.expand_dims(x, [0]) for x in arrays], 0)

    if not any(row.node for row in rows) or not rows[0].is_float:
        return walk.constant(aval, lambda: stack(*(row.array for row in rows)))
    return walk.record(stack, rows, [aval], [Meaning("stack", range(len(rows)), {"axis": 0})], walk.place(e))[0]


def _too_long(what: str, turns: str, walk: Walk, e: Any) -> Refused:
    remedy = f"At most {walk.ask.longest} are heard, each turn by itself; run fewer, or ask for more with `longest`"
    return Refused(f"{what} of {turns} turns", walk.place(e), remedy)


FLOW: Mapping[str, Callable[[Walk, Any, Sequence[Value]], Sequence[Value]]] = {
    "cond": branch,
    "while": repeat,
    "scan": scan,
}
