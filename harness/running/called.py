"""A case whose computation is a person's own code: each function is heard where it lives, and judged here."""

from __future__ import annotations

import random
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import CommandError, raised
from ..hearing.definitions import known
from ..hearing.heard import Ask, Heard
from ..judging.expectation import expectations_of_code
from ..judging.heard import judged_run
from ..reading.case import Call, Case
from ..reading.code import Function
from ..records.evaluation import Array, Inputs, Status
from ..records.known import NOTHING, Knowledge
from ..records.rows import Row
from ..records.verdicts import FINDINGS
from .files import check_inputs, function_of, load, theirs
from .listeners import listener
from .loading import knowledge
from .workers import Host, StoppedError

SEED = 0  # of what functions draw, and of the parameters of modules


@dataclass(frozen=True, slots=True)
class Listened:
    """A run that was heard, or why there is none."""

    heard: Heard | None
    status: Status = "ok"
    reason: str = ""
    version: str = ""
    knowledge: Knowledge = NOTHING


def rows_of(
    case: Case, call: Call, point: int, dtype: str, engines: Collection[str], host: Host, *, expected: bool
) -> tuple[list[Row], Mapping[str, str]]:
    """The rows of every function that is written for one of these engines, and their versions by engine; of engines
    for which there is none, where all are such. With `expected` the numbers that the case expects too."""
    blank = Row(case=case.name, point=point, dtype=dtype, engine="")
    wanted = [function for function in call.functions if function.framework in engines]
    if not wanted:
        has = ", ".join(function.framework for function in call.functions)
        reason = f"the case is code of {has} alone"
        return [replace(blank, engine=engine, verdict="unsupported", reason=reason) for engine in engines], {}
    rows, versions = list[Row](), dict[str, str]()
    for function in wanted:
        engine = function.framework
        told = _asked(host, function, case, call, point, dtype)
        versions |= {engine: told.version} if told.version else {}
        if told.heard is None:
            finding = told.status in FINDINGS
            rows.append(replace(blank, engine=engine, verdict=told.status, reason=told.reason, finding=finding))
            continue
        run = judged_run(told.heard, case.name, engine, point=point, output=call.output, knowledge=told.knowledge)
        rows += run.rows
        rows += expectations_of_code(case, point, engine, told.heard) if expected else []
    return rows, versions


def _asked(host: Host, function: Function, case: Case, call: Call, point: int, dtype: str) -> Listened:
    inputs = case.inputs(point, dtype)
    constant = tuple(node.name for node in case.graph.inputs if node.constant)
    cotangent = None if call.cotangent is None else call.cotangent.array
    try:
        folder = str(case.path.parent.resolve())
        return host.call(function.framework, listened, function, inputs, constant, cotangent, dtype, folder=folder)
    except StoppedError as stopped:
        return Listened(None, "timed out" if stopped.timed_out else "failed", str(stopped))


def listened(
    framework: str, function: Function, inputs: Inputs, constant: Sequence[str], cotangent: Array | None, dtype: str
) -> Listened:
    """One run of a function with inputs by name, each time from the same seed. Never raises for anything that people's
    code does."""
    try:
        listens = listener(framework)
    except CommandError as error:
        return Listened(None, "unsupported", str(error))

    def heard() -> Heard:
        random.seed(SEED)
        np.random.seed(SEED)
        listens.seed(SEED)
        made = function_of(load(f"{function.file}:{function.name}"))
        with listens.within(dtype):
            kwargs = {name: listens.arrays(array) for name, array in inputs.items()}
            weights = None if cotangent is None else listens.arrays(cotangent)
        check_inputs(made, (), kwargs, "It is called with the inputs of the case, by their names.")
        ask = Ask(cotangent=weights, dtype=dtype, constant=tuple(constant), defined=known(framework))
        return listens.hear(made, (), kwargs, ask)

    version = listens.version()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Listened(theirs(heard), version=version, knowledge=knowledge(framework))
        except CommandError as error:
            return Listened(None, "failed", str(error), version)
        except BaseException as error:  # noqa: BLE001 people's code may end the process, or try to
            return Listened(None, "failed", raised(error), version)
