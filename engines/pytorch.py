"""PyTorch, through its public autograd. Knows torch and nothing of the other engines.

The graph runs as its users would write it: operators as operators, layers and losses as torch's own
fused functions. Terms show themselves through an identity, `t.view_as(t)`, on every use of an active
node; it changes no bit.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn import grad

from ..harness.evaluation import DTYPES as ARRAYS
from ..harness.evaluation import Array, Engine, Evaluate, Evaluation, Inputs, Moved, Step, Unsupported
from ..harness.graph.emit import Program, emit, missing
from ..harness.graph.graph import Graph, Node
from ..harness.graph.shapes import axes_of, index_of

Tensor: TypeAlias = torch.Tensor
Axis: TypeAlias = "int | tuple[int, ...] | None"
Settings: TypeAlias = Mapping[str, float]

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# What torch says about a point it cannot do: shapes and values, indices, memory.
ERRORS = (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, MemoryError)

# --- the vocabulary ---------------------------------------------------------------------------------------
# One row per operation, under torch's own name wherever torch has it. `axis` is torch's `dim`.

ABSENT: Mapping[str, str] = {"max_share": "no counterpart: exists for the hand-written engine's rules"}


def reduce(function: Any, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """A torch reduction over the axes. No axes at all, which torch reads as every axis, is one of length 1."""
    if axis == ():
        return function(x.unsqueeze(-1), dim=-1, keepdim=False)
    return function(x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims)


def product(x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """torch.prod takes all axes or one: several are taken one by one, from the last."""
    if axis is None and not keepdims:
        return torch.prod(x)
    for one in reversed(axes_of(axis, x.ndim)):
        x = torch.prod(x, dim=one, keepdim=keepdims)
    return x


def over_last(function: Any, x: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    """A torch function of one axis over several: they are moved to the end and flattened."""
    if isinstance(axis, int):
        return function(x, dim=axis)
    axes = axes_of(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = x.movedim(axes, last)
    flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], prod(moved.shape[x.ndim - len(axes) :]))
    return function(flat, dim=-1).reshape(moved.shape).movedim(last, axes)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, axis: Axis, eps: float
) -> Tensor:
    axes = axes_of(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    if axes == last:
        shape = x.shape[x.ndim - len(axes) :]
        if (weight is None or weight.shape == shape) and (bias is None or bias.shape == shape):
            return F.layer_norm(x, shape, weight, bias, eps)
        y = F.layer_norm(x, shape, eps=eps)
    else:
        moved = x.movedim(axes, last)
        y = F.layer_norm(moved, moved.shape[x.ndim - len(axes) :], eps=eps).movedim(last, axes)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def take(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    # index_select alone takes no negative index, as x[indices] does.
    return torch.index_select(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def scatter_add(x: Tensor, indices: Tensor, *, axis: int, size: int) -> Tensor:
    shape = list(x.shape)
    shape[axis] = size
    return x.new_zeros(shape).index_add(axis, torch.where(indices < 0, indices + size, indices), x)


def place(x: Tensor, *, index: Any, shape: Sequence[int]) -> Tensor:
    zeros = x.new_zeros(shape)
    zeros[index] = x
    return zeros


def cross_entropy(x: Tensor, target: Tensor) -> Tensor:
    """torch wants the classes on the second axis; here they are on the last."""
    return F.cross_entropy(x.reshape(prod(x.shape[:-1]), x.shape[-1]), target.reshape(-1))


def vector_norm(x: Tensor, dim: Axis, keepdim: bool) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim, keepdim=keepdim)


OPERATIONS: dict[str, Any] = {
    # arithmetic
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.divide,
    "negative": torch.negative,
    "abs": torch.abs,
    "sign": torch.sign,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "reciprocal": torch.reciprocal,
    "pow": torch.pow,
    "hypot": torch.hypot,
    # exponentials and logarithms
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "logaddexp": torch.logaddexp,
    # trigonometric and hyperbolic
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "atan2": torch.atan2,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    # special functions
    "erf": torch.special.erf,
    "erfc": torch.special.erfc,
    "lgamma": torch.lgamma,
    "digamma": torch.digamma,
    "polygamma": lambda x, n: torch.polygamma(n, x),
    # activations
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    # choice
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "clip": torch.clip,
    "where": torch.where,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "less": torch.less,
    "less_equal": torch.less_equal,
    "greater": torch.greater,
    "greater_equal": torch.greater_equal,
    "equal": torch.eq,
    "not_equal": torch.not_equal,
    "stop_gradient": lambda x: x.detach(),
    "copy": lambda x: x,
    # reductions
    "sum": lambda x, axis, keepdims: reduce(torch.sum, x, axis, keepdims),
    "mean": lambda x, axis, keepdims: reduce(torch.mean, x, axis, keepdims),
    "prod": product,
    "max": lambda x, axis, keepdims: reduce(torch.amax, x, axis, keepdims),
    "min": lambda x, axis, keepdims: reduce(torch.amin, x, axis, keepdims),
    "var": lambda x, axis, correction, keepdims: reduce(
        lambda x, **where: torch.var(x, correction=correction, **where), x, axis, keepdims
    ),
    "std": lambda x, axis, correction, keepdims: reduce(
        lambda x, **where: torch.std(x, correction=correction, **where), x, axis, keepdims
    ),
    "norm": lambda x, axis, keepdims: reduce(vector_norm, x, axis, keepdims),
    "logsumexp": lambda x, axis, keepdims: reduce(torch.logsumexp, x, axis, keepdims),
    "softmax": lambda x, axis: over_last(torch.softmax, x, axis),
    "log_softmax": lambda x, axis: over_last(torch.log_softmax, x, axis),
    "cumsum": torch.cumsum,
    # linear algebra
    "matmul": torch.matmul,
    "vecdot": lambda a, b, axis: torch.linalg.vecdot(a, b, dim=axis),
    "outer": torch.outer,
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
    "linear": F.linear,
    "conv2d": F.conv2d,
    "correlate2d": F.conv2d,
    "correlate2d_input": lambda g, weight, shape, **p: grad.conv2d_input(shape, weight, g, **p),
    "correlate2d_weight": lambda g, x, shape, **p: grad.conv2d_weight(x, shape, g, **p),
    # shape and selection
    "permute_dims": lambda x, *, axes: torch.permute(x, axes),
    "matrix_transpose": lambda x: x.mT,
    "reshape": torch.reshape,
    "broadcast_to": lambda x, *, shape: torch.broadcast_to(x, shape),
    "expand_dims": torch.unsqueeze,
    "squeeze": torch.squeeze,
    "concat": lambda *xs, axis: torch.concat(xs, dim=axis),
    "stack": lambda *xs, axis: torch.stack(xs, dim=axis),
    "getitem": lambda x, index: x[index],
    "place": place,
    "take": take,
    "scatter_add": scatter_add,
    "flip": lambda x, axis: torch.flip(x, axes_of(axis, x.ndim)),
    "roll": lambda x, *, shift, axis: torch.roll(x, shift, axis),
    "pad": lambda x, widths, value: F.pad(x, [n for pair in reversed(widths) for n in pair], value=value),
    # losses and layers
    "mse_loss": lambda x, target: F.mse_loss(*torch.broadcast_tensors(x, target)),
    "cross_entropy": cross_entropy,
    "layer_norm": layer_norm,
}

CONSTANTS = {"pi": np.pi, "-pi": -np.pi, "e": np.e, "-e": -np.e}


def namespace(dtype: str) -> dict[str, Any]:
    """Every operation that torch has, and `constant`, which makes a 0-d tensor of the dtype."""
    kind = DTYPES[dtype]
    return OPERATIONS | {
        "one_hot": lambda indices, size: F.one_hot(indices, size).to(kind),
        "astype": lambda x: x.to(kind),
        "constant": lambda text: torch.tensor(CONSTANTS.get(text) or float(text), dtype=kind),
    }


# --- one graph ------------------------------------------------------------------------------------------


def prepare(graph: Graph, dtype: str) -> Evaluate:
    """Compile the graph's plain and tagged programs. Raises Unsupported."""
    functions = checked_functions(graph, dtype)
    names = [node.name for node in graph.nodes]
    plain = emit(graph, functions, [graph.output.name])
    tagged = emit(graph, functions, names, tagged=True)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        try:
            # torch warns of, say, a variance without degrees of freedom: the NaN says it too.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gradients = _gradients(graph, plain, inputs, cotangent, dtype)
                return _inside(graph, tagged, inputs, cotangent, dtype, gradients)
        except ERRORS as error:
            lines = str(error).strip().splitlines() or ["no message"]
            if "not implemented for" in lines[0]:  # a kernel that torch lacks for this dtype on this device
                return Evaluation.unsupported(f"torch: {lines[0]}")
            return Evaluation("failed", f"{type(error).__name__}: {lines[0]}")

    return evaluate


def checked_functions(graph: Graph, dtype: str) -> Mapping[str, Any]:
    """The namespace, which has every operation of the graph. Raises Unsupported."""
    if dtype not in DTYPES:
        raise Unsupported(f"this adapter knows {' and '.join(DTYPES)}, not {dtype}")
    functions = namespace(dtype)
    for op in missing(graph, functions):
        raise Unsupported(f"torch has no `{op}`: {ABSENT[op]}")
    for node in graph.operations:
        index = dict(node.params).get("index")
        if any(isinstance(item, slice) and (item.step or 1) < 0 for item in index_of(str(index)) if index):
            raise Unsupported(f"torch has no slice with a negative step, as in [{index}]; use flip")
    return functions


def _leaves(graph: Graph, inputs: Inputs, dtype: str) -> list[Tensor]:
    """The inputs as tensors of their own memory, those that have a gradient as leaves of the tape."""
    leaves: list[Tensor] = []
    for node in graph.inputs:
        tensor = to_torch(inputs[node.name])
        if node.kind == "float":
            tensor = tensor.to(DTYPES[dtype])
        leaves.append(tensor.requires_grad_(_wanted(node)))
    return leaves


def _wanted(node: Node) -> bool:
    return node.kind == "float" and not node.constant


def _gradients(graph: Graph, plain: Program, inputs: Inputs, cotangent: Array, dtype: str) -> dict[str, Array]:
    """The gradients by the plain program, which is what a user of torch runs."""
    leaves = _leaves(graph, inputs, dtype)
    (output,) = plain(*leaves)
    wanted = [leaf for leaf, node in zip(leaves, graph.inputs, strict=True) if _wanted(node)]
    found = _pulled_back(output, wanted, cotangent)
    return dict(zip((node.name for node in graph.wanted), map(to_numpy, found), strict=True))


def _inside(
    graph: Graph, tagged: Program, inputs: Inputs, cotangent: Array, dtype: str, gradients: Mapping[str, Array]
) -> Evaluation:
    """Values, terms and adjoints by the program with an identity on every use."""
    tags: list[Any] = [None] * len(graph.uses)
    together: dict[tuple[str, str], list[int]] = {}
    for k, use in enumerate(graph.uses):
        together.setdefault((use.consumer, graph.argument(use)), []).append(k)
    repeated = [together[use.consumer, graph.argument(use)] for use in graph.uses]

    def tag(k: int, tensor: Tensor) -> Tensor:
        # Of what is on the tape, autograd runs the youngest first. Where one consumer reads a tensor many
        # times, its first tag must be the youngest for the terms to be added in the untagged program's order.
        if tags[k] is None:
            for other in reversed(repeated[k]):
                tags[other] = tensor.view_as(tensor)
        return tags[k]

    tensors = tagged(tag, *_leaves(graph, inputs, dtype))
    values = {node.name: to_numpy(tensor) for node, tensor in zip(graph.nodes, tensors, strict=True)}
    taped = {node.name: tensor for node, tensor in zip(graph.nodes, tensors, strict=True)}
    active = [node.name for node in graph.nodes if node.name in graph.active]
    found = _pulled_back(taped[graph.output.name], [*tags, *(taped[name] for name in active)], cotangent)
    arrays = [to_numpy(tensor) for tensor in found]
    return Evaluation(
        "ok",
        values=values,
        gradients=gradients,
        terms=dict(zip(graph.uses, arrays[: len(tags)], strict=True)),
        adjoints=dict(zip(active, arrays[len(tags) :], strict=True)),
    )


def _pulled_back(output: Tensor, tensors: Sequence[Tensor], cotangent: Array) -> list[Tensor]:
    """The cotangent pulled back to each tensor; zeros where the output does not depend on it.

    autograd refuses what is not on the tape, so that is left out of the call.
    """
    seed = to_torch(cotangent).to(output.dtype)
    found = [seed if tensor is output else torch.zeros_like(tensor) for tensor in tensors]
    places = [k for k, tensor in enumerate(tensors) if tensor.requires_grad]
    if output.requires_grad and places:
        reached = torch.autograd.grad(output, [tensors[k] for k in places], grad_outputs=seed, materialize_grads=True)
        for k, tensor in zip(places, reached, strict=True):
            found[k] = tensor
    return found


def to_torch(array: Array) -> Tensor:
    """A tensor of its own memory. NumPy's bfloat16 and torch's meet in float32, which holds both."""
    if array.dtype == ARRAYS["bfloat16"]:
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.array(array, order="C", copy=True))


def to_numpy(tensor: Tensor) -> Array:
    """The same the other way, but for memory that is shared where it can be."""
    tensor = tensor.detach()
    return tensor.float().numpy().astype(ARRAYS["bfloat16"]) if tensor.dtype == torch.bfloat16 else tensor.numpy()


# --- the native optimisers --------------------------------------------------------------------------------

# rule -> how torch.optim is built from the settings, and what it calls the rule's state variables.
OPTIMISERS: Mapping[str, tuple[Callable[[Sequence[Tensor], Settings], torch.optim.Optimizer], Mapping[str, str]]] = {
    "ascent": (lambda p, s: torch.optim.SGD(p, lr=s["step_size"], maximize=True), {}),
    "descent": (lambda p, s: torch.optim.SGD(p, lr=s["step_size"]), {}),
    "momentum": (
        lambda p, s: torch.optim.SGD(p, lr=s["step_size"], momentum=s["momentum"]),
        {"v": "momentum_buffer"},
    ),
    "adam": (
        lambda p, s: torch.optim.Adam(p, lr=s["step_size"], betas=(s["beta1"], s["beta2"]), eps=s["eps"]),
        {"m": "exp_avg", "v": "exp_avg_sq"},
    ),
}


def optimiser(rule: str, settings: Settings, start: Mapping[str, Array]) -> Step:
    """torch.optim's own optimiser for a rule. Raises Unsupported for a rule that it does not have."""
    if rule not in OPTIMISERS:
        raise Unsupported(f"torch.optim has no `{rule}` here; it has {', '.join(OPTIMISERS)}")
    build, state = OPTIMISERS[rule]
    parameters = {name: to_torch(array).requires_grad_() for name, array in start.items()}
    native = build(list(parameters.values()), settings)

    def step(gradients: Mapping[str, Array]) -> Moved:
        for name, parameter in parameters.items():
            parameter.grad = to_torch(gradients[name])
        native.step()
        # The optimiser moves its tensors in place, so what leaves is a copy.
        return Moved(
            {name: to_numpy(parameter).copy() for name, parameter in parameters.items()},
            {
                variable: {name: to_numpy(native.state[p][attribute]).copy() for name, p in parameters.items()}
                for variable, attribute in state.items()
            },
        )

    return step


def version() -> str:
    return f"torch {torch.__version__}"


engine = Engine(prepare, optimiser, version)
