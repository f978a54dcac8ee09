"""A rule that keeps other state of matrices than of vectors: each parameter is moved by what its shape asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.engines.jax.engine import engine as of_jax
from gradaccord.engines.pytorch.engine import engine as of_torch
from gradaccord.harness.dialects.sides import rule_of
from gradaccord.harness.errors import CommandError
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import shaken_path
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Advance, Engine, Inputs, Moved, Optimiser
from gradaccord.harness.records.paths import Summary
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check

ENGINES: Mapping[str, Engine] = {"backprop": row_engine, "torch": of_torch, "jax": of_jax}
TORCHS = {"eps": 1e-3, "eps_place": "clamped"}


def start(dtype: str = "float64", deep: bool = False) -> Subject:
    builder = Builder()
    shapes = {"wide": (2, 3), "tall": (3, 2), "v": (4,), "b": (), **({"deep": (2, 2, 3)} if deep else {})}
    for name, shape in shapes.items():
        builder.input(name, shape)
    Parser(builder).define("f", " + ".join(f"sum(square({name} - 0.5) ** 1.5)" for name in shapes))
    rng = np.random.default_rng(3)
    inputs = {name: np.asarray(rng.standard_normal(shape)).astype(dtype) for name, shape in shapes.items()}
    return Subject("shapes", 0, dtype, builder.graph(["f"]), inputs, np.ones((), dtype))


def walk(
    settings: Mapping[str, Any], engine: str = "backprop", *, dtype: str = "float64", steps: int = 6,
    optimiser: Optimiser | None = None, deep: bool = False,
) -> Summary:  # fmt: skip
    begin, update = start(dtype, deep), check("adafactor", {"step_size": 0.05, **settings, "steps": steps})
    made = ENGINES[engine]
    path = trajectory(begin, engine, made.prepare(begin.graph, dtype), update, optimiser or made.optimiser)
    return summary(path.rows, update, "f")


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
@pytest.mark.parametrize(
    "engine, settings",
    [
        ("backprop", {}),
        ("backprop", TORCHS),
        ("torch", TORCHS),
        ("torch", {**TORCHS, "weight_decay": 0.1, "accumulate": 2, "average": 0.9, "clip_value": 1}),
        ("jax", {"bound": "none"}),
        pytest.param(
            "jax",
            {"bound": "none", "accumulate": 2, "weight_decay": 0.1, "decay": "coupled"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_engines_own_is_sound_for_every_shape(engine: str, settings: Mapping[str, Any], dtype: str) -> None:
    path = walk(settings, engine, dtype=dtype)
    if engine == "jax" and dtype == "float64":  # its decay is reckoned in single precision
        assert path.first is not None and path.first.cause.startswith("state") and path.first.verdict == "imprecise"
    else:
        assert path.sound, str(path)


def test_the_other_framework_is_told_by_what_it_does_otherwise() -> None:
    path = walk({"eps": 0.01}, "torch")
    assert path.first is not None and path.first.setting == "eps_place: clamped"
    assert "the mean square is at least eps squared" in path.dialect


def test_torch_factors_along_the_last_two_axes_and_optax_along_others() -> None:
    assert walk(TORCHS, "torch", deep=True).sound and walk({}, deep=True).sound
    assert "unsupported: optax.adafactor factors along the two largest axes" in str(walk({}, "jax", deep=True))


def changed(name: str, variable: str, change: Any) -> Optimiser:
    """The row, whose third step shows another state variable of one parameter."""

    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        step, t = row_optimiser(rule, settings, begin), 0

        def advance(gradients: Inputs) -> Moved:
            nonlocal t
            t += 1
            now = step(gradients)
            if t != 3:
                return now
            own = {**now.state[variable], name: change(now.state[variable][name])}
            return replace(now, state={**now.state, variable: own})

        return advance

    return optimiser


@pytest.mark.parametrize(
    "name, variable", [pytest.param("wide", "row", marks=pytest.mark.slow), ("tall", "column"), ("v", "v"), ("b", "v")]
)
def test_a_state_variable_that_is_off_is_named_in_its_parameter(name: str, variable: str) -> None:
    path = walk({}, optimiser=changed(name, variable, lambda x: x * (1 + 1e-12)))
    assert path.first is not None
    assert (path.first.step, path.first.name, path.first.cause) == (3, name, f"state {variable}")


def test_means_of_the_wrong_shape_are_a_failure() -> None:
    path = walk({}, optimiser=changed("wide", "row", lambda x: np.ones((2, 3))))
    assert path.first is not None and "state row of `wide` is float64 of shape (2, 3), not float64 of shape (2, 1)" in (
        path.first.cause
    )


def test_shaken_paths_have_it_too() -> None:
    update = check("adafactor", {"step_size": 0.05, "steps": 3})
    *_, last = shaken_path(start(), update, 0)
    begin = start()
    rows = trajectory(begin, "row", row_engine.prepare(begin.graph, "float64"), update).rows
    (exact,) = (row.value for row in rows if row.name == "b" and row.step == 3)
    assert float(last["b"]) == pytest.approx(exact, rel=1e-12)


def test_dialects_know_no_rule_that_depends_on_shapes() -> None:
    with pytest.raises(CommandError, match="it is judged on the paths of cases"):
        rule_of("adafactor", {})
