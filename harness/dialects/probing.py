"""Probing points: parameters and gradients at which definitions of optimisers part, and what one did there.

Gradients are given and do not depend on the parameters, so that what differs is the optimiser alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..records.evaluation import Array
from ..rules.framework import Step, Stepped

STEPS = 12


@dataclass(frozen=True)
class Scene:
    """Parameters, the gradients of each step, and what each component is there for: `labels` by parameter and index."""

    name: str
    start: Mapping[str, Array]
    gradients: Sequence[Mapping[str, Array]]
    labels: Mapping[str, Sequence[str]]

    def label(self, parameter: str, component: int) -> str:
        """What a component, counted along the flattened parameter, is there for."""
        labels = self.labels[parameter]
        return labels[component if len(labels) > 1 else 0]


@dataclass(frozen=True)
class Trace:
    """What an optimiser made of a scene, step by step."""

    scene: Scene
    steps: Sequence[Stepped]

    def before(self, step: int) -> Mapping[str, Array]:
        """The parameters before a step, the first is 0."""
        return self.steps[step - 1].x if step else self.scene.start


def _random(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def _signs() -> Array:
    return np.where(np.arange(STEPS) % 2 == 0, 1.0, -1.0)


# Of single numbers: what for, the parameter at first, and its gradients.
POINTS: tuple[tuple[str, float, Array], ...] = (
    ("ordinary gradients", 0.7, _random(1, STEPS)),
    ("ordinary gradients", -1.3, _random(2, STEPS)),
    ("gradients near 1e-5", 0.5, 1e-5 * _random(3, STEPS)),
    ("gradients near 1e-8", 0.25, 1e-8 * _random(4, STEPS)),
    ("a gradient that is 0", 2.0, np.zeros(STEPS)),
    ("a gradient that is 0 at first", -0.6, np.where(np.arange(STEPS) < 3, 0.0, _random(5, STEPS))),
    ("gradients near 1e8", 0.9, 1e8 * _random(6, STEPS)),
    ("gradients that alternate", 0.3, _signs()),
    ("a gradient that stays", -0.4, np.full(STEPS, 0.5)),
    ("a parameter that is 0", 0.0, _random(7, STEPS)),
    ("a large parameter", 50.0, 0.01 * _random(8, STEPS)),
)


@lru_cache
def numbers() -> Scene:
    """Single numbers, each for one reason."""
    gradients = np.array([of for _, _, of in POINTS]).T
    start = np.array([x for _, x, _ in POINTS])
    return Scene("numbers", {"w": start}, [{"w": row} for row in gradients], {"w": [label for label, _, _ in POINTS]})


@lru_cache
def matrices(*shapes: tuple[int, int], size: float = 1.0, label: str = "matrices") -> Scene:
    """Matrices of random numbers, for rules that read all of a parameter; the last one is 0 at first."""
    shapes = shapes or ((4, 3), (3, 5), (2, 2))
    names = [f"m{k}" for k in range(len(shapes))]
    start = {name: _random(20 + k, *shape) for k, (name, shape) in enumerate(zip(names, shapes, strict=True))}
    if len(shapes) > 1:
        start[names[-1]] = np.zeros(shapes[-1])
    gradients = [
        {name: size * _random(100 * t + k, *shape) for k, (name, shape) in enumerate(zip(names, shapes, strict=True))}
        for t in range(STEPS)
    ]
    labels = {name: [f"a {rows} x {columns} matrix"] for name, (rows, columns) in zip(names, shapes, strict=True)}
    if len(shapes) > 1:
        labels[names[-1]] = ["a matrix that is 0"]
    return Scene(label, start, gradients, labels)


@lru_cache
def schedule() -> Scene:
    """One number and many steps, for schedules, which read no gradient."""
    gradients = [{"w": np.ones(1)} for _ in range(3 * STEPS)]
    return Scene("schedule", {"w": np.zeros(1)}, gradients, {"w": ["the step size"]})


def taken(scene: Scene, begin: Callable[[Mapping[str, Array]], Step]) -> Trace:
    """What an optimiser does at a scene. What its own code raises goes through."""
    step = begin({name: x.copy() for name, x in scene.start.items()})
    with np.errstate(all="ignore"):
        return Trace(scene, [step(gradients) for gradients in scene.gradients])
