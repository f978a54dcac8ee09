"""Functions of JAX are heard: with the bits of the plain run, sound links, the user's names and lines, and rules."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.linalg import solve_triangular
from jax.scipy.sparse.linalg import cg
from jax.scipy.special import xlogy

import gradaccord
from gradaccord.engines.jax.listener import listener
from gradaccord.harness.graph.define import define
from gradaccord.harness.hearing.heard import Ask, Defined, Heard, Refused
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.verdicts import FINDINGS

from .jax_rules import cube

X = np.random.default_rng(0).normal(size=(3, 4))
V = np.abs(X[0])
K = np.random.default_rng(1).normal(size=(2, 3, 4))
Function = Callable[..., Any]


def hear(function: Function, *args: Any, ask: Ask = Ask(), **kwargs: Any) -> Heard:  # noqa: B008
    return listener.hear(function, args, kwargs, ask)


def findings(heard: Heard) -> list[tuple[Any, str]]:
    """The links that are off: their names and verdicts."""
    subject = Subject("heard", 0, heard.dtype, heard.graph, heard.inputs, heard.cotangent)
    chain = Chain(subject, heard.evaluation)
    chain.judge()
    assert len(chain.links) >= len(heard.graph.operations)
    return [(name, link.verdict) for name, link in chain.links.items() if link.verdict in FINDINGS]


def attend(p, x):
    q, k, v = jnp.split(x @ p["qkv"], 3, -1)
    a = jnp.where(jnp.tril(jnp.ones((3, 3), bool)), q @ k.T / 2, -jnp.inf)
    return jax.nn.softmax(a, axis=-1) @ v


def window(x, how, start):
    return lax.reduce_window(x, start, how, (2, 2), (1, 2), "SAME")


def grouped(x, k):
    return lax.conv_general_dilated(x, k, (1,), "SAME", feature_group_count=2)


FUNCTIONS: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "mlp": (lambda w, x: jax.nn.gelu(x @ w["a"]).var(axis=1) / 0.07, ({"a": X.T @ X}, X)),
    "attention": (attend, ({"qkv": np.tile(X.T, (1, 2))}, X)),
    "activations": (lambda x: jax.nn.silu(x) + jax.nn.elu(x, 2.0) + jax.nn.leaky_relu(x) + jax.nn.mish(x), (X,)),
    "indices": (lambda x, i: x[i] * x.at[0].set(x[1] * 2)[i, ::-1], (X, np.array([0, 2, 2]))),
    "index map": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1) + jnp.roll(x, 1, 0), (X,)),
    "filled": (lambda x: x.at[jnp.array([0, 7])].get(mode="fill", fill_value=0.5), (X,)),
    "added": (lambda x: x.at[jnp.array([0, 0])].add(x[1]) + lax.dynamic_update_slice(x, x[:1, :2] * 2, (1, 1)), (X,)),
    "most": (lambda x: jax.ops.segment_max(x, jnp.array([0, 0, 1]), 2), (X,)),
    "sorted": (lambda x: jnp.sort(x) * jnp.arange(4.0) + lax.top_k(x, 4)[0], (X,)),
    "running": (lambda x: jnp.cumsum(x, 1) + jnp.cumprod(x, 1) + lax.cumlogsumexp(x, 1, reverse=True), (X,)),
    "windows": (lambda x: window(x, lax.add, 0.0) + window(x, lax.max, -jnp.inf), (X,)),
    "padded": (lambda x: lax.pad(x, 0.0, ((1, -1, 1), (-1, 2, 0))), (X,)),
    "convolution": (lambda x, k: lax.conv_transpose(x, k, (2,), "SAME"), (np.tile(X, (2, 1, 1))[..., :3], K)),
    "contraction": (lambda x: jnp.einsum("ij,kj,kl->il", x, x, x), (X,)),
    "remainder": (lambda x: jnp.mod(x, 0.7) + x - jnp.floor(x), (X,)),
    "derivative inside": (lambda x: jax.grad(lambda z: (z**3).sum())(x).sum() + jnp.tanh(x).sum(), (X,)),
    "vmap": (lambda w, t: jax.vmap(jax.grad(lambda q: jnp.tanh(w * q).sum()))(t).sum(), (V, V)),
    "remat": (jax.checkpoint(lambda x: jnp.tanh(x @ x.T).sum()), (X,)),
    "random": (lambda x, key: x * jax.random.bernoulli(key, 0.5, x.shape), (X, jax.random.key(0))),
    "branch": (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), (X,)),
    "donated": (jax.jit(lambda x: 2 * x, donate_argnums=0), (X,)),
    "static": (jax.jit(lambda x, n: x**n, static_argnums=1), (X, 3)),
    "stacked": (lambda x: jnp.stack([x, x * 2, jnp.sin(x)], 1), (X,)),
    "columns first": (lambda x: jnp.reshape(x, (2, 6), order="F"), (X,)),
    "two keys": (lambda x: x[0][jnp.lexsort((x[1], jnp.round(x[0])))] + lax.sort((x, -x), num_keys=2)[1], (X,)),
    "reduced by a function": (lambda x: lax.reduce(x, 1.0, lambda a, b: a * b, (1,)), (X,)),
    "axis of a vmap": (jax.vmap(lambda r: r - lax.pmean(r, "i"), axis_name="i"), (X,)),
    "vmap of a branch": (jax.vmap(lambda r: lax.cond(r[0] > 0, jnp.sin, jnp.cos, r)), (X,)),
    "pool inside": (
        jax.grad(lambda x: (lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 2), "SAME") ** 2).sum()),
        (X,),
    ),
    "rows in groups": (lambda x, w: lax.ragged_dot(x, w, jnp.array([1, 2])), (X, np.tile(X.T, (2, 1, 1)))),
    "three dimensions": (
        lambda x, k: lax.conv_general_dilated(x, k, (1, 2, 1), "SAME", rhs_dilation=(2, 1, 1)),
        (np.resize(X, (1, 2, 4, 3, 3)), np.resize(K, (3, 2, 2, 3, 2))),
    ),
    "kernel of groups": (
        jax.grad(lambda k, x: (grouped(x, k) ** 2).sum()),
        (np.resize(K, (4, 1, 3)), np.resize(X, (2, 2, 4))),
    ),
    "padding that takes away": (
        lambda x, k: lax.conv_general_dilated(x, k, (1,), [(-1, 2)]),
        (np.tile(X, (2, 1, 1)), K[..., :2]),
    ),
    "inverse of erf": (lambda x: jax.scipy.special.erfinv(jnp.tanh(x)), (X,)),
    "cholesky": (lambda a: jnp.linalg.cholesky(a @ a.T + jnp.eye(3)), (X,)),
    "triangular": (lambda a, b: solve_triangular(a, b, trans=1) + solve_triangular(a, b, lower=True), (X.T @ X, V)),
    "inverse": (lambda a: jnp.linalg.inv(a @ a.T + jnp.eye(3)), (X,)),
    "solution": (jnp.linalg.solve, (X[:, :3], V[:3])),
    "determinant": (lambda a: jnp.linalg.det(a) + jnp.linalg.slogdet(a)[1], (X.T @ X + np.eye(4),)),
    "conjugate gradients": (lambda a, b: cg(lambda v: a @ (a.T @ v) + v, b)[0], (X, V[:3])),
    "empty part": (lambda x, y: jnp.concatenate([x, y]), (V, np.zeros(0))),
}


LONG = ("kernel of groups", "determinant", "two keys", "three dimensions")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in FUNCTIONS])
def test_a_function_is_heard_with_the_bits_of_its_plain_run_and_sound_links(name: str) -> None:
    function, inputs = FUNCTIONS[name]
    heard = hear(function, *inputs)
    evaluation = heard.evaluation
    assert evaluation.output is not None and evaluation.adjoints is not None
    np.testing.assert_array_equal(evaluation.values[heard.graph.output.name], evaluation.output)
    assert evaluation.gradients
    for node, gradient in evaluation.gradients.items():
        np.testing.assert_array_equal(evaluation.adjoints[node], gradient)
    assert findings(heard) == []


def test_loops_follow_the_run_step_by_step() -> None:
    def loops(x):
        y = lax.scan(lambda c, row: (jnp.tanh(c + row), c * row), x[0], x)[1]
        return lax.fori_loop(0, 3, lambda i, z: jnp.sin(z) * x, y)

    heard = hear(loops, X)
    assert [node.op for node in heard.graph.operations].count("sin") == 3
    assert findings(heard) == []
    with pytest.raises(Refused, match=r"`scan` of 3 turns.*At most 2 are heard"):
        hear(loops, X, ask=Ask(longest=2))


def test_float32_stays_float32_and_a_python_float_is_an_input() -> None:
    heard = hear(lambda x, c: jnp.tanh(x) * c, X.astype(np.float32), 0.3)
    assert heard.dtype == "float32" and not any(node.dtype for node in heard.graph.nodes)
    assert set(heard.names.values()) == {"x", "c"} and findings(heard) == []
    assert hear(lambda x: x * x, X, ask=Ask(dtype="float32")).dtype == "float32"


def test_a_product_in_the_digits_of_its_own_factors_is_heard_and_one_in_fewer_refused() -> None:
    q = jnp.asarray(np.random.default_rng(3).normal(size=(2, 4, 2, 8)), jnp.bfloat16)
    gradaccord.check(lambda q: jax.nn.dot_product_attention(q, q, q).sum(), q).assert_sound()
    with pytest.raises(Refused, match="precision=BF16_BF16_F32"):
        gradaccord.check(lambda x: jnp.dot(x, x, precision="BF16_BF16_F32"), jnp.ones((16, 16), jnp.float32))


def test_every_node_has_a_precision_of_its_own() -> None:
    heard = hear(lambda x: (x.astype(jnp.bfloat16) * 2).astype(x.dtype).sum(), X)
    assert {node.dtype for node in heard.graph.nodes} == {"", "bfloat16"}


def test_inputs_have_the_names_of_the_user_and_nodes_his_lines() -> None:
    def loss(params, *rest, scale):
        return jnp.exp(params["w"][0] * rest[0]).sum() * scale["s"]

    heard = hear(loss, {"w": [X]}, X, scale={"s": np.float64(2)})
    assert set(heard.names.values()) == {"params['w'][0]", "rest[0]", "scale['s']"}
    (node,) = (node for node in heard.graph.operations if node.op == "exp")
    place, line = heard.places[node.name], loss.__code__.co_firstlineno + 1
    assert (place.file, place.line) == (__file__, line)
    assert place.function.endswith("loss") and place.call.endswith(".exp")


def test_several_outputs_are_joined_in_the_order_in_which_they_are_returned() -> None:
    def several(x):
        return {"a": x.sum(), "b": (x * 2, jnp.argmax(x))}

    heard = hear(several, X, ask=Ask(cotangent={"a": 3.0, "b": X}))
    np.testing.assert_array_equal(heard.cotangent, [3, *X.ravel()])
    (gradient,) = heard.evaluation.gradients.values()
    np.testing.assert_array_equal(gradient, 3 + 2 * X)
    assert findings(heard) == []
    with pytest.raises(Refused, match=r"a cotangent of shapes \(\), \(\), for outputs of shapes \(\), \(3, 4\)"):
        hear(several, X, ask=Ask(cotangent={"a": 3.0, "b": 1.0}))


def test_each_float_output_has_a_node_of_its_own() -> None:
    def several(x):
        return {"a": x, "b": (x.sum(), jnp.argmax(x)), "c": [np.ones(2), 0.5, lax.stop_gradient(x) * 2]}

    heard = hear(several, X)
    shown = [heard.evaluation.values[node] for node in heard.outputs]
    expected = [X, X.sum(), np.ones(2), np.asarray(0.5), X * 2]
    assert [array.shape for array in shown] == [(3, 4), (), (2,), (), (3, 4)]
    assert all(np.allclose(a, b, rtol=1e-15, atol=0) for a, b in zip(shown, expected, strict=True))
    assert set(heard.outputs) <= set(heard.graph.by_name) and findings(heard) == []
    alone = hear(jnp.exp, X)
    assert alone.outputs == (alone.graph.output.name,)


def test_wanted_names_what_has_a_gradient() -> None:
    heard = hear(lambda p, x: p["a"] * x + p["b"], {"a": X, "b": X}, X, ask=Ask(wanted=("p",)))
    assert {heard.names[name] for name in heard.evaluation.gradients} == {"p['a']", "p['b']"}
    with pytest.raises(Refused, match=r"no input `y`.*p, x"):
        hear(lambda p, x: p * x, X, X, ask=Ask(wanted=("y",)))


def test_a_compiled_function_runs_plain_as_it_is() -> None:
    heard = hear(jax.jit(lambda x: jnp.exp(x) / (1 + jnp.exp(x))), X)
    assert heard.plain == "jit" and len(heard.graph.operations) == 4
    assert heard.seconds.keys() == {"plain", "heard", "compiled"}


# --- meanings of somebody else --------------------------------------------------------------------------------


def test_a_function_with_a_meaning_of_its_own_is_one_node() -> None:
    def loss(x):
        return (jax.scipy.special.xlogy(x, 2 * x) + xlogy(x, x)).sum()

    def ask(text: str) -> Ask:
        return Ask(defined=(Defined(define("entropy(x, y)", text), {"jax": xlogy}),))

    heard = hear(loss, V, ask=ask("x * log(y)"))
    assert [node.op for node in heard.graph.operations].count("entropy") == 2
    assert {Path(heard.places[n.name].file).name for n in heard.graph.operations} == {Path(__file__).name}
    assert findings(heard) == []
    assert findings(hear(loss, V, ask=ask("x * log(y) / 2")))
    assert jax.scipy.special.xlogy is xlogy


# --- what Python asks of an array --------------------------------------------------------------------------------


def halved(x):
    while jnp.abs(x).max() > 0.1:
        x = jnp.sin(x) / 2
    return x


def by_derivative(x):
    return x * jax.grad(lambda z: (z**3).sum() if z[0, 0] > 0 else z.sum())(x)


ASKING: dict[str, tuple[Function, tuple[Any, ...], str]] = {
    "if": (lambda x: x * 2 if x.sum() > 0 else x**2, (X,), "a choice in Python"),
    "while": (halved, (X,), "a choice in Python"),
    "mask": (lambda x: x[x > 0] ** 2, (X,), "a choice in Python"),
    "NumPy of a mask": (lambda x: x * np.asarray(x > 0), (X,), "a choice in Python"),
    "max": (lambda x: max(x[0]) * min(x[1]), (X,), "a choice in Python"),
    "if in a derivative": (by_derivative, (X,), "a choice in Python"),
    "int": (lambda x: x.ravel()[int(jnp.argmax(x))] ** 2, (X,), "an integer that Python reads"),
    "where": (lambda x: x[jnp.where(x > 0)] ** 2, (X,), "an integer that Python reads"),
    "list": (lambda x: sum(x[0, k] for k, yes in enumerate((x[0] > 0).tolist()) if yes), (X,), "a choice in Python"),
    "count of turns": (lambda x: lax.fori_loop(0, int((x > 0).sum()), lambda i, z: jnp.sin(z), x), (X,), "an integer"),
    "item": (lambda x: x * x.max().item(), (X,), "no gradient flows"),
    "of no input": (lambda x, n: sum(x[k] for k in range(int(n.max()))), (X, np.array([1, 2])), ""),
}


@pytest.mark.parametrize("name", ASKING)
def test_what_python_asks_of_an_array_is_answered_by_the_run(name: str) -> None:
    function, inputs, said = ASKING[name]
    heard = hear(function, *inputs)
    ((node, gradient),) = heard.evaluation.gradients.items()
    assert heard.evaluation.adjoints is not None
    np.testing.assert_array_equal(heard.evaluation.adjoints[node], gradient)
    assert findings(heard) == []
    notes = [note for note in heard.notes if "Python" in note]
    assert bool(notes) == bool(said) and all(said in note and "test_jax_listener.py:" in note for note in notes)


# --- what cannot be heard ----------------------------------------------------------------------------------------


def callback(x):
    @jax.custom_jvp
    def called(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    called.defjvp(lambda xs, ts: (called(*xs), jnp.cos(xs[0]) * ts[0]))
    return called(x)


class Counter:
    calls = 0


def counting(x):
    Counter.calls += 1
    return x * Counter.calls


SQUARE = X[:, :3]
REFUSED: dict[str, tuple[Function, tuple[Any, ...], str]] = {
    "cholesky of many rows": (jnp.linalg.cholesky, (np.eye(129),), "`cholesky` of 129 rows.*jnp.linalg.cholesky"),
    "lu of a batch": (jnp.linalg.inv, (np.stack([SQUARE, SQUARE]),), "`lu` of a batch.*gradaccord.define"),
    "eig": (lambda a: jnp.linalg.eigvals(a).real, (SQUARE,), "`eig` gives complex numbers.*gradaccord.define"),
    "fft": (lambda x: jnp.abs(jnp.fft.fft(x)), (V,), "complex.*jnp.fft.fft"),
    "gammainc": (lambda x: jax.scipy.special.gammainc(2.0, x), (V,), "`igamma`.*gammainc"),
    "random gamma": (lambda x: jax.random.gamma(jax.random.key(0), x), (V,), "`random_gamma`.*gradaccord.define"),
    "callback": (callback, (X,), "`pure_callback`.*hand what it gives"),
    "pmap": (lambda x: jax.pmap(lambda a: a * 2)(x[:1]), (X,), "`shard_map`.*one device"),
    "out of bounds": (lambda x: x.at[jnp.array([0, 7])].get(mode="fill"), (X,), "out of bounds.*NaN"),
    "two at one place": (lambda x: x.at[jnp.array([0, 0])].set(x[:2]), (X,), "two numbers at one place"),
    "float of an input": (lambda x: x * float(x[0, 0]), (X,), "does not differentiate.*test_jax_listener.py:.*jnp"),
    "NumPy on an input": (lambda x: np.sin(x).sum(), (X,), "TracerArrayConversionError.*test_jax_listener.py:"),
    "if in a vmap": (jax.vmap(lambda r: r if r[0] > 0 else -r), (X,), "Bool.*py:.*lax.cond"),
    "complex input": (lambda x: x.real, (X + 0j,), "`x` is complex"),
    "integer output": (jnp.argmax, (X,), "returns int64"),
    "no output": (lambda x: None, (X,), "returns nothing"),
    "integer input": (lambda x: x * 2, (np.arange(3),), "no float among the inputs"),
    "independent": (lambda x: jnp.ones(3), (X,), "depends on none of `x`"),
    "empty": (lambda x: x * 2, (np.zeros((0, 3)),), "its output is empty"),
    "changing": (counting, (X,), "different answers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_heard_is_refused_by_name_with_a_way_out(name: str) -> None:
    function, inputs, said = REFUSED[name]
    with pytest.raises(Refused, match=f"(?s){said}"):
        hear(function, *inputs)


def test_an_exception_of_the_user_is_his_own() -> None:
    def broken(x):
        return cube(x).missing

    with pytest.raises(AttributeError, match="missing") as caught:
        hear(broken, X)
    assert any(entry.name == "broken" for entry in caught.traceback)


def test_what_the_function_writes_into_its_inputs_is_not_seen() -> None:
    table = np.arange(4)

    def writes(x, table):
        table += 1
        return x[0] * table

    assert findings(hear(writes, X, table)) == []
    np.testing.assert_array_equal(table, np.arange(4))
