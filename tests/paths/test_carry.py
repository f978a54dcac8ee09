"""Inputs that are state of a path: what the graph gives at one step is what it reads at the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import shaken_path
from gradaccord.harness.paths.parting import partings
from gradaccord.harness.paths.planes import plane
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.swapped import swapped
from gradaccord.harness.paths.trajectory import Path as Walked
from gradaccord.harness.paths.trajectory import judged_path, trajectory
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.records.evaluation import Array, Evaluate, Evaluation, Inputs
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import LinkName, TrajectoryRow
from gradaccord.harness.records.verdicts import VERDICTS
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import Update
from gradaccord.harness.running.answers import walk
from gradaccord.harness.running.ledger import Ledger
from gradaccord.reports.trajectories import trajectories

# The mean and variance of what is normalised, as torch.nn.BatchNorm1d keeps them: momentum 0.1, the variance unbiased.
TEXT = """
name: normalised
inputs:
  w: [[0.5, -1], [0.25, 2], [1, 0.75]]
  gain: [1, 1.5]
  mean: {values: [0.125, -0.5], constant: true}
  var: {values: [1, 2], constant: true}
data:
  batch: 4
  x: {shape: [8, 3], normal: {seed: 2}}
graph:
  h: x @ w
  loss: mean(square(batch_norm(h, gain) - 1) * h)
  batch_mean: mean(h, axis=0)
  batch_var: var(h, axis=0) / 0.75
  new_mean: 0.9 * mean + 0.1 * batch_mean
  new_var: 0.9 * var + 0.1 * batch_var
output: loss
update: {rule: momentum, step_size: 0.05, steps: 5}
carry: {mean: new_mean, var: new_var}
"""
FUSED = ("x", "w", "gain", "mean", "var", "loss", "new_mean", "new_var")  # what a fused kernel shows

# Without a table: a target that runs after what it is the target of, and integers.
CHASED = """
name: chased
inputs:
  w: [1, -2]
  target: {values: [3, 1], constant: true}
  order: {dtype: int64, values: [1, 2, 3]}
graph:
  loss: sum(square(w - target))
  moved: target + 0.25 * (w - target)
  turned: flip(order, axis=0)
update: {rule: descent, step_size: 0.125, steps: 6}
output: loss
carry: {target: moved, order: turned}
"""


def read(tmp_path: Path, text: str = TEXT) -> Case:
    (tmp_path / "case.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path / "case.yaml")


def subject(case: Case, dtype: str = "float64") -> Subject:
    return Subject(case.name, 0, dtype, case.graph, case.inputs(0, dtype), case.cotangent(dtype))


def update_of(case: Case, dtype: str = "float64") -> Update:
    update = case.walk(dtype)
    assert update is not None
    return update


def engine(case: Case, dtype: str = "float64", shown: Collection[str] = ()) -> Evaluate:
    """The hand-written engine on a graph, of whose inside it shows all, or of these nodes the values alone."""
    sound = row_engine.prepare(case.graph, dtype)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound(inputs, cotangent)
        if not shown:
            return said
        values = {name: x for name, x in said.values.items() if name in shown}
        return Evaluation("ok", values=values, gradients=said.gradients)

    return evaluate


def walked(case: Case, evaluate: Evaluate | None = None, dtype: str = "float64") -> tuple[list[Inputs], Walked]:
    """What the engine was asked at, and its path."""
    asked, sound = list[Inputs](), evaluate or engine(case, dtype)

    def noted(inputs: Inputs, cotangent: Array) -> Evaluation:
        asked.append({name: array.copy() for name, array in inputs.items()})
        return sound(inputs, cotangent)

    return asked, trajectory(subject(case, dtype), "made", noted, update_of(case, dtype))


def off(rows: Collection[TrajectoryRow]) -> list[tuple[int, str, str]]:
    return [(row.step, row.name, row.cause) for row in rows if row.finding]


# --- walking --------------------------------------------------------------------------------------------------


def chased() -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """By hand, in numbers that floats hold: the parameter and its target before each step and after the last."""
    ws, targets = [(1.0, -2.0)], [(3.0, 1.0)]
    for _ in range(6):
        w, target = ws[-1], targets[-1]
        targets.append((target[0] + 0.25 * (w[0] - target[0]), target[1] + 0.25 * (w[1] - target[1])))
        ws.append((w[0] - 0.25 * (w[0] - target[0]), w[1] - 0.25 * (w[1] - target[1])))
    return ws, targets


def test_a_step_reads_what_the_one_before_has_made(tmp_path: Path) -> None:
    asked, path = walked(read(tmp_path, CHASED))
    ws, targets = chased()
    assert [tuple(inputs["w"]) for inputs in asked] == ws
    assert [tuple(inputs["target"]) for inputs in asked] == targets
    assert [inputs["order"].tolist() for inputs in asked] == [[1, 2, 3], [3, 2, 1]] * 3 + [[1, 2, 3]]
    assert asked[-1]["order"].dtype == np.int64
    assert {row.verdict for row in path.rows} == {"agree"}
    assert path.places["target"].tolist() == [list(target) for target in targets]
    of_target = [row for row in path.rows if row.name == "target"]
    assert [row.step for row in of_target] == [1, 2, 3, 4, 5, 6]
    assert all(row.value == targets[row.step][row.index[0]] == row.reference for row in of_target)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_the_next_step_has_the_engines_own_number_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    case = read(tmp_path)
    asked, path = walked(case, dtype=dtype)
    sound, cotangent = engine(case, dtype), case.cotangent(dtype)
    for before, after in pairwise(asked):
        values = sound(before, cotangent).values
        assert after["mean"].tobytes() == values["new_mean"].tobytes()
        assert after["var"].tobytes() == values["new_var"].tobytes()
    assert off(path.rows) == []
    assert {row.name for row in path.rows if row.step == 5} == {"loss", "w", "gain", "mean", "var"}


def test_what_is_not_watched_is_carried_all_the_same(tmp_path: Path) -> None:
    every, path = walked(read(tmp_path))
    some, seldom = walked(read(tmp_path, TEXT.replace("steps: 5", "steps: 5, watch: 3")))
    assert all((a["var"] == b["var"]).all() for a, b in zip(every, some, strict=True))
    carried = [row for row in seldom.rows if row.name == "var"]
    assert [row.step for row in carried] == [1, 4]
    assert carried == [row for row in path.rows if row.name == "var" and row.step in (1, 4)]


@pytest.mark.parametrize("name", ["torch", "jax", "jax:jit"])
def test_engines_of_frameworks_carry(tmp_path: Path, name: str) -> None:
    """Of JAX a recording is replayed from the fourth evaluation on: it reads other numbers each time."""
    case = read(tmp_path, CHASED)
    start, update = subject(case), update_of(case)
    rows = judged_path(start, name, walk(name, start, update), update).rows
    assert {row.verdict for row in rows} == {"agree"}
    last = next(row for row in rows if row.name == "target" and row.step == 6)
    assert last.value == pytest.approx(chased()[1][6][last.index[0]])


# --- what is off ------------------------------------------------------------------------------------------------


BIASED = (" / 0.75", " / 1")
EXCHANGED = ("0.9 * mean + 0.1 * batch_mean", "0.1 * mean + 0.9 * batch_mean")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shown", [(), FUSED], ids=["all", "fused"])
@pytest.mark.parametrize("change, name", [(BIASED, "var"), (EXCHANGED, "mean")], ids=["biased", "momentum"])
def test_a_statistic_that_is_updated_by_another_formula_is_named_at_the_first_step(
    tmp_path: Path, change: tuple[str, str], name: str, shown: Collection[str], dtype: str
) -> None:
    case, other = read(tmp_path), read(tmp_path, TEXT.replace(*change))
    _, path = walked(case, engine(other, dtype, shown), dtype)
    assert off(path.rows) == [(step, name, "carry") for step in range(1, 6)]
    first = next(row for row in path.rows if row.finding)
    assert first.verdict == "wrong"
    if not shown:
        assert isinstance(first.node, LinkName) and first.node.name.startswith(("batch_var", "new_mean"))
    right = walked(case, dtype=dtype)[0][1][name][first.index]
    assert first.reference == pytest.approx(float(right), rel=1e-5)
    assert first.value != pytest.approx(first.reference, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("momentum", [0.1, 0.9])
def test_torchs_own_running_statistics_are_those_of_the_case(tmp_path: Path, momentum: float, dtype: str) -> None:
    torch = pytest.importorskip("torch")

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        x, w, gain, mean, var = (torch.tensor(inputs[name]) for name in ("x", "w", "gain", "mean", "var"))
        h = x @ w.requires_grad_()
        normal = torch.nn.functional.batch_norm(h, mean, var, gain.requires_grad_(), None, True, momentum)
        loss = torch.mean(torch.square(normal - 1) * h)
        w_slope, gain_slope = torch.autograd.grad(loss, (w, gain))
        values = {"loss": loss.detach(), "new_mean": mean, "new_var": var}
        slopes = {"w": w_slope, "gain": gain_slope}
        values, gradients = ({name: x.numpy() for name, x in some.items()} for some in (values, slopes))
        return Evaluation("ok", values=values, gradients=gradients)

    _, path = walked(read(tmp_path), evaluate, dtype)
    assert off(path.rows)[:2] == ([] if momentum == 0.1 else [(1, "mean", "carry"), (1, "var", "carry")])
    assert all(VERDICTS[row.verdict].sound or row.finding for row in path.rows)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1.0, -1.0])
def test_a_number_that_is_hardly_off_is_seen_and_told_beside_what_its_own_numbers_give(
    tmp_path: Path, size: float, dtype: str
) -> None:
    case, sound = read(tmp_path), engine(read(tmp_path), dtype)
    apart = size * {"float64": 1e-14, "float32": 1e-5}[dtype]

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound(inputs, cotangent)
        new = said.values["new_var"] + np.array([0, apart], dtype)
        return replace(said, values={**said.values, "new_var": new})

    _, path = walked(case, evaluate, dtype)
    first = next(row for row in path.rows if row.finding)
    assert (first.step, first.name, first.index, first.cause) == (1, "var", (1,), "carry")
    assert str(first.node) == "value of new_var"
    assert first.reference is not None and first.error == pytest.approx(apart, rel=0.2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("echoes", ["what it read", "what it was given", "a fused kernel"])
def test_an_engine_that_forgets_to_carry_is_named_at_the_second_step(tmp_path: Path, dtype: str, echoes: str) -> None:
    case = read(tmp_path)
    sound, first = engine(case, dtype, FUSED if echoes == "a fused kernel" else ()), case.inputs(0, dtype)
    old = {name: first[name] for name in ("mean", "var")}

    def stale(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound({**inputs, **old}, cotangent)
        if echoes == "what it read":
            return said
        return replace(said, values={**said.values, **{name: inputs[name] for name in old}})

    _, path = walked(case, stale, dtype)
    assert off(path.rows)[:2] == [(2, "mean", "carry"), (2, "var", "carry")]


def test_what_a_hidden_value_may_have_spoilt_is_not_told_by_links(tmp_path: Path) -> None:
    """The step from what is hidden has no link; those behind it are sound on the engine's own numbers."""
    case = read(tmp_path)
    sound = engine(case)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound(inputs, cotangent)
        values = {name: x for name, x in said.values.items() if name != "batch_mean"}
        values["new_mean.2"] = values["new_mean.2"] * (1 + 1e-9)
        values["new_mean"] = values["new_mean.1"] + values["new_mean.2"]
        return replace(said, values=values)

    assert (1, "mean", "carry") in off(walked(case, evaluate)[1].rows)

    def hiding(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound(inputs, cotangent)
        return replace(said, values={name: x for name, x in said.values.items() if name != "batch_mean"})

    assert off(walked(case, hiding)[1].rows) == []


def test_what_is_off_in_a_statistic_does_not_stand_behind_the_output(tmp_path: Path) -> None:
    """The output does not read the running variance, so nothing of it is off."""
    case, other = read(tmp_path), read(tmp_path, TEXT.replace(*BIASED))
    sound = engine(other)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        said = sound(inputs, cotangent)
        return replace(said, values={**said.values, "loss": said.values["loss"] * 2}, terms=None, adjoints=None)

    row = next(row for row in walked(case, evaluate)[1].rows if row.name == "loss")
    assert row.finding and str(row.node) == "value of loss" and row.behind == ()


def test_an_engine_that_does_not_show_what_is_carried_is_unsupported(tmp_path: Path) -> None:
    case = read(tmp_path)
    shown = [name for name in FUSED if name != "new_var"]
    asked, path = walked(case, engine(case, shown=shown))
    assert len(asked) == 1
    rows = [row for row in path.rows if row.step == 1]
    assert {(row.verdict, row.cause) for row in rows} == {
        ("unsupported", "carry: it does not show the value of `new_var`")
    }
    told = summary(path.rows, update_of(case), "loss")
    assert (told.steps, told.first, told.why) == (0, None, "unsupported: it does not show the value of `new_var`")


KNOWN = """
accept:
  - {engine: made, quantity: value, name: batch_var, verdict: wrong, within: 1, reason: it divides by n}
"""


@pytest.mark.parametrize("entry, left", [(KNOWN, None), (KNOWN.replace("batch_var", "new_mean"), 1)])
def test_an_entry_about_the_node_that_is_off_explains_what_is_carried(
    tmp_path: Path, entry: str, left: int | None
) -> None:
    case, other = read(tmp_path, TEXT + entry), engine(read(tmp_path, TEXT.replace(*BIASED)))
    start, rows = subject(case), walked(case, other)[1].rows
    outcome = Outcome(
        case=case.name,
        point=0,
        dtype="float64",
        rows=tuple(judge(start, "made", other(start.inputs, start.cotangent))),
        trajectories=rows,
        summaries=(summary(rows, update_of(case), "loss"),),
    )
    told = Ledger(case).explain(outcome).summaries[0]
    assert (told.first and told.first.step, told.known) == (left, 0 if left else 5)


GROWS = TEXT.replace("0.9 * var + 0.1 * batch_var", "1e200 * var + 0.1 * batch_var")


def test_a_path_ends_where_what_it_carries_has_left_the_range(tmp_path: Path) -> None:
    case = read(tmp_path, GROWS)
    asked, path = walked(case)
    assert len(asked) == 2  # 1, 1e200 and then none
    last = [row for row in path.rows if row.name == "var"][-1]
    assert (last.step, last.value, last.verdict, last.finding) == (2, float("inf"), "overflow", True)
    told = summary(path.rows, update_of(case), "loss")
    assert (told.steps, told.why) == (2, "a parameter or what is carried is not finite")


@pytest.mark.parametrize("watch", [1, 5])
def test_nan_in_what_is_carried_is_a_finding_and_the_end(tmp_path: Path, watch: int) -> None:
    case = read(tmp_path, TEXT.replace("steps: 5", f"steps: 5, watch: {watch}"))
    sound, calls = engine(case), 0

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        nonlocal calls
        calls += 1
        said = sound(inputs, cotangent)
        lost = np.array([np.nan if calls == 3 else 1, 1])
        return replace(said, values={**said.values, "new_mean": said.values["new_mean"] * lost})

    _, path = walked(case, evaluate)
    assert off(path.rows)[0] == (3, "mean", "carry") and path.rows[-1].step == 3
    row = next(row for row in path.rows if row.finding)
    assert (row.index, row.verdict) == ((0,), "not finite") and row.reference is not None


# --- what follows a path ----------------------------------------------------------------------------------------


def test_shaken_engines_carry_what_they_have_made(tmp_path: Path) -> None:
    case = read(tmp_path)
    asked, _ = walked(case)
    paths = [list(shaken_path(subject(case), update_of(case), seed)) for seed in range(2)]
    for path in paths:
        for inputs, known in zip(path, asked, strict=True):
            np.testing.assert_allclose(inputs["mean"], known["mean"], rtol=1e-12)
            np.testing.assert_allclose(inputs["var"], known["var"], rtol=1e-12)
    assert (paths[0][-1]["var"] != paths[1][-1]["var"]).any()


def test_an_optimiser_on_the_truths_gradients_carries_what_is_true(tmp_path: Path) -> None:
    case = read(tmp_path)
    asked, _ = walked(case)
    path = list(swapped(subject(case), update_of(case), row_optimiser))
    assert len(path) == len(asked)
    for glimpsed, known in zip(path, asked, strict=True):
        np.testing.assert_allclose(glimpsed["var"], known["var"], rtol=1e-13)
        np.testing.assert_allclose(glimpsed["w"], np.ravel(known["w"]), rtol=1e-13)


def test_paths_that_part_in_what_they_carry_are_told(tmp_path: Path) -> None:
    case = read(tmp_path)
    start, update = subject(case), update_of(case)
    paths = {
        name: trajectory(start, name, engine(one), update)
        for name, one in (("sound", case), ("biased", read(tmp_path, TEXT.replace(*BIASED))))
    }
    walks = {name: path.places for name, path in paths.items()}
    (found,) = partings(start, update, paths, lambda name, steps: walks["sound"])
    assert (found.step, found.name, found.horizon, found.state) == (1, "var", None, True)
    assert "step 1 of biased: wrong (carry of var" in found.why
    assert "on the truth's gradients and carried values their optimisers stay together" in found.why
    assert partings(start, update, {"a": paths["sound"], "b": paths["sound"]}) == []


@pytest.mark.parametrize("reads", [False, True])
def test_the_plane_is_that_of_what_the_optimiser_moves(tmp_path: Path, reads: bool) -> None:
    text = CHASED if reads else CHASED.replace("square(w - target)", "square(w - 1)")
    case = read(tmp_path, text)
    start, update = subject(case), update_of(case)
    found = plane(start, update, {"made": walked(case)[1]})
    assert found is not None and found.names == ("w[0]", "w[1]") and len(found.trails["made"]) == 7
    assert bool(found.values) is not reads  # there is no one output around such a path


def test_an_output_that_reads_state_is_not_said_to_move_the_other_way(tmp_path: Path) -> None:
    case = read(tmp_path, CHASED)
    found = summary(walked(case)[1].rows, update_of(case), "loss", state=True)
    assert "each of its own state; every step is sound" in str(found)
    assert "each output is of its own state" in trajectories([found], [])
    assert update_of(case).reaches_output(case.graph) and not update_of(read(tmp_path)).reaches_output(case.graph)


# --- what is wrong with it --------------------------------------------------------------------------------------

CARRY = "carry: {mean: new_mean, var: new_var}"


@pytest.mark.parametrize(
    "new, says",
    [
        ("carry: {mena: new_mean, var: new_var}", "20:9: unknown input `mena` in `carry`.*Did you mean `mean`"),
        ("carry: {mean: new_men, var: new_var}", "20:15: undefined node `new_men` in `carry`.*Did you mean `new_mean`"),
        ("carry: {mean: h, var: new_var}", r"20:15: `h`, float of shape \(4, 2\).*float of shape \(2,\)"),
        ("carry: {mean: x, var: new_var}", "20:15: the input `x` as what `mean` becomes"),
        ("carry: {w: new_mean, var: new_var}", "20:9: `w` in `carry`, which the optimiser moves.*constant: true"),
        ("carry: {x: new_mean, var: new_var}", "20:9: `x` in `data` and in `carry`"),
        ("carry: {mean: new_mean, mean: new_var}", "20:25: `mean` is given twice"),
        ("carry: {mean: [new_mean], var: new_var}", "20:15: a list as `mean`"),
        ("carry: [mean]", "20:8: a list as `carry`"),
        ("carry: {}", "20:8: an empty mapping as `carry`"),
        ("cary: {mean: new_mean}", "20:1: unknown key `cary`.*Did you mean `carry`"),
        ("buffers: {mean: new_mean}", "20:1: unknown key `buffers`.*Did you mean `carry`"),
    ],
)
def test_each_mistake_in_carry_is_told_and_no_other(tmp_path: Path, new: str, says: str) -> None:
    with pytest.raises(CaseErrors, match=f"(?s)case.yaml:{says}") as caught:
        read(tmp_path, TEXT.replace(CARRY, new))
    assert len(caught.value.errors) == 1


def test_carry_needs_steps_and_the_kind_of_its_input(tmp_path: Path) -> None:
    update = "update: {rule: momentum, step_size: 0.05, steps: 5}\n"
    with pytest.raises(CaseErrors, match="`carry` without `update`"):
        read(tmp_path, TEXT.replace(update, ""))
    whole = CHASED.replace("{values: [3, 1], constant: true}", "{values: [3, 1], dtype: int64}")
    whole = (
        whole.replace("target", "astype(target)")
        .replace("  astype(target)", "  target")
        .replace("{astype(target)", "{target")
    )
    with pytest.raises(CaseErrors, match=r"`moved`, float of shape \(2,\).*\n.*int of shape \(2,\)"):
        read(tmp_path, whole)


INDEX = """
name: picked
inputs: {w: [1, 2, 3], place: {dtype: int64, values: [0]}}
graph:
  f: sum(take(w, place, axis=0))
  next: flip(place, axis=0)
update: {rule: descent, step_size: 0.01, steps: 5}
output: f
carry: {place: next}
"""


def test_an_index_is_not_carried_since_its_range_is_not_known_beforehand(tmp_path: Path) -> None:
    with pytest.raises(CaseErrors, match="`place` is an index and in `carry`"):
        read(tmp_path, INDEX)
