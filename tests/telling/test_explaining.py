"""`gradaccord explain`: the chain rule in a case's own names and numbers. What it prints is computed anew by Python."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.reading.case import Case, find, load, shipped
from gradaccord.harness.telling.explaining import Part, explained, in_markdown, lines_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "explain.md").read_text()
BLOCKS = re.findall(r"^```console\n\$ gradaccord (explain .*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
BASICS = sorted((shipped() / "basics").glob("*.yaml"))
BEYOND = [*BASICS, *sorted((shipped() / "layers").glob("*.yaml")), *sorted((shipped() / "kinks").glob("*.yaml"))]

FUNCTIONS = {
    "__builtins__": {},
    **vars(math),
    "square": lambda x: x * x,
    "sign": np.sign,
    "abs": abs,
    "stop_gradient": float,
}


def text(words: str) -> str:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words.split())
    assert done.exit_code == 0, done.output
    return done.output


def equations(parts: list[Part]) -> Iterator[tuple[str, list[str]]]:
    """Of each line of numbers what is said to be equal."""
    for part in parts:
        for line in part.lines:
            if re.match(r"[\w./∂]+ = ", line):
                yield line, re.split(", |: ", line)[0].split(" = ")


def scalar(case: Case) -> bool:
    return case.call is None and not any(node.shape for node in case.graph.nodes)


@pytest.mark.parametrize("words, shown", BLOCKS, ids=[words for words, _ in BLOCKS])
def test_the_page_shows_what_is_printed(words: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert text(words) == shown


def test_every_line_of_the_essay_is_there() -> None:
    lines = {line.strip() for line in text("explain nested-nodes").splitlines()}
    assert {
        "d = a + b = 5 + (-3) = 2",
        "f = d * c = 2 * (-2) = -4",
        "dd/da = 1",
        "df/dd = c = -2",
        "df/da = df/dd * dd/da = -2 * 1 = -2",
        "df/db = df/dd * dd/db = -2 * 1 = -2",
        "df/dc = df/df * df/dc = 1 * 2 = 2",
        "a <- a + step_size * df/da = 5 + 0.01 * (-2) = 4.98",
    } <= lines
    assert "f: -4, -3.8808, " in text("explain nested-nodes")
    assert "it rises" in text("explain nested-nodes")


@pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)
def test_what_is_said_to_be_equal_is_equal(path: Path) -> None:
    case = load(path)
    assert scalar(case)
    values = {node.name: 0.0 for node in case.graph.nodes}
    slopes: dict[str, float] = {}
    compared = 0
    for line, sides in equations(explained(case)):
        name, last = sides[0], float(sides[-1])
        if "/" not in name:
            values[name] = last
        for side in sides[1:-1]:  # a formula in names, or the same in numbers
            known = {node.replace(".", "_"): value for node, value in values.items()}
            formula = side
            for slope in sorted({*re.findall(r"[d∂][\w.]+/[d∂][\w.]+", side)}, key=len, reverse=True):
                formula = formula.replace(slope, repr(slopes[slope]))
            formula = re.sub(r"([A-Za-z_]\w*)\.(\d+)", r"\1_\2", formula)
            assert eval(formula, FUNCTIONS, known) == pytest.approx(last, rel=1e-5), line
            compared += 1
        if "/" in name and name not in slopes:
            slopes[name] = last
    assert compared >= len(case.graph.operations)


@pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)
def test_the_last_number_of_a_line_is_the_gradient(path: Path) -> None:
    case = load(path)
    last = {sides[0]: float(sides[-1]) for _, sides in equations(explained(case))}
    expected = {e.name: e for e in case.expect[0] if e.quantity == "gradient"}
    assert expected
    for name, expectation in expected.items():
        assert last[f"d{case.graph.output.name}/d{name}"] == pytest.approx(float(expectation.values[()]), rel=1e-5)


@pytest.mark.parametrize("path", BEYOND, ids=lambda path: path.stem)
def test_arrays_kinks_and_composites_are_explained_too(path: Path) -> None:
    case = load(path)
    parts = explained(case)
    names = {node.name for node in case.graph.operations}
    forward = {line.split(" = ")[0] for line in parts[0].lines}
    assert names <= forward
    assert all(len(line) <= 80 or " " not in line.strip() for part in parts for line in lines_of(part, 80))
    assert f"# {case.name}\n" in in_markdown(case)


def test_a_path_carries_what_its_case_says(tmp_path: Path) -> None:
    """w - target is halved by each step: a quarter of it by that of w, another by that of the target."""
    (tmp_path / "case.yaml").write_text(
        "name: chased\ninputs: {w: 1, target: {values: 3, constant: true}}\n"
        "graph:\n  loss: square(w - target)\n  moved: target + 0.25 * (w - target)\noutput: loss\n"
        "update: {rule: descent, step_size: 0.125, steps: 3}\ncarry: {target: moved}\n"
    )
    lines = explained(load(tmp_path / "case.yaml"))[-1].lines
    assert "loss: 4, 1, 0.25, 0.0625; it falls" in lines
    assert "target is at each step what moved was at the one before" in lines


def test_one_node_alone() -> None:
    printed = text("explain nested-nodes --node d")
    assert "df/dd = df/df * df/dd = 1 * (-2) = -2" in printed
    assert "df/dc" not in printed
    assert "step by step" not in printed


def test_the_diagram_has_values_and_derivatives() -> None:
    assert 'n3["d = a + b<br/>= 2, df/dd = -2"]' in text("explain nested-nodes --markdown")


def test_a_line_at_a_time_ends_where_asked() -> None:
    done = CliRunner().invoke(main, ["explain", "nested-nodes", "--step-through"], input=" \rq")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "  c = -2"


def test_where_no_terminal_is_no_key_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise OSError("no such device")

    monkeypatch.setattr("click.getchar", none)
    done = CliRunner().invoke(main, ["explain", "nested-nodes", "--step-through"])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: no terminal to wait at for a key")


@pytest.mark.parametrize(
    "words, told",
    [
        ("explain nested-nodes --node dd", "no node `dd`. Did you mean `d`? It has a, b, c, d, f."),
        ("explain nested-nodes --point 3", "nested-nodes has no point 3: it has 1, counted from 0"),
        ("explain nested-nodes --markdown --step-through", "--step-through"),
        (f"explain {shipped() / 'basics'}", f"holds {len(BASICS)} cases; `gradaccord explain` takes one"),
        ("explain nothing-such", "nothing-such"),
    ],
)
def test_what_is_not_there_is_said(words: str, told: str) -> None:
    done = CliRunner().invoke(main, words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr


def test_every_shipped_case_of_one_number_has_a_path_that_ends_as_it_says() -> None:
    paths = [case for case in map(load, find([shipped() / "basics"])) if case.update is not None]
    assert paths
    for case in paths:
        said = explained(case)[-1].lines[-2]
        numbers = [float(x) for x in said.partition(": ")[2].partition("; ")[0].split(", ") if x != "..."]
        assert ("rises" in said) == (numbers[1] > numbers[0])


def test_a_negative_operand_has_brackets_only_where_it_needs_them(tmp_path: Path) -> None:
    case = tmp_path / "case.yaml"
    case.write_text("name: negative\ninputs: {x: -2, y: -3}\ngraph:\n  a: maximum(x, y)\n  f: a ** 2 - x\n")
    said = text(f"explain {case}")
    assert "a = maximum(x, y) = maximum(-2, -3) = -2\n" in said
    assert "f.1 = a ** 2 = (-2) ** 2 = 4\n" in said
    assert "f = f.1 - x = 4 - (-2) = 6\n" in said
