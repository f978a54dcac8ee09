"""Calls of the vocabulary that people take for one another: other parameters, other activations, other norms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, islice

import numpy as np

from ..arithmetic import arrays
from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.expand import expanded
from ..graph.node import Arg, Constant, GraphError, Kind, Node, Param, Params, Shape
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..hearing.recording import KINDS
from ..records.evaluation import Array
from . import wording
from .content import content
from .operands import reads
from .proposals import Proposal, Question, distinct
from .side import Change, number

# Functions of one number that stand for one another, with the parameters that tell their forms apart.
ACTIVATIONS: tuple[tuple[str, Mapping[str, Param], str], ...] = (
    ("gelu", {"approximate": "none"}, "gelu in its exact (erf) form"),
    ("gelu", {"approximate": "tanh"}, "gelu in its tanh form"),
    *((name, {}, name) for name in (
        "relu", "silu", "sigmoid", "tanh", "softplus", "mish", "relu6", "hardswish", "hardsigmoid", "selu", "elu",
        "exp",
        "square", "abs", "sqrt", "rsqrt", "log", "log1p", "negative", "softsign", "log_sigmoid", "sin", "cos", "expm1",
    )),
    ("leaky_relu", {}, "leaky_relu"),
)  # fmt: skip
OTHERS: Mapping[str, tuple[str, ...]] = {  # calls with the same parameters
    "upsample_nearest": ("upsample_linear",), "upsample_linear": ("upsample_nearest",), "max_pool": ("avg_pool",),
    "avg_pool": ("max_pool",), "max": ("min", "mean", "sum"), "min": ("max",), "mean": ("max", "sum"),
    "cumsum": ("cumprod",), "softmax": ("log_softmax",), "log_softmax": ("softmax",),
    "pad": ("pad_reflect", "pad_replicate", "pad_circular"),
    "pad_reflect": ("pad_replicate", "pad_circular"), "pad_replicate": ("pad_reflect", "pad_circular"),
}  # fmt: skip
OVER_AXES = ("softmax", "log_softmax", "sum", "mean", "max", "min", "var", "std", "norm", "logsumexp", "cumsum", "flip")
NUMBERS: tuple[float, ...] = (0.0, 0.01, 0.2, 1e-3, 1e-5, 1e-6, 1e-8, 1e-12)
CHOICES: Mapping[str, tuple[Param, ...]] = {
    "approximate": ("none", "tanh"),
    "reduction": ("mean", "sum"),
    "correction": (0, 1),
    "causal": (False, True),
}
UNBIASED = ", unbiased (n - 1)"
NORMS = ("layer_norm", "batch_norm", "instance_norm", "group_norm")
CALLS = 8  # that are tried on other arguments
EARLIER = 24  # numbers of the run that a call may have been made of instead
LONGEST = 2**21  # elements of an array that functions are tried on
FORMS = {"none": "its exact (erf) form", "tanh": "its tanh form"}


def other_call(q: Question) -> Iterator[Proposal]:
    """The other side makes this call with another parameter, without its bias, or makes another one of its kind."""
    for node in q.calls:
        operation = q.here.heard.graph.operation(node)
        operands = list(node.args)
        for params, said in _other_parameters(q, node):
            yield _called(q, node, operation, operands, params, said)
        for other in OTHERS.get(node.op, ()):
            said = f"{other} at {{there}} for {wording.what(q.here, node.name)} at {{here}}"
            yield _called(q, node, OPERATIONS[other], operands, dict(node.params), said)
        for count in range(1, len(operands)):
            if operation.operands[-1].optional and len(operands) - count >= 1:
                left = ", ".join(q.here.label(arg) for arg in operands[-count:])
                kind = (
                    "weight and bias" if count == 2 else "bias" if operation.operands[-1].name == "bias" else "operand"
                )
                said = f"no {kind} at {{there}}: `{left}`, used at {{here}}, is left out"
                yield _called(q, node, operation, operands[:-count], dict(node.params), said)


def other_argument(q: Question) -> Iterator[Proposal]:
    """The call is made of another number of the run."""
    graph = q.here.heard.graph
    for node in islice(q.calls, CALLS):
        operation, before = graph.operation(node), graph.nodes[: graph.nodes.index(node)]
        yield from _other_module(q, node, operation)
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or arg not in q.here.live:
                continue
            alike = [
                one.name for one in before if one.name != arg and one.shape == graph[arg].shape and one.kind == "float"
            ]
            for other in alike[-EARLIER:]:
                if q.match.known(other) and other in q.here.live and q.here.source(other) != q.here.source(arg):
                    args = [*node.args[:k], other, *node.args[k + 1 :]]
                    said = reads(q, node, arg, other)
                    yield _called(q, node, operation, args, dict(node.params), said)


def _other_module(q: Question, node: Node, operation: Operation) -> Iterator[Proposal]:
    """The same call with the parameters of another one of its kind."""
    graph = q.here.heard.graph
    given = [arg for arg in node.args if isinstance(arg, str) and graph[arg].op == "input"]
    for other in graph.operations:
        if other.op != node.op or len(other.args) != len(node.args) or other.name == node.name or len(given) < 2:
            continue
        args = [new if arg in given else arg for arg, new in zip(node.args, other.args, strict=True)]
        named = [q.here.label(arg) for arg in args if isinstance(arg, str) and graph[arg].op == "input"]
        if args != list(node.args) and len(named) == len(given):
            mine = ", ".join(f"`{q.here.label(arg)}`" for arg in given)
            theirs, what = ", ".join(f"`{one}`" for one in named), wording.what(q.here, node.name)
            said = f"{what} reads {theirs} at {{there}} and {mine} at {{here}}"
            yield _called(q, node, operation, args, dict(node.params), said)


def other_statistics(q: Question) -> Iterator[Proposal]:
    """A norm takes its mean and variance over other axes."""
    for node in islice(q.calls, CALLS // 2):
        if node.op not in NORMS:
            continue
        x = q.here.numbers[str(node.args[0])]
        channel = -1 if node.op == "layer_norm" else 1
        scales = [q.here.numbers[str(arg)] for arg in node.args[1:]]
        for count in range(1, x.ndim + 1):
            for axes in combinations(range(x.ndim), count):
                with np.errstate(all="ignore"):
                    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(
                        x.var(axes, keepdims=True) + float(str(dict(node.params)["eps"]))
                    )
                    for scale, apply in zip(scales, (np.multiply, np.add), strict=False):
                        y = apply(y, scale.reshape(_along(x.ndim, channel, scale.shape)))
                what = wording.what(q.here, node.name)
                said = f"the statistics of {what} are over axes {axes} (of {{here}}) at {{there}}"
                yield Proposal({node.name: lambda known, y=y: y}, said, node.name, q.first_there)


def _along(rank: int, channel: int, shape: Shape) -> Shape:
    return shape if channel == -1 else tuple(shape[0] if k == channel else 1 for k in range(rank))


def _called(
    q: Question,
    node: Node,
    operation: Operation,
    args: Sequence[Arg],
    params: Mapping[str, object],
    said: str,
) -> Proposal:
    def change(known: Mapping[str, Array]) -> Array:
        given = [number(arg, known) for arg in args]
        return call(operation, given, params)

    return Proposal({node.name: change}, said, node.name, q.first_there)


def _other_parameters(q: Question, node: Node) -> Iterator[tuple[dict[str, object], str]]:
    params = dict(node.params)
    name = wording.what(q.here, node.name)
    for key, value in node.params:
        for other in _alternatives(q, key, value, node):
            if other == value or (isinstance(other, bool) != isinstance(value, bool)):
                continue
            said = f"{name}: {key} is {_param(other)} at {{there}} and {_param(value)} at {{here}}"
            if key == "approximate":
                said = f"{name} is in {FORMS[str(other)]} at {{there}} and in {FORMS[str(value)]} at {{here}}"
            elif key == "reduction":
                said = f"{other} at {{there}} for {value} at {{here}}"
            elif key == "correction":
                kind = "unbiased (divided by n - 1)" if other else "biased (divided by n)"
                said = f"the variance is {kind} at {{there}} and not at {{here}}"
            yield {**params, key: other}, said


def _param(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _alternatives(q: Question, key: str, value: Param, node: Node) -> Iterator[Param]:
    if key in CHOICES:
        yield from CHOICES[key]
    elif key == "axis":
        x = node.args[0]
        rank = len(q.here.heard.graph[x].shape) if isinstance(x, str) else 0
        for count in (1, 2, 3):
            for axes in combinations(range(rank), count):
                yield axes[0] if count == 1 else axes
    elif key == "groups" and node.op == "group_norm":
        count = q.here.heard.graph[str(node.args[0])].shape[1]
        yield from (k for k in range(1, count + 1) if count % k == 0)
    elif key == "ignore_index":
        yield None
    elif isinstance(value, float) or key in ("eps", "label_smoothing", "alpha", "negative_slope", "beta", "scale"):
        yield from distinct([*_numbers(q), *NUMBERS])


def _numbers(q: Question) -> Iterator[float]:
    """The numbers of what is to blame on the other side."""
    for name in q.others:
        node = q.there.graph[name]
        for arg in node.args:
            if isinstance(arg, Constant) and arg.exact is not None:
                yield float(arg.exact)
            elif isinstance(arg, str) and arg not in q.there.live and q.there.numbers[arg].size == 1:
                number = q.there.numbers[arg]
                if number.dtype.kind == "f" and np.isfinite(number).all():
                    yield float(number.flat[0])
        call = q.there.heard.graph.by_name.get(q.there.owner(name))
        for _, value in call.params if call is not None else ():
            if isinstance(value, float):
                yield value


def recognised(q: Question) -> Iterator[Proposal]:
    """A function of a number that both sides have, which is there on this side, and another that is on the other."""
    mine, theirs = set(q.blamed), set(q.others)
    starts: dict[str, None] = {}
    for node in q.targets:
        for arg in node.args:
            if isinstance(arg, str) and arg in q.here.live and q.match.known(arg):
                starts.setdefault(q.here.source(arg))
    for start in list(starts)[:6]:
        x = q.here.numbers[start]
        if x.dtype.kind != "f" or x.size > LONGEST:
            continue
        here: list[tuple[str, str]] = []
        there: list[tuple[str, str, Array]] = []
        for said, y in functions(x):
            if not (q.match.index.may(y) or q.turned.match.index.may(y)):
                continue
            made = content(y, np.zeros(y.shape))
            here += [(said, name) for name in q.turned.match.index.find(made) if name in mine][:1]
            there += [(said, name, y) for name in q.match.index.find(made) if name in theirs][:1]
        here += [(wording.step(q.here, name), name) for name in _direct(q, start) if name not in [n for _, n in here]]
        for said, name in here:
            for other, found, y in there:
                if other == said or y.size != q.here.numbers[name].size:
                    continue
                shape = q.here.numbers[name].shape
                if y.shape != shape and q.here.graph[name].shape != shape:
                    continue
                reason = _instead(other, said)
                begins = next(iter(q.here.between(start, name)), name)
                change: Change = lambda known, y=y, shape=shape: y.reshape(shape)  # noqa: E731
                yield Proposal({name: change}, reason, name, found, begins)


def _direct(q: Question, start: str) -> Iterator[str]:
    """The first steps to blame that are made of one number, and the last ones of their calls."""
    inside: dict[str, str] = {}
    for node in q.targets:
        if q.here.numbers[start].shape == node.shape and q.here.alone(start, node.name):
            inside[q.here.owner(node.name)] = node.name
    for node in q.calls:
        if start in [q.here.source(arg) for arg in node.args if isinstance(arg, str) and arg in q.here.order]:
            yield from (inside[node.name] for _ in range(node.name in inside))
    for node in q.targets:
        if (
            node.name in q.first
            and q.here.alone(start, node.name)
            and start in [q.here.source(arg) for arg in node.args if isinstance(arg, str)]
        ):
            yield node.name


def _instead(other: str, said: str) -> str:
    for name, plain in ((other, said), (said, other)):
        if name.removesuffix(UNBIASED) == plain and name.startswith(("var", "std")):
            where, without = ("{there}", "{here}") if name == other else ("{here}", "{there}")
            return f"the variance is unbiased (divided by n - 1) at {where} and biased (by n) at {without}"
    return f"{other} at {{there}} for {said} at {{here}}"


def functions(x: Array) -> Iterator[tuple[str, Array]]:
    """What is often computed of one array, with its words."""
    for name, params, said in ACTIVATIONS:
        yield said, call(OPERATIONS[name], [x], params)
    with np.errstate(all="ignore"):
        size = np.abs(x)
        yield "quick gelu (x sigmoid(1.702 x))", x / (1 + np.exp(-1.702 * x))
        yield "1/x (the reciprocal)", 1 / x
        yield "half of the square", x * x / 2
        yield "smooth l1 (huber)", np.where(size < 1, x * x / 2, size - 0.5)
    for name in OVER_AXES:
        axes: list[tuple[int, ...]] = [
            axes for count in range(1, min(x.ndim, 3) + 1) for axes in combinations(range(x.ndim), count)
        ]
        for chosen in axes:
            if len(chosen) > 1 and name in ("cumsum", "flip", "softmax", "log_softmax"):
                continue
            axis: Param = chosen[0] if len(chosen) == 1 else chosen
            over = f"{name} over axis {axis}" if x.ndim > 1 else name
            yield over, call(OPERATIONS[name], [x], {"axis": axis})
            if name in ("var", "std"):
                yield over + UNBIASED, call(OPERATIONS[name], [x], {"axis": axis, "correction": 1})


def call(operation: Operation, operands: Sequence[Array], params: Mapping[str, object]) -> Array:
    """A call of the vocabulary or of a definition, on arrays in float64. Raises GraphError where they do not fit."""
    given = [np.asarray(x) for x in operands]
    kinds = tuple((x.shape, KINDS.get(x.dtype.kind, "float")) for x in given)
    program = _program(operation, kinds, tuple(params.items()))  # pyright: ignore[reportArgumentType]
    with np.errstate(all="ignore"):
        return np.asarray(program(*(x[()] for x in given))[0])


@lru_cache(maxsize=4096)
def _program(operation: Operation, operands: tuple[tuple[Shape, Kind], ...], params: Params) -> Program:
    builder = Builder(() if operation.name in OPERATIONS else (operation,))
    names = [builder.input(f"x{k}", shape, kind) for k, (shape, kind) in enumerate(operands)]
    builder.apply(operation.name, names, dict(params), "result")
    graph = expanded(builder.graph(["result"]), stable=True)
    return emit(graph, arrays.namespace("float64"), ["result"], operators=False)


FITS = (GraphError, ValueError, IndexError, TypeError, KeyError, ZeroDivisionError)
