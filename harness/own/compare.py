"""The front door to comparing: two functions, run at the same points, and where they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from ..alignment import compare as runs
from ..alignment.parameters import matching
from ..errors import CommandError
from ..hearing.heard import Heard
from .check import asked, judged
from .compared import Compared
from .take import Take, take, take_like


def compare(
    a: Callable[..., Any],
    b: Callable[..., Any],
    *inputs: Any,
    parameters: Callable[[Any], Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    wanted: Sequence[str] | str | None = None,
    cotangent: Any = None,
    dtype: Any = "float64",
    judge: bool = True,
) -> Compared:
    """Whether two functions or modules, of torch or of JAX, are the same computation; if not, the first step that is
    another, why, and the proof.

    Both run on `inputs` and `kwargs`, each as arrays of its own framework, at the user's own numbers and at random ones
    beside them, in `dtype` (empty for each as it is). `parameters` is the user's own conversion: of what `a` holds (a
    state dict, a module that is a pytree), or of its first input where it holds nothing, to what `b` takes as its first
    argument, or holds. `wanted` and `cotangent` are as in `check`. With `judge` both runs are judged link by link where
    they are the same computation.

    Raises Refused for what cannot be heard, CommandError for what does not fit; what the functions and `parameters`
    raise goes through.
    """
    if a is b and parameters is None:
        raise CommandError("the same function twice: it is the same computation. Compare it with another one.")
    ask = asked(wanted, cotangent, dtype, None)
    start = perf_counter()
    first = take(a, inputs, kwargs or {}, ask)
    middle = perf_counter()
    second = take_like(first, b, parameters, ask)
    heard = {"a": middle - start, "b": perf_counter() - middle}
    guessed = parameters is None and bool(second.points[0].state)
    return compared(first, second, (a, b) if judge else None, heard, guessed=guessed)


def compared(
    first: Take,
    second: Take,
    functions: tuple[Any, Any] | None = None,
    heard: Mapping[str, float] | None = None,
    *,
    guessed: bool = False,
) -> Compared:
    """Two that were heard, perhaps elsewhere."""
    start = perf_counter()
    found = runs.compare(_runs(first), _runs(second))
    aligned = perf_counter()
    checked = ()
    if found.same and functions is not None:
        pairs = zip(functions, (first, second), strict=True)
        checked = tuple(judged(one, each.framework, each.points[0].heard) for one, each in pairs)
    kept = matching(first.points[-1].state, second.points[-1].state) if second.points[-1].state else None
    seconds = {**(heard or {}), "aligned": aligned - start, "judged": perf_counter() - aligned}
    return Compared(first.name, second.name, found, kept, guessed, checked, seconds)


def _runs(one: Take) -> list[Heard]:
    return [point.heard for point in one.points]
