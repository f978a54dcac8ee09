"""The contract between `check` and the listeners: what is asked of a run, and what is heard of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..errors import CommandError
from ..graph.graph import Graph
from ..graph.operations.operation import Operation
from ..records.evaluation import Array, Evaluation, Inputs
from ..records.rows import LinkName, Row


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call of a run stands: the user's file, line and function, the path of the module that makes it, the call
    by its own name, and of a custom rule where that is written, `Rule at model.py:12`. Empty where there is none.

    `chain` are the user's frames that led there, the outermost first, each `file:line`.
    """

    file: str = ""
    line: int = 0
    function: str = ""
    module: str = ""
    call: str = ""
    rule: str = ""
    chain: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As in `model.py:57, blocks.0.attn, torch.nn.functional.linear`."""
        return ", ".join(filter(None, (self.spot, self.module, self.call, self.rule)))

    @property
    def spot(self) -> str:
        """As in `model.py:57`; empty where there is no file."""
        name = self.file.replace("\\", "/").rpartition("/")[2]
        return f"{name}:{self.line}" if name else ""


class Refused(CommandError):
    """What cannot be heard: the call, the user's place, why, and a way out."""

    def __init__(self, what: str, place: Place = Place(), remedy: str = "") -> None:
        self.what, self.place, self.remedy = what, place, remedy
        where = f" at {place}" if str(place) else ""
        super().__init__(f"{what}{where}" + (f". {remedy}" if remedy else ""))


@dataclass(frozen=True, slots=True, eq=False)
class Defined:
    """A function of a framework that has a meaning of its own: calls of `functions[framework]` are one node."""

    operation: Operation
    functions: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a run.

    `wanted`: the names of inputs and parameters whose gradient is asked for, all floats where it is None.
    `cotangent`: what weighs each output, as the function returns them; None for fixed weights that are not all one
    (`records/cotangent.py`). `dtype`: what every float input and parameter is cast to, empty for as they are.
    `defined`: functions with a meaning of their own. `intended`: for custom rules that are meant to be no derivative of
    their forward, by rule or by its name, the text whose derivative they are. `longest`: how many steps of a loop are
    heard. `constant`: inputs whose gradient is not asked for, where `wanted` is None.
    """

    wanted: tuple[str, ...] | None = None
    cotangent: Any = None
    dtype: str = ""
    defined: tuple[Defined, ...] = ()
    intended: Mapping[Any, str] = field(default_factory=dict[Any, str])
    longest: int = 1000
    constant: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard:
    """A run as the judge takes it.

    `evaluation` has the values, terms and adjoints of the heard run; its `gradients` and `output` are those of the
    plain run, the user's own program without a listener. `inputs` and `cotangent` are NumPy arrays, by node. A float
    node of another precision than `dtype`, that of the run, says so in its `dtype`.

    `names` are the user's own names of inputs, such as `blocks.0.attn.weight` or `params['w'][0]`, by node; `places`
    say where each node was called. `outputs` are the nodes of the float outputs one by one, in the order in which the
    function returns them; `graph.output` is the only one, or all of them joined. `notes` say what was taken from the
    run and not judged: a branch, a random draw. `seconds`: by stage, `plain`, `heard`, `compiled`. `plain` says how the
    plain program ran, where it was compiled.
    """

    graph: Graph
    inputs: Inputs
    cotangent: Array
    evaluation: Evaluation
    dtype: str
    names: Mapping[str, str]
    places: Mapping[str, Place]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    plain: str = ""

    def place_of(self, row: Row) -> Place:
        """Where the link stands that a row names."""
        link = row.node if isinstance(row.node, LinkName) else LinkName(row.quantity, row.name, row.use)
        return self.places.get(link.use.consumer if link.use is not None else link.name, Place())


# `hear(function, args, kwargs, ask)`. Raises Refused; what the user's function raises goes through as it is.
Hear: TypeAlias = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any], Ask], Heard]


@dataclass(frozen=True, slots=True)
class Listener:
    """How to hear functions of one framework, and how to handle what they hold. An entry point of the group
    `gradaccord.listeners`.

    `arrays(thing)`: a structure of any framework's arrays with this one's in their place; signed integers as its
    widest. `state(function)`: what a function holds, as a user's `convert` takes it: a state dict, a module that is a
    pytree; None where it holds nothing. `holding(function, state)`: within it, the function with that state in place of
    its own; Refused names parameters that are missing, unexpected, or of another shape. `leaves(thing, name)`: the
    arrays of a state, or of an argument of that name, as NumPy arrays under the names that `Heard.names` gives them.
    `with_leaves(thing, numbers, name)`: the same structure with other numbers in these places. `within(dtype)`: how
    arrays are made while a run of that precision is heard, so that none is rounded before. `seed`: where the
    framework's own random numbers begin.
    """

    hear: Hear
    version: Callable[[], str]
    arrays: Callable[[Any], Any]
    state: Callable[[Callable[..., Any]], Any]
    holding: Callable[[Callable[..., Any], Any], AbstractContextManager[Callable[..., Any]]]
    leaves: Callable[[Any, str], Mapping[str, Array]]
    with_leaves: Callable[[Any, Mapping[str, Any], str], Any]
    within: Callable[[str], AbstractContextManager[Any]]
    seed: Callable[[int], Any] = lambda seed: None
