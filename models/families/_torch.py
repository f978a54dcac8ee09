"""Inputs of torch models: float64 numbers and indices from a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import Model, Run

Build = Callable[[], Any]


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


def index(below: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, below, shape)


def seeded(make: Callable[[], Run]) -> Model:
    """The same weights and inputs each time."""

    def made() -> Run:
        torch.manual_seed(0)
        return make()

    return made


def module(build: Build, *shapes: tuple[int, ...], train: bool = False) -> Model:
    """A module called with random numbers of these shapes, by the settings of evaluation unless it trains."""

    def make() -> Run:
        return Run(build().double().train(train), tuple(normal(*shape) for shape in shapes))

    return seeded(make)
