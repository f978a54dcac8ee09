"""The plane of a case that moves two numbers: its paths, and the output around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.planes import ACROSS, SHOWN, UP, plane
from gradaccord.harness.paths.trajectory import Path as Walked
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.evaluation import Inputs
from gradaccord.harness.rules.update import Update, check


def start(inputs: Inputs, text: str, dtype: str = "float64") -> Subject:
    builder = Builder()
    for name, x in inputs.items():
        builder.input(name, x.shape)
    Parser(builder).define("f", text)
    kind = {name: x.astype(dtype) for name, x in inputs.items()}
    graph = builder.graph(["f"])
    return Subject("made", 0, dtype, graph, kind, np.ones(graph.output.shape, dtype))


def descent(steps: int = 5, step_size: float = 0.1) -> Update:
    return check("descent", {"step_size": step_size, "steps": steps})


def walked(begin: Subject, update: Update) -> dict[str, Walked]:
    return {"backprop": trajectory(begin, "backprop", prepare(begin.graph, begin.dtype), update)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_are_those_of_the_output_at_places_of_the_grid(dtype: str) -> None:
    begin = start({"x": np.array(1.0), "y": np.array(-2.0)}, "square(x) + 3 * y", dtype)
    found = plane(begin, descent(), walked(begin, descent()))
    assert found is not None and found.names == ("x", "y")
    assert (len(found.values), len(found.values[0])) == (UP, ACROSS)
    xs, ys = (np.linspace(found.low[k], found.high[k], n) for k, n in enumerate((ACROSS, UP)))
    np.testing.assert_allclose(np.array(found.values), xs[None, :] ** 2 + 3 * ys[:, None], rtol=1e-12)
    trail = found.trails["backprop"]
    assert trail[0] == (1.0, -2.0) and len(trail) == 6
    assert all(found.low[0] < x < found.high[0] and found.low[1] < y < found.high[1] for x, y in trail)


def test_one_input_of_two_components_is_a_plane_too() -> None:
    begin = start({"w": np.array([1.0, 2.0])}, "sum(square(w))")
    found = plane(begin, descent(), walked(begin, descent()))
    assert found is not None and found.names == ("w[0]", "w[1]") and found.trails["backprop"][0] == (1.0, 2.0)


def test_an_output_that_is_no_scalar_is_contracted() -> None:
    begin = start({"w": np.array([1.0, 2.0])}, "square(w)")
    begin = Subject("made", 0, "float64", begin.graph, begin.inputs, np.array([1.0, 10.0]))
    found = plane(begin, descent(), walked(begin, descent()))
    assert found is not None
    assert found.values[0][0] == pytest.approx(found.low[0] ** 2 + 10 * found.low[1] ** 2)


def test_three_numbers_have_no_plane_and_neither_has_who_did_not_walk() -> None:
    begin = start({"w": np.array([1.0, 2.0, 3.0])}, "sum(square(w))")
    assert plane(begin, descent(), walked(begin, descent())) is None
    begin = start({"w": np.array([1.0, 2.0])}, "sum(square(w))")
    assert plane(begin, descent(), {"torch": Walked(())}) is None


def test_a_long_path_is_thinned_and_keeps_its_ends() -> None:
    begin, update = start({"w": np.array([1.0, 2.0])}, "sum(w)"), descent(3 * SHOWN + 1, 1.0)
    found = plane(begin, update, walked(begin, update))
    assert found is not None
    trail = found.trails["backprop"]
    assert len(trail) <= SHOWN + 1 and trail[0] == (1.0, 2.0) and trail[-1] == (-3 * SHOWN, -3 * SHOWN + 1.0)


def test_a_path_that_stands_still_has_room_around_it() -> None:
    begin = start({"x": np.array(0.0), "y": np.array(0.0)}, "square(x) + square(y)")
    found = plane(begin, descent(), walked(begin, descent()))
    assert found is not None and found.low[0] < 0 < found.high[0] and found.low[1] < 0 < found.high[1]


def test_where_the_output_is_not_finite_there_is_none() -> None:
    begin = start({"x": np.array(0.01), "y": np.array(1.0)}, "log(x) + y")
    found = plane(begin, descent(3, 0.001), walked(begin, descent(3, 0.001)))
    assert found is not None and found.low[0] < 0
    assert np.isnan(found.values[0][0]) and np.isfinite(found.values[0][-1])


def test_batches_have_no_contours(tmp_path: Path) -> None:
    text = """
name: line
inputs: {w: [0.5, 1]}
data:
  batch: 2
  x: {shape: [6, 2], normal: {seed: 1}}
graph:
  f: mean(square(x @ w - 1))
update: {rule: descent, step_size: 0.1, steps: 4}
"""
    (tmp_path / "case.yaml").write_text(text, encoding="utf-8")
    case = load(tmp_path / "case.yaml")
    update = case.walk("float64")
    assert update is not None
    begin = Subject("line", 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))
    found = plane(begin, update, walked(begin, update))
    assert found is not None and found.values == () and len(found.trails["backprop"]) == 5
