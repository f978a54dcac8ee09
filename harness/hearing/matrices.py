"""What decompositions of matrices and linear systems mean: the run's own result, refined by steps that are products.

A refinement has one fixed point near the run's own result, the exact one, and comes so much nearer with each step that
a few are exact to all digits that count. Its derivative at the fixed point is that of the result.

What rounding may do is said by the first step: the result of a matrix that is off by as much as a stable algorithm may
err (Higham 2002), whose balls are those of the result, and a change to first order beside it, which is 0 and has the
derivative. `x - x` of a constant x is a ball around 0 of twice its unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records.evaluation import Array
from .heard import Refused

MOST = 128  # rows: time and memory grow as their third power
CLOSE = 1024  # roundings: two numbers that are not further apart than so many cannot be told from equal ones
STEPS = 4  # each at least doubles the digits: 2^-10 becomes 2^-160
AWAY = "Give the function that calls it a meaning by `gradaccord.define`."


@dataclass(frozen=True, slots=True)
class Formula:
    """A result in the case language: x0, x1, ... are the operands, behind them the constants. `text` is the result,
    `stable` what rounding may do to it."""

    text: str
    stable: str
    constants: Sequence[Array]


def _formula(start: str, step: str, last: str, stable: str, constants: Sequence[Array]) -> Formula:
    return Formula("; ".join([start, *[step] * STEPS, last]), stable, constants)


def _checked(name: str, *arrays: Array) -> None:
    for array in arrays:
        if max(array.shape[-2:]) > MOST:
            raise Refused(f"`{name}` of {max(array.shape[-2:])} rows or columns: at most {MOST} are heard", remedy=AWAY)
        if not np.isfinite(array).all():
            raise Refused(f"`{name}` of a matrix that is not finite", remedy="Find out where it comes from.")


def triangle(n: int, *, lower: bool = True) -> Array:
    """The mask of it, with the diagonal."""
    return np.tril(np.ones((n, n), bool)) if lower else np.triu(np.ones((n, n), bool))


def _diagonal(shape: Sequence[int]) -> tuple[str, Array]:
    """A text for the diagonal of `{}`, by an index array `{}`; and that."""
    n, lead = shape[-1], "".join(f"{int(k)}, " for k in shape[:-2])
    return f"take(reshape({{}}, shape=[{lead}{n * n}]), {{}}, axis=-1)", np.arange(n) * (n + 1)


def _largest(a: Array, axes: tuple[int, ...] = (-2, -1)) -> Array:
    """A number for each matrix, or each column: as many times its largest as it has rows."""
    return max(a.shape[-2:]) * np.abs(a).max(axis=axes, keepdims=True, initial=0)


# --- symmetric matrices ----------------------------------------------------------------------------------------------


def symmetric(name: str, a: Array, u: float, *, lower: bool = True) -> Array:
    """The matrix that is meant where one triangle is read. Raises Refused for one that is not symmetric, but for some
    roundings: what is read then is another function than the one whose gradient frameworks give."""
    a = np.asarray(a, np.float64)
    _checked(name, a)
    if (np.abs(a - np.swapaxes(a, -1, -2)) > CLOSE * u * np.abs(a).max(initial=0)).any():
        said = (
            f"`{name}` of a matrix that is not symmetric: it reads one triangle, and its gradient is that of all of it"
        )
        raise Refused(said, remedy="Hand it (a + a.T) / 2.")
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    return half + np.swapaxes(half, -1, -2) + np.where(np.eye(a.shape[-1], dtype=bool), a, 0)


def one_triangle(mask: str, *, halved: bool) -> str:
    """The text of such a matrix: its numbers from one triangle, its derivative that of all of it, or, as PyTorch has,
    of half of it and half of its transpose."""
    read = f"x0 + stop_gradient(where({mask}, x0, matrix_transpose(x0)) - x0)"
    return f"({read}) / 2 + matrix_transpose({read}) / 2" if halved else read


def eigh(
    a: Array, vectors: Array, u: float, *, lower: bool = True, halved: bool = False
) -> tuple[Formula, Formula | Refused]:
    """Eigenvalues and eigenvectors of a symmetric matrix, ascending: X becomes X + X E, where R = I - X'X, S = X'AX,
    E_ij = (S_ij + w_j R_ij) / (w_j - w_i), E_ii = R_ii / 2 and w_i = S_ii / (1 - R_ii) (Ogita and Aishima 2018,
    algorithm 1). Of a change of A that is not symmetric S reads all, as JAX does.

    Where eigenvalues are as good as equal, the vectors have no derivative, and each value that of the run's own vector.
    """
    whole = symmetric("eigh", a, u, lower=lower)
    n = whole.shape[-1]
    found, vectors = np.linalg.eigvalsh(whole), np.asarray(vectors, np.float64)
    size = np.abs(found).max(axis=-1, initial=0)[..., None, None]
    near = np.abs(found[..., None, :] - found[..., :, None]) <= CLOSE * u * size
    diagonal, index = _diagonal(whole.shape)
    read = f"a = {one_triangle('x4', halved=halved)}"
    measured = (
        "r = x2 - matrix_transpose(x) @ x; s = matrix_transpose(x) @ (a @ x); "
        f"w = {diagonal.format('s', 'x5')} / (1 - {diagonal.format('r', 'x5')})"
    )
    step = (
        f"{measured}; v = expand_dims(w, axis=-2); d = where(x3, v - expand_dims(w, axis=-1), 1); "
        "x = x + x @ where(x3, (s + v * r) / d, r / 2)"
    )
    start = f"{read}; x = copy(x1)"
    off = f"{start}; e = a - x6; a = stop_gradient(a) + (x7 - x7); {step}; c = matrix_transpose(x) @ (e @ x)"
    constants = [vectors, np.eye(n), ~near, triangle(n, lower=lower), index, whole, _largest(whole)]
    values = _formula(start, step, f"{measured}; w", f"{off}; w + {diagonal.format('c', 'x5')}", constants)
    if (near & ~np.eye(n, dtype=bool)).any():
        said = "eigenvectors of eigenvalues that are equal or as good as equal: they have no derivative"
        return values, Refused(said, remedy="Use the eigenvalues alone, or functions of the matrix itself.")
    return values, _formula(start, step, "x", f"{off}; x + x @ where(x3, c / d, 0)", constants)


# --- any matrix ------------------------------------------------------------------------------------------------------


def svd(
    a: Array, u_own: Array, v_own: Array, u: float, *, turned: bool = True
) -> tuple[Formula, Formula | Refused, Formula | Refused]:
    """Singular values, left vectors and right vectors (as rows, or as columns where they are not `turned`) of
    A = U S V', thin: U becomes U + U F + (A V - U U'A V) / s and V likewise, where R = I - U'U, Q = I - V'V, T = U'AV,
    s_i = T_ii / (1 - (R_ii + Q_ii) / 2), F_ii = R_ii / 2, G_ii = Q_ii / 2 and, of M = T + R S and N = T' + Q S,
    F_ij = (s_j M_ij + s_i N_ij) / (s_j^2 - s_i^2), G_ij = (s_i M_ij + s_j N_ij) / (s_j^2 - s_i^2) (Ogita and Aishima
    2020)."""
    a = np.asarray(a, np.float64)
    _checked("svd", a)
    found = np.linalg.svd(a, compute_uv=False)
    k = found.shape[-1]
    left, right = np.asarray(u_own, np.float64), np.swapaxes(np.asarray(v_own, np.float64), -1, -2)
    if left.shape[-1] != k or right.shape[-1] != k:
        raise Refused("`svd` with full matrices: what spans the rest is a choice", remedy="full_matrices=False")
    size = found.max(axis=-1, initial=0)[..., None, None]
    near = np.abs(found[..., None, :] - found[..., :, None]) <= CLOSE * u * size
    small = found <= CLOSE * u * size[..., 0]
    diagonal, index = _diagonal((*a.shape[:-2], k, k))
    measured = (
        "r = x3 - matrix_transpose(x) @ x; q = x3 - matrix_transpose(y) @ y; c = a @ y; b = matrix_transpose(a) @ x; "
        "t = matrix_transpose(x) @ c; "
        f"s = {diagonal.format('t', 'x5')} / (1 - ({diagonal.format('r', 'x5')} + {diagonal.format('q', 'x5')}) / 2)"
    )
    # What lies outside of the span: only of a side that is longer than the other.
    rest = {"x": " + (c - x @ t) / where(x6, 1, sj)", "y": " + (b - y @ matrix_transpose(t)) / where(x6, 1, sj)"}
    if a.shape[-2] <= k:
        rest["x"] = ""
    if a.shape[-1] <= k:
        rest["y"] = ""
    step = (
        f"{measured}; sj = expand_dims(s, axis=-2); si = expand_dims(s, axis=-1); "
        "d = where(x4, (sj - si) * (sj + si), 1); m = t + r * sj; n = matrix_transpose(t) + q * sj; "
        "f = where(x4, (sj * m + si * n) / d, r / 2); g = where(x4, (si * m + sj * n) / d, q / 2); "
        f"z = x + x @ f{rest['x']}; y = y + y @ g{rest['y']}; x = copy(z)"
    )
    start = "a = copy(x0); x = copy(x1); y = copy(x2)"
    off = (
        f"{start}; e = a - x7; a = stop_gradient(a) + (x8 - x8); {step}; "
        "c = e @ y; b = matrix_transpose(e) @ x; t = matrix_transpose(x) @ c"
    )
    constants = [left, right, np.eye(k), ~near, index, small[..., None, :], a, _largest(a)]
    values = _formula(start, step, f"{measured}; s", f"{off}; s + {diagonal.format('t', 'x5')}", constants)
    equal = (near & ~np.eye(k, dtype=bool)).any()
    if equal or (small.any() and a.shape[-2] != a.shape[-1]):
        which = "that are equal or as good as equal" if equal else "that are 0"
        said = f"singular vectors of singular values {which}: they have no derivative"
        refused = Refused(said, remedy="Use the singular values alone, or functions of the matrix itself.")
        return values, refused, refused
    rounded = {
        "x": f"x + x @ where(x4, (sj * t + si * matrix_transpose(t)) / d, 0){rest['x']}",
        "y": f"y + y @ where(x4, (si * t + sj * matrix_transpose(t)) / d, 0){rest['y']}",
    }
    shown = "matrix_transpose({})".format if turned else "{}".format
    return (
        values,
        _formula(start, step, "x", f"{off}; {rounded['x']}", constants),
        _formula(start, step, shown("y"), f"{off}; {shown(rounded['y'])}", constants),
    )


def qr(a: Array, q_own: Array, r_own: Array) -> tuple[Formula, Formula]:
    """Q and R of A = Q R, thin, with the signs of the run: Q = A M with M the inverse of the run's R, and then Q is
    Q + Q up(I - Q'Q), where up is the upper part with half of the diagonal; R is Q'A. Reflections err by columns
    (Higham 2002, theorem 19.4). To first order dR = P R and dQ = dA / R - Q P, where P = up(Z + Z'), Z = Q'dA / R."""
    a, q, r = (np.asarray(x, np.float64) for x in (a, q_own, r_own))
    _checked("qr", a)
    n = a.shape[-1]
    if a.shape[-2] < n or r.shape[-2] != n:
        raise Refused("`qr` of a matrix that is wider than high, or in its complete form", remedy=AWAY)
    constants = [inverse_of("qr", r), np.eye(n), triangle(n, lower=False), q, r, a, _largest(a, (-2,))]
    step = "d = x2 - matrix_transpose(q) @ q; q = q + q @ where(x3, d - d * x2 / 2, 0)"
    off = (
        f"a = stop_gradient(x0) + (x7 - x7); q = x4 + (a - x4 @ x5) @ x1; {step}; "
        "r = where(x3, matrix_transpose(q) @ a, 0); m = x1 + x1 @ (x2 - r @ x1); e = (x0 - x6) @ m; "
        "z = matrix_transpose(q) @ e; z = z + matrix_transpose(z); p = where(x3, z - z * x2 / 2, 0)"
    )
    start = "q = x0 @ x1"
    return (
        _formula(start, step, "q", f"{off}; q + e - q @ p", constants),
        _formula(start, step, "where(x3, matrix_transpose(q) @ x0, 0)", f"{off}; r + p @ r", constants),
    )


def inverse_of(name: str, a: Array) -> Array:
    """The inverse in float64, which refinements begin with. Raises Refused where it has too few digits for that."""
    _checked(name, a)
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        raise Refused(f"`{name}` of a matrix that is singular", remedy=AWAY) from None
    sizes = np.abs(a).sum(-1).max(-1, initial=0) * np.abs(inverse).sum(-1).max(-1, initial=0)
    condition = float(sizes.max(initial=0))
    if not condition < 1e12:
        said = f"`{name}` of a matrix that is close to a singular one: its condition is {condition:.0e}"
        raise Refused(said, remedy=AWAY)
    return inverse


# --- linear systems --------------------------------------------------------------------------------------------------


def eliminated(a: Array) -> tuple[Array, Array, Array]:
    """Of an elimination with partial pivoting, for each matrix: which row became which, the sign of that order, and
    |L| |U| in the order of the rows as they were: n times that is what the elimination may err by (Higham 2002, theorem
    9.3)."""
    a = np.asarray(a, np.float64)
    n = a.shape[-1]
    flat = a.reshape(-1, n, n)
    orders, signs, sizes = np.empty(flat.shape[:2], np.int64), np.ones(len(flat)), np.empty(flat.shape)
    for one, matrix in enumerate(flat):
        u, low = matrix.copy(), np.zeros((n, n))
        order = orders[one]
        order[:] = np.arange(n)
        for k in range(n):
            j = k + int(np.argmax(np.abs(u[k:, k])))
            if j != k:
                u[[k, j]], low[[k, j]], order[[k, j]], signs[one] = u[[j, k]], low[[j, k]], order[[j, k]], -signs[one]
            factor = u[k + 1 :, k] / u[k, k] if u[k, k] else np.zeros(n - k - 1)
            u[k + 1 :] -= factor[:, None] * u[k]
            low[k + 1 :, k] = factor
        sizes[one][order] = (np.abs(low) + np.eye(n)) @ np.abs(np.triu(u))
    return orders.reshape(a.shape[:-1]), signs.reshape(a.shape[:-2]), sizes.reshape(a.shape)


def solved(
    name: str,
    a: Array,
    b: Array,
    y: Array,
    *,
    read: str,
    right: str,
    first: int,
    last: str = "{}",
    by_rows: bool = False,
) -> Formula:
    """The solution y of A y = b: y becomes y + M (b - A y), with the inverse M of A at this point.

    `read` and `right` are texts for A and b, matrices, in operands x0, ...; `first` is how many these are. `last` is
    what is made of y, `by_rows` whether A is triangular and errs row by row.
    """
    a, b, y = (np.asarray(x, np.float64) for x in (a, b, y))
    _checked(name, a, y)
    inverse, sizes = inverse_of(name, a), np.abs(a) if by_rows else eliminated(a)[2]
    own, m, eye, a0, b0, size = (f"x{first + k}" for k in range(6))
    step = f"r = b - a @ y; t = {m} @ r; t = t + {m} @ (r - {a0} @ t); y = y + t"
    start = f"a = {read}; b = {right}; y = copy({own})"
    off = (
        f"{start}; da = a - {a0}; db = b - {b0}; a = stop_gradient(a) + ({size} - {size}); b = stop_gradient(b); "
        f"m = {m} + {m} @ ({eye} - a @ {m}); y = y + m @ (b - a @ y)"
    )
    constants = [y, inverse, np.eye(a.shape[-1]), a, b, a.shape[-1] * sizes]
    return _formula(start, step, last.format("y"), f"{off}; {last.format('(y + m @ (db - da @ y))')}", constants)


def cholesky(a: Array, own: Array, *, read: str, last: str = "{}") -> Formula:
    """The lower factor of A = L L': L becomes L + L0 low(M (A - L L') M'), where L0 is the run's own factor, M its
    inverse, and low is the lower part with half of the diagonal (Murray 2016, section 3). `read` is a text for A,
    `last` what is made of L. An element errs by the roots of two of the diagonal (Higham 2002, theorem 10.3)."""
    a, own = np.asarray(a, np.float64), np.asarray(own, np.float64)
    n = own.shape[-1]
    inverse, roots = inverse_of("cholesky", own), np.sqrt(np.abs(np.einsum("...ii->...i", a)))
    low = "where(x4, z, 0) + z * x3 / 2"
    step = f"z = x2 @ (a - l @ matrix_transpose(l)) @ matrix_transpose(x2); l = l + x1 @ ({low})"
    start = f"a = {read}; l = copy(x1)"
    off = (
        f"{start}; e = a - x5; a = stop_gradient(a) + (x6 - x6); {step}; m = x2 + x2 @ (x3 - l @ x2); "
        f"z = m @ e @ matrix_transpose(m)"
    )
    sizes = n * roots[..., :, None] * roots[..., None, :]
    constants = [own, inverse, np.eye(n), triangle(n) & ~np.eye(n, dtype=bool), a, sizes]
    return _formula(start, step, last.format("l"), f"{off}; {last.format(f'(l + l @ ({low}))')}", constants)
