"""PyTorch and JAX: every operation, held link by link against ball arithmetic; and what an adapter must handle.

No engine is another's witness. Values and derivatives are judged against `harness/truth`; the rest is
compared with closed forms.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Kind, Use
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Engine, Evaluation, Unsupported
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.rules.update import check

from ..examples import EXAMPLES
from ..subject import subject

MODULES = {"torch": "pytorch", "jax": "jax", "jax:jit": "jax"}
# JAX compiles every call of another shape: a third of the examples there, one for whole programs.
SHARE: Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "torch": lambda calls: calls,
    "jax": lambda calls: [*calls[:-1:3], calls[-1]],
    "jax:jit": lambda calls: calls[-1:],
}

# Of each family of operations what XLA may rewrite.
COMPILED = ["divide", "exp", "tanh", "softplus", "where", "mean", "matmul", "conv2d", "take", "mse_loss", "layer_norm"]

# Where a framework itself is off, and by what. An entry that no longer happens fails.
KNOWN = {
    ("torch", "digamma"): "its derivative, trigamma, is cut off after six terms: about 1e-9 in float64",
    ("torch", "polygamma"): "the same trigamma",
    ("torch", "hardsigmoid"): "its slope is 1/6 in float32",
    ("torch", "celu"): "alpha and its reciprocal are read in float32",
    ("torch", "gelu"): "x (1 + erf) / 2 cancels left of zero",
    ("jax", "scaled_dot_product_attention"): "its softmax is computed in float32",
    ("jax:jit", "scaled_dot_product_attention"): "the same",
    ("jax", "lgamma"): "absolute, not relative accuracy near the roots",
    ("jax:jit", "lgamma"): "the same",
    ("jax", "elu"): "its derivative is y + alpha, which cancels far left",
    ("jax:jit", "elu"): "its derivative is y + alpha, which cancels far left",
}


def module(engine: str) -> Any:
    pytest.importorskip(engine.removesuffix(":jit"))
    return importlib.import_module(f"gradaccord.engines.{MODULES[engine]}.engine")


def vocabulary(engine: str) -> Any:
    return importlib.import_module(module(engine).__package__ + ".operations")


def load(engine: str) -> Engine:
    return module(engine).jit if engine == "jax:jit" else module(engine).engine


engines = pytest.mark.parametrize("engine", MODULES)


def graph_of(
    inputs: Mapping[str, tuple[int, ...]],
    statements: Mapping[str, str],
    kinds: Mapping[str, Kind] | None = None,
    output: str = "",
) -> Graph:
    builder = Builder()
    for name, shape in inputs.items():
        builder.input(name, shape, (kinds or {}).get(name, "float"))
    parser = Parser(builder)
    for name, text in statements.items():
        parser.define(name, text)
    return builder.graph([output or list(statements)[-1]])


def run(engine: str, graph: Graph, inputs: Mapping[str, Any], cotangent: Any = 1.0) -> Evaluation:
    arrays = {name: np.asarray(x) for name, x in inputs.items()}
    return load(engine).prepare(graph, "float64")(arrays, np.asarray(cotangent, np.float64))


# --- the vocabulary --------------------------------------------------------------------------------------


@engines
def test_an_operation_has_a_row_or_a_reason_for_its_absence(engine: str) -> None:
    found = vocabulary(engine)
    have, absent = set(found.namespace("float64")) - {"constant"}, set(found.ABSENT)
    assert have | absent == set(OPERATIONS) and not have & absent
    assert all(found.ABSENT.values())


def findings(engine: str, example: Any, seed: int, dtype: str) -> list[str]:
    random = np.random.default_rng(seed)
    graph: Graph = example.graph
    drawn = {name: np.asarray(draw.at(random)) for name, draw in example.operands.items()}
    inputs = {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in drawn.items()}
    cotangent = np.asarray(random.uniform(0.5, 1.5, graph.output.shape) if graph.output.shape else 1, dtype)
    found = load(engine).prepare(graph, dtype)(inputs, cotangent)
    assert found.status == "ok", f"{example.text}: {found.reason}"
    subject = Subject(example.text, 0, dtype, graph, inputs, cotangent)
    rows = judge(subject, engine, found, None, 0.0)
    assert {row.quantity for row in rows} >= {"value"}
    return [f"{row.case} {row.quantity} {row.verdict}: {row.reason}" for row in rows if row.verdict in FINDINGS]


def compiled_whole(engine: str, op: str) -> Any:
    """XLA compiles each of JAX's operations, for a gradient several times: most of those wait for `tox -e whole`."""
    one_by_one = engine == "jax" and op in ("scaled_dot_product_attention", "conv2d")  # of as many examples
    quick = engine == "torch" or ((op in COMPILED or (engine, op) in KNOWN) and not one_by_one)
    return pytest.param(engine, op, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(
    "engine, op", [compiled_whole(engine, op) for engine in MODULES for op in EXAMPLES if op != "max_share"]
)
def test_every_link_of_an_operation_is_sound(engine: str, op: str) -> None:
    found: list[str] = []
    for seed, example in enumerate(SHARE[engine](EXAMPLES[op])):
        for dtype in ("float64", "float32") if engine == "torch" and op in COMPILED else ("float64",):
            if engine == "torch" and ("::-" in example.text or ":-1" in example.text):
                with pytest.raises(Unsupported, match="negative step"):
                    load(engine).prepare(example.graph, dtype)
            else:
                found += findings(engine, example, seed, dtype)
    if (engine, op) in KNOWN:
        assert found, f"no longer happens: {KNOWN[engine, op]}"
    else:
        assert not found


@pytest.mark.parametrize("op", [op for op in EXAMPLES if op not in (*COMPILED, "max_share")])
def test_jax_knows_every_operation_and_its_gradient(op: str) -> None:
    """By their shapes, which compiles nothing."""
    jax = pytest.importorskip("jax")
    from gradaccord.engines.jax.operations import checked_functions
    from gradaccord.engines.jax.precision import mode

    arrays = {"float": np.float64, "int": np.int64, "bool": np.bool_}
    for example in EXAMPLES[op]:
        graph: Graph = example.graph
        if op == "max_pool" and "dilation" in example.text:
            with pytest.raises(Unsupported, match="dilation"):
                checked_functions(graph, "float64")
            continue
        program = emit(graph, checked_functions(graph, "float64"), [graph.output.name])
        floats = [k for k, node in enumerate(graph.inputs) if node.kind == "float"]

        def both(*inputs: Any, program: Any = program, floats: list[int] = floats) -> Any:
            def output(*moved: Any) -> Any:
                given = list(inputs)
                for k, x in zip(floats, moved, strict=True):
                    given[k] = x
                return program(*given)[0]

            value, pull = jax.vjp(output, *(inputs[k] for k in floats))
            return value, pull(value)

        with mode():
            asked = [jax.ShapeDtypeStruct(node.shape, arrays[node.kind]) for node in graph.inputs]
            value, gradients = jax.eval_shape(both, *asked)
        assert (value.shape, value.dtype) == (graph.output.shape, np.float64), example.text
        assert [x.shape for x in gradients] == [graph.inputs[k].shape for k in floats], example.text


@engines
def test_a_wrong_function_would_be_found(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = vocabulary(engine).OPERATIONS
    right = table["sinh"]
    monkeypatch.setitem(table, "sinh", lambda x: right(x) * (1 + 1e-12))
    assert findings(engine, EXAMPLES["sinh"][1], 0, "float64")


# --- what an adapter must handle -------------------------------------------------------------------------


@engines
def test_the_essays_nested_nodes(engine: str) -> None:
    """Into-Backpropagation: a = 5, b = -3, c = -2 give f = -4 and the gradient (-2, -2, 2)."""
    graph = graph_of({"a": (), "b": (), "c": ()}, {"d": "a + b", "f": "d * c"})
    found = run(engine, graph, {"a": 5.0, "b": -3.0, "c": -2.0})
    assert found.values == {"a": 5, "b": -3, "c": -2, "d": 2, "f": -4}
    assert found.gradients == {"a": -2, "b": -2, "c": 2}
    assert found.terms == {Use("d", 0): -2, Use("d", 1): -2, Use("f", 0): -2, Use("f", 1): 2}
    assert found.adjoints == {"a": -2, "b": -2, "c": 2, "d": -2, "f": 1}


@engines
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_everything_shown_has_the_shape_of_its_node_and_the_dtype_of_the_run(engine: str, dtype: str) -> None:
    graph = graph_of(
        {"x": (2, 3), "i": (2,), "c": (3,)},
        {
            "t": "take(x, i, axis=1)",
            "w": "where(c, x, 0.1)",
            "m": "x > 0",
            "y": "sum(t) * w * pi + broadcast_to(2, shape=[3])",
        },
        {"i": "int", "c": "bool"},
    )
    inputs = {"x": np.ones((2, 3), dtype), "i": np.array([2, 0]), "c": np.array([True, False, True])}
    found = load(engine).prepare(graph, dtype)(inputs, np.ones((2, 3), dtype))
    assert found.status == "ok" and found.terms is not None and found.adjoints is not None
    kinds = {"float": np.dtype(dtype), "int": np.dtype(np.int64), "bool": np.dtype(bool)}
    assert set(found.values) == {node.name for node in graph.nodes}
    assert set(found.terms) == set(graph.uses) and set(found.adjoints) == graph.active
    shown = [(node.name, found.values[node.name]) for node in graph.nodes]
    shown += [("x", found.gradients["x"]), *found.adjoints.items()]
    shown += [(graph.argument(use), term) for use, term in found.terms.items()]
    for name, array in shown:
        assert isinstance(array, np.ndarray)
        assert (array.shape, array.dtype) == (graph[name].shape, kinds[graph[name].kind])


@engines
def test_terms_of_a_node_that_is_used_often_sum_to_its_adjoint(engine: str) -> None:
    """y = x * x * x + 3 x at x = 2: the terms of x are 4, 4, 4 (two uses in x * x, one after) and 3."""
    graph = graph_of({"x": ()}, {"s": "x * x", "c": "s * x", "y": "c + 3 * x"})
    found = run(engine, graph, {"x": 2.0})
    assert found.terms is not None and found.adjoints is not None
    assert [found.terms[use] for use in graph.uses_of["x"]] == [4, 4, 4, 3]
    assert found.adjoints["x"] == found.gradients["x"] == 15


@engines
def test_what_the_output_does_not_depend_on_has_zeros(engine: str) -> None:
    statements = {
        "held": "stop_gradient(x)",
        "step": "floor(x) * 2",
        "aside": "sin(z)",
        "y": "sum(held * x) + sum(step)",
    }
    graph = graph_of({"x": (2,), "z": (3,)}, statements, output="y")
    found = run(engine, graph, {"x": [1.5, 2.5], "z": [1.0, 2.0, 3.0]})
    assert found.adjoints is not None and found.terms is not None
    assert found.gradients["x"].tolist() == [1.5, 2.5] and found.gradients["z"].tolist() == [0, 0, 0]
    assert found.adjoints["z"].tolist() == found.terms[Use("aside", 0)].tolist() == [0, 0, 0]
    assert found.adjoints["aside"].tolist() == [0, 0, 0]


@engines
def test_an_output_that_others_read_has_the_cotangent_as_its_adjoint(engine: str) -> None:
    graph = graph_of({"x": (2,)}, {"y": "x * 3", "after": "exp(y)"}, output="y")
    found = run(engine, graph, {"x": [1.0, 2.0]}, cotangent=[5.0, 7.0])
    assert found.adjoints is not None and found.terms is not None
    assert found.adjoints["y"].tolist() == [5, 7] and found.gradients["x"].tolist() == [15, 21]
    assert found.terms[Use("after", 0)].tolist() == found.adjoints["after"].tolist() == [0, 0]


@engines
def test_empty_arrays(engine: str) -> None:
    graph = graph_of({"x": (0, 3)}, {"y": "sum(exp(x) * 2, axis=0)"})
    found = run(engine, graph, {"x": np.zeros((0, 3))}, cotangent=np.ones(3))
    assert found.values["y"].tolist() == [0, 0, 0] and found.gradients["x"].shape == (0, 3)


@engines
def test_layers_of_no_elements(engine: str) -> None:
    statements = {"s": "softmax(x)", "l": "log_softmax(x)", "t": "take(table, i, axis=0)", "y": "sum(s - l) + sum(t)"}
    graph = graph_of({"x": (2, 0), "table": (0, 3), "i": (0,)}, statements, {"i": "int"})
    found = run(engine, graph, {"x": np.zeros((2, 0)), "table": np.zeros((0, 3)), "i": np.zeros(0, int)})
    assert found.values["y"] == 0
    assert {name: array.shape for name, array in found.gradients.items()} == {"x": (2, 0), "table": (0, 3)}


@engines
def test_reducing_over_no_axes_is_no_reduction(engine: str) -> None:
    statements = {"a": "sum(x, axis=[])", "b": "max(x, axis=[], keepdims=True)", "c": "norm(x, axis=[])"}
    graph = graph_of({"x": (2,)}, {**statements, "d": "logsumexp(x, axis=[])", "y": "sum(a + 10 * b + 100 * c + d)"})
    found = run(engine, graph, {"x": [3.0, 4.0]})
    assert found.values["a"].tolist() == found.values["b"].tolist() == found.values["c"].tolist() == [3, 4]
    assert found.gradients["x"] == pytest.approx([112, 112], rel=1e-15)


@engines
def test_what_a_framework_raises_is_a_failure_with_the_first_line_of_its_words(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(x: Any) -> Any:
        raise ValueError("not at this point\nand more")

    monkeypatch.setitem(vocabulary(engine).OPERATIONS, "sin", refuses)
    found = run(engine, graph_of({"x": ()}, {"y": "sin(x)"}), {"x": 1.0})
    assert (found.status, found.reason) == ("failed", "ValueError: not at this point")


def test_an_index_out_of_range_is_an_error_in_torch_and_not_a_number_in_jax() -> None:
    """jnp.take fills with NaN, as its documentation says; its gradient drops what lies outside."""
    graph = graph_of({"x": (2,), "i": (2,)}, {"y": "take(x, i, axis=0)"}, {"i": "int"})
    inputs = {"x": [1.0, 2.0], "i": [-1, 5]}
    assert run("torch", graph, inputs, [1.0, 1.0]).reason.startswith("IndexError: ")
    found = run("jax", graph, inputs, [1.0, 1.0])
    assert found.values["y"] == pytest.approx([2, np.nan], nan_ok=True)
    assert found.gradients["x"].tolist() == [0, 1]


@engines
def test_what_the_adapter_lacks_is_unsupported_with_a_reason(engine: str) -> None:
    with pytest.raises(Unsupported, match="no counterpart"):
        load(engine).prepare(graph_of({"x": (2,)}, {"y": "max_share(x) * x"}), "float64")
    with pytest.raises(Unsupported, match="float8"):
        load(engine).prepare(graph_of({"x": (2,)}, {"y": "x * x"}), "float8")


def test_what_a_function_of_jax_s_does_not_take_is_unsupported() -> None:
    wide = graph_of(dict.fromkeys("qk", (2, 3)) | {"v": (2, 4)}, {"y": "scaled_dot_product_attention(q, k, v)"})
    apart = graph_of({"x": (1, 1, 5)}, {"y": "max_pool(x, kernel=2, dilation=2)"})
    for graph, reason in ((wide, "as wide as keys"), (apart, "dilation")):
        with pytest.raises(Unsupported, match=reason):
            load("jax").prepare(graph, "float64")
        load("torch").prepare(graph, "float64")


def test_the_weights_of_a_loss_have_no_gradient_in_torch() -> None:
    shapes = {"x": (2, 3), "t": (2,), "w": (3,)}
    graph = graph_of(shapes, {"y": "cross_entropy(x, t, w)"}, {"t": "int"})
    with pytest.raises(Unsupported, match="no derivative of cross_entropy in its `weight`; make it constant"):
        load("torch").prepare(graph, "float64")
    found = run("jax", graph, {"x": np.eye(2, 3), "t": [0, 1], "w": np.ones(3)})
    assert found.gradients["w"].shape == (3,)


@engines
def test_inputs_are_left_as_they_were(engine: str) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    x.flags.writeable = False
    found = run(engine, graph_of({"x": (2, 2)}, {"y": "sum(x * x)"}), {"x": x.T})
    assert found.gradients["x"].tolist() == [[2, 6], [4, 8]]


@pytest.mark.parametrize(
    "engine, many", [("torch", 2000), *(pytest.param("jax", many, marks=pytest.mark.slow) for many in (1100, 2000))]
)
def test_thousands_of_nodes_in_a_row_and_side_by_side(engine: str, many: int) -> None:
    chain = {f"n{k}": f"tanh({f'n{k - 1}' if k else 'x'})" for k in range(many)}
    fan = {f"m{k}": "x * 3" for k in range(many // 2)} | {"s0": "m0 + n9"}
    fan |= {f"s{k}": f"s{k - 1} + m{k}" for k in range(1, many // 2)}
    start = time.perf_counter()
    found = run(engine, graph_of({"x": ()}, {**chain, **fan}), {"x": 0.0})
    assert found.gradients["x"] == 3 * (many // 2) + 1  # tanh has slope 1 at 0
    assert time.perf_counter() - start < 60, "some step is quadratic"


def test_in_torch_showing_terms_changes_no_bit() -> None:
    """Not even where one consumer reads a node many times, for terms are added in the same order."""
    graph = graph_of(
        {"x": (3,)}, {"s": f"concat([{', '.join('x' * 9)}])", "p": "s ** 3", "y": "sum(p) + sum(sin(x) / x)"}
    )
    random = np.random.default_rng(1)
    for _ in range(20):
        found = run("torch", graph, {"x": random.normal(size=3)})
        assert found.adjoints is not None and found.adjoints["x"].tolist() == found.gradients["x"].tolist()


def test_jax_leaves_the_precision_of_other_code_alone() -> None:
    jnp = pytest.importorskip("jax.numpy")
    found = run("jax", graph_of({"x": ()}, {"y": "x / 3"}), {"x": 1.0})
    assert found.values["y"] == 1 / 3
    assert jnp.asarray(1.0).dtype == np.float32


# --- the native optimisers ---------------------------------------------------------------------------------

GRADIENT = np.array([3.0, -2.0])
START = np.array([1.0, 2.0])


def two_steps(engine: str, rule: str, **settings: float) -> tuple[Any, Any]:
    step = load(engine).optimiser
    assert step is not None
    take = step(rule, settings, {"a": START})
    return take({"a": GRADIENT}), take({"a": GRADIENT})


optimising = pytest.mark.parametrize("engine", ["torch", "jax"])


@optimising
@pytest.mark.parametrize("rule, sign", [("ascent", 1), ("descent", -1)])
def test_steps_along_the_gradient(engine: str, rule: str, sign: int) -> None:
    first, second = two_steps(engine, rule, step_size=0.25)
    assert first.parameters["a"].tolist() == (START + sign * 0.25 * GRADIENT).tolist()
    assert second.parameters["a"].tolist() == (START + sign * 0.5 * GRADIENT).tolist()
    assert first.state == {}


@optimising
def test_momentum_adds_half_of_the_last_step(engine: str) -> None:
    first, second = two_steps(engine, "momentum", step_size=0.25, momentum=0.5)
    assert first.state["v"]["a"].tolist() == GRADIENT.tolist()
    assert second.state["v"]["a"].tolist() == (1.5 * GRADIENT).tolist()
    assert second.parameters["a"].tolist() == (START - 0.25 * 2.5 * GRADIENT).tolist()


@optimising
def test_adam_moves_by_its_step_size_while_the_gradient_stays(engine: str) -> None:
    """Kingma & Ba (2015), algorithm 1: with a constant gradient, corrected moments are g and g^2."""
    first, second = two_steps(engine, "adam", step_size=0.1, beta1=0.9, beta2=0.999, eps=1e-8)
    assert first.parameters["a"] == pytest.approx(START - 0.1 * np.sign(GRADIENT), rel=1e-8)
    assert second.parameters["a"] == pytest.approx(START - 0.2 * np.sign(GRADIENT), rel=1e-8)
    assert first.state["m"]["a"] == pytest.approx(0.1 * GRADIENT, rel=1e-14)
    assert second.state["m"]["a"] == pytest.approx(0.19 * GRADIENT, rel=1e-14)
    assert second.state["v"]["a"] == pytest.approx(0.001999 * GRADIENT**2, rel=1e-12)


@optimising
def test_what_leaves_an_optimiser_does_not_move_with_it(engine: str) -> None:
    first, _ = two_steps(engine, "descent", step_size=0.25)
    assert first.parameters["a"].tolist() == [0.25, 2.5]


@optimising
def test_an_unknown_rule_is_unsupported(engine: str) -> None:
    optimiser = load(engine).optimiser
    assert optimiser is not None
    lacking = {"torch": "lion", "jax": "asgd"}[engine]
    with pytest.raises(Unsupported, match=lacking):
        optimiser(lacking, check(lacking, {"step_size": 0.1, "steps": 1}).numbers, {"a": START})


def test_compiled_jax_shows_the_numbers_that_it_used() -> None:
    """XLA computes a slice of log_softmax anew, with other bits than the whole: without a barrier the slice is off."""
    about = subject(
        {"p": "log_softmax(layer_norm(x))", "loss": "-sum(p[:, 0])"},
        "float32",
        x=np.random.default_rng(13).normal(size=(4, 6)),
    )
    evaluation = load("jax:jit").prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert np.array_equal(evaluation.values["p"][:, 0], evaluation.values["loss.1"])
    assert not [row for row in judge(about, "jax:jit", evaluation) if row.finding]
