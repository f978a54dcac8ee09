"""Runs that are to be compared: a function heard at two points, and a port of it at the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from ..alignment.parameters import Matching, matching
from ..errors import CommandError
from ..hearing.definitions import known
from ..hearing.heard import Ask, Heard, Listener
from ..hearing.structure import argument_names
from ..records.evaluation import DTYPES, Array
from ..running.files import check_inputs, name_of
from ..running.listeners import listener
from .drawn import SPREAD, drawn, each, is_float
from .elsewhere import Elsewhere
from .frameworks import framework_of

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Point:
    """A run at one point. `inputs` and `kwargs` are what the function was called with, parameters that `convert` made
    aside, in their structure, with NumPy arrays. `state` has the numbers of its parameters and buffers under the names
    of `Heard.names`; `held` is what a user's `convert` takes of the function, None where it holds nothing."""

    heard: Heard
    inputs: tuple[Any, ...]
    kwargs: dict[str, Any]
    state: Mapping[str, Array]
    held: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Take:
    """A function heard at two points: the user's own numbers, and random ones beside them."""

    name: str
    framework: str
    version: str
    points: tuple[Point, ...]


def take(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    kwargs: Mapping[str, Any],
    ask: Ask,
    framework: str = "",
    seed: int = 0,
    spread: float = SPREAD,
) -> Take:
    """Hear a function at the user's own numbers, and at random ones: parameters, running statistics and float inputs
    are drawn around their own (`drawn.py`), closer to them where the function fails or is not finite further off. Other
    buffers stay: a table of positions is one that a port may make anew.

    `inputs` and `kwargs` may hold arrays of any framework. Raises Refused, CommandError; what the function raises at
    the user's own numbers goes through.
    """
    hears = _Hears(function, ask, framework, inputs, kwargs)
    names = argument_names(function, len(inputs))
    given = (hears.listener.state(function), dict(zip(names, inputs, strict=True)), dict(kwargs))
    own = each(hears.listener.leaves(given, ""), lambda _, x: _cast(x, ask.dtype))
    first = hears.at(*_with(hears.listener, given, own))
    finite, fixed = _is_finite(first), _fixed(hears.listener, given[0], own, first.heard)
    held = set(islice(own, len(hears.listener.leaves(given[0], ""))))  # the state comes first
    for shrunk in (1, 0.1, 0.01):
        generator = np.random.default_rng(seed)
        numbers = each(
            own,
            lambda name, x: (
                x if name in fixed else drawn(name, x, generator, spread * shrunk, far=name not in held)  # noqa: B023
            ),
        )
        try:
            second = hears.at(*_with(hears.listener, given, numbers))
        except Exception:
            if shrunk == 0.01:
                raise
            continue
        if _is_finite(second) or not finite:
            break
    return hears.take((first, second))  # pyright: ignore[reportPossiblyUnboundVariable]


def _fixed(listens: Listener, held: Any, own: Mapping[str, Array], heard: Heard) -> set[str]:
    """Of what a function holds, the names in `own` of what is no parameter of the run and no running statistic."""
    trained = {heard.names[node.name] for node in heard.graph.wanted if node.name in heard.names}
    names = zip(own, listens.leaves(held, ""), strict=False)  # the state comes first
    return {name for name, theirs in names if theirs not in trained and "running_" not in theirs}


def take_like(
    original: Take, function: Callable[..., Any], convert: Convert | None, ask: Ask, framework: str = ""
) -> Take:
    """Hear a port on the inputs of another function, at both of its points.

    `convert` takes what the other one holds, or its first input where it holds nothing, and gives the port's
    parameters: they are put in place of what the port holds, or are its first argument. It runs where nothing is
    rounded, and what it raises goes through. Without it, where both hold parameters, those with the same numbers are
    the same. Raises Refused where they do not fit, CommandError.
    """
    start = original.points[0]
    hears = _Hears(function, ask, framework, start.inputs, start.kwargs)
    return hears.take(tuple(hears.like(original, point, convert) for point in original.points))


class _Hears:
    """A function, and who hears it."""

    def __init__(
        self, function: Callable[..., Any], ask: Ask, framework: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self.function = function
        self.framework = framework or _framework_of(function, [*inputs, *kwargs.values()])
        self.listener = listener(self.framework)
        self.ask = replace(ask, defined=known(self.framework))
        self._matching: Matching | None = None

    def take(self, points: tuple[Point, ...]) -> Take:
        return Take(name_of(self.function), self.framework, self.listener.version(), points)

    def at(self, held: Any, arguments: Mapping[str, Any], kwargs: dict[str, Any]) -> Point:
        """The run with these numbers, NumPy arrays all of them."""
        inputs, listens = tuple(arguments.values()), self.listener
        with listens.within(self.ask.dtype):
            state = listens.arrays(held)
            with nullcontext(self.function) if held is None else listens.holding(self.function, state) as function:
                heard = self._heard(function, inputs, kwargs)
        return Point(heard, inputs, kwargs, listens.leaves(held, ""), held)

    def like(self, original: Take, point: Point, convert: Convert | None) -> Point:
        """The run at a point of another function."""
        inputs, kwargs, listens = point.inputs, point.kwargs, self.listener
        theirs = _listener(original.framework)
        holds = listens.state(self.function) is not None
        with theirs.within(self.ask.dtype), listens.within(self.ask.dtype):
            if convert is None and not (holds and point.held is not None):
                if point.held is not None:
                    raise CommandError(
                        f"`{original.name}` holds parameters, and `{name_of(self.function)}` holds none. "
                        "Give parameters=convert: what it makes of them is the first argument."
                    )
                heard = self._heard(self.function, inputs, kwargs)
                return Point(heard, inputs, kwargs, listens.leaves(listens.state(self.function), ""))
            if convert is None:
                made, source = self._carried(original, point), point.held
            else:
                if point.held is None:
                    source, inputs = (inputs[0] if inputs else None), inputs[1:]
                else:
                    source = point.held
                if source is None:
                    raise CommandError(f"`{original.name}` holds no parameters and has no input: nothing to convert")
                made = convert(theirs.arrays(source))
            if made is None:
                raise CommandError("`convert` returned None, expected the parameters of the port. Has it a `return`?")
            if holds:
                with listens.holding(self.function, made) as function:
                    state = listens.leaves(listens.state(function), "")
                    return Point(self._heard(function, inputs, kwargs), inputs, kwargs, state)
            made = listens.arrays(made)
            state = listens.leaves(made, argument_names(self.function, 1)[0])
            try:
                heard = self._heard(self.function, (made, *inputs), kwargs)
            except Exception as error:
                if left := matching(theirs.leaves(source, ""), state).missing:
                    error.add_note(f"`convert` leaves out {', '.join(left)}")
                raise
        return Point(heard, inputs, kwargs, state)

    def _carried(self, original: Take, point: Point) -> Any:
        """What the port holds with the numbers of the other function at a point, matched at the user's own numbers."""
        state = self.listener.state(self.function)
        own = self.listener.leaves(state, "")
        if self._matching is None:
            theirs = original.points[0].state
            self._matching = matching(theirs, {name: _cast(x, self.ask.dtype) for name, x in own.items()})
            if theirs and len(self._matching.missing) == len(theirs):
                raise CommandError(
                    f"`{original.name}` and `{name_of(self.function)}` hold different numbers: "
                    "load the same weights into both, or give parameters=convert."
                )
        carried = self._matching.carry(point.state)
        numbers = {name: x.astype(self.ask.dtype or own[name].dtype) for name, x in carried.items()}
        return self.listener.with_leaves(state, numbers, "")

    def _heard(self, function: Callable[..., Any], inputs: Sequence[Any], kwargs: dict[str, Any]) -> Heard:
        remedy = "On the command line `--inputs FILE.py:NAME` names what makes them."
        check_inputs(function, inputs, kwargs, remedy)
        try:
            return self.listener.hear(
                function, self.listener.arrays(tuple(inputs)), self.listener.arrays(kwargs), self.ask
            )
        except CommandError:
            raise
        except Exception as error:
            if self.ask.dtype:
                error.add_note(f'It was called with {self.ask.dtype} throughout; dtype="" leaves numbers as they are.')
            raise


def _listener(framework: str) -> Listener | Elsewhere:
    """Of the framework of the other function, which was perhaps heard where that is installed."""
    try:
        return listener(framework)
    except CommandError:
        return Elsewhere()


def _framework_of(function: Callable[..., Any], inputs: Sequence[Any]) -> str:
    """By the function itself, since inputs may be of another framework; by them where it does not tell."""
    try:
        return framework_of(function, ())
    except CommandError:
        return framework_of(function, inputs)


def _with(listens: Listener, given: Any, numbers: Mapping[str, Array]) -> Any:
    return listens.with_leaves(given, numbers, "")


def _cast(array: Array, dtype: str) -> Array:
    return array.astype(DTYPES[dtype]) if dtype and is_float(array) else array


def _is_finite(point: Point) -> bool:
    output = point.heard.evaluation.output
    return output is not None and bool(np.isfinite(output.astype(np.float64)).all())
