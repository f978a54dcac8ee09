"""A function traced to a jaxpr along the path that its own numbers take, as JAX differentiates a function that is not
compiled: what Python asks of an array (`if x > 0`, `int(n)`, `x[mask]`) is answered by the run.

`jax.make_jaxpr` knows no numbers, and fails on such a function. Here each number is computed, from the equations that
were traced so far, when Python asks for it.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import jax
import numpy as np
from jax._src import api_util, core, dtypes, source_info_util
from jax._src.interpreters import partial_eval
from jax.extend.core import ClosedJaxpr, Literal

from ...harness.hearing.heard import Place
from .equation import bound
from .places import place_of_traceback


class Known(partial_eval.DynamicJaxprTracer):
    """An array of a run that is being traced, whose numbers Python may ask for."""

    __slots__ = ()

    def to_concrete_value(self) -> Any:
        trace: Any = self._trace
        return trace.told(self) if _is_read(inspect.currentframe()) else trace

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return np.asarray(self.to_concrete_value(), *args, **kwargs)

    def __float__(self) -> float:
        return float(self.to_concrete_value())

    def __complex__(self) -> complex:
        return complex(self.to_concrete_value())

    def tolist(self) -> Any:
        return self.to_concrete_value().tolist()


def _is_read(frame: FrameType | None) -> bool:
    """Whether JAX asks for a number, and not only whether there is one; then it need not be computed."""
    while frame is not None and frame.f_code.co_name == "to_concrete_value":
        frame = frame.f_back
    return frame is None or frame.f_code is not core.is_concrete.__code__


class KnownTrace(partial_eval.DynamicJaxprTrace):
    """Traces with the numbers of the inputs at hand. `asked` is told each number that depends on them and that was
    asked for, and where."""

    __slots__ = ("_asked", "_numbers")

    def __init__(self, debug_info: Any, asked: Callable[[Any, Place], None]) -> None:
        super().__init__(debug_info, parent_trace=core.trace_ctx.trace)
        self._asked = asked
        self._numbers = dict[Any, tuple[Any, bool]]()  # of each variable, and whether it depends on an input

    def input(self, number: Any, source_info: Any) -> Any:
        tracer = self.new_arg(jax.typeof(number), source_info)
        tracer.__class__ = Known
        self._numbers[tracer.val] = number, True
        return tracer

    def var_to_tracer(self, var: Any, source_info: Any, parent: Any = None) -> Any:
        tracer = super().var_to_tracer(var, source_info, parent)
        tracer.__class__ = Known
        return tracer

    def _new_const(self, aval: Any, c: Any, source_info: Any) -> Any:
        tracer = super()._new_const(aval, c, source_info)
        tracer.__class__ = Known
        return tracer

    def told(self, tracer: Any) -> Any:
        """The number of an array, told to whoever notes what Python has asked for."""
        with core.set_current_trace(core.eval_trace):
            number, depends = self._number(tracer)
        if depends:
            self._asked(number, place_of_traceback(source_info_util.current().traceback))
        return number

    def _number(self, tracer: Any) -> tuple[Any, bool]:
        """Computed from what it is made of, which may be a long way back: without recursion."""
        waiting = [tracer]
        while waiting:
            here = waiting[-1]
            if self._ready(here) is not None:
                waiting.pop()
                continue
            made = here.parent
            missing = [x for x in made.in_tracers if self._ready(x) is None]
            if missing:
                waiting += missing
                continue
            numbers, depend = zip(*map(self._ready, made.in_tracers), strict=True) if made.in_tracers else ((), ())
            results = bound(made, numbers)
            for var, number in zip(
                made.outvars, results if made.primitive.multiple_results else [results], strict=True
            ):
                self._numbers[var] = number, any(depend)
        found = self._ready(tracer)
        assert found is not None
        return found

    def _ready(self, tracer: Any) -> tuple[Any, bool] | None:
        """A number that is known, and whether it depends on an input."""
        if isinstance(tracer.val, Literal):
            return tracer.val.val, False
        if tracer.val in self._numbers:
            return self._numbers[tracer.val]
        constant = self.frame.constvar_to_val.get(tracer.val)
        return None if constant is None else (constant, False)


def traced(function: Callable[..., Any], numbers: Sequence[Any], asked: Callable[[Any, Place], None]) -> ClosedJaxpr:
    """The jaxpr of one run of a function of arrays that gives a list of them, with these numbers."""
    info = api_util.debug_info("gradaccord", function, tuple(numbers), {})
    trace = KnownTrace(info, asked)
    with source_info_util.reset_name_stack(), partial_eval.TracebackScope(), core.set_current_trace(trace):
        here = source_info_util.current()
        results = function(*(trace.input(number, here) for number in numbers))
        traced = [trace.to_jaxpr_tracer(dtypes.canonicalize_value(result), here) for result in results]
        jaxpr, constants = trace.to_jaxpr(traced, info.set_result_paths(results), here)
    return ClosedJaxpr(jaxpr, constants)
