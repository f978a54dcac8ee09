"""A function and its arguments as a flat list of numbers, each under the user's own name, and back again."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ...harness.hearing.heard import Refused
from ...harness.hearing.structure import argument_names
from ...harness.records.evaluation import Array

Tree: TypeAlias = Any
PLAIN_KEYS = (jax.tree_util.SequenceKey, jax.tree_util.DictKey)


@dataclass(frozen=True)
class Leaves:
    """All that a call reads: `values` as they were given, `names` of those that are floats, by place, and `floats`,
    the places. Raises Refused for what cannot be heard."""

    values: Sequence[Any]
    names: Mapping[int, str]
    tree: Any
    attached: Callable[[Tree], Callable[..., Any]]

    @property
    def floats(self) -> list[int]:
        return list(self.names)

    def call(self, floats: Mapping[int, Any]) -> Any:
        """What the user's function gives, with these floats in place of its own. Arrays are copies: a function that
        writes into them, or donates them, leaves the user's as they are."""
        leaves = [floats[k] if k in floats else _copied(value) for k, value in enumerate(self.values)]
        function, args, kwargs = jax.tree_util.tree_unflatten(self.tree, leaves)
        return self.attached(function)(*args, **kwargs)


def leaves_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Leaves:
    """The leaves of a call. A function that is a module, or a method of one, has leaves of its own."""
    holder, attached = held(function)
    found, tree = jax.tree_util.tree_flatten_with_path((holder, args, dict(kwargs)))
    arguments = argument_names(function, len(args))
    values, names = [value for _, value in found], dict[int, str]()
    for k, (path, value) in enumerate(found):
        name = _name(path, arguments)
        if is_float(value, path):
            names[k] = name
        elif isinstance(value, (complex, np.ndarray, np.generic, jax.Array)) and _is_complex(value):
            raise Refused(f"`{name}` is complex", remedy="Split it into its real and its imaginary part")
        if isinstance(value, jax.Array):
            _on_this_machine(name, value)
    return Leaves(values, names, tree, attached)


def is_float(value: Any, path: Sequence[Any]) -> bool:
    """Whether a leaf has a gradient: a float array, or a Python float that is no setting of a module."""
    if isinstance(value, float) and not isinstance(value, np.generic):
        return bool(path) and path[0].idx != 0 and all(isinstance(key, PLAIN_KEYS) for key in path)
    return isinstance(value, (np.ndarray, np.generic, jax.Array)) and jnp.issubdtype(value.dtype, jnp.floating)


def needs_64_bits(leaves: Leaves) -> bool:
    """Whether the inputs say so: a float64 among them, an integer of 64 bits that JAX made, or one of NumPy's where
    there are no floats that say otherwise."""
    arrays = [x for x in leaves.values if isinstance(x, (np.ndarray, np.generic, jax.Array))]
    floats = [leaves.values[k] for k in leaves.floats if type(leaves.values[k]) is not float]
    wide = any(np.dtype(x.dtype) == np.float64 for x in floats)
    return wide or any(
        isinstance(x, jax.Array)
        and not jnp.issubdtype(x.dtype, jax.dtypes.extended)
        and np.dtype(x.dtype).name in ("int64", "uint64")
        for x in arrays
    )


def held(function: Callable[..., Any]) -> tuple[Tree, Callable[[Tree], Callable[..., Any]]]:
    """What of a function is a tree of numbers, and how the function is made of that again."""
    owner = getattr(function, "__self__", None)
    if isinstance(function, types.MethodType) and _is_module(owner):
        return owner, lambda owner: types.MethodType(function.__func__, owner)
    if _is_module(function):
        return function, lambda function: function
    if isinstance(function, partial):
        owner, attached = held(function.func)
        return owner, lambda owner: partial(attached(owner), *function.args, **function.keywords)
    return None, lambda _: function


def _is_module(x: Any) -> bool:
    leaves = jax.tree_util.tree_leaves(x)
    return not (len(leaves) == 1 and leaves[0] is x) and not isinstance(x, type)


def _name(path: tuple[Any, ...], arguments: Sequence[str]) -> str:
    """As in `params['w'][0]`, `layers[0].weight` of a module that is the function itself."""
    of, rest = path[0].idx, path[1:]
    head: str = ""
    if of == 1:
        head, rest = str(arguments[rest[0].idx]), rest[1:]
    elif of == 2:
        head, rest = rest[0].key, rest[1:]
    return key_of(head, rest)


def key_of(head: str, path: tuple[Any, ...]) -> str:
    """The name of a leaf below what is called `head`."""
    if path and getattr(path[-1], "name", "") == "value":  # the variables of Flax hold their array so
        path = path[:-1]
    return (head + jax.tree_util.keystr(path)).removeprefix(".")


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, jax.Array) and not jnp.issubdtype(value.dtype, jax.dtypes.extended):
        return jax.device_put(np.array(value))
    return value


def _is_complex(value: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(value), jnp.complexfloating)


def _on_this_machine(name: str, value: jax.Array) -> None:
    devices = sorted(map(str, value.devices()))
    if len(devices) > 1 or any(device.platform != "cpu" for device in value.devices()):
        remedy = 'Put it on the CPU: jax.device_put(x, jax.devices("cpu")[0])'
        raise Refused(f"`{name}` is on {', '.join(devices)}", remedy=remedy)


# --- outputs ---------------------------------------------------------------------------------------------------


def float_outputs(result: Tree) -> list[Any]:
    """The float leaves of what a function returned. Raises Refused where there is none, or a complex one."""
    leaves = [x for x in jax.tree_util.tree_leaves(result) if hasattr(x, "dtype") or isinstance(x, (float, complex))]
    if any(_is_complex(x) for x in leaves if not isinstance(x, float)):
        raise Refused("the function returns complex numbers", remedy="Return their real and imaginary parts, or a norm")
    floats = [x for x in leaves if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
    if not floats:
        kinds = ", ".join(sorted({str(getattr(x, "dtype", type(x).__name__)) for x in leaves})) or "nothing"
        raise Refused(f"the function returns {kinds}, and no float that has a gradient")
    return floats


def joined(result: Tree) -> Any:
    """The output that is differentiated: the only float one, or all of them in a row in their widest precision."""
    floats = float_outputs(result)
    if len(floats) == 1:
        return jnp.asarray(floats[0])
    widest = jnp.result_type(*floats)
    return jnp.concatenate([jnp.asarray(x, widest).reshape(-1) for x in floats])


def joined_cotangent(given: Tree, result: Tree, shape: tuple[int, ...], dtype: Any) -> Array:
    """A cotangent in the structure of the outputs, as one of the joined output.

    Raises Refused where it has another structure or other shapes.
    """
    floats = float_outputs(result)
    parts = [np.asarray(x) for x in jax.tree_util.tree_leaves(given)]
    wanted, found = [np.shape(x) for x in floats], [x.shape for x in parts]
    if wanted != found:
        shown = [", ".join(map(str, shapes)) or "none" for shapes in (found, wanted)]
        raise Refused(f"a cotangent of shapes {shown[0]}, for outputs of shapes {shown[1]}")
    if len(parts) == 1:
        return parts[0].astype(dtype)
    return np.concatenate([x.reshape(-1) for x in parts]).astype(dtype).reshape(shape)
