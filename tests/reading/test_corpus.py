"""What once was a traceback, a hang or a crash of the loader, found by attack and by mutated files: now each is a case
or errors at places that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradaccord.harness.reading.case import CaseErrors, load
from gradaccord.harness.words import HIDDEN

HEAD = "name: x\ninputs: {a: 1, b: [1, 2]}\n"
CORPUS: dict[str, str | bytes] = {
    "an empty definition": HEAD + "define: {'g(x)': ''}\ngraph: {f: g(a) + sum(b)}\n",
    "a definition of a comment": HEAD + "define:\n  g(x): |\n    # nothing\ngraph: {f: g(a) + sum(b)}\n",
    "seventy axes": HEAD + f"graph: {{f: 'sum(reshape(b, [{'1, ' * 70}2])) * a'}}\n",
    "forty brackets": "name: x\ninputs: {a: " + "[" * 40 + "1" + "]" * 40 + "}\ngraph: {f: sum(a)}\n",
    "a file with a long name": "name: x\ninputs: {a: {file: " + "a" * 5000 + ".npy}}\ngraph: {f: sum(a)}\n",
    "a digit that is none": "name: x\ninputs: {n: {dtype: int64, values: [²]}, a: 1}\n"
    "graph: {f: a * sum(one_hot(n, 3))}\n",
    "an escape": 'name: x\nabout: "\\e[31m"\ninputs: {a: 1}\ngraph: {f: a * a}\n',
    "a mark of direction": "name: x\nabout: a \u202e b\ninputs: {a: 1}\ngraph: {f: a * a}\n",
    "a hidden mark in a broken key": "name: x\ninputs: {a: 1}\ngraph\u202e\n  f: a * a\n",
    "a hidden mark after a colon": "name: x\nabout:\ufeff text\ninputs: {a: 1}\ngraph: {f: a * a}\n",
    "an expectation of no name": "name: x\ninputs: {a: 1}\ngraph: {f: a * a}\nexpect: {'': 1}\n",
    "half a character": 'name: x\nabout: "\\ud800"\ninputs: {a: 1}\ngraph: {f: a * a}\n',
    "utf-16": (HEAD + "graph: {f: a * sum(b)}\n").encode("utf-16"),
    "nothing": b"",
    "a null": b"\x00",
    "an alias to itself": "name: x\ninputs: &a {a: *a}\ngraph: {f: a}\n",
    "a merge": "name: x\ninputs: &i {a: 1}\ngraph: {<<: *i, f: a * a}\n",
    "no elements": "name: x\ninputs: {a: {shape: [0, 3], formula: i}}\ngraph: {f: sum(a)}\n",
    "no wanted input": "name: x\ninputs: {a: {dtype: bool, values: [true]}}\ngraph: {f: where(a, 1, 2)}\n",
    "a diagonal of nothing": "name: x\ninputs: {a: {shape: [0, 0], formula: i}}\ngraph: {f: 'einsum(\"ii->\", a)'}\n",
    "a diagonal that is none": "name: x\ninputs: {a: [[1, 2]]}\ngraph: {f: 'einsum(\"ii->\", a)'}\n",
    "moved conditions": "name: x\ninputs: {m: {dtype: bool, values: [true]}, a: [1]}\n"
    "graph: {f: sum(where(m[::-1], a, 0))}\n",
    "an index that is none": HEAD + "graph: {f: \"a * sum(place(b, index='1P:5', shape=[6]))\"}\n",
    "an index that ends early": HEAD + "graph: {f: \"a * sum(place(b, index='0] + b[1', shape=[6]))\"}\n",
    "an index that Python warns of": HEAD + "graph: {f: \"a * sum(place(b, index='1or 2', shape=[6]))\"}\n",
    "a signature that Python warns of": HEAD + "define: {'g(x, *, n=1if x else 2)': x}\ngraph: {f: g(a) * sum(b)}\n",
    "a vast index": "name: x\ninputs: {n: {dtype: int64, values: [9223372036854775807]}, a: [1]}\n"
    "graph: {f: sum(take(a, flip(n), axis=0))}\n",
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_once_broke_the_loader_is_a_case_or_its_errors(name: str, tmp_path: Path) -> None:
    text, path = CORPUS[name], tmp_path / "case.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        graph = load(path).graph
        assert graph.wanted
        assert all(graph.outputs)
    except CaseErrors as told:
        text = str(told).replace("\n", "")
        places = [(error.line, error.column) for error in told.errors]
        lines = path.read_bytes().count(b"\n") + 2
    else:
        return
    assert places
    assert not HIDDEN.search(text)
    assert all(0 < line <= lines and column > 0 for line, column in places)


def test_what_is_placed_fits_its_place(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(HEAD + "graph: {f: \"a * sum(place(b, index='1:4', shape=[6]))\"}\n")
    with pytest.raises(CaseErrors) as told:
        load(path)
    assert [error.expected for error in told.value.errors] == ["shape (3,)"]
