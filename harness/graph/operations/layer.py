"""Layers."""

from ..shapes import same
from .operation import row

# fmt: off
row("layer_norm", "x, weight=None, bias=None, *, axis=-1, eps=1e-05", same,
    definition=lambda p: "(x - mean(x, axis=axis, keepdims=True)) / sqrt(var(x, axis=axis, keepdims=True) + eps)"
    + ("" if p["weight"] is None else " * weight") + ("" if p["bias"] is None else " + bias"))
