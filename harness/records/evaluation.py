"""What an engine is and what it returns: the contract between the harness and every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import Use
from .formats import FORMATS
from .known import Entry

Array: TypeAlias = NDArray[Any]
Inputs: TypeAlias = Mapping[str, Array]
Derivative: TypeAlias = Literal["tangent", "hessian_product"]
Status: TypeAlias = Literal["ok", "unsupported", "undefined", "failed", "timed out"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One engine's answer for one graph at one point: as much of the inside as it can show.

    Every array is a NumPy array in the dtype of the run (conditions are bool, indices int64), with
    the static shape of its node.

    `reason`: why there are no numbers; where there are, what else is to be said of how they came about (nothing is
    judged by it).
    `values`: the number of every node, inputs included, as the engine computed it.
    `gradients`: of the contracted output with respect to each input that has one, by the plain
    program, which is what a user of the engine would run.
    `terms`: for each `graph.uses`, what that use contributes to the adjoint of what it reads,
    already summed over broadcast axes.
    `adjoints`: for each active node, the sum of its terms as the engine formed it.
    `parts`: of a use whose step reads its operand several times inside, what each time contributes, where the engine
    adds these to the adjoint one by one and not their sum. Of a stranger's engine nothing is judged by it.
    `errors`: for engines that estimate their own error, a bound on |gradient - truth|; infinite where they have no
    number. One that is finite and more than half of the number leaves no digit and excuses nothing: the number is
    judged as if there were none.
    `output`: the output's value by the plain program, where that is another than the one that shows `values`.
    `known`: of a failure, the name that the engine's table knows it by.
    """

    status: Status
    reason: str = ""
    values: Mapping[str, Array] = field(default_factory=dict[str, Array])
    gradients: Mapping[str, Array] = field(default_factory=dict[str, Array])
    terms: Mapping[Use, Array] | None = None
    adjoints: Mapping[str, Array] | None = None
    errors: Mapping[str, Array] | None = None
    output: Array | None = None
    known: str = ""
    parts: Mapping[Use, Sequence[Array]] = field(default_factory=dict[Use, Sequence[Array]])

    @classmethod
    def unsupported(cls, reason: str) -> Evaluation:
        """The engine cannot do this; the reason is shown to the user."""
        return cls("unsupported", reason)


class Unsupported(Exception):
    """Raised by `prepare` when the engine lacks an operation or a dtype; the message says which."""


class KnownFailure(Exception):
    """Raised by an adapter that recognises a failure of its framework: the name in its table, and what it says."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


# `evaluate(inputs, cotangent)`: arrays in the dtype of the run. The cotangent has the shape of the
# output, and is 1 for a scalar output.
Evaluate: TypeAlias = Callable[[Inputs, Array], Evaluation]
Prepare: TypeAlias = Callable[[Graph, str], Evaluate]


@dataclass(frozen=True, slots=True)
class Moved:
    """Where one optimiser step led: the parameters, and each state variable per parameter."""

    parameters: Mapping[str, Array]
    state: Mapping[str, Mapping[str, Array]]


# `advance(gradients)` moves the parameters that the optimiser holds in its engine's own arrays.
Advance: TypeAlias = Callable[[Mapping[str, Array]], Moved]
# A setting of a rule: a number, a function of the step's number (from 1), or an answer to a choice.
Given: TypeAlias = "float | str | Callable[[int], float]"
# `optimiser(rule, settings, start)`: the engine's native optimiser at the starting parameters.
Optimiser: TypeAlias = Callable[[str, Mapping[str, Any], Mapping[str, Array]], Advance]


@dataclass(frozen=True, slots=True)
class Engine:
    """How to run graphs on one framework.

    `prepare(graph, dtype)` does the work that is done once: look up functions, compile. It raises
    `Unsupported`. An entry point of the group `gradaccord.engines` is an Engine, or just a
    `prepare` function. `version` names the framework and its version. An engine that runs gradient
    graphs, `again`, is handed that of a case (`harness/graph/directional.py`) like any other graph,
    for tangents and Hessian-vector products. `release` drops what the framework keeps, such as
    compiled programs, and is called between units where a process has grown too much; what was
    prepared before is not used after it. `known` is what is known of it, in every case. `groups`: its
    optimiser reads what inputs have of their own, which comes as the setting `groups`: by their names all
    settings of each.
    """

    prepare: Prepare
    optimiser: Optimiser | None = None
    version: Callable[[], str] = lambda: ""
    again: bool = False
    release: Callable[[], None] = lambda: None
    known: tuple[Entry, ...] = ()
    groups: bool = False


# `along(inputs, cotangent, direction)`: the direction has an array for each wanted input, in its shape.
Along: TypeAlias = Callable[[Inputs, Array, Inputs], Array | Mapping[str, Array]]
PrepareAlong: TypeAlias = Callable[[Graph, str], Along]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of a framework's own ways to differentiate along a direction v.

    `quantity` says what `along` returns: the `tangent` <cotangent, J v>, a scalar, or the `hessian_product` of the
    contracted output with v, an array for each wanted input. `prepare` and `along` raise
    `Unsupported` for what the framework has no rule for. `version`, `release` and `known` as of an `Engine`. An entry
    point of the group `gradaccord.variants`.
    """

    quantity: Derivative
    prepare: PrepareAlong
    version: Callable[[], str] = lambda: ""
    release: Callable[[], None] = lambda: None
    known: tuple[Entry, ...] = ()


# The environment variable that names the folder where engines keep what they compiled, for later runs and for
# processes beside; empty for no such folder.
CACHE = "GRADACCORD_CACHE"

# What every precision that a case may run in is called, and NumPy's dtype for it.
DTYPES: Mapping[str, np.dtype[Any]] = {name: form.dtype for name, form in FORMATS.items()}
DEFAULT_DTYPES = tuple(name for name, form in FORMATS.items() if form.default)
