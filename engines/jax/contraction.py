"""Sums of products: contractions and convolutions."""

# jax is annotated in part.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from ...harness.hearing.heard import Refused
from .equation import Equation, Meaning, Row


def dot_general(e: Equation) -> Meaning:
    """A product of matrices where it is one, else an einsum with batch axes, then those of each factor."""
    (left, right), (left_batch, right_batch) = e.params["dimension_numbers"]
    _precise(e)
    a, b = e.shapes
    if not left_batch and tuple(left) == (len(a) - 1,) and tuple(right) == (0,) and a and len(b) <= 2:
        return Meaning("matmul", [0, 1])
    letters = iter(ascii_letters)
    names = [[""] * len(a), [""] * len(b)]
    together = [*zip(left_batch, right_batch, strict=True), *zip(left, right, strict=True)]
    for i, j in together:
        names[0][int(i)] = names[1][int(j)] = next(letters)
    out = [names[0][int(i)] for i in left_batch]
    for axes in names:
        for k, name in enumerate(axes):
            if not name:
                axes[k] = next(letters)
                out.append(axes[k])
    return Meaning("einsum", [0, 1], {"subscripts": f"{''.join(names[0])},{''.join(names[1])}->{''.join(out)}"})


# The algorithms that take factors of a type as they are, and add in one that is as wide: names of the two.
OWN = {
    "bfloat16": [("BF16", "F32")], "float16": [("F16", "F32")], "float32": [("F32", "F32")],
    "float64": [("F64", "F64")],
}  # fmt: skip


def _precise(e: Equation) -> None:
    """Raises Refused for a product that is asked to be computed in fewer digits than its factors have."""
    if "DEFAULT" in (said := str(e.params["precision"])) or "HIGH" in said or said == "None":
        return
    if said not in {f"{name}_{name}_{wide}" for name, wide in OWN.get(str(e.operand(0).dtype), ())}:
        raise Refused(f"`{e.primitive}` with precision={said}", remedy="Judge it without that: precision=None")


def convolution(e: Equation) -> Meaning:
    """One of up to three dimensions by `correlate2d`: the axes moved into the order of that, the input spread by zeros
    where JAX dilates it, a third dimension added up over the depth of the kernel."""
    numbers, padding = e.params["dimension_numbers"], [tuple(map(int, pair)) for pair in e.params["padding"]]
    steps, spread = list(e.params["window_strides"]), list(e.params["lhs_dilation"])
    dilation, groups = list(e.params["rhs_dilation"]), e.params["feature_group_count"]
    batches = e.params["batch_group_count"]
    _precise(e)
    if not 1 <= len(padding) <= 3:
        raise Refused(f"`conv_general_dilated` of {len(padding)} dimensions")
    x, weight = _arranged("x0", numbers.lhs_spec), _arranged("x1", numbers.rhs_spec)
    inside = [e.shapes[0][int(axis)] for axis in numbers.lhs_spec]
    kernel = [e.shapes[1][int(axis)] for axis in numbers.rhs_spec]
    out = [e.shape[int(axis)] for axis in numbers.out_spec]
    if batches != 1:
        x, groups = _in_groups(x, inside, batches), batches
        inside = [inside[0] // batches, inside[1] * batches, *inside[2:]]
    if len(padding) == 1:
        x, weight = (f"reshape({a}, shape={[*n[:2], 1, n[2]]})" for a, n in ((x, inside), (weight, kernel)))
        inside, padding = [*inside[:2], 1, inside[2]], [(0, 0), *padding]
        steps, spread, dilation = [1, *steps], [1, *spread], [1, *dilation]
    if set(spread) != {1}:
        size = [(n - 1) * s + 1 for n, s in zip(inside[2:], spread, strict=True)]
        index = ", ".join([":", ":", *(f"0:{n}:{s}" for n, s in zip(size, spread, strict=True))])
        inside = [*inside[:2], *size]
        x = f'place({x}, index="{index}", shape={inside})'
    if len(padding) == 3 or any(low != high or low < 0 for low, high in padding):
        x = _padded(x, inside[2:], padding)
        inside = [*inside[:2], *(n + sum(pair) for n, pair in zip(inside[2:], padding, strict=True))]
        padding = [(0, 0)] * len(padding)
    before = ""
    if len(padding) == 3:
        before = f"p = copy({x}); w = copy({weight}); "
        text = _deep(inside, kernel[2], out, steps, dilation, groups)
    else:
        params = _geometry(steps, [low for low, _ in padding], dilation, groups)
        if (x, weight) == ("x0", "x1") and list(numbers.out_spec) == list(range(4)):
            return Meaning("correlate2d", [0, 1], params)
        text = _correlation(x, weight, params)
    if len(e.shape) == 3:
        text = f"reshape({text}, shape={out})"
    order = [int(axis) for axis in np.argsort(numbers.out_spec)]
    text = text if order == list(range(len(order))) else f"permute_dims({text}, axes={order})"
    return Meaning("conv_general_dilated", [0, 1], text=before + text)


def _geometry(steps: Sequence[int], around: Sequence[int], dilation: Sequence[int], groups: int) -> dict[str, Any]:
    return {"stride": tuple(steps), "padding": tuple(around), "dilation": tuple(dilation), "groups": groups}


def _correlation(x: str, weight: str, params: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={list(value) if isinstance(value, tuple) else value}" for name, value in params.items())
    return f"correlate2d({x}, {weight}, {said})"


def _arranged(x: str, spec: Any) -> str:
    """An operand with its batch or output axis first, its features next and its space last."""
    return x if tuple(spec) == tuple(range(len(spec))) else f"permute_dims({x}, axes={list(map(int, spec))})"


def _in_groups(x: str, shape: Sequence[int], batches: int) -> str:
    """What is convolved in groups of the batch, in groups of features."""
    apart = [batches, shape[0] // batches, *shape[1:]]
    axes = [1, 0, *range(2, len(apart))]
    together = [shape[0] // batches, batches * shape[1], *shape[2:]]
    return f"reshape(permute_dims(reshape({x}, shape={apart}), axes={axes}), shape={together})"


def _padded(x: str, space: Sequence[int], padding: Sequence[tuple[int, ...]]) -> str:
    """Zeros around the last axes; a negative padding takes away."""
    if any(n < 0 for pair in padding for n in pair):
        cut = [f"{max(-low, 0)}:{n - max(-high, 0)}" for n, (low, high) in zip(space, padding, strict=True)]
        x = f"copy({x})[:, :, {', '.join(cut)}]"
    widths = [[max(n, 0) for n in pair] for pair in padding]
    return f"pad({x}, widths={[[0, 0], [0, 0], *widths]})" if np.any(widths) else x


def _deep(
    inside: Sequence[int], depth: int, out: Sequence[int], steps: Sequence[int], dilation: Sequence[int], groups: int
) -> str:
    """Three dimensions, of `p` by `w`: for each plane of the kernel the planes that it meets, as so many images."""
    planes, params = list[str](), _geometry(steps[1:], [0, 0], dilation[1:], groups)
    for k in range(depth):
        first = k * dilation[0]
        met = f"p[:, :, {first}:{first + (out[2] - 1) * steps[0] + 1}:{steps[0]}]"
        images = f"reshape(permute_dims({met}, axes=[0, 2, 1, 3, 4]), shape={[-1, inside[1], *inside[3:]]})"
        planes.append(_correlation(images, f"w[:, :, {k}]", params))
    apart = [out[0], out[2], out[1], *out[3:]]
    return f"permute_dims(reshape({' + '.join(planes)}, shape={apart}), axes=[0, 2, 1, 3, 4])"


def ragged(e: Equation) -> Meaning:
    """Rows of the left in groups, each times a matrix of its own: those matrices are taken by the row."""
    numbers = e.params["ragged_dot_dimension_numbers"]
    plain = (((1,), (1,)), ((), ())), (0,), (0,)
    said = numbers.dot_dimension_numbers, numbers.lhs_ragged_dimensions, numbers.rhs_group_dimensions
    if tuple(map(_tuples, said)) != plain or len(e.shapes[0]) != 2:
        raise Refused("`ragged_dot_general` over other axes than rows of the left")
    _precise(e)
    _ = e.params["group_offset"]
    sizes = e.integers(2)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    if len(rows) != e.shapes[0][0]:
        raise Refused("`ragged_dot_general` of groups that are not all of the rows")
    text = f"reshape(reshape(x0, shape={[len(rows), 1, -1]}) @ take(x1, x2, axis=0), shape={list(e.shape)})"
    return Meaning("ragged_dot", [0, 1, rows], text=text)


def _tuples(x: Any) -> Any:
    return tuple(map(_tuples, x)) if isinstance(x, list | tuple) else int(x)


ROWS: Mapping[str, Row] = {
    "ragged_dot_general": ragged,
    "dot_general": dot_general,
    "conv_general_dilated": convolution,
}
