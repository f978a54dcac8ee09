"""Public models, a file a family: `MODELS` names each, and how it is made with random weights and small inputs.

A file whose package is not installed is left out. `FRAMEWORK` is `torch` or `jax`. Nothing is made, and no random
number drawn, before a model is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias


class Run(NamedTuple):
    """A function of torch or JAX and what it is called with."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    kwargs: Mapping[str, Any] = {}


Model: TypeAlias = Callable[[], Run]
NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))
# Of every family, each model in float64; of each so many in a row the first in the other precisions as well.
WHOLE, OTHERS, EACH = "float64", ("float32", "bfloat16"), 5


def family(name: str) -> tuple[str, Mapping[str, Model]]:
    """Framework and models of a family. Raises ModuleNotFoundError where its package is missing."""
    module = import_module(f"families.{name}")
    return module.FRAMEWORK, module.MODELS


def precisions(models: Mapping[str, Model]) -> list[tuple[str, str]]:
    """Names of models and the precisions that each is heard in."""
    names = list(models)
    return [(name, WHOLE) for name in names] + [(name, dtype) for name in names[::EACH] for dtype in OTHERS]
