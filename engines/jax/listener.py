"""Hear a JAX function: its plain run, its jaxpr walked with the same numbers, and where every call stands.

The function may take and return pytrees, and be a module of Flax or Equinox. It is run plain twice, as the user
differentiates it; then `tracing.py` traces it, and `walk.py` runs the equations.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np

from ...harness.hearing.heard import Ask, Heard, Listener, Place, Refused
from ...harness.hearing.recording import Recording
from ...harness.records.cotangent import default_cotangent
from ...harness.records.evaluation import DTYPES, Array, Evaluation
from ...harness.words import nearest
from .defined import marking
from .engine import version
from .holding import arrays, holding, numbers_of, state, with_leaves, within
from .leaves import Leaves, float_outputs, joined, joined_cotangent, leaves_of, needs_64_bits
from .places import place_of_error
from .precision import mode
from .replay import same_bits
from .tracing import traced
from .walk import Value, Walk, settled

# What JAX says of a function that asks a number for its value where there is none.
CONCRETE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
COMPILED = "/jax/core/compile/backend_compile_duration"


def hear(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], ask: Ask) -> Heard:
    """The user's own run as a graph with the numbers of its values, terms and adjoints. Raises Refused."""
    leaves = leaves_of(function, args, kwargs)
    wanted = _wanted(leaves, ask)
    config: Any = jax.config  # its fields are made when jax is imported
    wide = config.jax_enable_x64 or needs_64_bits(leaves) or ask.dtype == "float64"
    with mode(wide=wide), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*donated buffers were not usable.*")
        return _Hearing(function, leaves, wanted, ask).heard()


@dataclass
class Clock:
    """Seconds by stage, and of them those that XLA compiled."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start

    @contextmanager
    def compiling(self) -> Generator[None]:
        self.seconds["compiled"] = 0.0

        def told(event: str, duration_secs: float, **_: Any) -> None:
            if event == COMPILED:
                self.seconds["compiled"] += duration_secs

        jax.monitoring.register_event_duration_secs_listener(told)
        try:
            yield
        finally:
            jax.monitoring.unregister_event_duration_listener(told)


class _Hearing:
    """One run: plain, then heard."""

    def __init__(self, function: Callable[..., Any], leaves: Leaves, wanted: Sequence[int], ask: Ask) -> None:
        self.leaves, self.wanted, self.ask = leaves, list(wanted), ask
        self.compiled = isinstance(function, type(jax.jit(lambda x: x)))  # pyright: ignore[reportUnknownLambdaType]
        self.floats = {k: _as_jax(leaves.values[k], ask.dtype) for k in leaves.floats}
        self.clock = Clock()
        self.asked: dict[str, None] = {}  # what Python has asked of arrays, as notes

    def heard(self) -> Heard:
        with self.clock.compiling():
            with self.clock.stage("plain"):
                output, gradients, seed = self._plain()
            with self.clock.stage("heard"):
                return self._heard(output, gradients, seed)

    def output(self, *wanted: Any) -> tuple[Any, Any]:
        """The joined output of the user's function at these numbers, and what it returned."""
        others = {k: _again(x) for k, x in self.floats.items() if k not in self.wanted}
        given = self.leaves.call({**others, **dict(zip(self.wanted, wanted, strict=True))})
        return joined(given), given

    def _outputs(self, *wanted: Any) -> list[Any]:
        output, given = self.output(*wanted)
        return [output, *float_outputs(given)]

    # --- plain ---------------------------------------------------------------------------------------------------

    def _plain(self) -> tuple[Array, dict[int, Array], Array]:
        """The output, the gradients and the cotangent, by the user's own program. Run twice: what answers differently
        each time cannot be judged."""
        answers = [self._differentiated() for _ in range(2)]
        if not same_bits(answers[0][:2], answers[1][:2]):
            raise Refused(
                "two runs of the function gave different answers",
                remedy="Draw random numbers by a key that is an input, and keep no state outside",
            )
        output, gradients, seed = answers[0]
        return output, dict(zip(self.wanted, gradients, strict=True)), seed

    def _differentiated(self) -> tuple[Array, list[Array], Array]:
        numbers = [_again(self.floats[k]) for k in self.wanted]
        try:
            output, pull, given = jax.vjp(self.output, *numbers, has_aux=True)
        except CONCRETE as error:
            said = str(error).splitlines()[0].rstrip(".")
            raise Refused(
                f"JAX does not differentiate this function: {type(error).__name__}, {said}",
                place_of_error(error.__traceback__),
                "Write it with jax.numpy, a choice as jnp.where or lax.cond, or leave that input out of `wanted`",
            ) from None
        if not output.size:
            raise Refused("the function returns no number: its output is empty")
        seed = self._cotangent(output, given)
        gradients = pull(jax.device_put(seed))
        return np.asarray(output), [np.asarray(x) for x in gradients], seed

    def _cotangent(self, output: Any, given: Any) -> Array:
        if self.ask.cotangent is None:
            return default_cotangent(output.shape).astype(output.dtype)
        return joined_cotangent(self.ask.cotangent, given, output.shape, output.dtype)

    # --- heard ---------------------------------------------------------------------------------------------------

    def _heard(self, output: Array, gradients: Mapping[int, Array], seed: Array) -> Heard:
        recording = Recording("jax")
        numbers = [self.floats[k] for k in self.wanted]
        names = {k: recording.input(self.leaves.names[k], np.asarray(self.floats[k])) for k in self.wanted}
        values = [settled(self.floats[k], names[k]) for k in self.wanted]
        with marking(self.ask.defined) as marks:
            jaxpr = traced(self._outputs, numbers, self._asked)
        walk = Walk(recording, self.ask, marks)
        result, *parts = walk.run(jaxpr.jaxpr, jaxpr.consts, values)
        output_node = self._reached(result)
        outputs = tuple(
            part.node or recording.input("constant", np.asarray(part.array), constant=True) for part in parts
        )
        graph, dtype = recording.graph(output_node, [*names.values(), *outputs])
        terms, adjoints = walk.backward(graph, seed)
        evaluation = Evaluation(
            "ok",
            values={node.name: recording.values[node.name] for node in graph.nodes},
            gradients={names[k]: gradient for k, gradient in gradients.items()},
            terms=terms,
            adjoints=adjoints,
            output=output,
        )
        unused = [
            self.leaves.names[k] for k in self.wanted if names[k] != graph.output.name and not graph.uses_of[names[k]]
        ]
        return Heard(
            graph,
            {node.name: recording.values[node.name] for node in graph.inputs},
            seed,
            evaluation,
            dtype,
            {node.name: recording.names[node.name] for node in graph.inputs},
            {node.name: recording.places[node.name] for node in graph.nodes},
            tuple(outputs),
            (*self.asked, *walk.notes, *(f"`{name}` does not reach the output" for name in unused)),
            self.clock.seconds,
            "jit" if self.compiled else "",
        )

    def _asked(self, number: Any, place: Place) -> None:
        kinds = {"b": "a choice in Python", "i": "an integer that Python reads", "u": "an integer that Python reads"}
        said = kinds.get(np.asarray(number).dtype.kind, "a number that Python reads, through which no gradient flows")
        self.asked[f"{said}, taken from the run" + (f" at {place}" if str(place) else "")] = None

    def _reached(self, result: Value) -> str:
        if result.refused is not None:
            raise result.refused
        if not result.node:
            names = ", ".join(f"`{self.leaves.names[k]}`" for k in self.wanted)
            raise Refused(f"the output depends on none of {names}")
        return result.node


def _wanted(leaves: Leaves, ask: Ask) -> list[int]:
    """The places of the floats that are wanted. A name stands for all that is below it too.

    Raises Refused for a name that is none.
    """
    if not leaves.names:
        raise Refused("there is no float among the inputs", remedy="Hand the function an array of floats")
    if ask.wanted is None:
        return [k for k in leaves.floats if leaves.names[k] not in ask.constant]
    chosen = set[int]()
    for asked in ask.wanted:
        below = {k for k, name in leaves.names.items() if name == asked or name.startswith((f"{asked}[", f"{asked}."))}
        if not below:
            remedy = f"{nearest(asked, leaves.names.values())} There are {', '.join(leaves.names.values())}"
            raise Refused(f"there is no input `{asked}`", remedy=remedy.strip())
        chosen |= below
    return sorted(chosen)


def _as_jax(value: Any, dtype: str) -> Any:
    """A float of the user's as an array of JAX's own, in the precision that is asked for; a Python float stays one, so
    that it takes the precision of what it meets."""
    if dtype:
        return jax.device_put(np.asarray(value).astype(DTYPES[dtype]))
    return jnp.asarray(value) if type(value) is float else jax.device_put(np.array(value))


def _again(x: Any) -> Any:
    """A copy, which the function may donate or keep."""
    return x if x.weak_type else jax.device_put(np.array(x))


listener = Listener(hear, version, arrays, state, holding, numbers_of, with_leaves, within)
