"""Sums of products: contractions and convolutions."""

# jax is annotated in part.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters
from typing import Any

import numpy as np

from ...harness.hearing.heard import Refused
from .equation import Equation, Meaning, Operand, Row


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


def _precise(e: Equation) -> None:
    """Raises Refused for a product that is asked to be computed in fewer digits than its factors have."""
    if "DEFAULT" not in (said := str(e.params["precision"])) and "HIGH" not in said and said != "None":
        raise Refused(f"`{e.primitive}` with precision={said}")


def convolution(e: Equation) -> Meaning:
    """One of one or two dimensions as `correlate2d`, its axes moved into the order of that, its input spread by zeros
    where JAX dilates it."""
    numbers, padding = e.params["dimension_numbers"], [tuple(map(int, pair)) for pair in e.params["padding"]]
    steps, spread = list(e.params["window_strides"]), list(e.params["lhs_dilation"])
    dilation, groups = list(e.params["rhs_dilation"]), e.params["feature_group_count"]
    _precise(e)
    if len(padding) not in (1, 2) or e.params["batch_group_count"] != 1:
        raise Refused(f"`conv_general_dilated` of {len(padding)} dimensions, or in batch groups")
    if any(n < 0 for pair in padding for n in pair):
        raise Refused("`conv_general_dilated` with a negative padding")
    flat = len(padding) == 1
    x = _arranged("x0", e.shapes[0], numbers.lhs_spec, flat)
    weight = _arranged("x1", e.shapes[1], numbers.rhs_spec, flat)
    inside = [e.shapes[0][int(axis)] for axis in numbers.lhs_spec]
    if flat:
        inside, padding = [*inside[:2], 1, inside[2]], [(0, 0), *padding]
        steps, spread, dilation = [1, *steps], [1, *spread], [1, *dilation]
    if spread != [1, 1]:
        size = [(n - 1) * s + 1 for n, s in zip(inside[2:], spread, strict=True)]
        index = ", ".join([":", ":", *(f"0:{n}:{s}" for n, s in zip(size, spread, strict=True))])
        x = f'place({x}, index="{index}", shape={[*inside[:2], *size]})'
    if any(low != high for low, high in padding):
        x = f"pad({x}, widths={[[0, 0], [0, 0], *map(list, padding)]})"
        padding = [(0, 0), (0, 0)]
    around = [low for low, _ in padding]
    params: dict[str, Any] = {
        "stride": tuple(steps), "padding": tuple(around), "dilation": tuple(dilation), "groups": groups
    }  # fmt: skip
    operands: list[Operand] = [0, 1]
    said = ", ".join(f"{name}={list(value) if isinstance(value, tuple) else value}" for name, value in params.items())
    back = _back(e.shape, numbers.out_spec, flat, f"correlate2d({x}, {weight}, {said})")
    if (x, weight) == ("x0", "x1") and back.startswith("correlate2d"):
        return Meaning("correlate2d", operands, params)
    return Meaning("conv_general_dilated", operands, text=back)


def _arranged(x: str, shape: tuple[int, ...], spec: Any, flat: bool) -> str:
    """An operand with its batch or output axis first, its features next and its space last, of two dimensions."""
    text = x if tuple(spec) == tuple(range(len(spec))) else f"permute_dims({x}, axes={list(map(int, spec))})"
    if not flat:
        return text
    a, b, n = (shape[axis] for axis in spec)
    return f"reshape({text}, shape={[a, b, 1, n]})"


def _back(shape: tuple[int, ...], spec: Any, flat: bool, text: str) -> str:
    if flat:
        text = f"reshape({text}, shape={[shape[axis] for axis in spec]})"
    order = [int(axis) for axis in np.argsort(spec)]
    return text if order == list(range(len(order))) else f"permute_dims({text}, axes={order})"


ROWS: Mapping[str, Row] = {"dot_general": dot_general, "conv_general_dilated": convolution}
