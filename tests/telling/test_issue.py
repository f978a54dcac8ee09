"""`show --engine`: what a script says of what is off, variants as they differentiate, and `--issue`."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.reading.names import shipped_names
from gradaccord.harness.running.answers import answer_along
from gradaccord.harness.running.offered import installed
from gradaccord.harness.telling.issue import explained, issue
from gradaccord.harness.telling.script import script
from gradaccord.harness.telling.ways import WAYS

torch = pytest.importorskip("torch")


TWICE = """\
name: twice
inputs: {x: [0.5, -1.25, 2], y: 0.75, run: 3}
graph: {f: "tanh(x * y) + exp(run * y) * x ** 3"}
derivatives: [tangent, hessian_product]
"""


def ran(text: str) -> tuple[dict[str, Any], str]:
    """What a script bound, and what it printed."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    with redirect_stdout(printed := io.StringIO()):
        exec(compile(text, "script.py", "exec"), scope)
    return scope, printed.getvalue()


def test_every_engine_of_a_framework_has_its_way() -> None:
    assert {name for name in installed() if name.partition(":")[0] in ("torch", "jax")} == set(WAYS)


@pytest.mark.parametrize("engine", [name for name, way in WAYS.items() if way.along])
def test_a_variant_differentiates_as_it_says(engine: str, load_text: Callable[[str], Case]) -> None:
    if importlib.util.find_spec(engine.partition(":")[0]) is None:
        pytest.skip("not installed")
    case = load_text(TWICE)
    way = WAYS[engine]
    inputs, weights, along = case.inputs(0, "float64"), case.cotangent("float64"), case.direction("float64")
    told = answer_along(engine, case.graph, "float64", inputs, weights, along, case.derivatives)
    assert told is not None
    scope, _ = ran(script(case, engine, 0, "float64"))
    derived = [scope["derived"]] if way.along == "tangent" else scope["derived"]
    found = [np.asarray(x.detach() if hasattr(x, "detach") else x) for x in derived]
    shown = told.evaluation.values if way.along == "tangent" else told.evaluation.gradients
    # A compiled program that reads its inputs as constants may be folded; the others are the same bit for bit.
    tolerance = 1e-12 if "jit" in engine else 0
    for ours, theirs in zip(found, shown.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_a_script_says_versions_the_numbers_and_the_link_that_is_off() -> None:
    _, printed = ran(explained(load(shipped_names()["gelu-tail"]), "torch", 0, "float64"))
    assert f"torch {torch.__version__} on Python" in printed
    assert "first link that is off: value of y" in printed
    assert "the engine gave -0.0, its own numbers give -7.619853024160526e-23" in printed
    _, printed = ran(explained(load(shipped_names()["product"]), "torch", 0, "float64"))
    assert "gradaccord" not in printed


@pytest.mark.parametrize(
    "name, said, number", [("gelu-tail", "gelu(x", "-10.0"), ("slopes-in-float32", "celu(x, alpha=0.7)", "-1.0")]
)
def test_an_issue_is_the_operation_alone_at_one_short_number(name: str, said: str, number: str) -> None:
    text = issue(load(shipped_names()[name]), "torch", 0, "float64")
    assert f"x = torch.tensor({number}, dtype=torch.float64" in text
    assert text.count(" y = ") == 1
    _, printed = ran(text)
    assert said in printed
    assert "held by gradaccord" in printed


def test_where_nothing_is_off_there_is_no_issue() -> None:
    with pytest.raises(CommandError, match="nothing is off on torch in product, point 0, float64"):
        issue(load(shipped_names()["product"]), "torch", 0, "float64")
    with pytest.raises(CommandError, match="`backprop` has no script of its own"):
        issue(load(shipped_names()["product"]), "backprop", 0, "float64")
