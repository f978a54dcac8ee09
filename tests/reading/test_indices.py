"""Indices are static: one out of its range is a mistake of the case, told at its place before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import Command, assert_told

HEAD = "name: x\n"
TAKEN = "{f: 'sum(take(x, k, 0))'}"
OFF = {
    "beyond": (
        "inputs: {x: [1, 2], k: ‸{dtype: int64, values: [0, 5]}}\ngraph: {f: 'sum(take(x, k, axis=0))'}",
        "`k[1]` 5 -2 to 1",
    ),
    "before": (
        "inputs: {x: [1, 2], k: ‸{dtype: int64, values: [[0, -3]]}}\ngraph: {f: 'sum(take(x, k, axis=0))'}",
        "`k[0, 1]` -3",
    ),
    "target": (
        "inputs: {x: [[1, 2]], k: ‸{dtype: int64, values: [-1]}}\ngraph: {f: 'cross_entropy(x, k)'}",
        "0 to 1",
    ),
    "scattered": (
        "inputs: {x: [1, 2], k: ‸{dtype: int64, values: [0, 3]}}\ngraph: {f: 'sum(scatter_add(x, k, axis=0, size=3))'}",
        "-3 to 2",
    ),
    "a point": (
        f"inputs: {{x: [1, 2], k: {{dtype: int64, values: [0, 1]}}}}\ngraph: {TAKEN}\npoints: [{{k: ‸[0, 2]}}]",
        "`k[1]` 2",
    ),
    "inside": (
        "inputs: {x: [1], k: ‸{dtype: int64, values: 1}}\ndefine: {'p(a, b)': 'take(a, b, 0)'}\ngraph: {f: 'p(x, k)'}",
        "`k`",
    ),
}


@pytest.mark.parametrize("text, said", OFF.values(), ids=OFF)
def test_an_index_out_of_range_is_told_at_its_place(text: str, said: str, tmp_path: Path) -> None:
    assert_told(tmp_path / "x.yaml", f"{HEAD}{text}\n", [said])


def test_indices_in_range_are_fine_and_negative_ones_count_from_the_end(tmp_path: Path, gradaccord: Command) -> None:
    (tmp_path / "x.yaml").write_text(
        f"{HEAD}inputs: {{w: [[1, 2], [3, 4]], k: {{dtype: int64, values: [[0, -1], [-2, 1]]}}}}\n"
        "graph: {f: 'sum(sin(take(w, k, axis=0)))'}\nexpect: {gradient: {w: [[1.0806, -0.8323], [-1.9800, -1.3073]]}}\n"
    )  # each row is taken twice: 2 cos(w)
    done = gradaccord("run", "x.yaml", "-e", "backprop", "-e", "torch", "-e", "finite_difference")
    assert done.returncode == 0, done.stdout
