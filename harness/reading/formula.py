"""Formulas of inputs: `sin(i + 1)` evaluated over the indices of a shape, in float64 by NumPy.

They are written in the case language, but this namespace is no engine's: it makes data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.build import Builder
from ..graph.emit import emit, missing
from ..graph.expand import expanded
from ..graph.language.expression import ExpressionError, Parser
from ..graph.node import Constant, GraphError, Shape
from ..graph.operations import OPERATIONS


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def _itself(x: Any) -> Any:
    return x


def _constant(text: str) -> Any:
    return np.float64({"pi": str(np.pi), "e": str(np.e), "-pi": str(-np.pi), "-e": str(-np.e)}.get(text, text))


# Elementwise operations only: an element depends on its own indices. NumPy's names are the vocabulary's.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{
        name: ufunc
        for name in OPERATIONS
        if isinstance(ufunc := getattr(np, name, None), np.ufunc) and not ufunc.signature
    },
    "where": np.where,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "astype": np.float64,
    "stop_gradient": _itself,
    "copy": _itself,
    "constant": _constant,
}


def evaluate(text: str, shape: Shape, indices: Sequence[str]) -> NDArray[Any]:
    """The formula at every index: float64, or bool where it is a comparison. Raises ExpressionError."""
    builder = Builder()
    for name in indices:
        builder.input(name, (), constant=True)
    result = Parser(builder, scope={name: name for name in indices}).value("formula", text)
    grids = [
        np.arange(n, dtype=np.float64).reshape((n,) + (1,) * (len(shape) - axis - 1)) for axis, n in enumerate(shape)
    ]
    values: Any
    if isinstance(result, Constant):
        values = FUNCTIONS["constant"](result.text)
    elif result in indices:
        values = grids[list(indices).index(result)]
    else:
        graph = expanded(builder.graph([result]), stable=True)
        for op in missing(graph, FUNCTIONS):
            raise ExpressionError(GraphError(f"`{op}`", "an elementwise operation on the indices"), 0, 0)
        with np.errstate(all="ignore"):
            (values,) = emit(graph, FUNCTIONS, [result])(*grids)
    return np.array(np.broadcast_to(values, shape))
