"""Definitions: what a signature may say, what a text tells by itself, and what runs it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import special

from gradaccord.harness.arithmetic import arrays
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.define import define, runnable, signature_of, size_of, written_out
from gradaccord.harness.graph.emit import emit, missing
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.language.printing import text_of
from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.graph.operations import OPERATIONS

SWISH = define("swish(x)", "x * sigmoid(x)")
PICK = define("pick(x, i, *, axis=0)", "take(x, i, axis=axis)")


def test_a_text_tells_what_is_an_index_a_condition_and_what_comes_out() -> None:
    assert [operand.kind for operand in PICK.operands] == ["float", "int"]
    assert define("above(x)", "x > 0").kind == "bool"
    chosen = define("chosen(m, x)", "where(m, x, 0)")
    assert [operand.kind for operand in chosen.operands] == ["bool", "float"]
    assert define("largest(x, m: bool)", "max(where(m, x, -inf))").operands[1].kind == "bool"


def test_it_is_elementwise_where_all_its_steps_are() -> None:
    assert SWISH.elementwise and define("both(x, y)", "swish(x) + y", within=(SWISH,)).elementwise
    assert not PICK.elementwise
    assert not define("halved(x)", "x[0] + 1").elementwise
    assert not define("squared(x)", "x @ x").elementwise


def test_its_shape_is_that_of_its_text() -> None:
    builder = Builder((PICK,))
    builder.input("x", (4, 5))
    builder.input("i", (3,), "int")
    builder.apply("pick", ["x", "i"], {"axis": 1}, "y")
    assert builder.nodes["y"].shape == (4, 3)
    with pytest.raises(GraphError, match="inside `pick`"):
        builder.apply("pick", ["x", "i"], {"axis": 2})


def test_the_same_twice_is_one_and_travels_to_another_process() -> None:
    assert define("swish(x)", "x * sigmoid(x)") is SWISH
    there = pickle.loads(pickle.dumps(define("two(x)", "swish(x) * 2", within=(SWISH, PICK))))
    assert [inner.name for inner in there.within] == ["swish"]
    assert there.shape([(3,)], {}) == (3,)


def test_the_size_of_one_that_calls_another_twice_doubles() -> None:
    operation = SWISH
    for k in range(20):
        operation = define(f"f{k}(x)", f"{operation.name}(x) + {operation.name}(x)", within=(operation,))
    assert size_of(SWISH) == 2
    assert size_of(operation) == 2 * 2**20 + 2**20 - 1


def test_a_number_system_without_a_function_for_it_runs_its_text() -> None:
    builder = Builder((SWISH, PICK))
    builder.input("x", (4,))
    builder.input("i", (2,), "int")
    builder.apply("swish", ["x"], {}, "h")
    builder.apply("pick", ["h", "i"], {}, "y")
    graph = builder.graph(["y"])
    run = emit(graph, runnable(graph, arrays.namespace("float64")), ["y"])
    x = np.array([0.0, 1.0, -2.0, 3.0])
    np.testing.assert_allclose(run(x, np.array([3, 1]))[0], (x / (1 + np.exp(-x)))[[3, 1]])
    # One that the number system has is left to it.
    own = {**arrays.namespace("float64"), "swish": lambda x: x * 0 + 7}
    assert emit(graph, runnable(graph, own), ["y"])(x, np.array([0]))[0].tolist() == [7.0]


@pytest.mark.parametrize(
    "signature",
    ["f", "f(", "f()", "f(*xs)", "f(x=1)", "f(x, /, y)", "f(x: str)", "f(x, *, n: int)", "f(x, x)", "f(pi)",
     "f(x, *, n=a)", "f(x) -> str"],
)  # fmt: skip
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(GraphError):
        signature_of(signature)


def test_a_result_of_another_kind_than_it_says_is_refused() -> None:
    builder = Builder((define("f(x) -> bool", "x + 1"),))
    builder.input("x", ())
    with pytest.raises(GraphError, match="a result that is float"):
        builder.apply("f", ["x"], {})


def test_an_infinite_parameter_is_read_printed_and_run() -> None:
    builder = Builder()
    builder.input("x", (2,))
    Parser(builder).define("y", "pad(x, widths=[[1, 0]], value=-inf)")
    graph = builder.graph(["y"])
    assert text_of(graph) == {"y": "pad(x, widths=[[1, 0]], value=-inf)"}
    assert emit(graph, arrays.namespace("float64"), ["y"])(np.ones(2))[0].tolist() == [-np.inf, 1, 1]


# --- for authors of engines -------------------------------------------------------------------------------


def test_missing_tells_of_constant_where_a_number_stands_in_a_call() -> None:
    def lacking(text: str, **options: bool) -> list[str]:
        builder = Builder()
        builder.input("x", (3,))
        Parser(builder).define("y", text)
        everything = {name: name for name in OPERATIONS}
        return missing(builder.graph(["y"]), everything, **options)

    assert lacking("where(x > 0, x, 0)") == ["constant"]
    assert lacking("2 * x + 1") == []
    assert lacking("2 * x + 1", operators=False) == ["constant"]
    assert lacking("tanh(x)", operators=False) == []


def test_composites_run_on_primitives_where_an_engine_asks_for_that() -> None:
    builder = Builder()
    for name, shape in (("x", (2, 3)), ("w", (4, 3))):
        builder.input(name, shape)
    Parser(builder).define("y", "softmax(gelu(linear(x, w)), axis=1) + relu6(linear(x, w))")
    graph = builder.graph(["y"])
    primitives = arrays.namespace("float64")
    assert missing(graph, primitives) == ["linear", "gelu", "softmax", "relu6"]
    assert missing(written_out(graph, primitives), primitives) == []
    without = {name: function for name, function in primitives.items() if name != "exp"}
    assert missing(written_out(graph, without), without) == ["exp"]
    run = emit(graph, runnable(graph, arrays.namespace("float64"), composites=True), ["y"])
    x, w = np.array([[1.0, -2, 3], [0.5, 0, 1]]), np.arange(12.0).reshape(4, 3) / 7
    z = x @ w.T
    soft = np.exp(z * special.ndtr(z))
    expected = soft / soft.sum(1, keepdims=True) + np.clip(z, 0, 6)
    np.testing.assert_allclose(run(x, w)[0], expected, rtol=1e-12)
