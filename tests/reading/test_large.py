"""Slow and large input is refused, or read within seconds, and said to be what it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradaccord.harness.reading.case import CaseErrors, load

HEAD = "name: x\ninputs: {a: 1}\n"
GRAPH = "graph: {f: a * a}\n"


def bomb() -> str:
    rows = ["  d0(x): x * x", *(f"  d{k}(x): d{k - 1}(d{k - 1}(x))" for k in range(1, 24))]
    return HEAD + "define:\n" + "\n".join(rows) + "\ngraph: {f: d23(a)}\n"


def lists(item: Callable[[int], str], count: int) -> str:
    return f"name: x\ninputs: {{a: [{', '.join(map(item, range(count)))}]}}\ngraph: {{f: sum(a)}}\n"


def undefined() -> str:
    rows = [f"  similar_{k}: a * {k}" for k in range(3000)] + [f"  g{k}: similar{k} * a" for k in range(300)]
    return HEAD + "graph:\n" + "\n".join(rows) + "\n"


def drawn(rows: str) -> str:
    return f"name: x\ninputs: {{a: {rows}}}\ngraph: {{f: sum(a)}}\n"


SAMPLES: dict[str, tuple[Callable[[], str], str]] = {
    "a define bomb": (bomb, "more than 500,000 nodes"),
    "anchors": (lambda: lists(lambda k: f"&a{k} 1", 60_000), "more than 50,000 values"),
    "newlines": (lambda: HEAD + "\n" * 1_900_000 + GRAPH, "the file has 1,900,003 lines"),
    "a long comment": (lambda: HEAD + "#" + "a" * 7_000_000 + "\n" + GRAPH, "the file is larger than 2 MB"),
    "drawn numbers": (
        lambda: drawn("{shape: [2600000], normal: {seed: 0}}"), "more than 2,000,000 numbers drawn or computed"
    ),
    "a formula": (lambda: drawn("{shape: [2600000], formula: i}"), "more than 2,000,000 numbers drawn or computed"),
    "integers": (lambda: lists(lambda k: "1", 60_000), "more than 50,000 values"),
    "points": (
        lambda: HEAD + GRAPH + "points:\n" + "".join(f"  - {{a: {k}}}\n" for k in range(30_000)),
        "more than 50,000 values",
    ),
    "unknown operations": (
        lambda: HEAD + "graph:\n" + "".join(f"  f{k}: foo{k}(a)\n" for k in range(5000)), "100 mistakes so far"
    ),
    "undefined names": (undefined, "100 mistakes so far"),
    "unused inputs": (
        lambda: "name: x\ninputs:\n  a: 1\n" + "".join(f"  a{k}: 1\n" for k in range(20_000)) + GRAPH,
        "100 mistakes so far",
    ),
    "a long sum": (lambda: HEAD + "graph:\n  f: " + " + ".join(["a"] * 200_000) + "\n", "nested too deeply"),
    "axes of a shape": (lambda: drawn(f"{{shape: [{', '.join('1' * 40)}], formula: 1}}"), "40 axes"),
    "axes of lists": (lambda: drawn("[" * 40 + "1" + "]" * 40), "40 axes"),
    "axes of a node": (lambda: HEAD + f"graph: {{f: 'reshape(a, [{'1, ' * 70}])'}}\n", "70 axes"),
    "a long name of a file": (lambda: drawn("{file: " + "a" * 5000 + ".npy}"), "the file `aaaa"),
}  # fmt: skip
SLOW = (
    "anchors",
    "integers",
    "points",
    "a long sum",
    "undefined names",
    "unused inputs",
    "unknown operations",
)  # some seconds each, most of it the YAML parser's


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in SAMPLES]
)
def test_large_input_is_refused_within_seconds(name: str, tmp_path: Path) -> None:
    make, said = SAMPLES[name]
    path = tmp_path / "case.yaml"
    path.write_text(make())
    start = time.process_time()
    with pytest.raises(CaseErrors) as caught:
        load(path)
    assert time.process_time() - start < 5
    assert said in str(caught.value)
    assert len(caught.value.errors) <= 101
    assert len(str(caught.value)) < 40_000


def test_values_are_counted_while_they_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the slow samples are about, in small."""
    from gradaccord.harness.reading import yaml_tree

    monkeypatch.setattr(yaml_tree, "MAX_WRITTEN", 30)
    path = tmp_path / "case.yaml"
    path.write_text(lists(str, 100))
    with pytest.raises(CaseErrors, match="more than 30 values"):
        load(path)
    path.write_text(lists(str, 10))
    load(path)
