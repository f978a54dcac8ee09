"""Random numbers beside a person's own: what is 0 or 1 there, or constant, hides mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..records.evaluation import DTYPES, Array

SPREAD = 0.3
SHARE, FAR = 1 / 4, 10.0  # how many of a function's inputs move by up to how many deviations
LEAST = -1e4  # what a mask adds where nothing is to be seen, and beyond


def each(numbers: Mapping[str, Array], change: Callable[[str, Array], Array]) -> dict[str, Array]:
    """Every array changed, those that share their memory once."""
    made: dict[tuple[object, ...], Array] = {}
    found: dict[str, Array] = {}
    for name, array in numbers.items():
        address = array.__array_interface__["data"][0]
        key = (address, array.shape, array.strides, array.dtype) if array.size else (name,)
        if key not in made:
            made[key] = change(name, array)
        found[name] = made[key]
    return found


def is_float(array: Array) -> bool:
    return array.dtype.name in DTYPES


def drawn(
    name: str, array: Array, generator: np.random.Generator, spread: float = SPREAD, *, far: bool = False
) -> Array:
    """Random floats around these: positive numbers stay positive, those from 0 to 1 stay there, others move by a
    share of their standard deviation. Integers, choices and masks stay: what is called one, what is 0 here and 1
    there and nothing else, what has an infinity or a number like -1e9. With `far` some of them move by much more, so
    that bounds and saturated ends are reached."""
    if not is_float(array) or not array.size or "mask" in name.lower():
        return array
    wide = array.astype(np.float64)
    noise = generator.standard_normal(wide.shape)
    if far:
        chosen = generator.random(wide.shape) < SHARE
        noise = np.where(chosen, generator.uniform(-FAR, FAR, wide.shape), noise)
    least, most = wide.min(), wide.max()
    if not np.isfinite([least, most]).all() or least <= LEAST or (least == 0 and most == 1 and _is_choice(wide)):
        return array
    std = wide.std()
    if least > 0 or (least == 0 and most <= 1 and std):
        factor = np.exp(spread * noise)
        new = wide**factor if most <= 1 and std else wide * factor
    else:
        new = wide + spread * (std or 1) * noise
    return new.astype(array.dtype)


def _is_choice(array: Array) -> bool:
    return bool(((array == 0) | (array == 1)).all())
