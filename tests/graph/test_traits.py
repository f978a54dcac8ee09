"""A witness for every trait of every operation: what goes wrong when it is taken away, or is claimed without being so.

Each witness holds with the row as it stands, and fails with a row that lacks the trait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import numpy as np
import pytest
from flint import arb

from gradaccord.engines.finite_difference import engine as finite_difference
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.graph.operations.operation import Operation
from gradaccord.harness.judging import chain
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import DTYPES, Evaluation
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.truth import links, precision
from gradaccord.harness.truth.numbers import balls
from gradaccord.harness.truth.products import _on_floats
from gradaccord.harness.truth.reference import reference
from gradaccord.harness.truth.residuals import Numerals
from gradaccord.harness.truth.rounding import middle, radii, rounded

from ..examples import EXAMPLES, Example
from ..subject import evaluated, subject

NONE: Mapping[str, Any] = {field.name: field.default for field in fields(Operation) if field.default is not MISSING}
TRAITS = (
    "linear", "sums", "joints", "products", "selects", "moves", "analytic", "shares", "bias_axis", "log_of_sum",
    "reads_log",
)  # fmt: skip
Witness = Callable[[str], bool]


def at_random(call: Example, dtype: str = "float64") -> Subject:
    random = np.random.default_rng(5)
    graph = call.graph
    cotangent = random.integers(1, 9, graph.output.shape).astype(dtype)
    inputs = {
        name: np.asarray(draw.at(random), dtype if draw.kind == "float" else None)
        for name, draw in call.operands.items()
    }
    return Subject("case", 0, dtype, graph, inputs, np.asarray(cotangent))


# --- linear: the middle of a term's ball is the exact term, so no second program is run for it --------------

LINEAR = [
    "add",
    "subtract",
    "multiply",
    "negative",
    "square",
    "copy",
    "sum",
    "cumsum",
    "matmul",
    "einsum",
    "correlate2d",
    "correlate2d_input",
    "correlate2d_weight",
    "permute_dims",
    "matrix_transpose",
    "reshape",
    "broadcast_to",
    "expand_dims",
    "squeeze",
    "concat",
    "stack",
    "flip",
    "roll",
    "pad",
    "getitem",
    "place",
    "take",
    "scatter_add",
    "take_along_axis",
    "scatter_add_along_axis",
]


def linear(op: str) -> bool:
    about = at_random(EXAMPLES[op][0])
    evaluation = evaluated(about)
    assert evaluation.terms is not None and evaluation.adjoints is not None
    node = next(node for node in about.graph.operations if node.op == op)
    step, form, graph = links.step_of(about.graph, node), FORMATS["float64"], about.graph
    operands = [Numerals(evaluation.values[arg], form) for arg in node.args if isinstance(arg, str)]
    y, g = Numerals(evaluation.values[node.name], form), Numerals(evaluation.adjoints[node.name], form)
    own = [Numerals(evaluation.terms[use], form) for use in graph.uses_in[node.name]]
    with precision.working():
        found = step.terms(operands, y, g, own, form)
        once = step.term_program.cache_info().currsize == 1
        exact = step.term_program(None)(*(x.exact for x in operands), g.exact)
        enclosed = step.enclosures(operands, y, g, form)
    same = [middle(ball - number) for ball, number in zip(enclosed, exact, strict=True)]
    tight = all(abs(x) <= 1e-20 for part in same for x in np.ravel(np.asarray(part, dtype=object)))
    return once and tight and all(np.all(residual.score <= 1) for residual in found)


# --- sums: an engine that adds a long sum from left to right is sound ---------------------------------------

N, LAST = 64, 2.0**-24  # 1 + 2^-24 is 1 in float32, however often it is added
ONES, MOSTLY_LOST = np.ones(N, np.float32), np.array([1.0, *[LAST] * (N - 1)], np.float32)
SUMS: Mapping[str, tuple[str, Mapping[str, Any], Any]] = {
    "sum": ("sum(x)", {"x": MOSTLY_LOST}, 1.0),
    "cumsum": ("cumsum(x, axis=0)", {"x": MOSTLY_LOST}, ONES),
    "matmul": ("x @ w", {"x": MOSTLY_LOST, "w": ONES}, 1.0),
    "einsum": ("einsum('i->', x)", {"x": MOSTLY_LOST}, 1.0),
    "correlate2d": (
        "correlate2d(x, w)",
        {"x": MOSTLY_LOST.reshape(1, 1, 8, 8), "w": ONES.reshape(1, 1, 8, 8)},
        np.ones((1, 1, 1, 1)),
    ),
    "correlate2d_input": (
        "correlate2d_input(x, w, shape=[1, 1, 1, 1])",
        {"x": MOSTLY_LOST.reshape(1, N, 1, 1), "w": ONES.reshape(N, 1, 1, 1)},
        np.ones((1, 1, 1, 1)),
    ),
    "correlate2d_weight": (
        "correlate2d_weight(x, w, shape=[1, 1, 1, 1])",
        {"x": MOSTLY_LOST.reshape(N, 1, 1, 1), "w": ONES.reshape(N, 1, 1, 1)},
        np.ones((1, 1, 1, 1)),
    ),
    "scatter_add": (
        "scatter_add(x, i, axis=0, size=1)",
        {"x": MOSTLY_LOST, "i": np.zeros(N, np.int64)},
        np.ones(1),
    ),
    "scatter_add_along_axis": (
        "scatter_add_along_axis(x, i, axis=0, size=1)",
        {"x": MOSTLY_LOST, "i": np.zeros(N, np.int64)},
        np.ones(1),
    ),
}  # fmt: skip


def value_is_sound(text: str, inputs: Mapping[str, Any], value: Any, dtype: str = "float32") -> bool:
    """Whether the judge has nothing to say of an engine whose only step gives this value."""
    about = subject({"out": text}, dtype, **inputs)
    evaluation = evaluated(about)
    shown = np.asarray(value, DTYPES[dtype]).reshape(about.graph.output.shape)
    evaluation = replace(evaluation, values={**evaluation.values, "out": shown})
    (row,) = [row for row in judge(about, "engine", evaluation) if row.quantity == "value" and row.name == "out"]
    return row.verdict == "agree"


def sums(op: str) -> bool:
    return value_is_sound(*SUMS[op])


# --- joints: a half precision rounds between the operations that an engine makes it of ------------------------

JOINTS: Mapping[str, tuple[str, Mapping[str, Any], float]] = {
    "einsum": ("einsum('i,i,i,i->', a, b, c, d)", dict.fromkeys("abcd", np.full(1, 1.3125)), 6.2),
    "cumsum": ("cumsum(x, axis=0)", {"x": np.ones(65)}, 4.0),
}


def joints(op: str) -> bool:
    """Further off in bfloat16, by units, than what one rounding of all that enters and of the result could do."""
    text, inputs, units = JOINTS[op]
    about = subject({"out": text}, "bfloat16", **inputs)
    exact = evaluated(subject({"out": text}, "float64", **inputs)).values["out"]
    assert all(np.array_equal(about.inputs[name], x) for name, x in inputs.items())
    return value_is_sound(text, inputs, exact * (1 + units * FORMATS["bfloat16"].unit), "bfloat16")


# --- bias: an engine may begin its sum with the bias --------------------------------------------------------

BIASES: Mapping[str, tuple[str, Mapping[str, Any], Any]] = {
    "linear": ("linear(x, w, b)", {"x": ONES, "w": np.full((2, N), LAST), "b": [1.0, 64.0]}, [1.0, 64.0]),
    "conv2d": (
        "conv2d(x, w, b)",
        {"x": np.ones((1, 1, 8, 9)), "w": np.full((3, 1, 8, 8), LAST), "b": [1.0, 64.0, 4096.0]},
        np.array([1.0, 64.0, 4096.0]).reshape(3, 1, 1) * np.ones((1, 3, 1, 2)),
    ),
    "conv1d": (
        "conv1d(x, w, b)",
        {"x": np.ones((1, 1, 65)), "w": np.full((3, 1, 64), LAST), "b": [1.0, 64.0, 4096.0]},
        np.array([1.0, 64.0, 4096.0]).reshape(3, 1) * np.ones((1, 3, 2)),
    ),
}


def bias_axis(op: str) -> bool:
    text, inputs, value = BIASES[op]
    return value_is_sound(text, {name: np.asarray(x, np.float32) for name, x in inputs.items()}, value)


# --- products: factors of fewer digits are recognised -------------------------------------------------------

FACTORS: Mapping[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "matmul": ("a @ b", (3, 4), (4, 2)),
    "vecdot": ("vecdot(a, b)", (2, 5), (2, 5)),
    "einsum": ("einsum('ij,jk->ik', a, b)", (3, 4), (4, 2)),
    "linear": ("linear(a, b)", (3, 4), (2, 4)),
    "conv2d": ("conv2d(a, b)", (1, 2, 4, 4), (2, 2, 2, 2)),
    "conv1d": ("conv1d(a, b)", (1, 2, 4), (2, 2, 2)),
    "conv_transpose": ("conv_transpose(a, b)", (1, 2, 4, 4), (2, 2, 2, 2)),
    "correlate2d": ("correlate2d(a, b)", (1, 2, 4, 4), (2, 2, 2, 2)),
    "correlate2d_input": ("correlate2d_input(a, b, shape=[1, 2, 4, 4])", (1, 2, 3, 3), (2, 2, 2, 2)),
    "correlate2d_weight": ("correlate2d_weight(a, b, shape=[2, 2, 2, 2])", (1, 2, 3, 3), (1, 2, 4, 4)),
}


def products(op: str) -> bool:
    text, left, right = FACTORS[op]
    random = np.random.default_rng(3)
    a, b = (random.normal(size=shape).astype(np.float32) for shape in (left, right))
    about = subject({"out": text}, "float32", a=a, b=b)
    coarse = subject({"out": text}, "float32", a=in_bfloat16(a), b=in_bfloat16(b))
    evaluation, value = evaluated(about), evaluated(coarse).values["out"]
    evaluation = replace(evaluation, values={**evaluation.values, "out": value})
    (row,) = [row for row in judge(about, "engine", evaluation) if row.quantity == "value" and row.name == "out"]
    return row.verdict == "imprecise" and "bfloat16 products" in row.reason


def in_bfloat16(x: Any) -> Any:
    from ml_dtypes import bfloat16

    return x.astype(bfloat16).astype(np.float32)


# --- selects: what an operation chooses by is read as it is -------------------------------------------------

WIDE, NEXT = arb(0.3, 0.25), arb(0.25, 0.25)
SELECTED: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), (WIDE, NEXT)),
    **{op: (arb(0.3, 0.5),) for op in ("sign", "floor", "ceil")},
    "max_share": (np.array([WIDE, NEXT]),),
}


def selects(op: str) -> bool:
    function = rounded(balls(ties="decide"), FORMATS["float32"])[op]
    found = function(*SELECTED[op], **({"axis": None} if op == "max_share" else {}))
    return bool(np.all(radii(np.asarray(found, dtype=object)) == 0))


# --- moves: sums of products are followed through it in float64 ---------------------------------------------

MOVED: Mapping[str, str] = {
    "copy": "copy(a * b)",
    "permute_dims": "permute_dims(a * b, axes=[1, 0])",
    "matrix_transpose": "matrix_transpose(a * b)",
    "reshape": "reshape(a * b, shape=[6])",
    "broadcast_to": "broadcast_to(a * b, shape=[2, 2, 3])",
    "expand_dims": "expand_dims(a * b, axis=0)",
    "squeeze": "squeeze((a * b)[0:1], axis=0)",
    "flip": "flip(a * b, axis=0)",
    "roll": "roll(a * b, shift=1, axis=1)",
    "getitem": "(a * b)[1, 1:]",
    "place": 'place(a * b, index="1:3", shape=[4, 3])',
}


def moves(op: str) -> bool:
    a, b = np.random.default_rng(4).normal(size=(2, 2, 3))
    about = subject({"out": MOVED[op]}, a=a, b=b)
    (found,) = _on_floats(about.graph, ["out"], FORMATS["float64"], middles=True)(a, b)
    exact = reference(about.graph, about.inputs, about.cotangent).values["out"].high
    return bool(np.all(np.abs(found.high + found.low - exact) <= found.error + 1e-16) and np.any(found.error > 0))


# --- analytic: the complex step gives all digits ------------------------------------------------------------

ANALYTIC = [
    *LINEAR,
    "divide",
    "sqrt",
    "reciprocal",
    "pow",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "sigmoid",
    "softplus",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
]


def analytic(op: str) -> bool:
    about = at_random(next(call for call in EXAMPLES[op] if op != "pow" or "**" in call.text))
    found = finite_difference.prepare(about.graph, "float64")(about.inputs, about.cotangent)
    truth = reference(about.graph, about.inputs, about.cotangent)
    for name, number in found.gradients.items():
        exact = truth.adjoints[name].high
        if not np.all(np.abs(number - exact) <= 1e-14 * (np.abs(exact) + np.max(np.abs(exact)))):
            return False
    return finite_difference._analytic(about.graph)


# --- shares: terms that hand on nothing at a tie ------------------------------------------------------------

TIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "maximum": ("maximum(x, b)", {"x": 1.0, "b": 1.0}),
    "minimum": ("minimum(x, b)", {"x": 1.0, "b": 1.0}),
    "clip": ("clip(x, b, c)", {"x": 1.0, "b": 1.0, "c": 1.0}),
    "max": ("max(x)", {"x": [1.0, 1.0, 0.0]}),
    "min": ("min(x)", {"x": [1.0, 1.0, 2.0]}),
}


def shares(op: str) -> bool:
    text, inputs = TIES[op]
    about = subject({"out": text}, **inputs)
    return not judged(about, evaluated(about)) and judged(about, nothing_handed_on(evaluated(about)))


def nothing_handed_on(evaluation: Evaluation) -> Evaluation:
    assert evaluation.terms is not None and evaluation.adjoints is not None
    return replace(
        evaluation,
        terms={use: np.zeros_like(term) for use, term in evaluation.terms.items()},
        adjoints={name: g if name == "out" else np.zeros_like(g) for name, g in evaluation.adjoints.items()},
        gradients={name: np.zeros_like(g) for name, g in evaluation.gradients.items()},
    )


def judged(about: Subject, evaluation: Evaluation) -> bool:
    """Whether the terms of the one step are called wrong."""
    return any(row.quantity == "term" and row.verdict in FINDINGS for row in judge(about, "engine", evaluation))


# --- log of sum: a rule that reads its own rounded result ---------------------------------------------------

SUMMED = {"softplus": "softplus(x)", "logaddexp": "logaddexp(x, 0)"}


def log_of_sum(op: str) -> bool:
    """e^(x - y) for the derivative, where y is as far off as its own rounding may be."""
    x = np.linspace(12, 16, 2000).astype(np.float32)
    y = np.logaddexp(x, np.float32(0))
    term = np.exp(x - y)
    worst = np.argmax(np.abs(term - 1 / (1 + np.exp(-x.astype(np.float64)))))
    about = subject({"out": SUMMED[op]}, "float32", x=x[worst])
    evaluation = evaluated(about)
    assert evaluation.terms is not None
    (use,) = evaluation.terms
    given = np.asarray(term[worst])
    evaluation = replace(
        evaluation,
        values={**evaluation.values, "out": np.asarray(y[worst])},
        terms={use: given},
        adjoints={**(evaluation.adjoints or {}), "x": given},
        gradients={"x": given},
    )
    return not judged(about, evaluation)


# --- reads log: in half precisions the logarithm of a long sum has few digits left ------------------------------

READ: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "logsumexp": ("logsumexp(x)", lambda p, g: p * g),
    "log_softmax": ("log_softmax(x)", lambda p, g: g - p * np.sum(g)),
    "cross_entropy": ("cross_entropy(x, t)", lambda p, g: (p - (np.arange(p.shape[1]) == 1)) * g),
}


def reads_log(op: str) -> bool:
    """e^(x - y) of equal numbers, off by 20 units since y, their logarithm, is."""
    n, (text, rule) = 4096, READ[op]
    rest = {"t": np.array([1])} if op == "cross_entropy" else {}
    about = subject({"out": text}, "bfloat16", x=np.zeros((1, n) if rest else n), **rest)
    evaluation = evaluated(about)
    (use,) = about.graph.uses
    p = np.full(about.inputs["x"].shape, (1 + 20 * FORMATS["bfloat16"].unit) / n)
    term = np.asarray(rule(p, about.cotangent.astype(np.float64)), DTYPES["bfloat16"])
    adjoints = {**(evaluation.adjoints or {}), "x": term}
    return not judged(about, replace(evaluation, terms={use: term}, adjoints=adjoints, gradients={"x": term}))


# --- all of them --------------------------------------------------------------------------------------------

WITNESSES: Mapping[str, tuple[Witness, list[str]]] = {
    "linear": (linear, LINEAR),
    "sums": (sums, [*SUMS]),
    "joints": (joints, [*JOINTS]),
    "products": (products, [*FACTORS]),
    "selects": (selects, [*SELECTED]),
    "moves": (moves, [*MOVED]),
    "analytic": (analytic, ANALYTIC),
    "shares": (shares, [*TIES]),
    "bias_axis": (bias_axis, [*BIASES]),
    "log_of_sum": (log_of_sum, [*SUMMED]),
    "reads_log": (reads_log, [*READ]),
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    links.step.cache_clear()
    yield
    links.step.cache_clear()


@pytest.fixture(autouse=True)
def sums_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What terms at a tie may be together is not asked here: it finds what they do not hand on too, up to some size."""
    monkeypatch.setattr(chain, "of_step", lambda *_: None)


@pytest.mark.parametrize("trait", TRAITS)
def test_every_row_with_a_trait_has_a_witness(trait: str) -> None:
    having = {name for name, operation in OPERATIONS.items() if getattr(operation, trait) != NONE[trait]}
    assert having == set(WITNESSES[trait][1])


def test_every_trait_has_witnesses() -> None:
    described = {
        "cost",
        "half",
        "meaning",
        "definition",
        "stable",
        "operator",
        "differentiable",
        "derivative",
        "of_two",
    }
    described |= {"of_two", "within", "pointwise"}  # of definitions: what the text says
    assert set(NONE) - described == set(TRAITS) == set(WITNESSES)


@pytest.mark.parametrize("trait, op", [(trait, op) for trait, (_, ops) in WITNESSES.items() for op in ops])
def test_a_trait_that_is_taken_away_is_noticed(trait: str, op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    witness, _ = WITNESSES[trait]
    assert witness(op)
    links.step.cache_clear()
    monkeypatch.setitem(OPERATIONS, op, replace(OPERATIONS[op], **{trait: NONE[trait]}))
    try:
        held = witness(op)
    except KeyError:  # nothing is left to measure it by
        held = False
    assert not held
