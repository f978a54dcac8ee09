"""The shipped cases: that they load, that they cover the vocabulary, and that each says where its numbers come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.reading.case import Case, find, half_unit, shipped
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.offered import installed
from gradaccord.harness.running.run import run, units

from ..shipped import cases, covering, themes

FILES = find([shipped()])
THEMES = sorted({path.parent for path in FILES})
MANY_DIGITS = 6  # more significant digits than a reader checks on paper


def label(path: Path) -> str:
    return path.relative_to(shipped()).as_posix()


@cache
def by_path() -> Mapping[Path, Case]:
    return {case.path: case for case in cases()}


def case(path: Path) -> Case:
    return by_path()[path]


@pytest.mark.parametrize("path", FILES, ids=label)
def test_a_shipped_case_loads_and_says_what_it_shows(path: Path) -> None:
    found = case(path)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.name), found.name
    assert found.about


@pytest.mark.parametrize("path", FILES, ids=label)
def test_numbers_that_no_reader_derives_on_paper_have_a_source(path: Path) -> None:
    found = case(path)
    texts = [str(text) for point in found.points for expected in point.expect for text in expected.values.ravel()]
    if any(long_decimal(text) for text in texts):
        assert found.source, f"{label(path)} expects long decimals and names no source"


def long_decimal(text: str) -> bool:
    """Whether a text is a rounded decimal of many digits; whole numbers and short decimals are exact."""
    digits = text.lower().partition("e")[0].replace(".", "").lstrip("-0")
    return half_unit(text) > 0 and len(digits) > MANY_DIGITS


def test_no_two_shipped_cases_have_one_name() -> None:
    names = Counter(case(path).name for path in FILES)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("folder", THEMES, ids=lambda folder: folder.name)
def test_a_theme_has_at_least_two_cases(folder: Path) -> None:
    assert sum(path.parent == folder for path in FILES) >= 2


@pytest.mark.parametrize("op", OPERATIONS)
def test_an_operation_of_the_vocabulary_occurs_in_a_case(op: str) -> None:
    assert op in used()


@cache
def used() -> frozenset[str]:
    return frozenset(node.op for path in FILES for node in case(path).graph.operations)


# Whole programs are compiled in `tox -e report` alone.
EAGER = ("finite_difference", *(name for name in installed() if name.startswith("jax") and "jit" not in name))


@pytest.mark.parametrize("case", covering(themes), ids=lambda case: case.name)
def test_jax_and_differences_agree_on_a_case_of_each_theme(case: Case) -> None:
    """In one dtype, since JAX compiles each operation at each shape; `tox -e report` has all cases in all dtypes."""
    pytest.importorskip("jax")
    outcomes = [*run(units([case], case.dtypes[:1]), Settings(EAGER))]
    off = [str(row) for outcome in outcomes for row in outcome.rows if row.unexplained]
    off += [str(path) for outcome in outcomes for path in outcome.summaries if path.first is not None]
    assert not off
    assert any(row.engine == "jax" and row.quantity != "run" for outcome in outcomes for row in outcome.rows)
