"""A pair run by its frameworks alone, without us: whether a change of the port shows, in values or in gradients.

So the sets are held against themselves: a variant must agree with its original, a mistake must not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ported import Ready

Tree = Any
Array = NDArray[Any]


@dataclass(frozen=True)
class Run:
    """The float outputs one by one, and by name the derivatives of the contracted outputs: along each input, and
    along random directions of the original's parameters."""

    outputs: tuple[Array, ...]
    slopes: Mapping[str, Array]


@dataclass(frozen=True)
class Given:
    """What one side is run on: its parameters, its inputs, and directions of its parameters."""

    parameters: Tree
    inputs: tuple[Any, ...]
    steps: list[Tree]


@dataclass(frozen=True)
class Point:
    original: Given
    port: Given


def difference(ready: Ready, digits: int = 10) -> str:
    """`value`, `gradient` or nothing: where the two sides differ at the original's own numbers or at random ones, by
    more than so many digits of the largest number of an array."""
    import jax

    with jax.enable_x64(True):
        points = [_point(ready, shaken) for shaken in (False, True)]
    for sloping in (False, True):
        left = run(ready.original, [point.original for point in points], sloping=sloping)
        right = run(ready.port, [point.port for point in points], sloping=sloping)
        if any(_differ(a.outputs, b.outputs, 10.0**-digits) for a, b in zip(left, right, strict=True)):
            return "value"
    apart = any(
        _differ([*a.slopes.values()], [b.slopes[name] for name in a.slopes], 10.0**-digits)
        for a, b in zip(left, right, strict=True)
    )
    return "gradient" if apart else ""


def _differ(left: Sequence[Array], right: Sequence[Array], off: float) -> bool:
    return len(left) != len(right) or any(not _same(x, y, off) for x, y in zip(left, right, strict=True))


def _point(ready: Ready, shaken: bool) -> Point:
    held = state(ready.original)
    inputs = ready.inputs
    if ready.convert is None:
        numbers, other = held, state(ready.port)
    elif held is None:
        numbers, inputs = inputs[0], inputs[1:]
        other = None
    else:
        numbers = other = held
    rng = np.random.default_rng(7)
    if shaken:
        inputs = mapped(inputs, lambda x: _shaken(rng, x))
        numbers = mapped(numbers, lambda x: _shaken(rng, x))
    steps = [mapped(numbers, lambda x: rng.normal(size=np.shape(x)) if _real(x) else x) for _ in range(3)]
    for name in dict(ready.original.named_buffers()) if held is not None else ():
        for step in steps:
            if name in step:
                step[name] = np.zeros_like(step[name])  # no gradient is asked of a buffer
    converted, moved = numbers, steps
    if ready.convert is not None:
        given = (lambda x: x) if held is None else as_tensors
        converted = _numpy(ready.convert(given(numbers)))
        moved = [
            together(_numpy(ready.convert(given(together(numbers, step, np.add)))), converted, np.subtract)
            for step in steps
        ]
    elif numbers is not None and other is not None:
        raise ValueError("two sides that hold state need a convert")
    return Point(Given(numbers, inputs, steps), Given(converted, inputs, moved))


def run(function: Any, points: list[Given], *, sloping: bool) -> list[Run]:
    """A function at several points, of the same shapes; its derivatives too if it is `sloping`."""
    import torch

    if isinstance(function, torch.nn.Module) or _is_torch(function):
        return [_run_torch(function, point, sloping) for point in points]
    return _run_jax(function, points, sloping)


def state(function: Any) -> Mapping[str, Array] | None:
    import torch

    if isinstance(function, torch.nn.Module):
        return {name: value.detach().numpy().copy() for name, value in function.state_dict().items()}
    return None


def _run_torch(function: Any, given: Given, sloping: bool) -> Run:
    import torch

    parameters, steps = given.parameters, given.steps

    leaves: list[Any] = []

    def leaf(x: Array) -> Any:
        made = torch.tensor(x)
        if made.is_floating_point():
            leaves.append(made.requires_grad_())
        return made

    inputs = mapped(given.inputs, leaf)
    count = len(leaves)
    if isinstance(function, torch.nn.Module):
        buffers = {name for name, _ in function.named_buffers()}
        held = {name: torch.tensor(x) if name in buffers else leaf(x) for name, x in sorted(parameters.items())}
        steps = [{name: x for name, x in step.items() if name not in buffers} for step in steps]
        result = torch.func.functional_call(function, held, inputs)
    else:
        result = function(*inputs) if parameters is None else function(mapped(parameters, leaf), *inputs)
    outputs = [x for x in flat(result) if x.is_floating_point()]
    if not sloping:
        return Run(tuple(x.detach().numpy() for x in outputs), {})
    total = sum(((x * torch.tensor(weights(x.shape))).sum() for x in outputs), torch.zeros((), dtype=torch.float64))
    slopes = [x.numpy() for x in torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)]
    return Run(tuple(x.detach().numpy() for x in outputs), _slopes(slopes[:count], slopes[count:], steps))


def _run_jax(function: Any, points: list[Given], sloping: bool) -> list[Run]:
    """Operation by operation, so that nearly all of them are compiled for the pair's first change alone."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True), jax.disable_jit():
        first = points[0]
        leaves = [x if callable(x) else jnp.asarray(x) for x in flat((first.inputs, first.parameters))]
        real = [n for n, x in enumerate(leaves) if _real(x)]

        def outputs(floats: list[Any]) -> list[Any]:
            there = dict(enumerate(leaves)) | dict(zip(real, floats, strict=True))
            filled = iter([there[n] for n in range(len(leaves))])
            inputs, held = mapped((first.inputs, first.parameters), lambda _: next(filled))
            result = function(*inputs) if first.parameters is None else function(held, *inputs)
            return [x for x in flat(result) if jnp.issubdtype(x.dtype, jnp.floating)]

        def both(floats: list[Any]) -> tuple[list[Any], list[Any]]:
            found, pull = jax.vjp(outputs, floats)
            return found, pull([jnp.asarray(weights(x.shape), x.dtype) for x in found])[0]

        runs = list[Run]()
        count = sum(_real(x) for x in flat(first.inputs))
        for point in points:
            floats = [jnp.asarray(x) for x in flat((point.inputs, point.parameters)) if _real(x)]
            if not sloping:
                runs.append(Run(tuple(np.asarray(x) for x in outputs(floats)), {}))
                continue
            found, slopes = both(floats)
            arrays = [np.asarray(x) for x in slopes]
            named = _slopes(arrays[:count], arrays[count:], point.steps)
            runs.append(Run(tuple(np.asarray(x) for x in found), named))
        return runs


def _slopes(inputs: list[Array], parameters: list[Array], steps: list[Tree]) -> Mapping[str, Array]:
    named = {f"input {n}": x for n, x in enumerate(inputs)}
    for n, step in enumerate(steps):
        along = [x for x in flat(step) if _real(x)]
        if len(along) == len(parameters) and along:
            named[f"direction {n}"] = np.asarray(sum(np.vdot(x, y) for x, y in zip(parameters, along, strict=True)))
    return named


# --- nested arrays -------------------------------------------------------------------------------------------------


def flat(tree: Tree) -> list[Any]:
    """The leaves of what is nested, modules of equinox too."""
    import jax

    return jax.tree_util.tree_leaves(tree)


def mapped(tree: Tree, change: Callable[[Any], Any]) -> Tree:
    import jax

    return jax.tree_util.tree_map(change, tree)


def together(tree: Tree, other: Tree, change: Callable[[Any, Any], Any]) -> Tree:
    leaves = iter(flat(other))
    return mapped(tree, lambda x: change(x, next(leaves)) if _real(x) else (next(leaves), x)[1])


def as_tensors(tree: Tree) -> Tree:
    import torch

    return mapped(tree, torch.tensor)


def weights(shape: tuple[int, ...]) -> Array:
    """What weighs an output: fixed, and not all one."""
    size = int(np.prod(shape))
    return np.cos(np.arange(1, size + 1)).reshape(shape)


def _numpy(tree: Tree) -> Tree:
    return mapped(tree, lambda x: x if callable(x) else x.detach().numpy() if hasattr(x, "detach") else np.asarray(x))


def _real(x: Any) -> bool:
    return not callable(x) and np.issubdtype(np.asarray(x).dtype, np.floating)


def _shaken(rng: np.random.Generator, x: Array) -> Array:
    """Other numbers of the same sign, if all have one."""
    x = np.asarray(x)
    if not _real(x) or (x.size and set(np.unique(x)) <= {0.0, 1.0} and len(np.unique(x)) == 2):
        return x
    if x.size and (x > 0).all():
        return x * np.exp(0.3 * rng.normal(size=x.shape))
    return x + 0.3 * (x.std() or 1.0) * rng.normal(size=x.shape)


def _same(x: Array, y: Array, off: float) -> bool:
    if x.shape != y.shape or not np.isfinite(y).all():
        return False
    return bool(np.abs(x - y).max(initial=0) <= off * max(1e-3, np.abs(x).max(initial=0)))


def _is_torch(function: Any) -> bool:
    return "torch" in getattr(function, "__globals__", {}) and "jax" not in getattr(function, "__globals__", {})
