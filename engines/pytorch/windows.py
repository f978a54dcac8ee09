"""Windows over the last axes of an image: which element stands at each place of each."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import torch

from .calls import ints


def settings(rank: int, value: Any, default: Any = None) -> list[int]:
    value = default if value is None or value == [] or value == () else value
    values = [value] * rank if isinstance(value, int) else list(ints(value))
    return values * rank if len(values) == 1 else values


def windows(sizes: Any, counts: Any, k: list[int], s: list[int], p: list[int], d: list[int]) -> tuple[Any, Any]:
    """For each window and each place in it the element there, counted through, and whether there is one."""
    where, inside = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
    for n, count, a, t, b, c in zip(sizes, counts, k, s, p, d, strict=True):
        at = torch.arange(count)[:, None] * t + torch.arange(a)[None] * c - b
        ok = (at >= 0) & (at < n)
        where, inside = joined(where * n, at.clamp(0, n - 1), torch.add), joined(inside, ok, torch.logical_and)
    return where.flatten(len(counts)), inside.flatten(len(counts))


def joined(before: Any, at: Any, by: Any) -> Any:
    """Windows along one more axis: first all axes of windows, then all of places within."""
    rank = before.ndim // 2
    left = before.reshape(*before.shape[:rank], 1, *before.shape[rank:], 1)
    right = at.reshape(*[1] * rank, at.shape[0], *[1] * rank, at.shape[1])
    return by(left, right)


def padded_count(sizes: Any, counts: Any, k: list[int], s: list[int], p: list[int]) -> Any:
    """How many elements of the padded image lie in each window."""
    total = torch.ones((), dtype=torch.int64)
    for n, count, a, t, b in zip(sizes, counts, k, s, p, strict=True):
        start = torch.arange(count) * t - b
        total = total[..., None] * (torch.clamp(start + a, max=n + b) - start)
    return total


def adaptive(sizes: Any, counts: Any) -> tuple[Any, Any]:
    """The windows of adaptive pooling: from floor(i n / m) to ceil((i + 1) n / m)."""
    where, inside = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
    for n, m in zip(sizes, counts, strict=True):
        start, stop = torch.arange(m) * n // m, -((torch.arange(m) + 1) * n // -m)
        at = start[:, None] + torch.arange(int((stop - start).max()))[None]
        ok = at < stop[:, None]
        where, inside = joined(where * n, at.clamp(max=n - 1), torch.add), joined(inside, ok, torch.logical_and)
    return where.flatten(len(counts)), inside.flatten(len(counts))


def _starts(sample: Any, size: int, count: int, kernel: int) -> Any:
    """For each of `count` windows along an axis, the elements within it."""
    step = torch.full_like(sample, size - kernel) / torch.full_like(sample, max(count - 1, 1))
    first = ((torch.arange(count).to(sample) + sample) * step).to(torch.int64) - (sample * step).to(torch.int64)
    first[-1] = size - kernel
    return first[:, None] + torch.arange(kernel)


def fractional(sizes: Any, counts: Any, kernel: list[int], samples: Any) -> Any:
    """The windows of fractional pooling, in elements of all planes counted through: a row for each, in order. `samples`
    has two numbers for each plane, that of the columns first (aten/src/ATen/native/FractionalMaxPooling.h)."""
    height, width = sizes
    planes: list[Any] = []
    for k, (u, v) in enumerate(samples.reshape(-1, 2)):
        down, right = _starts(v, height, counts[0], kernel[0]), _starts(u, width, counts[1], kernel[1])
        planes.append(k * height * width + joined(down * width, right, torch.add))
    return torch.stack(planes).reshape(-1, kernel[0] * kernel[1])
