"""What is known of one link explains that link: garbage beside it, behind it and in its shadow is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.engines.pytorch import engine as pytorch
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.judging.second_order import Question, judge_along
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.records.evaluation import Advance, Array, Evaluation, Inputs, Moved
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import Row
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check
from gradaccord.harness.running.ledger import Ledger

from ..subject import subject

OFF = 1 + 1e-4  # what the entries are made for
KNOWN = "{engine: e, quantity: term, name: q, verdict: wrong, reason: known}"
POINT = "{a: [0.0, 1.5], b: [2.0, -1.0]}"
GRAPHS = {
    "smooth": ("{a: [0.5, 1.5], b: [2.0, -1.0]}", {"q": "sin(a) * b", "f": "sum(square(q)) + sum(a * b)"}),
    "kink": (POINT, {"h": "relu(a)", "q": "h + b", "f": "sum(square(q))"}),
    "hole": (POINT, {"h": "where(a == 0, 1, sin(a) / a)", "q": "h * exp(b)", "f": "sum(square(q))"}),
    "fallen": (
        "{a: [-800.0, 1.5], b: [2.0, -1.0]}",
        {"e": "exp(minimum(a, 0)) * 1e300", "h": "e * 1e47", "q": "where(a < 0, h, a) + b", "f": "sum(square(q))"},
    ),
}


def made(name: str, folder: Path, entry: str = KNOWN) -> tuple[Case, Subject, Evaluation]:
    """A case with an entry, and an engine that is off as the entry says: a factor at each term of `q`."""
    inputs, graph = GRAPHS[name]
    lines = "".join(f"  {key}: {text}\n" for key, text in graph.items())
    (folder / "made.yaml").write_text(f"name: made\ninputs: {inputs}\ngraph:\n{lines}accept:\n  - {entry}\n")
    case = load(folder / "made.yaml")
    about = Subject("made", 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))
    with np.errstate(all="ignore"):
        found = prepare(about.graph, "float64")(about.inputs, about.cotangent)
        return case, about, bent(found, about, lambda g: g * OFF)


def bent(found: Evaluation, about: Subject, change: Callable[[Array], Array]) -> Evaluation:
    """Each term of `q` changed, and what is made of it: sound on its own numbers."""
    graph = about.graph
    seeds = {use: change(found.terms[use]) for use in graph.uses_of["q"]} if found.terms else {}
    terms, adjoints = {**(found.terms or {}), **seeds}, dict(found.adjoints or {})
    adjoints["q"] = np.asarray(sum(seeds.values()))
    behind = [node.name for node in graph.nodes if "q" in _above(about, node.name)]
    for node in (node for node in reversed(graph.nodes) if node.name in adjoints):
        if node.name in behind:
            adjoints[node.name] = np.asarray(sum(terms[use] for use in graph.uses_of[node.name]))
        for use in graph.uses_in.get(node.name, ()):
            if node.name in behind or node.name == "q":
                scale = np.where(adjoints[node.name] == 0, 1.0, adjoints[node.name] / (found.adjoints or {})[node.name])
                terms[use] = terms[use] * scale
    gradients = {node.name: adjoints[node.name] for node in graph.wanted}
    return replace(found, terms=terms, adjoints=adjoints, gradients=gradients)


def _above(about: Subject, name: str) -> set[str]:
    """What a node leads to."""
    reached = {name}
    for node in about.graph.nodes:
        if reached & set(node.args):
            reached.add(node.name)
    return reached - {name}


def left(case: Case, about: Subject, shown: Evaluation) -> list[Row]:
    """What the ledger leaves to be explained."""
    with np.errstate(all="ignore"):
        rows = conventions(judge(about, "e", shown))
    found = Ledger(case).explain(Outcome(case="made", point=0, dtype="float64", rows=tuple(rows)))
    return [row for row in found.rows if row.unexplained]


@pytest.mark.parametrize("name", ["smooth", "kink"])
def test_an_entry_explains_what_it_was_made_for(name: str, tmp_path: Path) -> None:
    assert not left(*made(name, tmp_path))


@pytest.mark.parametrize("garbage", [7.0, np.nan, -np.inf])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("of", ["a", "b"])
@pytest.mark.parametrize("shown", [False, True])
def test_garbage_in_the_shadow_of_an_entry_is_found(
    name: str, of: str, shown: bool, garbage: float, tmp_path: Path
) -> None:
    case, about, known = made(name, tmp_path)
    lie = np.array(known.gradients[of])
    lie[0] = garbage
    spoilt = replace(known, gradients={**known.gradients, of: lie})
    if shown:
        spoilt = replace(spoilt, adjoints={**(known.adjoints or {}), of: lie})
    assert any(row.name == of for row in left(case, about, spoilt))


def test_what_falls_out_of_the_range_elsewhere_is_no_part_of_an_entry(tmp_path: Path) -> None:
    assert "a" in [row.name for row in left(*made("fallen", tmp_path)) if row.quantity == "gradient"]


def test_a_hole_elsewhere_is_no_part_of_an_entry(tmp_path: Path) -> None:
    assert [row.name for row in left(*made("hole", tmp_path)) if row.quantity == "gradient"] == ["a"]


def test_one_number_that_is_none_in_a_term_that_is_known_is_found(tmp_path: Path) -> None:
    case, about, known = made("smooth", tmp_path)
    use = about.graph.uses_of["q"][0]
    lie = np.array((known.terms or {})[use])
    lie[1] = np.nan
    found = left(case, about, replace(known, terms={**(known.terms or {}), use: lie}))
    assert any(row.quantity == "term" and "beside it at [1] the engine gave nan" in row.reason for row in found)


def test_a_plain_output_of_garbage_is_found_beside_gradients_alone() -> None:
    about = subject("sum(square(x))", x=[1.0, 2.0])
    sound = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    shown = Evaluation("ok", values={"f": sound.values["f"]}, gradients=sound.gradients, output=np.asarray(999.0))
    assert [row.verdict for row in judge(about, "e", shown) if row.name == "f"] == ["wrong"]


def test_a_plain_output_of_garbage_is_found_beside_a_value_that_is_known(tmp_path: Path) -> None:
    entry = "{engine: e, quantity: value, name: f, verdict: wrong, reason: known}"
    case, about, _ = made("smooth", tmp_path, entry)
    sound = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    known = replace(sound, values={**sound.values, "f": sound.values["f"] * OFF})
    assert not left(case, about, known)
    assert left(case, about, replace(known, output=np.asarray(999.0)))


def test_a_choice_whose_operands_are_not_shown_breaks_nothing() -> None:
    about = subject({"h": "-x", "f": "where(h < 0, h, sin(h))"}, x=1.5)
    sound = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    (name,) = (node.name for node in about.graph.nodes if node.kind == "bool")
    for turned, verdict in ((False, "agree"), (True, "not judged")):
        values = {"f": sound.values["f"], name: sound.values[name] ^ turned}
        rows = judge(about, "e", Evaluation("ok", values=values, gradients=sound.gradients))
        assert [row.verdict for row in rows if row.name == name] == [verdict]


# --- what is lossy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torch_is_not_blamed_for_a_formula_that_cancels(dtype: str) -> None:
    """sigmoid(x) - 1 is 0 from x = 37 on, or from 17 on in float32, and e^-x soundly lost."""
    about = subject("binary_cross_entropy_with_logits(x, t)", dtype, x=[40.0, 20.0], t=[1.0, 1.0])
    found = pytorch.prepare(about.graph, dtype)(about.inputs, about.cotangent)
    (row,) = (row for row in judge(about, "torch", found) if row.quantity == "gradient" and row.name == "x")
    assert row.verdict == "lossy"
    spoilt = replace(found, gradients={**found.gradients, "x": np.full_like(about.inputs["x"], 1e-3)})
    assert any(row.finding for row in judge(about, "torch", spoilt))


# --- second order ----------------------------------------------------------------------------------------------------


def test_links_of_second_order_behind_the_first_that_is_off_count_too() -> None:
    about = subject("sum(sin(x) * x)", x=[0.5, 1.5])
    question = Question(about, {"x": np.ones(2)})
    along = question.along
    found = prepare(along.graph, "float64")(along.inputs, along.cotangent)
    assert found.terms is not None and found.adjoints is not None
    uses = [use for node in along.graph.operations for use in along.graph.uses_in[node.name] if use in found.terms]

    def told(changes: Mapping[Use, float]) -> float:
        terms = {use: term * changes.get(use, 1.0) for use, term in found.terms.items()}  # type: ignore[union-attr]
        rows = judge_along(question, "e", replace(found, terms=terms), None, 0.0, ("hessian_product",))
        return max(row.off for row in rows if row.finding)

    assert told({uses[-1]: OFF}) == pytest.approx(1e-4)
    assert told({uses[-1]: OFF, uses[0]: 7.0}) > 1


# --- paths -----------------------------------------------------------------------------------------------------------


def on_path(tmp_path: Path, spoil: Callable[[Moved, Evaluation], tuple[Moved, Evaluation]], entry: str = KNOWN) -> Any:
    """The first finding that is left on a path whose gradient is off as an entry says, and which is spoilt besides."""
    case, about, _ = made("smooth", tmp_path, entry)
    sound = prepare(about.graph, "float64")

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        there = about.at(inputs)
        return spoil(Moved({}, {}), bent(sound(inputs, cotangent), there, lambda g: g * OFF))[1]

    def optimiser(rule: str, settings: Mapping[str, Any], start: Inputs) -> Advance:
        step = row_optimiser(rule, settings, start)
        return lambda gradients: spoil(step(gradients), Evaluation("ok"))[0]

    update = check("momentum", {"step_size": "0.01", "steps": 3})
    rows = trajectory(about, "e", evaluate, update, optimiser).rows
    known = judge(about, "e", bent(sound(about.inputs, about.cotangent), about, lambda g: g * OFF))
    outcome = Outcome(
        case="made", point=0, dtype="float64", rows=tuple(known), trajectories=rows,
        summaries=(summary(rows, update, "f"),),
    )  # fmt: skip
    return Ledger(case).explain(outcome).summaries[0].first


def test_a_path_that_is_off_as_known_is_explained(tmp_path: Path) -> None:
    assert on_path(tmp_path, lambda moved, found: (moved, found)) is None


@pytest.mark.parametrize("what", ["state v", "update"])
def test_an_optimiser_behind_a_gradient_that_is_known_is_judged(what: str, tmp_path: Path) -> None:
    def spoil(moved: Moved, found: Evaluation) -> tuple[Moved, Evaluation]:
        if what == "update":
            return Moved({name: x + 7 for name, x in moved.parameters.items()}, moved.state), found
        state = {v: {name: x + 7 for name, x in arrays.items()} for v, arrays in moved.state.items()}
        return Moved(moved.parameters, state), found

    first = on_path(tmp_path, spoil)
    assert first is not None and first.cause == what


def test_another_link_behind_one_that_is_known_is_judged_on_a_path(tmp_path: Path) -> None:
    def spoil(moved: Moved, found: Evaluation) -> tuple[Moved, Evaluation]:
        if found.terms is None:
            return moved, found
        last = max((use for use in found.terms if use.consumer == "q"), key=lambda use: use.position)
        return moved, replace(found, terms={**found.terms, last: np.full_like(found.terms[last], 7.0)})

    first = on_path(tmp_path, spoil)
    assert first is not None and str(first.node).endswith("in q[1]")
