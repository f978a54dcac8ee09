"""Primitives that move numbers: shapes, slices; gathers and scatters by the index maps that they tell themselves."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from jax import lax

from ...harness.graph.node import Constant, Shape
from ...harness.hearing.heard import Refused
from ...harness.records.evaluation import Array
from .equation import Equation, Meaning, Operand, Row


def reshaped(e: Equation) -> Meaning:
    order, _ = e.params["dimensions"], e.params["new_sizes"]
    if order is not None:
        text = f"reshape(permute_dims(x0, axes={list(map(int, order))}), shape={list(e.shape)})"
        return Meaning("reshape", [0], text=text)
    return Meaning("reshape", [0], {"shape": e.shape})


def broadcast(e: Equation) -> Meaning:
    shape, between = e.shape, [1] * len(e.shape)
    _ = e.params["shape"]
    for axis, n in zip(e.params["broadcast_dimensions"], e.shapes[0], strict=True):
        between[int(axis)] = n
    if tuple(between) == shape:
        return Meaning("reshape", [0], {"shape": shape})
    if tuple(between[-len(e.shapes[0]) :] if e.shapes[0] else ()) == e.shapes[0]:
        return Meaning("broadcast_to", [0], {"shape": shape})
    return Meaning("broadcast_in_dim", [0], text=f"broadcast_to(reshape(x0, shape={between}), shape={list(shape)})")


def transpose(e: Equation) -> Meaning:
    return Meaning("permute_dims", [0], {"axes": tuple(map(int, e.params["permutation"]))})


def concatenate(e: Equation) -> Meaning:
    return Meaning("concat", range(len(e.shapes)), {"axis": int(e.params["dimension"])})


def index_of(starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]) -> str:
    """A basic index, as the case language writes it."""
    parts = [f"{a}:{b}" + (f":{s}" if s != 1 else "") for a, b, s in zip(starts, stops, steps, strict=True)]
    return ", ".join(parts) or "..."


def sliced(e: Equation) -> Meaning:
    starts = e.params["start_indices"]
    steps = e.params["strides"] or (1,) * len(starts)
    return Meaning("getitem", [0], {"index": index_of(starts, e.params["limit_indices"], steps)})


def split(e: Equation) -> list[Meaning]:
    axis, stops = e.params["axis"], list(accumulate(e.params["sizes"]))
    pairs = zip([0, *stops], stops, strict=False)
    return [Meaning("getitem", [0], {"index": ":, " * axis + f"{a}:{b}"}) for a, b in pairs]


def unstack(e: Equation) -> list[Meaning]:
    axis = e.params["axis"]
    return [Meaning("getitem", [0], {"index": ":, " * axis + str(k)}) for k in range(len(e.results))]


def reversed_(e: Equation) -> Meaning:
    return Meaning("flip", [0], {"axis": tuple(map(int, e.params["dimensions"]))})


def padded(e: Equation) -> Meaning:
    """Numbers before, behind and between; a negative one takes away."""
    config, shape = [tuple(map(int, row)) for row in e.params["padding_config"]], e.shapes[0]
    text = "x0"
    spread = [n + max(n - 1, 0) * between for n, (_, _, between) in zip(shape, config, strict=True)]
    steps = [between + 1 for *_, between in config]
    value = float(np.asarray(e.operand(1)))
    if spread != list(shape):
        if value != 0:
            raise Refused("`pad` between elements with a number that is not 0")
        text = f'place(x0, index="{index_of([0] * len(shape), spread, steps)}", shape={spread})'
    widths = [[max(low, 0), max(high, 0)] for low, high, _ in config]
    if text == "x0" and all(low >= 0 and high >= 0 for low, high, _ in config) and np.isfinite(value):
        return Meaning("pad", [0], {"widths": tuple(map(tuple, widths)), "value": value})
    if np.any(widths):
        if not np.isfinite(value):
            return _by_map(e, [0], e.positions(), Constant("-inf" if value < 0 else "inf"))
        text = f"pad({text}, widths={widths}, value={value})"
    if any(low < 0 or high < 0 for low, high, _ in config):
        wide = [n + low + high for n, (low, high) in zip(spread, widths, strict=True)]
        starts = [max(-low, 0) for low, _, _ in config]
        stops = [n - max(-high, 0) for n, (_, high, _) in zip(wide, config, strict=True)]
        text = f"copy({text})[{index_of(starts, stops, [1] * len(shape))}]"
    return Meaning("pad", [0], text=text)


def moved(e: Equation) -> Meaning:
    """Whatever only moves: a slice, a `take` along an axis, or one of all elements in a row."""
    return _by_map(e, [0], e.positions())


def gathered(e: Equation) -> Meaning:
    _ = [e.params[name] for name in ("dimension_numbers", "slice_sizes", "mode")]
    fill = e.params["fill_value"]
    if "FILL" not in str(e.params["mode"]):
        return _by_map(e, [0], e.positions())
    if fill is not None and fill == np.iinfo(np.int32).min:
        raise Refused("`gather` filled with the least integer")
    # Where integers are filled with nothing of their own, that is the least of them.
    source = e.positions() if fill is None else _positions_filled(e)
    if (source >= 0).all():
        return _by_map(e, [0], source)
    if fill is None or np.isnan(fill):
        raise Refused("an index out of bounds, for which `gather` gives NaN")
    return _by_map(e, [0], source, Constant(repr(float(fill))))


def _positions_filled(e: Equation) -> Array:
    """The positions, and -1 where the gather fills in a number of its own."""
    shape = e.shapes[0]
    where = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    moved = e.params["dimension_numbers"], e.params["slice_sizes"], e.params["mode"]
    numbers, sizes, mode = moved
    found = lax.gather(where, e.operand(1), numbers, sizes, mode=mode, fill_value=-1)
    return np.asarray(found).astype(np.int64)


def _by_map(e: Equation, operands: list[Operand], source: Array, fill: Constant | None = None) -> Meaning:
    """`x0` at the positions `source`, with `fill` where they are negative."""
    shape, known = e.shapes[0], np.maximum(source, 0)
    if (source >= 0).all():
        if (index := _block(known, shape)) is not None:
            return Meaning("getitem", operands, {"index": index})
        if (along := _along(known, shape)) is not None:
            axis, indices = along
            return Meaning("take", [*operands, indices], {"axis": axis})
    if not shape:
        text = f"broadcast_to(x0, shape={list(source.shape)})"
        return Meaning(e.primitive, operands, text=text)
    taken = f"reshape(take(reshape(x0, shape=[-1]), x1, axis=0), shape={list(source.shape)})"
    if (source >= 0).all():
        return Meaning(e.primitive, [*operands, known.reshape(-1)], text=taken)
    assert fill is not None
    masked = f"where(x2, {taken}, {fill.text})"
    return Meaning(e.primitive, [*operands, known.reshape(-1), source >= 0], text=masked)


def _block(source: Array, shape: Shape) -> str | None:
    """The basic index that gives these positions, where there is one."""
    if source.ndim != len(shape) or not source.size or not shape:
        return None
    first, last = np.unravel_index(source.flat[0], shape), np.unravel_index(source.flat[-1], shape)
    index = tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    where = np.arange(int(np.prod(shape))).reshape(shape)[index]
    if where.shape != source.shape or not np.array_equal(where, source):
        return None
    return index_of([s.start for s in index], [s.stop for s in index], [1] * len(index))


def _along(source: Array, shape: Shape) -> tuple[int, Array] | None:
    """The axis and the indices along it that give these positions, where there are such."""
    extra = source.ndim - len(shape) + 1
    if extra < 0 or not source.size:
        return None
    coordinates = np.unravel_index(source, shape)
    for axis in range(len(shape)):
        if source.shape[:axis] + source.shape[axis + extra :] != shape[:axis] + shape[axis + 1 :]:
            continue
        corner = (0,) * axis + (slice(None),) * extra + (0,) * (len(shape) - axis - 1)
        indices = np.asarray(coordinates[axis][corner])
        where = np.arange(int(np.prod(shape))).reshape(shape)
        if np.array_equal(np.take(where, indices, axis=axis), source):
            return axis, indices
    return None


# --- scatters ------------------------------------------------------------------------------------------------


def targets(e: Equation) -> Array:
    """For each number that a scatter writes the position where it lands: the transpose of the scatter is a gather
    (jax/_src/lax/slicing.py, `_scatter_add_transpose_rule`). Negative where it is dropped."""
    numbers, shape, updates = e.params["dimension_numbers"], e.shapes[0], e.shapes[2]
    window, sizes = iter(numbers.update_window_dims), list[int]()
    for axis in range(len(shape)):
        inserted = axis in numbers.inserted_window_dims or axis in numbers.operand_batching_dims
        sizes.append(1 if inserted else updates[next(window)])
    gather = lax.GatherDimensionNumbers(
        offset_dims=numbers.update_window_dims,
        collapsed_slice_dims=numbers.inserted_window_dims,
        start_index_map=numbers.scatter_dims_to_operand_dims,
        operand_batching_dims=numbers.operand_batching_dims,
        start_indices_batching_dims=numbers.scatter_indices_batching_dims,
    )
    where = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    fill = -1 if "FILL" in str(e.params["mode"]) else None
    landed = lax.gather(where, e.operand(1), gather, tuple(sizes), mode=e.params["mode"], fill_value=fill)
    return np.asarray(landed).astype(np.int64).reshape(-1)


def scattered(e: Equation) -> Meaning:
    """Numbers added at places, or written over what was there, or multiplied with it."""
    _ = [e.params[name] for name in ("update_jaxpr", "update_consts") if name in e.params]
    return _written(e, targets(e), 2)


def updated_slice(e: Equation) -> Meaning:
    shape, size = e.shapes[0], e.shapes[1]
    starts = [int(np.asarray(e.operand(k))) for k in range(2, len(e.shapes))]
    at = [min(max(start, 0), n - m) for start, n, m in zip(starts, shape, size, strict=True)]
    index = tuple(slice(a, a + m) for a, m in zip(at, size, strict=True))
    return _written(e, np.arange(int(np.prod(shape))).reshape(shape)[index].reshape(-1), 1)


def _written(e: Equation, where: Array, updates: int) -> Meaning:
    shape = e.shapes[0]
    size, kept = int(np.prod(shape)), where >= 0
    operands: list[Operand] = [0, updates, where[kept]]
    new = "reshape(x1, shape=[-1])"
    if not kept.all():
        operands.append(np.flatnonzero(kept))
        new = f"take({new}, x3, axis=0)"
    spread = f"reshape(scatter_add({new}, x2, axis=0, size={size}), shape={list(shape)})"
    name = e.primitive.replace("-", "_")
    if name == "scatter_add":
        return Meaning(name, operands, text=f"x0 + {spread}")
    if name == "scatter_sub":
        return Meaning(name, operands, text=f"x0 - {spread}")
    if name in GATHERING:
        return _met(e, where, updates)
    if len(np.unique(where[kept])) != kept.sum():
        raise Refused(f"`{name}` of two numbers at one place: which one stays is not defined")
    mask = np.zeros(size, dtype=bool)
    mask[where[kept]] = True
    there = f"x{len(operands)}"
    return Meaning(name, [*operands, mask.reshape(shape)], text=f"where({there}, {spread}, x0)")


# Scatters of which several numbers may meet at one place: how they are put together there, alone and with what was
# there, and what stands where there is none.
GATHERING = {
    "scatter_mul": ("prod", "x0 * {}", 1.0),
    "scatter_min": ("min", "minimum(x0, {})", np.inf),
    "scatter_max": ("max", "maximum(x0, {})", -np.inf),
}


def _met(e: Equation, where: Array, updates: int) -> Meaning:
    """Each element with all numbers that land on it: those are gathered in as many layers as meet at one place."""
    together, with_old, nothing = GATHERING[e.primitive.replace("-", "_")]
    shape, size, count = e.shapes[0], int(np.prod(e.shapes[0])), len(where)
    layers: list[Array] = [np.full(size, count)]
    met = np.zeros(size, dtype=np.int64)
    for k, place in enumerate(where):
        if place >= 0:
            if met[place] == len(layers):
                layers.append(np.full(size, count))
            layers[met[place]][place] = k
            met[place] += 1
    source = np.stack(layers).reshape(-1)
    numbers = "concat([reshape(x1, shape=[-1]), x3], axis=0)"
    new = f"{together}(reshape(take({numbers}, x2, axis=0), shape={[len(layers), *shape]}), axis=0)"
    outside = np.full(1, nothing, dtype=e.results[0].dtype)
    return Meaning(e.primitive, [0, updates, source, outside], text=with_old.format(new))


# --- order ---------------------------------------------------------------------------------------------------


def ordered(e: Equation) -> list[Meaning | None]:
    """Sorted numbers, at the places where the run found them."""
    axis, keys = e.params["dimension"] % len(e.shapes[0]), e.params["num_keys"]
    _ = e.params["is_stable"]
    order = np.lexsort([np.asarray(e.operand(k)) for k in reversed(range(keys))], axis=axis)
    return [_sorted(e, k, order, axis) for k in range(len(e.shapes))]


def top(e: Equation) -> list[Meaning | None]:
    _, axis = e.params["k"], e.params.get("axis", -1)
    return [_sorted(e, 0, np.asarray(e.result(1)), axis % len(e.shapes[0])), None]


def _sorted(e: Equation, k: int, order: Array, axis: int) -> Meaning | None:
    if np.asarray(e.operand(k)).dtype.kind in "iub":
        return None
    shape = e.shapes[k]
    found = np.take_along_axis(np.asarray(e.operand(k)), order, axis)
    if not np.array_equal(found, np.asarray(e.result(k)), equal_nan=True):
        raise Refused(f"`{e.primitive}` in an order of its own")
    source = np.take_along_axis(np.arange(int(np.prod(shape))).reshape(shape), order, axis)
    if len(shape) == 1:
        return Meaning("take", [k, source], {"axis": 0})
    text = f"reshape(take(reshape(x0, shape=[-1]), x1, axis=0), shape={list(source.shape)})"
    return Meaning(e.primitive, [k, source.reshape(-1)], text=text)


ROWS: Mapping[str, Row] = {
    "reshape": reshaped,
    "squeeze": lambda e: Meaning("reshape", [0], {"shape": (e.params["dimensions"], e.shape)[1]}),
    "expand_dims": lambda e: Meaning("reshape", [0], {"shape": (e.params["dimensions"], e.shape)[1]}),
    "broadcast_in_dim": broadcast,
    "transpose": transpose,
    "concatenate": concatenate,
    "stack": lambda e: Meaning("stack", range(len(e.shapes)), {"axis": int(e.params["axis"])}),
    "slice": sliced,
    "split": split,
    "unstack": unstack,
    "rev": reversed_,
    "pad": padded,
    "tile": lambda e: (e.params["reps"], moved(e))[1],
    "gather": gathered,
    "dynamic_slice": lambda e: (e.params["slice_sizes"], moved(e))[1],
    "dynamic_update_slice": updated_slice,
    **{
        f"scatter{how}": scattered
        for how in ("", "-add", "_add", "-sub", "_sub", "-mul", "_mul", "-min", "_min", "-max", "_max")
    },
    "sort": ordered,
    "top_k": top,
}
