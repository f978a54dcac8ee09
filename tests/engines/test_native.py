"""Functions of frameworks in place of definitions: looked up among those of arrays, run as one node."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.native import NAMESPACES, NO_NUMBERS, Native
from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import Case
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.running.answers import answer

ROOMS = {"torch": "pytorch", "jax": "jax"}
FRAMEWORKS = pytest.mark.parametrize("framework", ROOMS)

CASE = """
name: native
inputs:
  x: [0.2, 0.7]
  m: [[1, 2], [3, 4.5]]
  i: {dtype: int64, values: [1, 0, 1]}
  b: {dtype: bool, values: [true, false]}
define:
  logit(x): log(x / (1 - x))
  logdet(m): log(abs(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]))
  running(x, *, axis=0): cumsum(x, axis=axis)
  picked(x, i): take(x, i, axis=0)
  chosen(b, x, y): where(b, x, y)
  both(x): logit(x) * 2
native:
  logit: {torch: torch.special.logit, jax: jax.scipy.special.logit}
  logdet:
    torch: torch.linalg.slogdet(m)[1]
    jax: jax.numpy.linalg.slogdet(m)[1]
  running: {torch: torch.cumsum, jax: jax.numpy.cumsum}
  picked:
    torch: torch.index_select(x, 0, i)
    jax: jax.numpy.take(x, i, axis=0)
  chosen: {torch: torch.where, jax: jax.numpy.where}
graph:
  y: sum(both(x)) * logdet(m) + sum(running(picked(x, i), axis=-1)) + sum(chosen(b, x, 2 * x))
"""


def resolve(framework: str) -> Callable[[Native], Any]:
    pytest.importorskip(framework)
    return importlib.import_module(f"gradaccord.engines.{ROOMS[framework]}.native").resolve


def judged(case: Case, engine: str) -> set[str]:
    inputs, cotangent = case.inputs(0, "float64"), case.cotangent("float64")
    reply = answer(engine, case.graph, "float64", inputs, cotangent)
    assert reply.evaluation.status == "ok", reply.evaluation.reason
    subject = Subject(case.name, 0, "float64", case.graph, inputs, cotangent)
    return {row.verdict for row in judge(subject, engine, reply.evaluation, reply.again)}


@pytest.mark.parametrize("engine", ["torch", "jax", "jax:jit", "backprop", "finite_difference"])
def test_each_engine_runs_its_own_or_the_text(load_text: Callable[[str], Case], engine: str) -> None:
    pytest.importorskip(engine.partition(":")[0]) if engine[0] in "tj" else None
    assert FINDINGS.isdisjoint(judged(load_text(CASE), engine))


@FRAMEWORKS
def test_it_is_the_function_that_runs_and_the_text_that_judges(
    load_text: Callable[[str], Case], framework: str
) -> None:
    """A function that means something else is off, also inside another definition; engines without it are sound."""
    pytest.importorskip(framework)
    text = CASE.replace("torch.special.logit", "torch.exp").replace("jax.scipy.special.logit", "jax.numpy.exp")
    case = load_text(text)
    assert "wrong" in judged(case, framework)
    assert FINDINGS.isdisjoint(judged(case, "backprop"))


@FRAMEWORKS
def test_a_function_that_is_not_there_is_a_failure(load_text: Callable[[str], Case], framework: str) -> None:
    pytest.importorskip(framework)
    text = CASE.replace("torch.special.logit", "torch.special.lgit").replace(
        "jax.scipy.special.logit", "jax.scipy.special.lgit"
    )
    case = load_text(text)
    reply = answer(framework, case.graph, "float64", case.inputs(0, "float64"), case.cotangent("float64"))
    assert reply.evaluation.status == "failed"
    assert "has no `" in reply.evaluation.reason and "special.lgit`" in reply.evaluation.reason


# What lies in a namespace and is no function of arrays: modules, classes, what a module imported for itself.
OTHERS = {
    "torch": ["torch.compile", "torch.save", "torch.os", "torch.Tensor", "torch.vmap", "torch.set_default_dtype",
              "torch.nn.functional.boolean_dispatch", "torch.nn.functional.has_torch_function", "torch.float64"],
    "jax": ["jax.numpy.save", "jax.numpy.float32", "jax.numpy.pi", "jax.nn.initializers", "jax.numpy.iterable",
            "jax.lax.PrecisionLike"],
}  # fmt: skip


@pytest.mark.parametrize("path", [path for paths in OTHERS.values() for path in paths])
def test_what_is_no_function_of_arrays_is_refused(path: str) -> None:
    module, _, name = path.rpartition(".")
    with pytest.raises(GraphError):
        resolve(path.partition(".")[0])(Native(path, module, name))


@FRAMEWORKS
def test_none_reads_or_writes_a_file(framework: str) -> None:
    """Of all that a case may name, whatever the framework's version."""
    look_up, found = resolve(framework), 0
    for space in NAMESPACES[framework]:
        module = importlib.import_module(space)
        for name in dir(module):
            if name.startswith("_") or name.endswith("_") or name in NO_NUMBERS:
                continue
            try:
                parameters = inspect.signature(look_up(Native(name, space, name))).parameters
            except (GraphError, ValueError):  # refused; or a builtin, which says nothing of its parameters
                continue
            found += 1
            assert {"file", "fname", "filename", "path"}.isdisjoint(parameters), f"{space}.{name}"
    assert found > 100


def test_a_function_sees_its_operands_as_they_are(load_text: Callable[[str], Case]) -> None:
    case = load_text(CASE)
    subject = case.inputs(0, "float64")
    assert subject["i"].dtype == np.int64 and subject["b"].dtype == np.bool_
    assert [node.op for node in case.graph.operations if case.graph.defines(node)] == [
        "both", "logdet", "picked", "running", "chosen",
    ]  # fmt: skip
