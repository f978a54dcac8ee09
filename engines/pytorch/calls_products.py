"""torch's products: matrices, einsum, convolutions."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from math import ceil, log2, prod
from string import ascii_letters as LETTERS
from typing import Any

import torch

from .calls import Step, Unheard, decimal, given, ints, listed, row
from .windows import settings, windows

row("matmul", "mm", "bmm", "mv", "linalg_matmul")(lambda x, other=None, b=None: Step("matmul", [x, *given(other, b)]))
row("outer", "ger")(lambda x, vec2: Step("outer", [x, vec2]))
row("linear")(lambda x, weight, bias=None: Step("linear", [x, weight, *given(bias)]))


@row("dot", "inner", "vdot")
def _(x: Any, other: Any) -> Step:
    if x.ndim != 1 or other.ndim != 1:
        if x.ndim and other.ndim:
            return Step("inner", [x, other], text="x0 @ matrix_transpose(x1)" if other.ndim > 1 else "x0 @ x1")
        return Step("multiply", [x, other])
    return Step("matmul", [x, other])


@row("addmm", "addmv", "baddbmm", "addbmm")
def _(x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1, name: str = "") -> Step:
    product = "x1 @ x2" if name != "addbmm" else "sum(x1 @ x2, axis=0)"
    product = product if alpha == 1 else f"{decimal(alpha)} * ({product})"
    return Step(name, [x, a, b], text=f"{'x0' if beta == 1 else decimal(beta) + ' * x0'} + {product}")


@row("addr")
def _(x: Any, vec1: Any, vec2: Any, beta: float = 1, alpha: float = 1) -> Step:
    return Step("addr", [x, vec1, vec2], text=f"{decimal(beta)} * x0 + {decimal(alpha)} * outer(x1, x2)")


@row("linalg_vecdot")
def _(x: Any, y: Any, dim: int = -1) -> Step:
    return Step("vecdot", [x, y], text=f"sum(x0 * x1, axis={dim})")


@row("bilinear")
def _(x: Any, y: Any, weight: Any, bias: Any = None) -> Step:
    o, i, j = weight.shape
    lead = listed_shape(x.shape[:-1])
    text = (
        f"a = reshape(x0, shape=[-1, {i}]); b = reshape(x1, shape=[-1, {j}]); "
        f'reshape(einsum("ni,oij,nj->no", a, x2, b), shape=[{lead}{o}])'
    )
    return Step("bilinear", [x, y, weight, *given(bias)], text=text + (" + x3" if bias is not None else ""))


def listed_shape(shape: Any) -> str:
    return "".join(f"{int(n)}, " for n in shape)


@row("tensordot")
def _(a: Any, b: Any, dims: Any = 2, dims_b: Any = None) -> Step:
    if dims_b is not None:
        dims = dims, dims_b
    if isinstance(dims, int):
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    left, right = (list(ints([one] if isinstance(one, int) else one)) for one in dims)
    letters = LETTERS[: a.ndim]
    further = iter(LETTERS[a.ndim :])
    met = {k % b.ndim: letters[j % a.ndim] for j, k in zip(left, right, strict=True)}
    other = "".join(met[k] if k in met else next(further) for k in range(b.ndim))
    kept = "".join(c for c in letters + other if (c in letters) != (c in other))
    return Step("einsum", [a, b], {"subscripts": f"{letters},{other}->{kept}"})


@row("kron")
def _(a: Any, b: Any, result: Any) -> Step:
    if a.ndim != 2 or b.ndim != 2:
        raise Unheard("`kron` of other than matrices")
    return Step("kron", [a, b], text=f'reshape(einsum("ij,kl->ikjl", x0, x1), shape={listed(result.shape)})')


@row("matrix_exp", "linalg_matrix_exp")
def _(x: Any) -> Step:
    """The series up to its 18th term, of x halved until its norm is below 1/4, then squared as often: it is right to
    2^-90 of e^|x|."""
    size = float(x.detach().abs().sum(-1).max()) if x.numel() else 0.0
    halvings = max(ceil(log2(size)) + 2, 0) if size else 0
    series = "; ".join(f"e = x1 + (b @ e) / {k}" for k in range(17, 0, -1))
    squares = "".join("; e = e @ e" for _ in range(halvings))
    one = torch.eye(x.shape[-1], dtype=x.dtype)
    return Step("matrix_exp", [x, one], text=f"b = x0 / {2**halvings}; e = x1 + b / 18; {series}{squares}; e")


@row("einsum")
def _(equation: str, *operands: Any, path: Any = None) -> Step:
    xs = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    text = explicit(equation.replace(" ", ""), [x.ndim for x in xs])
    terms = text.partition("->")[0].split(",")
    if any(len(set(term)) < len(term) for term in terms):
        raise Unheard(f"`einsum` {equation!r}, which reads a diagonal", "Take the diagonal first.")
    return Step("einsum", list(xs), {"subscripts": text})


def explicit(equation: str, ranks: list[int]) -> str:
    """Subscripts with their output and without an ellipsis."""
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    letters = {c for c in equation if c.isalpha()}
    free = [c for c in LETTERS if c not in letters]
    counts = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True) if "..." in term]
    dots = "".join(free[: max(counts, default=0)])
    widened = [
        term.replace("...", dots[len(dots) - (rank - len(term.replace("...", ""))) :])
        if rank - len(term.replace("...", ""))
        else term.replace("...", "")
        for term, rank in zip(terms, ranks, strict=True)
    ]
    if not arrow:
        once = sorted(c for c in letters if left.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    return ",".join(widened) + "->" + output.replace("...", dots)


# --- convolutions -------------------------------------------------------------------------------------------------


def pair(value: Any) -> tuple[int, int]:
    """A setting along two axes; along one it stands twice."""
    values = (value,) if isinstance(value, int) else ints(value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


@row("conv1d", "conv2d")
def _(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
    name: str = "",
) -> Step:  # fmt: skip
    rank = weight.ndim - 2
    params: dict[str, object] = {"stride": pair(stride), "dilation": pair(dilation), "groups": groups}
    widths = None
    if isinstance(padding, str):
        total = [
            d * (k - 1) if padding == "same" else 0
            for d, k in zip(pair(dilation)[2 - rank :], weight.shape[2:], strict=True)
        ]
        if any(n % 2 for n in total):  # the odd one goes behind
            widths = [[0, 0], [0, 0], *([n // 2, n - n // 2] for n in total)]
        padding = [0 if widths else n // 2 for n in total]
    params["padding"] = pair(padding)
    if widths is None and x.ndim == weight.ndim:
        return Step(name, [x, weight, *given(bias)], params)
    inside = "x0" if x.ndim == weight.ndim else "expand_dims(x0, axis=0)"
    inside = f"pad({inside}, widths={widths})" if widths else inside
    settings = ", ".join(f"{key}={list(v) if isinstance(v, tuple) else v}" for key, v in params.items())
    text = f"{name}({inside}, x1{', x2' if bias is not None else ''}, {settings})"
    return Step(name, [x, weight, *given(bias)], text=text if x.ndim == weight.ndim else f"squeeze({text}, axis=0)")


@row("conv3d")
def _(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
    *, result: Any,
) -> Step:  # fmt: skip
    """Every window's elements, counted through, times the weights."""
    if isinstance(padding, str) or x.ndim != 5:
        raise Unheard("`conv3d` with padding by name, or without a batch", "Give it numbers, and a batch of one.")
    n, c, o, kernel = x.shape[0], x.shape[1] // groups, weight.shape[0] // groups, list(weight.shape[2:])
    s, p, d = (settings(3, value) for value in (stride, padding, dilation))
    where, inside = windows(x.shape[2:], result.shape[2:], kernel, s, p, d)
    count = prod(kernel)
    text = (
        f"w = where(x3, take(reshape(x0, shape=[{n}, {groups}, {c}, -1]), x2, axis=-1), 0); "
        f"w = reshape(w, shape=[{n}, {groups}, {c}, -1, {count}]); "
        f'y = einsum("ngcpk,gock->ngop", w, reshape(x1, shape=[{groups}, {o}, {c}, {count}])); '
        f"reshape(y, shape={listed(result.shape)})"
    )
    where, inside = where.reshape(-1, count), inside.reshape(-1, count)
    shape = [weight.shape[0], 1, 1, 1]
    return Step("conv3d", [x, weight, where, inside, *given(bias)],
                text=text + (f" + reshape(x4, shape={shape})" if bias is not None else ""))  # fmt: skip


@row("conv_transpose1d", "conv_transpose2d")
def _(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Step:  # fmt: skip
    if x.ndim != weight.ndim:
        raise Unheard("a transposed convolution without a batch", "Give it a batch of one.")
    params = {
        "stride": pair(stride), "padding": pair(padding), "output_padding": pair(output_padding),
        "dilation": pair(dilation), "groups": groups,
    }  # fmt: skip
    return Step("conv_transpose", [x, weight, *given(bias)], params)


@row("conv_transpose3d")
def _(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1, *, result: Any,
) -> Step:  # fmt: skip
    """Each element times the weights, added where the windows of `conv3d` would read."""
    if x.ndim != 5:
        raise Unheard("a transposed convolution without a batch", "Give it a batch of one.")
    n, c, o, kernel = x.shape[0], x.shape[1] // groups, weight.shape[1], list(weight.shape[2:])
    s, p, d = (settings(3, value) for value in (stride, padding, dilation))
    where, inside = windows(result.shape[2:], x.shape[2:], kernel, s, p, d)
    text = (
        f"a = reshape(x0, shape=[{n}, {groups}, {c}, -1]); w = reshape(x1, shape=[{groups}, {c}, {o}, -1]); "
        f'y = reshape(einsum("ngcp,gcok->ngopk", a, w), shape=[{n}, {groups}, {o}, -1]); '
        f"y = scatter_add(where(x3, y, 0), x2, axis=3, size={prod(result.shape[2:])}); "
        f"reshape(y, shape={listed(result.shape)})"
    )
    shape = [weight.shape[1] * groups, 1, 1, 1]
    return Step("conv_transpose", [x, weight, where.reshape(-1), inside.reshape(-1), *given(bias)],
                text=text + (f" + reshape(x4, shape={shape})" if bias is not None else ""))  # fmt: skip
