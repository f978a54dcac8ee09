"""A run while it is heard: names, precisions, definitions of its own, what the output needs."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from gradaccord.harness.hearing.heard import Place, Refused
from gradaccord.harness.hearing.recording import Call, Recording, number

HERE = Place("model.py", 3, "loss", "blocks.0", "torch.tanh")


def recorded() -> Recording:
    recording = Recording("torch")
    recording.input("blocks.0.weight", np.ones((2, 3)))
    recording.input("i", np.array([1, 0], dtype=np.int32))
    return recording


def test_names_are_identifiers_and_the_users_are_kept() -> None:
    recording = recorded()
    assert recording.names == {"blocks_0_weight": "blocks.0.weight", "i": "i"}
    assert recording.fresh("0.x") == "_0_x"
    assert [recording.fresh("tanh") for _ in range(2)] == ["tanh", "tanh_2"]
    assert recording.builder.nodes["i"].constant


def test_equal_texts_are_one_definition_and_others_another() -> None:
    recording = recorded()
    x = np.ones((2, 3))
    for text in ("x0 * 2", "x0 * 2", "x0 * 3"):
        recording.call(Call("scaled", ["blocks_0_weight"], {}, text=text), x, HERE)
    assert [node.op for node in recording.builder.order[2:]] == ["scaled", "scaled", "scaled_2"]
    inner = recording.inside()
    inner.input("x0", x)
    inner.call(Call("scaled", ["x0"], {}, text="x0 * 4"), x, HERE)
    recording.include(inner)
    assert "scaled_3" in recording.builder.vocabulary


def test_every_node_has_the_precision_of_its_numbers_and_the_runs_is_the_outputs() -> None:
    recording = recorded()
    half = recording.cast("blocks_0_weight", np.ones((2, 3), dtype=ml_dtypes.bfloat16), HERE)
    dead = recording.call(Call("tanh", [half], {}), np.ones((2, 3), dtype=ml_dtypes.bfloat16), HERE)
    out = recording.call(Call("sum", [half], {}), np.ones((), dtype=ml_dtypes.bfloat16), HERE)
    graph, dtype = recording.graph(out)
    assert dtype == "bfloat16" and dead not in graph.by_name and "i" not in graph.by_name
    assert {node.name: node.dtype for node in graph.nodes} == {
        "blocks_0_weight": "float64", "to_bfloat16": "", "sum": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    "call, array, said",
    [
        (Call("tanh", ["blocks_0_weight"], {}), np.ones(3), r"where `tanh` gives float of shape \(2, 3\)"),
        (Call("tanh", ["i"], {}), np.ones(2), "`i` is int"),
        (Call("own", ["blocks_0_weight"], {}, text="x0 @ x0"), np.ones(3), "torch.tanh"),
        (Call("tanh", ["blocks_0_weight"], {}), np.ones((2, 3), dtype=complex), "numbers of type complex128"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_a_way_out(call: Call, array: np.ndarray, said: str) -> None:
    with pytest.raises(Refused, match=said) as raised:
        recorded().call(call, array, HERE)
    assert "model.py:3, blocks.0, torch.tanh" in str(raised.value)


def test_numbers_of_a_program_are_constants() -> None:
    assert [number(x).text for x in (3, 0.1, -2.0, 1e300, float("-inf"))] == ["3", "0.1", "-2", "1e+300", "-inf"]
    with pytest.raises(Refused, match="NaN"):
        number(float("nan"))
