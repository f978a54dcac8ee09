"""A framework that is not installed here: what its functions held, for a user's `convert` all the same."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np

from ..hearing.structure import leaves, numpy_of, rebuilt
from ..records.evaluation import Array


class Numbers(np.ndarray):
    """An array that answers to what conversions call of a tensor before they leave torch: `detach`, `cpu`, `numpy`,
    `t`, `permute`, `float`, `double`, `contiguous`, `clone`, `numel`."""

    def detach(self) -> Self:
        return self

    cpu = contiguous = float = double = clone = detach  # all that are made of these are made anew anyway

    def numpy(self) -> Array:
        return np.asarray(self)

    def t(self) -> Any:
        return self.T

    def permute(self, *axes: Any) -> Any:
        return self.transpose(*axes)

    def numel(self) -> int:
        return self.size


class Elsewhere:
    """What `take_like` asks of a listener of the other function."""

    def arrays(self, thing: Any) -> Any:
        def numbers(_: str, leaf: Any) -> Any:
            array = numpy_of(leaf)
            return leaf if array is None else array.copy().view(Numbers)

        return rebuilt(thing, numbers)

    def leaves(self, thing: Any, name: str) -> Mapping[str, Array]:
        return leaves(thing, name)

    def within(self, dtype: str) -> AbstractContextManager[Any]:
        return nullcontext(dtype)
