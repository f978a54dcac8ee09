"""torch's linear algebra: factorisations, determinants and linear systems."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch

from ...harness.hearing import matrices
from ...harness.hearing.heard import Refused
from ...harness.records.evaluation import Array
from .calls import Step, Unheard, joined, row
from .tensors import to_numpy


def _numbers(x: Any) -> Array:
    return to_numpy(x.detach()).astype(np.float64)


def _unit(x: Any) -> float:
    return torch.finfo(x.dtype).eps / 2


def _step(name: str, operands: list[Any], *formulas: matrices.Formula) -> Step:
    """The results of a call, several flat and behind one another; their constants are the same but for the longest."""
    constants = max((formula.constants for formula in formulas), key=len)
    texts, stables = ([getattr(f, kind) for f in formulas] for kind in ("text", "stable"))
    text, stable = (_together(one) if len(one) > 1 else one[0] for one in (texts, stables))
    return Step(name, [*operands, *map(_tensor, constants)], text=text, stable=stable)


def _together(texts: list[str]) -> str:
    """Formulas that begin anew with their own names, one after another."""
    lines, lasts = list[str](), list[str]()
    for k, text in enumerate(texts):
        *before, last = text.split("; ")
        lines += [*before, f"result{k} = {last}"]
        lasts.append(f"result{k}")
    return "; ".join([*lines, joined(*lasts)])


def _tensor(array: Array) -> Any:
    return torch.from_numpy(np.array(array, order="C"))


def _known(formula: matrices.Formula | Refused) -> matrices.Formula:
    if isinstance(formula, Refused):
        raise formula
    return formula


# --- factors ------------------------------------------------------------------------------------------------------


@row("linalg_eigh")
def _(x: Any, UPLO: str = "L", *, out: Any) -> Step:
    lower = UPLO.upper() == "L"
    values, vectors = matrices.eigh(_numbers(x), _numbers(out[1]), _unit(x), lower=lower, halved=True)
    return _step("eigh", [x], values, _known(vectors))


@row("linalg_eigvalsh")
def _(x: Any, UPLO: str = "L") -> Step:
    vectors = torch.linalg.eigh(x.detach(), UPLO)[1]  # its derivative has them as well
    found = matrices.eigh(_numbers(x), _numbers(vectors), _unit(x), lower=UPLO.upper() == "L", halved=True)
    return _step("eigvalsh", [x], found[0])


@row("linalg_svd")
def _(x: Any, full_matrices: bool = True, *, driver: Any = None, out: Any) -> Step:
    del full_matrices, driver
    left, _, right = out
    values, lefts, rights = matrices.svd(_numbers(x), _numbers(left), _numbers(right), _unit(x))
    return _step("svd", [x], _known(lefts), values, _known(rights))


@row("svd")
def _(x: Any, some: bool = True, compute_uv: bool = True, *, out: Any) -> Step:
    if not some or not compute_uv:
        raise Unheard("`svd` with full matrices, or without vectors", "Call torch.linalg.svd or torch.linalg.svdvals.")
    left, _, right = out
    values, lefts, rights = matrices.svd(_numbers(x), _numbers(left), _numbers(right.mT), _unit(x), turned=False)
    return _step("svd", [x], _known(lefts), values, _known(rights))


@row("linalg_svdvals")
def _(x: Any, *, driver: Any = None) -> Step:
    del driver
    left, _, right = torch.linalg.svd(x.detach(), full_matrices=False)
    return _step("svdvals", [x], matrices.svd(_numbers(x), _numbers(left), _numbers(right), _unit(x))[0])


@row("linalg_qr", "qr")
def _(x: Any, mode: Any = "reduced", *, out: Any) -> Step:
    if mode not in ("reduced", True):
        raise Unheard(f"`qr` with mode={mode!r}", 'mode="reduced"')
    return _step("qr", [x], *matrices.qr(_numbers(x), _numbers(out[0]), _numbers(out[1])))


@row("linalg_cholesky", "cholesky")
def _(x: Any, upper: bool = False, *, result: Any) -> Step:
    whole = matrices.symmetric("cholesky", _numbers(x), _unit(x), lower=not upper)
    own, last = (result.mT, "matrix_transpose({})") if upper else (result, "{}")
    formula = matrices.cholesky(whole, _numbers(own), read=matrices.one_triangle("x7", halved=True), last=last)
    step = _step("cholesky", [x], formula)
    mask = _tensor(matrices.triangle(x.shape[-1], lower=not upper))
    return Step("cholesky", [*step.args, mask], text=step.text, stable=step.stable)


# --- systems ------------------------------------------------------------------------------------------------------


@row("linalg_solve")
def _(a: Any, b: Any, *, left: bool = True, result: Any) -> Step:
    if not left:
        raise Unheard("`solve` from the right", "Solve with the transposed matrices: solve(a.mT, b.mT).mT")
    known, y, right, last = _numbers(b), _numbers(result), "copy(x1)", "{}"
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):  # vectors
        known, y, right, last = known[..., None], y[..., None], "expand_dims(x1, axis=-1)", "squeeze({}, axis=-1)"
    formula = matrices.solved("solve", _numbers(a), known, y, read="copy(x0)", right=right, first=2, last=last)
    return _step("solve", [a, b], formula)


@row("linalg_inv", "inverse")
def _(a: Any, *, result: Any) -> Step:
    eye = torch.eye(a.shape[-1], dtype=torch.float64)
    formula = matrices.solved(
        "inv", _numbers(a), _numbers(eye), _numbers(result), read="copy(x0)", right="copy(x1)", first=2
    )
    return _step("inv", [a, eye], formula)


@row("linalg_solve_triangular")
def _(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False, result: Any) -> Step:
    if not left:
        raise Unheard("`solve_triangular` from the right", "Solve with the transposed matrices.")
    n = a.shape[-1]
    mask, eye = matrices.triangle(n, lower=not upper), np.eye(n)
    if unitriangular:
        mask &= ~np.eye(n, dtype=bool)
    matrix = np.where(mask, _numbers(a), eye if unitriangular else 0)
    read = f"where(x2, x0, {'x3' if unitriangular else '0'})"
    formula = matrices.solved(
        "solve_triangular", matrix, _numbers(b), _numbers(result), read=read, right="copy(x1)", first=4, by_rows=True
    )
    return _step("solve_triangular", [a, b, _tensor(mask), _tensor(eye)], formula)


@row("cholesky_solve")
def _(b: Any, factor: Any, upper: bool = False, *, result: Any) -> Step:
    mask = matrices.triangle(factor.shape[-1], lower=not upper)
    half = np.where(mask, _numbers(factor), 0)
    # Where the rest is 0, as a factor has it, the gradient is that of all of it.
    read = "x0" if np.array_equal(half, _numbers(factor)) else "where(x2, x0, 0)"
    half = np.swapaxes(half, -1, -2) if upper else half
    read = f"matrix_transpose({read}) @ {read}" if upper else f"{read} @ matrix_transpose({read})"
    whole = half @ np.swapaxes(half, -1, -2)
    formula = matrices.solved(
        "cholesky_solve", whole, _numbers(b), _numbers(result), read=read, right="copy(x1)", first=3
    )
    return _step("cholesky_solve", [factor, b, _tensor(mask)], formula)


# --- determinants -------------------------------------------------------------------------------------------------

MOST = 16  # rows that are eliminated


def _determinant(name: str, a: Any) -> Step:
    """Elimination with the rows in the order of the largest pivots. What rounding may do is the change to first order
    of a matrix that is off by as much as an elimination, of it or its transpose, may err by."""
    n, lead, numbers = a.shape[-1], a.shape[:-2], _numbers(a)
    if n > MOST:
        raise Unheard(f"a determinant of {n} rows: at most {MOST} are written out")
    order, signs, sizes = matrices.eliminated(numbers)
    places = np.take_along_axis(np.arange(a.numel()).reshape(a.shape), order[..., None], axis=-2)
    lines, pivots = [f"a0 = take(reshape(x0, shape=[{a.numel()}]), x1, axis=0)"], list[str]()
    for k in range(n):
        pivots.append(f"a{k}[..., 0, 0]")
        if k < n - 1:
            lines.append(
                f"a{k + 1} = a{k}[..., 1:, 1:] - (a{k}[..., 1:, 0:1] / a{k}[..., 0:1, 0:1]) @ a{k}[..., 0:1, 1:]"
            )
    operands, stable = [a, _tensor(places), _tensor(signs.reshape(lead))], ""
    with suppress(Refused):  # a singular one is rounded step by step
        inverse, (sign, size) = matrices.inverse_of("det", numbers), np.linalg.slogdet(numbers)
        sizes = np.maximum(sizes, matrices.eliminated(numbers.swapaxes(-1, -2))[2].swapaxes(-1, -2))
        known = sign * np.exp(size) if name == "det" else size
        lost = n * (np.abs(known) if name == "det" else np.abs(np.log(np.abs(_own_pivots(a)))).sum(-1))
        operands += map(_tensor, (inverse, numbers, np.eye(n), n * sizes, known, lost, sign))
        change = "sum(matrix_transpose(m) * ({} - x4), axis=[-2, -1])".format
        known_times, own_times = ("x7 * ", "y * ") if name == "det" else ("", "")
        stable = (
            "a = stop_gradient(x0) + (x6 - x6); m = x3 + x3 @ (x5 - a @ x3); "
            f"y = x7 + (x8 - x8) + {known_times}{change('a')}; y = y + {own_times}{change('x0')}; "
        )
        stable += joined("x9", "y") if name == "slogdet" else "copy(y)"
    sizes = " + ".join(f"log(abs({pivot}))" for pivot in pivots)
    sign = " * ".join(["x2", *(f"sign({pivot})" for pivot in pivots)])
    last = {"det": " * ".join(["x2", *pivots]), "slogdet": joined(sign, sizes), "logdet": f"{sizes} + log({sign})"}
    return Step(name, operands, text="; ".join([*lines, last[name]]), stable=stable)


def _own_pivots(a: Any) -> Array:
    return _numbers(torch.linalg.lu_factor(a.detach())[0].diagonal(dim1=-2, dim2=-1))


@row("linalg_det", "det")
def _(a: Any) -> Step:
    return _determinant("det", a)


@row("linalg_slogdet", "slogdet")
def _(a: Any) -> Step:
    return _determinant("slogdet", a)


@row("logdet")
def _(a: Any) -> Step:
    return _determinant("logdet", a)
