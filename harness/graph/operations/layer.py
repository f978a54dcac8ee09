"""Layers: normalisations, attention, embedding.

Channels are axis 1 of x (batch, channels, ...), as PyTorch and ONNX have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ...words import counted
from ..node import GraphError, Kind, Param, Shape
from ..shapes import broadcast, same
from .operation import Bound, row


def scaled(p: Bound, weight: str = "weight", bias: str = "bias") -> str:
    """Times the weight and plus the bias, as far as they are given."""
    return ("" if p["weight"] is None else f" * {weight}") + ("" if p["bias"] is None else f" + {bias}")


def by_channel(p: Bound) -> str:
    """The same with one number of weight and bias for each channel."""
    shape = [cast(Shape, p["x"])[1], *[1] * (len(cast(Shape, p["x"])) - 2)]
    return scaled(p, f"reshape(weight, shape={shape})", f"reshape(bias, shape={shape})")


def channels(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """The shape of x, whose further operands have one number for each of its channels."""
    x, *extra = shapes
    if len(x) < 2:
        raise GraphError(f"x of shape {x}", "x (batch, channels, ...)")
    for shape in extra:
        if shape != x[1:2]:
            raise GraphError(f"shape {shape}", f"{x[1:2]}, one number for each channel")
    return x


def grouped(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, groups = channels(shapes, p), cast(int, p["groups"])
    if x[1] % groups:
        raise GraphError(f"{counted(x[1], 'channel')} in groups={groups}", "groups of equal size", parameter="groups")
    return x


def batch_normalised(p: Bound) -> str:
    axes = [axis for axis in range(len(cast(Shape, p["x"]))) if axis != 1]
    return f"layer_norm(x, axis={axes}, eps=eps)" + by_channel(p)


def group_normalised(p: Bound) -> str:
    x = cast(Shape, p["x"])
    shape = [x[0], p["groups"], prod(x[1:]) // cast(int, p["groups"])]
    return f"reshape(layer_norm(reshape(x, shape={shape}), eps=eps), shape={list(x)})" + by_channel(p)


def normalised_by(p: Bound) -> str:
    """By statistics that are given, which are held constant."""
    shape = [cast(Shape, p["x"])[1], *[1] * (len(cast(Shape, p["x"])) - 2)]
    mean, var = (f"stop_gradient(reshape({name}, shape={shape}))" for name in ("mean", "var"))
    return f"(x - {mean}) / sqrt({var} + eps)" + by_channel(p)


def attention(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    q, k, v, *mask = shapes
    if min(map(len, (q, k, v))) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
        raise GraphError(
            f"query {q}, key {k} and value {v}", "query (..., L, E), key (..., S, E) and value (..., S, V)"
        )
    batch = broadcast(q[:-2], k[:-2], v[:-2])
    if mask and p["causal"]:
        raise GraphError("a mask and causal=True", "one of them", "make the mask causal", parameter="causal")
    if mask and broadcast(mask[0], (*batch, q[-2], k[-2])) != (*batch, q[-2], k[-2]):
        raise GraphError(f"a mask of shape {mask[0]}", f"one that broadcasts to {(*batch, q[-2], k[-2])}")
    return (*batch, q[-2], v[-1])


def attended(p: Bound) -> str:
    """Scores, of those hidden -inf, as weights. Causal: position i sees the first i + 1 keys (a half, lest they tie)."""
    (length, width), keys = cast(Shape, p["query"])[-2:], cast(Shape, p["key"])[-2]
    scores = "query @ matrix_transpose(key)" + (f" / sqrt({width})" if p["scale"] is None else " * scale")
    if p["causal"]:
        ones = f"broadcast_to(1, shape={[length, keys]})"
        scores = f"where(cumsum({ones}, axis=-2) + 0.5 < cumsum({ones}, axis=-1), -inf, {scores})"
    elif p["mask"] is not None:
        kind = cast("Mapping[str, Kind]", p["kinds"]).get("mask", "float")
        scores = f"where(mask, {scores}, -inf)" if kind == "bool" else f"{scores} + mask"
    return f"softmax({scores}) @ value"


def embedding(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    indices, weight = shapes
    if len(weight) != 2:
        raise GraphError(f"weight {weight} in embedding", "weight (entries, features)")
    if not 0 <= cast(int, p["padding_index"] or 0) < weight[0]:
        expected = f"0 to {weight[0] - 1}, or None"
        raise GraphError(f"padding_index={p['padding_index']}", expected, parameter="padding_index")
    return (*indices, weight[1])


def embedded(p: Bound) -> str:
    k = cast("int | None", p["padding_index"])
    if k is None:
        return "take(weight, indices, axis=0)"
    held = f"concat([weight[:{k}], stop_gradient(weight[{k}:{k + 1}]), weight[{k + 1}:]])"
    return f"take({held}, indices, axis=0)"


# fmt: off
row("layer_norm", "x, weight=None, bias=None, *, axis=-1, eps=1e-05", same,
    definition=lambda p: "(x - mean(x, axis=axis, keepdims=True)) / sqrt(var(x, axis=axis, keepdims=True) + eps)" + scaled(p))
row("rms_norm", "x, weight=None, *, axis=-1, eps=1e-05", same,
    definition=lambda p: "x / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)" + ("" if p["weight"] is None else " * weight"))
row("batch_norm", "x, weight=None, bias=None, *, eps=1e-05", channels, definition=batch_normalised)
row("batch_norm_evaluation", "x, mean, var, weight=None, bias=None, *, eps=1e-05", channels, definition=normalised_by)
row("group_norm", "x, weight=None, bias=None, *, groups, eps=1e-05", grouped, definition=group_normalised)
row("instance_norm", "x, weight=None, bias=None, *, eps=1e-05", channels,
    definition=lambda p: f"group_norm(x, groups={max(cast(Shape, p['x'])[1], 1)}, eps=eps)" + by_channel(p))
row("scaled_dot_product_attention", "query, key, value, mask: any = None, *, causal=False, scale=None", attention,
    definition=attended)
row("embedding", "indices: int, weight, *, padding_index=None", embedding, definition=embedded)
