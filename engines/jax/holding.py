"""What functions of JAX hold: modules that are pytrees, and other numbers in their places."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from ...harness.hearing.heard import Refused
from ...harness.hearing.structure import numpy_of
from ...harness.records.evaluation import DTYPES, Array
from ...harness.words import nearest
from .leaves import Tree, held, key_of
from .precision import mode


def arrays(thing: Tree) -> Tree:
    """Every array of a pytree as one of JAX's. Signed integers are JAX's int; all are as wide as JAX's mode has it."""

    def array(leaf: Any) -> Any:
        found = numpy_of(leaf)
        return leaf if found is None else jax.device_put(found.astype(np.int64) if found.dtype.kind == "i" else found)

    return jax.tree_util.tree_map(array, thing)


def state(function: Callable[..., Any]) -> Tree:
    """The module that a function is, or is a method of; None for a plain one."""
    return held(function)[0]


@contextmanager
def holding(function: Callable[..., Any], state: Tree) -> Generator[Callable[..., Any]]:
    """The function with another module in place of its own, or with the arrays of a pytree whose keys are those of its
    module's fields. Raises Refused for arrays that are missing, unexpected, or of another shape."""
    holder, attached = held(function)
    if holder is None:
        raise Refused("a function that holds no parameters", remedy="Make them its first argument.")
    yield attached(arrays(state if isinstance(state, type(holder)) else _filled(holder, state)))


def _filled(holder: Tree, state: Tree) -> Tree:
    own, given = numbers_of(holder, ""), {_parts(name): x for name, x in numbers_of(state, "").items()}
    if not given:
        raise Refused(f"a {type(state).__name__} without arrays as the state of a {type(holder).__name__}")
    places = {_parts(name): name for name in own}
    for parts, array in given.items():
        name = ".".join(parts)
        if parts not in places:
            raise Refused(f"the module has no `{name}`", remedy=nearest(name, map(".".join, places)))
        if array.shape != own[places[parts]].shape:
            raise Refused(f"`{name}` is of shape {array.shape}, where the module has {own[places[parts]].shape}")
    missing = [name for parts, name in places.items() if parts not in given and own[name].dtype.name in DTYPES]
    if missing:
        raise Refused(f"nothing was given for {', '.join(f'`{name}`' for name in missing)}")
    return with_leaves(holder, {places[parts]: x for parts, x in given.items()}, "")


def numbers_of(thing: Tree, name: str) -> dict[str, Array]:
    """The arrays of a pytree that is called `name`."""
    found = {key_of(name, path): numpy_of(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(thing)[0]}
    return {key: array for key, array in found.items() if array is not None}


def with_leaves(thing: Tree, numbers: Mapping[str, Any], name: str) -> Tree:
    found, tree = jax.tree_util.tree_flatten_with_path(thing)
    return jax.tree_util.tree_unflatten(tree, [numbers.get(key_of(name, path), leaf) for path, leaf in found])


def within(dtype: str) -> Any:
    """64-bit numbers where float64 is heard, or the user has them."""
    config: Any = jax.config
    return mode(wide=bool(config.jax_enable_x64) or dtype == "float64")


def _parts(name: str) -> tuple[str, ...]:
    """`layers[0].weight`, `['layers'][0]['weight']` and `layers.0.weight` alike."""
    return tuple(re.findall(r"[^\[\].'\"]+", name))
