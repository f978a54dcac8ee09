"""What weighs an output that is no scalar, where nobody says."""

from __future__ import annotations

import numpy as np

from .evaluation import Array


def default_cotangent(shape: tuple[int, ...]) -> Array:
    """Weights that are not all ones, with both signs, and exact in every dtype.

    Element k in row-major order is (-1)^k (8 + 5 k mod 13) / 16; a scalar's is 1.
    """
    if shape == ():
        return np.ones(())
    return weights(int(np.prod(shape))).reshape(shape)


def weights(count: int) -> Array:
    """The first weights, in row-major order."""
    k = np.arange(count)
    return np.where(k % 2, -1.0, 1.0) * (8 + 5 * k % 13) / 16
