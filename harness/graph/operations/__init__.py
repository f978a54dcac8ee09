"""What an operation is: one file a family, each row with its shape rule, meaning, cost, traits and derivative.

Importing a family adds its rows to the table. Their order is that of `gradaccord ops`.
"""

from . import (  # noqa: I001
    arithmetic,
    exponential,
    trigonometric,
    special,
    activation,
    choice,
    reduction,
    linear_algebra,
    convolution,
    pooling,
    movement,
    border,
    indexing,
    loss,
    layer,
)
from .operation import OPERATIONS as OPERATIONS

__all__ = [
    "activation",
    "arithmetic",
    "border",
    "choice",
    "convolution",
    "exponential",
    "indexing",
    "layer",
    "linear_algebra",
    "loss",
    "movement",
    "pooling",
    "reduction",
    "special",
    "trigonometric",
]
