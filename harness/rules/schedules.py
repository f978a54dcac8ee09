"""Settings that change from step to step: formulas of the step's number `t`, which is 1 at the first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..arithmetic import floats
from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.language.expression import Parser


@dataclass(frozen=True, slots=True)
class Schedule:
    """A formula of t as a function: `Schedule("0.1 / t")(2)` is 0.05."""

    text: str

    def __call__(self, t: int) -> float:
        return float(_compiled(self.text)(float(t))[0])


@lru_cache(maxsize=256)
def _compiled(text: str) -> Program:
    builder = Builder()
    value = Parser(builder, {"t": builder.input("t", ())}).value("at", text)
    name = builder.apply("copy", [value], {}, "number")
    return emit(builder.graph([name]), floats.NAMESPACE, [name])
