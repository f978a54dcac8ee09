"""Each native optimiser steps by the definition that its table says, and by no other known one."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gradaccord.engines.jax.optimisers as of_jax
import gradaccord.engines.pytorch.optimisers as of_torch
from gradaccord.harness.paths.dialects import dialects, off
from gradaccord.harness.paths.move import Finding
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.rules.definition import Definition, definition
from gradaccord.harness.rules.native import Native, nearest
from gradaccord.harness.rules.rule import RULES, Setting

from .moves import beginning, gradients, walked

NATIVES = [(room, native) for room in (of_torch, of_jax) for native in room.NATIVES]
IDS = [f"{native.path}-{native.rule}" for _, native in NATIVES]


# optax reckons its decay in single precision whatever the parameters are in: in float64 that is told.
SINGLE = ("optax.adafactor",)


def drawn(room: ModuleType, native: Native, rng: np.random.Generator, dtype: str) -> Definition:
    """A definition that the native can be: its own answers, and settings about their defaults."""
    row, settings = RULES[native.rule], dict(native.fixed)
    for name, allowed in row.settings.items():
        if isinstance(allowed, Setting) and native.takes(name) and name not in native.fixed:
            default, scale = float(allowed.default or "0.01"), 10.0 ** rng.integers(-2, 3)
            other = round(float(rng.uniform(0.02, 0.99)), 3) if allowed.below == "1" else default * scale
            settings[name] = repr(float(rng.choice([default, max(other, 1.5 * float(allowed.least))])))
    if native.takes("weight_decay") or "weight_decay" in room.AROUND:
        settings["weight_decay"] = str(rng.choice(["0", "0.01", "0.1"]))
    for name, answers in native.choices.values():
        settings[name] = str(rng.choice([*answers.values()]))
    if (dtype == "float16" or native.rule == "adafactor") and "eps" in settings:
        settings["eps"] = "0.001"  # torch squares that of adafactor
    if settings.get("unbiased") == "yes":
        settings["centered"] = "no"  # together the first step divides by what rounding leaves of v - m * m
    return definition(native.rule, {name: text for name, text in settings.items() if row.allowed(name)})


def findings(
    room: ModuleType, native: Native, found: Definition, seed: int, dtype: str, **variant: Any
) -> Iterator[tuple[int, Finding]]:
    shape = (3, 4) if seed % 2 else (12,)
    x = beginning(seed, shape, dtype)
    moves = walked(room.stepping(native, found, {"x": x.copy()}, **variant), x, gradients(seed, shape, dtype))
    assert len(moves) > 1
    for move, judged in zip(moves, judge_moves(moves, found), strict=True):
        for finding in judged.findings:
            known = native.path in SINGLE and dtype == "float64" and finding.cause.startswith("state")
            if finding.counts and not known:
                yield move.step, finding


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
@pytest.mark.parametrize("room, native", NATIVES, ids=IDS)
def test_a_native_is_sound_by_the_definition_that_the_table_says(room: ModuleType, native: Native, dtype: str) -> None:
    for seed in range(2):
        found = drawn(room, native, np.random.default_rng(seed), dtype)
        assert native.runs(found, room.AROUND) == found
        if dtype != "float64" and found.chosen.get("centered") == "yes":
            continue  # v - m * m keeps too few digits there, and may be negative
        assert list(findings(room, native, found, seed, dtype)) == []


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("room, native", NATIVES, ids=IDS)
def test_a_variant_is_sound_by_the_same_definition(room: ModuleType, native: Native, dtype: str) -> None:
    for variant in native.variants:
        found = drawn(room, native, np.random.default_rng(7), dtype)
        assert list(findings(room, native, found, 7, dtype, **{variant: True})) == []


def probed(room: ModuleType, native: Native) -> Any:
    settings = dict(native.fixed) | {name: next(iter(answers.values())) for name, answers in native.choices.values()}
    defaults = {"step_size": "0.01", "momentum": "0.5", "dampening": "0.25", "eps": "0.01"}
    takes = {name: text for name, text in defaults.items() if native.takes(name) and name not in native.fixed}
    decay = {"weight_decay": "0.1"} if native.takes("weight_decay") or "weight_decay" in room.AROUND else {}
    if RULES[native.rule].by_shape:
        takes["step_size"] = "0.7"  # beyond its bound
    known = {name: text for name, text in {**settings, **takes, **decay}.items() if RULES[native.rule].allowed(name)}
    found = definition(native.rule, known)
    shape, dtype = (2, 3) if RULES[native.rule].by_shape else (6,), "float32" if native.path in SINGLE else "float64"
    x, slopes = beginning(3, shape, dtype), gradients(3, shape, dtype)
    return found, walked(room.stepping(native, found, {"x": x.copy()}), x, slopes)


@pytest.mark.parametrize("room, native", NATIVES, ids=IDS)
def test_it_is_sound_by_no_other_known_definition(room: ModuleType, native: Native) -> None:
    found, moves = probed(room, native)
    assert native.runs(found, room.AROUND) == found
    assert not any(map(off, judge_moves(moves, found)))
    for other in dialects(found):
        if all(variable in moves[0].new_state for variable in other.state) and not alike(found, other):
            assert any(map(off, judge_moves(moves, other))), dict(other.settings)


def test_optaxs_adafactor_is_imprecise_in_float64() -> None:
    (native,) = (one for one in of_jax.NATIVES if one.path in SINGLE)
    found = definition("adafactor", {"bound": "none"})
    for shape, told in (((2, 3), {"state row", "state column"}), ((6,), {"state v"})):
        x, slopes = beginning(3, shape, "float64"), gradients(3, shape, "float64")
        judged = judge_moves(walked(of_jax.stepping(native, found, {"x": x.copy()}), x, slopes), found)
        assert {(one.cause, one.verdict) for move in judged for one in move.findings if one.counts} == {
            (cause, "imprecise") for cause in told
        }


def alike(a: Definition, b: Definition) -> bool:
    """Two that are one: x - h (g + w x) is the same with its decay beside the step."""
    return a.rule in ("descent", "ascent", "sign") and {a.chosen.get("decay"), b.chosen.get("decay")} == {
        "coupled",
        "decoupled",
    }


@pytest.mark.parametrize("room, native", NATIVES, ids=IDS)
def test_a_call_is_the_definition_that_it_was_made_for(room: ModuleType, native: Native) -> None:
    found, _ = probed(room, native)
    if not native.takes("weight_decay"):  # what a framework chains is in no call
        found = definition(
            found.rule, {name: text for name, text in found.settings if name not in ("weight_decay", "decay")}
        )
    assert native.definition(native.arguments(found)) == found


@pytest.mark.parametrize("room, native", NATIVES, ids=IDS)
def test_a_step_size_that_changes_from_step_to_step_is_sound(room: ModuleType, native: Native) -> None:
    found, _ = probed(room, native)
    falling = definition(found.rule, {**found.chosen, "step_size": "polynomial(0.01, steps=8, last=0.001) / t"})
    assert list(findings(room, native, native.runs(falling, room.AROUND), 3, "float64")) == []


def test_any_setting_of_torch_may_change_from_step_to_step() -> None:
    settings = {"beta1": "0.9 - 0.1 / t", "eps": "0.001 * t", "weight_decay": "0.1 / t", "clip_value": "1 / t"}
    wanted = definition("adam", {**settings, "decay": "decoupled"})
    native, runs = nearest(of_torch.NATIVES, wanted, of_torch.AROUND)
    assert runs == wanted
    assert list(findings(of_torch, native, runs, 3, "float64")) == []
    with pytest.raises(Exception, match="`beta1` that changes from step to step"):
        of_jax.stepping(*nearest(of_jax.NATIVES, wanted, of_jax.AROUND), {"x": np.ones(2)})


def test_what_no_native_can_be_is_the_nearest_or_unsupported() -> None:
    inside = definition("adagrad", {"eps_place": "outside"})
    native, runs = nearest(of_jax.NATIVES, inside)
    assert (native.path, runs.chosen["eps_place"]) == ("optax.adagrad", "inside")
    with pytest.raises(Exception, match="optax has no `asgd` here"):
        nearest(of_jax.NATIVES, definition("asgd", {}))
    with pytest.raises(Exception, match=r"optax.sgd has no `dampening: 0.5`; it has 0"):
        nearest(of_jax.NATIVES, definition("momentum", {"step_size": "1", "dampening": "0.5"}))


def test_every_rule_has_a_native() -> None:
    assert {native.rule for _, native in NATIVES} == set(RULES)
