"""The table of precisions: what a floating-point format holds, and what to suspect where one is kept to a lower one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np

SPACINGS = 64  # of the smallest numbers that some steps of gradual underflow may lose


@dataclass(frozen=True, slots=True)
class Format:
    """A floating-point format: unit roundoff 2^-p, and the smallest number that all hardware keeps.

    That is the smallest normal one where subnormals may be flushed. Those of float16 never are: it is the smallest
    of these, and a number that enters near zero may have moved by half of it.

    `lower` are formats that a step inside this one may have been computed in, `factors` those that the factors of its
    products may have had, and `adding` those that its sums may have been kept in, the best first. `default`: a case
    runs in it unless it says otherwise.
    """

    name: str
    unit: float
    smallest: float
    largest: float
    gradual: bool = False  # subnormals are kept
    result: float = 0.0  # unit roundoff of what an operation gives, where that is finer than of what it takes
    inside: Format | None = None  # what an operation computes in, sums included, before it rounds once on its way out
    dtype: np.dtype[Any] = field(default=np.dtype(np.void), compare=False)  # what NumPy holds it in, if it does
    default: bool = field(default=False, compare=False)
    lower: tuple[Format, ...] = field(default=(), compare=False)
    factors: tuple[Format, ...] = field(default=(), compare=False)
    adding: tuple[Format, ...] = field(default=(), compare=False)

    @property
    def step(self) -> float:
        return self.result or self.unit

    @property
    def underflow(self) -> float:
        """How far numbers may be off that leave the range: by the smallest one, or by a spacing at each step."""
        return self.smallest * (SPACINGS if self.gradual else 1)

    @property
    def without_underflow(self) -> Format:
        """The same digits with no smallest number."""
        inside = self.inside and self.inside.without_underflow
        return replace(self, smallest=0.0, gradual=False, inside=inside)

    def coarser(self, times: float) -> Format:
        """With so many times the roundoff."""
        inside = self.inside and self.inside.coarser(times)
        return replace(self, unit=self.unit * times, result=self.result * times, inside=inside)

    @property
    def sums(self) -> Format:
        """The format that the sums inside one operation are kept in."""
        return self.inside or self

    def units(self, cost: float, half: float) -> float:
        """Units roundoff that one operation of a cost may be off. What computes in a finer format rounds `half` times,
        and loses nearly nothing inside."""
        return cost if self.inside is None else min(cost, half + cost * self.inside.unit / self.unit)

    def of_sum(self, roundings: int) -> float:
        """What so many additions inside one operation may lose of the sum of their sizes, its way out included."""
        return roundings * self.sums.step + (self.step if self.inside else 0.0)


# What tensor cores do to the factors of a float32 product, whose sum they keep in float32.
TF32 = Format("TF32", 2.0**-11, 2.0**-126, 3.4011621342146535e38, result=2.0**-24)
# Everything in bfloat16 or float16, each addition of a sum too.
BFLOAT16_THROUGHOUT = Format("bfloat16", 2.0**-8, 2.0**-126, 3.3895313892515355e38)
FLOAT16_THROUGHOUT = Format("float16", 2.0**-11, 2.0**-24, 65504.0, gradual=True)
BFLOAT16_FACTORS = replace(BFLOAT16_THROUGHOUT, result=2.0**-24)
FLOAT32 = Format(
    "float32", 2.0**-24, 2.0**-126, 3.4028234663852886e38, dtype=np.dtype(np.float32), default=True,
    lower=(BFLOAT16_THROUGHOUT,), factors=(TF32, BFLOAT16_FACTORS),
)  # fmt: skip
FLOAT64 = Format(
    "float64", 2.0**-53, 2.0**-1022, 1.7976931348623157e308, dtype=np.dtype(np.float64), default=True,
    lower=(FLOAT32,), factors=(FLOAT32, TF32, BFLOAT16_FACTORS),
)  # fmt: skip
BFLOAT16 = replace(
    BFLOAT16_THROUGHOUT, dtype=np.dtype(ml_dtypes.bfloat16), inside=FLOAT32, adding=(BFLOAT16_THROUGHOUT,)
)
FLOAT16 = replace(
    FLOAT16_THROUGHOUT, dtype=np.dtype(np.float16), inside=FLOAT32, adding=(FLOAT16_THROUGHOUT,), lower=(BFLOAT16,)
)

# The precisions that cases run in.
FORMATS: Mapping[str, Format] = {form.name: form for form in (FLOAT64, FLOAT32, BFLOAT16, FLOAT16)}
