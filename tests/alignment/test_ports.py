"""Ports as people write them: the sets that say how good `compare` is, and in small what `python trust ports` says."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "trust"))

import direct
from mutated import outcomes
from ported import FOLDER, NAMES, Mistake, Variant, changes, pair, patched, ready
from scored import PLACES, score, scores

SMALL = ("rk4", "detection", "resnet")  # quickly heard; the last begins with three scales that are all one


def change(name: str, words: str) -> Variant | Mistake:
    (found,) = [one for one in changes(name) if one.name == words]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_patch_fits_its_port(name: str) -> None:
    original = (FOLDER / name / "original.py").read_text(encoding="utf-8")
    names = [one.name for one in changes(name)]
    assert len(names) == len(set(names))
    for one in changes(name):
        source = patched(name, one).read_text(encoding="utf-8")
        ast.parse(source)
        if isinstance(one, Mistake):
            assert any(text in original + source for text in one.at), one.name


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 16
    assert sum(len(pair(name).mistakes) for name in NAMES) >= 100
    assert sum(len(pair(name).variants) for name in NAMES) >= 50


def settled(name: str) -> list[str]:
    """The changes of a pair that are not what they are said to be, by the frameworks alone."""
    off: list[str] = []
    for one in changes(name):
        expected = "" if isinstance(one, Variant) else "gradient" if one.kind == "gradient" else "value"
        digits = one.digits if isinstance(one, Variant) else 10
        if (found := direct.difference(ready(name, one), digits)) != expected:
            off.append(f"{one.name}: {found or 'the same'}, not {expected or 'the same'}")
    return off


def needed(name: str) -> None:
    for package in ("torch", "jax", *pair(name).needs):
        pytest.importorskip(package)


@pytest.mark.slow
def test_a_change_is_what_it_is_said_to_be() -> None:
    needed("rk4")
    assert not settled("rk4")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_change_is_what_it_is_said_to_be(name: str) -> None:
    needed(name)
    assert not settled(name)


@pytest.mark.parametrize("name", SMALL)
def test_a_port_as_it_is_is_the_same(name: str) -> None:
    needed(name)
    assert score(name, change(name, "as it is")).right


@pytest.mark.parametrize(
    "name, words",
    [("rk4", "weights of the stages"), ("detection", "beta left at one"), ("detection", "results swapped")],
)
def test_a_mistake_is_found_and_pinned_and_explained(name: str, words: str) -> None:
    needed(name)
    found = score(name, change(name, words))
    assert not found.missed, found.said


def test_the_number_of_a_line_is_no_reason() -> None:
    assert PLACES.sub("", "the factor is 2 at port.py:36 and 3 at model.py:25") == "the factor is 2 at  and 3 at "


@pytest.mark.parametrize("at, reason", [(("no such line",), "."), (("return",), "no such word")])
def test_another_line_and_another_reason_are_misses(at: tuple[str, ...], reason: str) -> None:
    needed("rk4")
    right = change("rk4", "weights of the stages")
    assert isinstance(right, Mistake)
    assert score("rk4", replace(right, at=at, reason=reason)).missed


def test_mutations_of_a_port_are_pinned() -> None:
    needed("rk4")
    told = [outcome.result for outcome in outcomes("rk4", 5, seed=1) if outcome.result != "no effect"]
    assert len(told) == 5
    assert told.count("pinned") >= 4
    assert "missed" not in told


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_variant_is_different_and_no_mistake_is_the_same(name: str) -> None:
    needed(name)
    assert not [f"{one.change.name}: {one.result}, {one.said}" for one in scores(name) if not one.right]
