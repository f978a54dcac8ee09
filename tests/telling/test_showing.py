"""`gradaccord show` beyond the gradient: what it prints reads back as the language, and computes what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradaccord.harness.arithmetic import arrays
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.expand import Expander
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.second_order import Question
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import Case, find, load, shipped
from gradaccord.harness.records.evaluation import Array
from gradaccord.harness.telling.mermaid import mermaid
from gradaccord.harness.telling.showing import case_text

ASKING = [path for path in find([shipped()]) if "hessian_product" in path.read_text(encoding="utf-8")]
SMOOTH = [path for path in ASKING if path.parent.name != "kinks"]
BOTH = ("tangent", "hessian_product")


def question(case: Case) -> Question:
    subject = Subject(case.name, 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))
    return Question(subject, case.direction("float64"))


def sections(text: str) -> dict[str, dict[str, str]]:
    """Title -> name -> expression, of every section of statements."""
    found: dict[str, dict[str, str]] = {}
    for part in text.split("\n\n"):
        head, *lines = part.splitlines()
        if head.endswith(":") and lines and all(re.match(r"  \w+: ", line) for line in lines):
            found[head[:-1]] = dict(line.strip().split(": ", 1) for line in lines)
    return found


def statements(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """All of them in order; of a composite that is written out later, the first."""
    order: dict[str, str] = {}
    for title, part in found.items():
        if title != "inputs" and not title.startswith("where"):
            order |= {name: text for name, text in part.items() if name not in order}
    return order


def computed(asked: Question, texts: Mapping[str, str], wanted: list[str]) -> list[Array]:
    """The statements, run on NumPy; an input of the second-order graph goes by the name that is printed."""
    own = asked.along.graph.definitions
    builder, given = Builder(own), dict[str, object]()
    for node in asked.along.graph.inputs:
        name = node.name.replace(":", "_")
        builder.input(name, node.shape, node.kind)
        given[name] = asked.along.inputs[node.name]
    parser = Parser(builder)
    for name, text in texts.items():
        if name not in given:
            parser.define(name, text)
    plain = Expander(own, stable=True)
    plain.add_graph(builder.graph(wanted))
    program = emit(plain.graph(wanted), arrays.namespace("float64"), wanted)
    return [np.asarray(x) for x in program(*given.values())]


@pytest.mark.parametrize("path", SMOOTH, ids=lambda path: path.stem)
def test_the_tangent_and_the_products_compute_what_they_say(path: Path) -> None:
    case = replace(load(path), derivatives=BOTH)
    asked, found = question(case), sections(case_text(case))
    (tangent,) = (part for title, part in found.items() if title.startswith("tangent of "))
    products = found["where each product is"]
    numbers = {name for name in products.values() if not name.isidentifier()}
    names = [list(tangent)[-1], *dict.fromkeys(name for name in products.values() if name not in numbers)]
    shown = dict(zip(names, computed(asked, statements(found), names), strict=True))
    truth = asked.along.truth
    held = {names[0]: truth.values[asked.along.graph.output.name]}
    held |= {place: truth.adjoints[name] for name, place in products.items() if place not in numbers}
    for name, number in held.items():
        exact = np.vectorize(float, otypes=[float])(number.balls)
        assert np.allclose(shown[name], exact, rtol=1e-7, atol=1e-12), name


ROSENBROCK = "name: r\ninputs: {x: -1.2, y: 1}\ngraph: {f: (1 - x) ** 2 + 100 * (y - x ** 2) ** 2}\n"


@pytest.mark.parametrize(
    "asked, expected",
    [
        ("gradient", []),
        ("gradient, tangent", ["tangent"]),
        ("gradient, hessian_product", ["tangent", "Hessian-vector product", "where each product"]),
    ],
)
def test_what_is_not_asked_for_is_not_shown(asked: str, expected: list[str], load_text: Callable[[str], Case]) -> None:
    case = load_text(ROSENBROCK + f"derivatives: [{asked}]\n")
    titles = list(sections(case_text(case)))[4:]
    assert [title.startswith(start) for title, start in zip(titles, expected, strict=True)] == [True] * len(expected)


def test_names_mean_the_same_throughout(load_text: Callable[[str], Case]) -> None:
    """A node of the case is called as an inner one would be, and the second-order graph has no use for it."""
    case = load_text(
        "name: n\ninputs: {x: 2}\ngraph:\n  f_1: 3 * x\n  f: exp(x) ** 3 + f_1\n"
        "derivatives: [gradient, tangent, hessian_product]\n"
    )
    asked, found = question(case), sections(case_text(case))
    (product,) = computed(asked, statements(found), [found["where each product is"]["x"]])
    exact = 9 * np.exp(6) * float(asked.direction["x"])  # (e^3x)'' = 9 e^3x
    assert np.isclose(float(product), exact, rtol=1e-12)


def test_a_case_shows_its_definitions_and_what_runs_in_their_place(load_text: Callable[[str], Case]) -> None:
    case = load_text(
        "name: x\ninputs: {a: 0.5}\ndefine:\n  logit(x): log(x / (1 - x))\n  twice(x, *, n=2): n * logit(x)\n"
        "native: {logit: {torch: torch.special.logit}}\ngraph:\n  f: twice(a)\n"
    )
    lines = case_text(case).splitlines()
    start = lines.index("define:")
    assert lines[start : start + 6] == [
        "define:",
        "  logit(x): log(x / (1 - x))",
        "    torch runs torch.special.logit",
        "  twice(x, *, n=2): n * logit(x)",
        "",
        "graph:",
    ]
    assert "twice(a)" in mermaid(case.graph)
