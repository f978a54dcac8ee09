"""Factorisations and triangular systems: written out row by row as long as there are few rows, or the run's own result
refined (`hearing/matrices.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jax import lax

from ...harness.hearing import matrices
from ...harness.hearing.heard import Refused
from ...harness.records.evaluation import Array
from .equation import Equation, Meaning, Meanings, Row

MOST = 16  # rows: what is written out grows with their number


def unit(e: Equation) -> float:
    return float(np.finfo(e.results[0].dtype).eps) / 2


def refined(name: str, formula: matrices.Formula | Refused, operands: int = 1) -> Meaning | Refused:
    if isinstance(formula, Refused):
        return formula
    return Meaning(name, [*range(operands), *formula.constants], text=formula.text, stable=formula.stable)


def numbers(e: Equation, k: int = 0) -> Array:
    return np.asarray(e.operand(k), np.float64)


def eigh(e: Equation) -> Meanings:
    """Vectors, then values."""
    if e.params["subset_by_index"] is not None or not e.params["sort_eigenvalues"]:
        raise Refused("`eigh` of some eigenvalues, or of unsorted ones")
    _ = e.params["algorithm"]
    own = np.asarray(e.result(0))
    values, vectors = matrices.eigh(numbers(e), own, unit(e), lower=e.params["lower"])
    return [refined("eigh", vectors), refined("eigh", values)]


def svd(e: Equation) -> Meanings:
    """Values, and vectors if they are asked for."""
    if e.params["subset_by_index"] is not None:
        raise Refused("`svd` of some singular values")
    _ = e.params["algorithm"]
    _ = e.params["full_matrices"]
    if e.params["compute_uv"]:
        left, right = e.result(1), e.result(2)
    else:  # its derivative has vectors as well
        left, _, right = lax.linalg.svd(e.operand(0), full_matrices=False)
    found = matrices.svd(numbers(e), np.asarray(left), np.asarray(right), unit(e))
    return [refined("svd", formula) for formula in found[: len(e.results)]]


def qr(e: Equation) -> Meanings:
    if e.params["pivoting"]:
        raise Refused("`qr` with pivoting")
    _ = e.params["full_matrices"], e.params["use_magma"]
    return [
        refined("qr", formula) for formula in matrices.qr(numbers(e), np.asarray(e.result(0)), np.asarray(e.result(1)))
    ]


def _rows(e: Equation, k: int = 0) -> int:
    n = e.shapes[k][-1]
    if n > MOST:
        raise Refused(f"`{e.primitive}` of {n} rows: at most {MOST} are written out")
    return n


def cholesky(e: Equation) -> Meaning:
    """Elimination without pivoting, each pivot shared equally between the two factors. So it is differentiated as JAX
    does: the tangent of L is L phi(L^-1 dA L^-T), of which the strictly lower part is whole and the diagonal half,
    whether dA is symmetric or not (Murray 2016, section 3)."""
    n, a = e.shapes[0][-1], numbers(e)
    _ = [e.params[name] for name in ("symmetrize_input",) if name in e.params]
    if not np.array_equal(a, np.swapaxes(a, -1, -2), equal_nan=True):
        raise Refused("`cholesky` of a matrix that is not symmetric to the last digit")
    if n > MOST:
        made = refined("cholesky", matrices.cholesky(a, np.tril(np.asarray(e.result(0))), read="copy(x0)"))
        assert isinstance(made, Meaning)
        return made
    lines, columns, left = list[str](), list[str](), "x0"
    for k in range(n):
        lines.append(f"d{k} = sqrt({left}[..., 0:1, 0:1])")
        if k == n - 1:
            columns.append(_below(f"d{k}", k, e.shape))
            break
        lines.append(f"c{k} = {left}[..., 1:, 0:1] / d{k}")
        lines.append(f"r{k} = {left}[..., 0:1, 1:] / d{k}")
        columns.append(_below(f"concat([d{k}, c{k}], axis={len(e.shape) - 2})", k, e.shape))
        lines.append(f"a{k} = {left}[..., 1:, 1:] - c{k} @ r{k}")
        left = f"a{k}"
    return Meaning("cholesky", [0], text=_steps(lines, _together(columns, len(e.shape) - 1)))


def _below(column: str, zeros: int, shape: Sequence[int]) -> str:
    """A column with zeros above it."""
    widths = [[0, 0]] * (len(shape) - 2) + [[zeros, 0], [0, 0]]
    return f"pad({column}, widths={widths})" if zeros else column


def lu(e: Equation) -> list[Meaning | None]:
    """Both factors in one matrix, the rows in the order that the run has chosen."""
    n = _rows(e)
    if e.shapes[0] != (n, n):
        raise Refused("`lu` of a batch, or of a matrix that is not square")
    order = np.asarray(e.result(2)).astype(np.int64)
    lines, left = ["a0 = take(x0, x1, axis=0)"], "a0"
    for k in range(n - 1):
        lines.append(f"l{k} = {left}[1:, 0:1] / {left}[0:1, 0:1]")
        lines.append(f"a{k + 1} = {left}[1:, 1:] - l{k} @ {left}[0:1, 1:]")
        left = f"a{k + 1}"
    whole = left
    for k in reversed(range(n - 1)):
        lines.append(f"w{k} = concat([a{k}[0:1, :], concat([l{k}, {whole}], axis=1)], axis=0)")
        whole = f"w{k}"
    return [Meaning("lu", [0, order], text=_steps(lines, f"copy({whole})")), None, None]


def triangular_solve(e: Equation) -> Meaning:
    """Row by row, from the first of a lower matrix, from the last of an upper one."""
    n, rank = e.shapes[0][-1], len(e.shape)
    _ = e.params["conjugate_a"]
    left, lower, turned = e.params["left_side"], e.params["lower"], e.params["transpose_a"]
    if turned == left:  # x a = b is a' x' = b'
        lower = not lower
    a = "matrix_transpose(x0)" if turned == left else "copy(x0)"
    b = "copy(x1)" if left else "matrix_transpose(x1)"
    if n > MOST:
        return _triangular(e, a, b, lower=lower, turned=turned == left, left=left)
    lines, known = [f"a = {a}", f"b = {b}"], list[int]()
    for k in range(n) if lower else reversed(range(n)):
        right = f"b[..., {k}:{k + 1}, :]"
        if known:
            first, last = min(known), max(known)
            solved = _together([f"y{j}" for j in sorted(known)], rank - 2)
            right = f"({right} - a[..., {k}:{k + 1}, {first}:{last + 1}] @ {solved})"
        lines.append(f"y{k} = {right}" + ("" if e.params["unit_diagonal"] else f" / a[..., {k}:{k + 1}, {k}:{k + 1}]"))
        known.append(k)
    whole = _together([f"y{k}" for k in range(n)], rank - 2)
    return Meaning("triangular_solve", [0, 1], text=_steps(lines, whole if left else f"matrix_transpose({whole})"))


def _triangular(e: Equation, a: str, b: str, *, lower: bool, turned: bool, left: bool) -> Meaning:
    """By the matrix at this point and its inverse."""
    matrix, y, n = numbers(e), np.asarray(e.result(0)), e.shapes[0][-1]
    matrix = np.swapaxes(matrix, -1, -2) if turned else matrix
    mask, ones = matrices.triangle(n, lower=lower), np.eye(n)
    if e.params["unit_diagonal"]:
        mask &= ~np.eye(n, dtype=bool)
    read = f"where(x2, {a}, {'x3' if e.params['unit_diagonal'] else '0'})"
    matrix = np.where(mask, matrix, ones if e.params["unit_diagonal"] else 0)
    right = numbers(e, 1)
    right, y = (right, y) if left else (np.swapaxes(right, -1, -2), np.swapaxes(y, -1, -2))
    last = "{}" if left else "matrix_transpose({})"
    formula = matrices.solved(
        "triangular_solve", matrix, right, y, read=read, right=b, first=4, last=last, by_rows=True
    )
    operands = [0, 1, mask, ones, *formula.constants]
    return Meaning("triangular_solve", operands, text=formula.text, stable=formula.stable)


def _together(parts: Sequence[str], axis: int) -> str:
    return f"concat([{', '.join(parts)}], axis={axis})" if len(parts) > 1 else f"copy({parts[0]})"


def _steps(lines: Sequence[str], last: str) -> str:
    return "; ".join([*lines, last])


ROWS: Mapping[str, Row] = {
    "cholesky": cholesky, "eigh": eigh, "lu": lu, "qr": qr, "svd": svd, "triangular_solve": triangular_solve,
}  # fmt: skip
