"""The front door to comparing: two functions, run at the same points, and where they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from ..alignment import compare as runs
from ..alignment.parameters import matching
from ..errors import CommandError
from ..hearing.heard import Heard
from .check import asked, judged
from .checked import Checked
from .compared import Compared
from .further import may_part
from .heard_file import read
from .take import Take, take, take_like

SEEDS = 3  # of random numbers at which both are heard again, where what was heard may part further out


def compare(
    a: Callable[..., Any] | str | Path,
    b: Callable[..., Any] | str | Path,
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
    argument, or holds. The path of a file of `gradaccord hear` may stand for either; the numbers are then those of the
    file. `wanted` and `cotangent` are as in `check`. With `judge` both runs are judged link by link where they are the
    same computation.

    Raises Refused for what cannot be heard, CommandError for what does not fit; what the functions and `parameters`
    raise goes through.
    """
    if a is b and parameters is None:
        raise CommandError("the same function twice: it is the same computation. Compare it with another one.")
    ask = asked(wanted, cotangent, dtype, None)
    start = perf_counter()
    second = read(b) if isinstance(b, str | Path) else None
    if isinstance(a, str | Path):
        first = read(a)
    else:
        given = second.points[0] if second is not None and not inputs and not kwargs else None
        first = take(a, given.inputs if given else inputs, (given.kwargs if given else kwargs) or {}, ask)
    middle = perf_counter()
    guessed = parameters is None and second is None
    if second is None:
        assert not isinstance(b, str | Path)
        second = take_like(first, b, parameters, ask)
    heard = {"a": middle - start, "b": perf_counter() - middle}
    functions = [None if isinstance(one, str | Path) else one for one in (a, b)]
    found = compared(first, second, functions if judge else (), heard, guessed=guessed and bool(second.points[0].state))
    if found.same and not isinstance(a, str | Path) and not isinstance(b, str | Path):
        spread = may_part(first, second)
        for seed in range(SEEDS) if spread else ():
            try:
                first = take(a, inputs, kwargs or {}, ask, seed=seed, spread=spread or 0.0)
                further = compared(first, take_like(first, b, parameters, ask), (), heard)
            except Exception:  # noqa: BLE001 - so far out a function may fail: it has run where its user calls it
                continue
            if not further.same:
                return further
    return found


def compared(
    first: Take,
    second: Take,
    functions: Sequence[Any] = (),
    heard: Mapping[str, float] | None = None,
    *,
    guessed: bool = False,
) -> Compared:
    """Two that were heard, perhaps elsewhere."""
    start = perf_counter()
    found = runs.compare(_runs(first), _runs(second))
    aligned = perf_counter()
    checked: list[Checked] = []
    if found.same:
        pairs = zip(functions, (first, second), strict=False)
        checked = [judged(one, each.framework, each.points[0].heard) for one, each in pairs if one is not None]
    kept = matching(first.points[-1].state, second.points[-1].state) if second.points[-1].state else None
    seconds = {**(heard or {}), "aligned": aligned - start, "judged": perf_counter() - aligned}
    names = frozenset(first.points[-1].state), frozenset(second.points[-1].state)
    return Compared(first.name, second.name, found, kept, guessed, tuple(checked), seconds, names)


def _runs(one: Take) -> list[Heard]:
    return [point.heard for point in one.points]
