"""Every entry of the engines' tables happens in the version that runs, is needed, and explains nothing beyond it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.jax import known as of_jax
from gradaccord.engines.pytorch import known as of_torch
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.node import Use
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.graph.operations.operation import operation
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import DTYPES, Evaluation
from gradaccord.harness.records.known import Defect, Formula, Knowledge
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.loading import knowledge
from gradaccord.harness.running.loading import load as load_engine
from gradaccord.harness.running.run import run, units

from ..subject import subject

LOGITS = "binary_cross_entropy_with_logits(x, t, reduction='none')"
WEIGHED = "binary_cross_entropy_with_logits(x, t, 1, 1.3, reduction='none')"
# Numbers at which an entry happens, by operation and what is off.
WITNESSES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("gelu", "formula"): ("gelu(x)", {"x": [-3.1, -4.0]}),
    ("gelu", "value"): ("gelu(x)", {"x": [-8.2, -6.0]}),
    ("gelu", "term"): ("gelu(x)", {"x": [-8.2, -6.0]}),
    ("erf", "value"): ("erf(x)", {"x": [1e-5, 2e-4]}),
    ("expm1", "formula"): ("expm1(x)", {"x": [-12.0, -7.0]}),
    ("expm1", "term"): ("expm1(x)", {"x": [-30.0, -25.0]}),
    ("elu", "term"): ("elu(x, alpha=2)", {"x": [-30.0, -25.0]}),
    ("softplus", "formula"): ("log_sigmoid(x)", {"x": [-28.0, -13.2]}),
    ("binary_cross_entropy_with_logits", "formula"): (LOGITS, {"x": [-12.0, -15.0], "t": [0.0, 0.0]}),
    ("binary_cross_entropy_with_logits", "value"): (LOGITS, {"x": [-37.5, -25.0], "t": [0.0, 0.0]}),
    ("binary_cross_entropy_with_logits", "term"): (WEIGHED, {"x": [34.0, 20.0], "t": [1.0, 1.0]}),
    ("binary_cross_entropy_with_logits", "formula of terms"): (WEIGHED, {"x": [9.0, 6.0], "t": [1.0, 1.0]}),
    ("softplus", "value"): ("softplus(x)", {"x": [20.1, 25.0]}),
    ("softplus", "term"): ("softplus(x)", {"x": [20.1, 25.0]}),
    ("hardsigmoid", "term"): ("hardsigmoid(x)", {"x": [0.5, -1.0]}),
    ("celu", "term"): ("celu(x, alpha=0.7)", {"x": [-17.5, -15.4]}),
    ("selu", "term"): ("selu(x)", {"x": [-30.0, -25.0]}),
    ("digamma", "term"): ("digamma(x)", {"x": [0.5, 4.0]}),
    ("polygamma", "value"): ("polygamma(x, n=1)", {"x": [0.5, 4.0]}),
    ("tanh", "plain"): ("x * tanh(x) / 3", {"x": [-123456.7, -1e6]}),
    ("lgamma", "value"): ("lgamma(x)", {"x": [0.99, 1.0, 2.01, 2.00001]}),
    ("log1p", "value"): ("log1p(x)", {"x": [-0.41421, -0.38]}),
    ("atanh", "value"): ("atanh(x)", {"x": [-0.41421, 0.41421]}),
    ("sigmoid", "value"): ("sigmoid(x)", {"x": [-12.0, -14.0]}),
    ("silu", "value"): ("silu(x)", {"x": [-12.0, -14.0]}),
    ("silu", "term"): ("silu(x)", {"x": [-12.0, -14.0]}),
    ("atan", "term"): ("atan(x)", {"x": [300.0, -600.0]}),
    ("asinh", "term"): ("asinh(x)", {"x": [300.0, -600.0]}),
    ("logaddexp", "term"): ("logaddexp(a, b)", {"a": [1.0, 3.0], "b": [13.0, 15.0]}),
    ("hypot", "term"): ("hypot(a, b)", {"a": [3e200, 3e-200], "b": [4e200, 4e-200]}),
}
SMALL = {"a": [-5.842289424756804e-20, -3e-20], "b": [-1.948854809957266e-20, 4e-20]}  # of hypot in float32
ENTRIES = [
    pytest.param(engine, entry, id=f"{engine}-{entry.operation}-{getattr(entry, 'quantity', 'formula')}-{k}")
    for engine, table in (("torch", of_torch.KNOWN), ("jax", of_jax.KNOWN), ("jax:jit", of_jax.KNOWN))
    for k, entry in enumerate(table)
    if isinstance(entry, Formula | Defect)
]


def found(engine: str, entry: Formula | Defect) -> tuple[Any, Any]:
    pytest.importorskip(engine.removesuffix(":jit"))
    dtypes = entry.dtypes if isinstance(entry, Defect) else ()
    dtype = dtypes[0] if dtypes else "float64"
    formula = "formula of terms" if entry.quantity == "term" else "formula"
    text, numbers = WITNESSES[entry.operation, entry.quantity if isinstance(entry, Defect) else formula]
    about = subject(text, dtype, **(SMALL if (entry.operation, dtype) == ("hypot", "float32") else numbers))
    about = replace(about, cotangent=np.ones_like(about.cotangent))
    return about, load_engine(engine).prepare(about.graph, dtype)(about.inputs, about.cotangent)


def unexplained(about: Any, evaluation: Any, what: Knowledge) -> bool:
    return any(row.unexplained for row in judge(about, "x", evaluation, knowledge=what))


def off(about: Any, evaluation: Any, what: Knowledge, entry: Formula | Defect) -> bool:
    """Whether something is off that an entry of its kind does not excuse: behind a formula may stand a defect."""
    rows = judge(about, "x", evaluation, knowledge=what)
    return any(row.finding if isinstance(entry, Formula) else row.unexplained for row in rows)


@pytest.mark.parametrize("engine, entry", ENTRIES)
def test_each_entry_happens_and_is_needed(engine: str, entry: Formula | Defect) -> None:
    about, evaluation = found(engine, entry)
    what = knowledge(engine)
    assert what.shipped and entry in what.entries
    assert not off(about, evaluation, what, entry)
    others = tuple(one for one in what.entries if one is not entry)
    assert off(about, evaluation, replace(what, entries=others), entry)


@pytest.mark.parametrize("engine, entry", ENTRIES)
def test_what_is_further_off_is_a_new_finding(engine: str, entry: Formula | Defect) -> None:
    """Its first number is moved to where neither the entry nor rounding reaches."""
    about, evaluation = found(engine, entry)
    if isinstance(entry, Defect) and entry.quantity == "plain":
        moved = evaluation.gradients["x"] + 1e-9 * about.inputs["x"] ** 2
        for shown in (
            replace(evaluation, gradients={"x": moved}),
            Evaluation("ok", values=evaluation.values, gradients={"x": moved}),
        ):
            assert unexplained(about, shown, knowledge(engine))
        return
    quantity = entry.quantity or ("value" if entry.operation == "gelu" else "term")
    key = "f" if quantity == "value" else Use("f", 0)
    arrays = dict(evaluation.values if quantity == "value" else evaluation.terms)
    moved = np.array(arrays[key])
    moved[0] = 3 + 3 * np.nan_to_num(moved[0], posinf=0, neginf=0)
    arrays[key] = moved.astype(DTYPES[about.dtype])
    if quantity == "value":
        evaluation = replace(evaluation, values=arrays)
    else:
        adjoints = {**evaluation.adjoints, "x": arrays[key], "a": arrays[key]}
        adjoints = {name: adjoints[name] for name in evaluation.adjoints}
        evaluation = replace(evaluation, terms=arrays, adjoints=adjoints)
    assert unexplained(about, evaluation, knowledge(engine))


FAILURES = {
    "disagreements/clip-by-a-wider-bound": "torch",
    "functions/rosenbrock": "torch:forward",
    "layers/mlp": "torch:forward-reverse",
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_that_are_known_are_recognised(name: str) -> None:
    pytest.importorskip("torch")
    case = replace(load(shipped() / f"{name}.yaml"), update=None)
    rows = [row for outcome in run(units([case], ("float32",)), Settings((FAILURES[name],))) for row in outcome.rows]
    failed = [row for row in rows if row.verdict == "failed"]
    assert failed and all(row.finding and row.accepted for row in failed)


def test_only_what_this_project_ships_counts_as_measured(tmp_path: Any) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from gradaccord.engines.pytorch.engine import engine as own\n")
    assert knowledge("torch").shipped
    assert knowledge(f"{path}:own").entries == knowledge("torch").entries
    assert not knowledge(f"{path}:own").shipped


@pytest.mark.parametrize("engine", ["jax", "jax:jit"])
def test_what_is_known_of_plain_programs_explains_nothing_that_left_the_range(engine: str) -> None:
    pytest.importorskip("jax")
    about = replace(subject("a * tanh(x) + x", x=-350.0, a=1e300), cotangent=np.array(1e10))
    sound = load_engine(engine).prepare(about.graph, "float64")(about.inputs, about.cotangent)
    for garbage in (0.0, 7.0, -1.0):
        lie = replace(sound, gradients={**sound.gradients, "x": np.array(garbage)})
        assert unexplained(about, lie, knowledge(engine))


@pytest.mark.parametrize("engine", ["jax", "jax:jit"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_defect_explains_of_what_is_made_of_it_as_much_as_it_carries(engine: str, dtype: str) -> None:
    pytest.importorskip("jax")
    text = "lgamma(a) + lgamma(b) - lgamma(a + b)"
    log_beta = operation("log_beta", "a, b", OPERATIONS["add"].shape, definition=text)
    builder = Builder((log_beta,))
    for name in ("a", "b"):
        builder.input(name, (2,))
    builder.apply("log_beta", ["a", "b"], {}, "f")
    inputs = {"a": np.array([0.9, 1.99], DTYPES[dtype]), "b": np.array([1.0001, 1.5], DTYPES[dtype])}
    about = Subject("case", 0, dtype, builder.graph(["f"]), inputs, np.ones(2, DTYPES[dtype]))
    sound = load_engine(engine).prepare(about.graph, dtype)(about.inputs, about.cotangent)
    rows = judge(about, engine, sound, knowledge=knowledge(engine))
    assert any(row.accepted for row in rows) and not any(row.unexplained for row in rows)
    bent = sound.values["f"] * np.array([1 + 1e4 * 2.0 ** -(24 if dtype == "float32" else 53), 1], DTYPES[dtype])
    assert unexplained(about, replace(sound, values={**sound.values, "f": bent}, output=bent), knowledge(engine))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("factor", [0.0, 0.7, 1.3, -1.0])
@pytest.mark.parametrize(
    "engine, text, numbers",
    [("torch", "gelu(x)", [-1.0, -2.0, -3.0]), ("jax", "softplus(x)", [100.0, 40.0, 3.0, -3.0, -10.0])],
)
def test_no_entry_hides_more_in_half_precision_than_is_lost_there(
    engine: str, text: str, numbers: list[float], factor: float, dtype: str
) -> None:
    """What one kernel computes in float32 loses less than steps of half numbers would."""
    pytest.importorskip(engine)
    about = subject(text, dtype, x=numbers)
    about = replace(about, cotangent=np.ones_like(about.cotangent))
    sound = load_engine(engine).prepare(about.graph, dtype)(about.inputs, about.cotangent)
    assert sound.terms is not None and sound.adjoints is not None
    assert not unexplained(about, sound, knowledge(engine))
    for k in range(len(numbers)):
        bent = np.array(sound.terms[Use("f", 0)])
        bent[k] = np.asarray(float(bent[k]) * factor).astype(bent.dtype)
        terms, adjoints = {**sound.terms, Use("f", 0): bent}, {**sound.adjoints, "x": bent}
        assert unexplained(about, replace(sound, terms=terms, adjoints=adjoints), knowledge(engine))
