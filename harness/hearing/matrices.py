"""What decompositions of matrices and linear systems mean: the run's own result, refined by steps that are products alone.

A refinement has one fixed point near the run's own result, the exact one, and comes so much nearer with each step that
a few are exact to all digits that count. Its derivative at the fixed point is that of the result. One step alone says
what rounding may do: it has the residuals that a stable algorithm has, each of its products rounded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..records.evaluation import Array
from .heard import Refused

MOST = 128  # rows: time and memory grow as their third power
CLOSE = 1024  # roundings: two numbers that are not further apart than so many cannot be told from equal ones
STEPS = 4  # each at least doubles the digits: 2^-10 becomes 2^-160
AWAY = "Give the function that calls it a meaning by `gradaccord.define`, or keep a small multiple of `eye` between them."


@dataclass(frozen=True, slots=True)
class Formula:
    """A result in the case language: x0, x1, ... are the operands, behind them the constants. `text` is the result,
    `stable` what rounding may do to it."""

    text: str
    stable: str
    constants: Sequence[Array]


def _checked(name: str, *arrays: Array) -> None:
    for array in arrays:
        if max(array.shape[-2:]) > MOST:
            raise Refused(f"`{name}` of {max(array.shape[-2:])} rows or columns: at most {MOST} are heard")


def _diagonal(n: int, shape: Sequence[int]) -> tuple[str, Array]:
    """A text for the diagonal of `{}`, by an index array `{}`; and that."""
    lead = "".join(f"{int(k)}, " for k in shape[:-2])
    return f"take(reshape({{}}, shape=[{lead}{n * n}]), {{}}, axis=-1)", np.arange(n) * (n + 1)


def _steps(count: int, step: str, last: str) -> str:
    return "; ".join([*[step] * count, last])


def _sloped(values: str, step: str, change: str) -> str:
    """Values whose own rounding is that of `values`; their derivative, that of `change`, has the rounding of vectors."""
    stopped = "a = stop_gradient(a); " + step
    return f"kept = stop_gradient({values}); whole = copy(a); {stopped}; a = copy(whole); kept + {change}"


# --- symmetric matrices ----------------------------------------------------------------------------------------------


def symmetric(name: str, a: Array, u: float, *, lower: bool = True) -> Array:
    """The matrix that is meant where one triangle is read. Raises Refused for one that is not symmetric, but for some
    roundings: what is read then is another function than the one whose gradient frameworks give."""
    a = np.asarray(a, np.float64)
    _checked(name, a)
    if not np.isfinite(a).all():
        raise Refused(f"`{name}` of a matrix that is not finite")
    if (np.abs(a - np.swapaxes(a, -1, -2)) > CLOSE * u * np.abs(a).max(initial=0)).any():
        said = f"`{name}` of a matrix that is not symmetric: it reads one triangle, and its gradient is that of all of it"
        raise Refused(said, remedy="Hand it (a + a.T) / 2.")
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    return half + np.swapaxes(half, -1, -2) + np.where(np.eye(a.shape[-1], dtype=bool), a, 0)


def one_triangle(mask: str, *, halved: bool) -> str:
    """The text of such a matrix: its numbers from one triangle, its derivative that of all of it, or, as PyTorch has it,
    of half of it and half of its transpose."""
    read = f"x0 + stop_gradient(where({mask}, x0, matrix_transpose(x0)) - x0)"
    return f"({read}) / 2 + matrix_transpose({read}) / 2" if halved else read


def triangle(n: int, *, lower: bool = True) -> Array:
    """The mask of it."""
    return np.tril(np.ones((n, n), bool)) if lower else np.triu(np.ones((n, n), bool))


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
    apart = ~near
    diagonal, index = _diagonal(n, whole.shape)
    read = f"a = {one_triangle('x4', halved=halved)}"
    measured = (
        "r = x2 - matrix_transpose(x) @ x; s = matrix_transpose(x) @ (a @ x); "
        f"w = {diagonal.format('s', 'x5')} / (1 - {diagonal.format('r', 'x5')})"
    )
    step = (
        f"{measured}; v = expand_dims(w, axis=-2); d = where(x3, v - expand_dims(w, axis=-1), 1); "
        "x = x + x @ where(x3, (s + v * r) / d, r / 2)"
    )
    constants = [vectors, np.eye(n), apart, triangle(n, lower=lower), index]
    start = f"{read}; x = copy(x1)"
    slopes = _sloped("w", step, "sum(x * ((a - x6) @ x), axis=-2)")
    values = Formula(f"{start}; {_steps(STEPS, step, measured)}; w", f"{start}; {measured}; {slopes}", [*constants, whole])
    if (near & ~np.eye(n, dtype=bool)).any():
        return values, Refused("eigenvectors of eigenvalues that are equal or as good as equal: they have no derivative")
    return values, Formula(f"{start}; {_steps(STEPS, step, 'x')}", f"{start}; {step}; x", constants)


# --- any matrix ------------------------------------------------------------------------------------------------------


def svd(
    a: Array, u_own: Array, v_own: Array, u: float, *, turned: bool = True
) -> tuple[Formula, Formula | Refused, Formula | Refused]:
    """Singular values, left vectors and right vectors (as rows, or as columns where they are not `turned`) of A = U S V', thin: U becomes U + U F + (A V - U U'A V)
    / s and V likewise, where R = I - U'U, Q = I - V'V, T = U'AV, s_i = T_ii / (1 - (R_ii + Q_ii) / 2), F_ii = R_ii / 2
    and F_ij = (s_j (T_ij + s_j R_ij) + s_i (T_ji + s_j Q_ij)) / (s_j^2 - s_i^2) (Ogita and Aishima 2020)."""
    a = np.asarray(a, np.float64)
    _checked("svd", a)
    if not np.isfinite(a).all():
        raise Refused("`svd` of a matrix that is not finite")
    found = np.linalg.svd(a, compute_uv=False)
    k = found.shape[-1]
    left, right = np.asarray(u_own, np.float64), np.swapaxes(np.asarray(v_own, np.float64), -1, -2)
    if left.shape[-1] != k or right.shape[-1] != k:
        raise Refused("`svd` with full matrices: what spans the rest is a choice", remedy="full_matrices=False")
    size = found.max(axis=-1, initial=0)[..., None, None]
    near = np.abs(found[..., None, :] - found[..., :, None]) <= CLOSE * u * size
    small = found <= CLOSE * u * size[..., 0]
    diagonal, index = _diagonal(k, (*a.shape[:-2], k, k))
    measured = (
        "r = x3 - matrix_transpose(x) @ x; q = x3 - matrix_transpose(y) @ y; c = a @ y; b = matrix_transpose(a) @ x; "
        "t = matrix_transpose(x) @ c; "
        f"s = {diagonal.format('t', 'x5')} / (1 - ({diagonal.format('r', 'x5')} + {diagonal.format('q', 'x5')}) / 2)"
    )
    step = (
        f"{measured}; sj = expand_dims(s, axis=-2); si = expand_dims(s, axis=-1); "
        "d = where(x4, (sj - si) * (sj + si), 1); m = t + sj * r; n = matrix_transpose(t) + sj * q; "
        "f = where(x4, (sj * m + si * n) / d, r / 2); g = where(x4, (si * m + sj * n) / d, q / 2)"
    )
    constants: list[Array] = [left, right, np.eye(k), ~near, index, small[..., None, :]]
    # What lies outside of the span: only of a side that is longer than the other. Rounding is that of whole columns.
    rest = {"x": "c - x @ t", "y": "b - y @ matrix_transpose(t)"}
    wide = "x" if a.shape[-2] > k else "y" if a.shape[-1] > k else ""
    parts = {side: f" + ({rest[side]}) / where(x6, 1, sj)" if side == wide else "" for side in "xy"}
    whole = {side: part.replace(rest[side], f"x7 @ (matrix_transpose(x7) @ ({rest[side]}))") for side, part in parts.items()}
    if wide:
        constants.append(basis(left if wide == "x" else right))

    def stepped(parts: Mapping[str, str]) -> str:
        return f"{step}; z = x + x @ f{parts['x']}; y = y + y @ g{parts['y']}; x = copy(z)"

    once, step = stepped(whole), stepped(parts)
    start = "a = copy(x0); x = copy(x1); y = copy(x2)"
    last = "matrix_transpose(y)" if turned else "y"
    slopes = _sloped("s", once, f"sum(x * ((a - x{len(constants) + 1}) @ y), axis=-2)")
    values = Formula(f"{start}; {_steps(STEPS, step, measured)}; s", f"{start}; {measured}; {slopes}", [*constants, a])
    off = near & ~np.eye(k, dtype=bool)
    if off.any() or (small.any() and max(a.shape[-2:]) > min(a.shape[-2:])):
        which = "that are equal or as good as equal" if off.any() else "that are 0"
        return values, *([Refused(f"singular vectors of singular values {which}: they have no derivative")] * 2)
    return (
        values,
        Formula(f"{start}; {_steps(STEPS, step, 'x')}", f"{start}; {once}; x", constants),
        Formula(f"{start}; {_steps(STEPS, step, last)}", f"{start}; {once}; {last}", constants),
    )


def qr(a: Array, q_own: Array, r_own: Array) -> tuple[Formula, Formula]:
    """Q and R of A = Q R, thin, with the signs of the run: Q = A M with M the inverse of the run's R, and then Q becomes
    Q + Q up(I - Q'Q), where up is the upper part with half of the diagonal; R is Q'A. Rounding is that of reflections,
    which turn whole columns (Higham 2002, theorem 19.4)."""
    a, q, r = (np.asarray(x, np.float64) for x in (a, q_own, r_own))
    _checked("qr", a)
    n = a.shape[-1]
    if a.shape[-2] < n or r.shape[-2] != n:
        raise Refused("`qr` of a matrix that is wider than high, or in its complete form", remedy=AWAY)
    constants = [inverse_of("qr", r), np.eye(n), triangle(n, lower=False), q, r, basis(q)]
    step = "d = x2 - matrix_transpose(q) @ q; q = q + q @ where(x3, d - d * x2 / 2, 0)"
    upwards = "where(x3, matrix_transpose(q) @ x0, 0)"
    rounded = f"q = x4 + (x6 @ (matrix_transpose(x6) @ (x0 - x4 @ x5))) @ x1; {step}"
    return (
        Formula(f"q = x0 @ x1; {_steps(STEPS, step, 'q')}", f"{rounded}; q", constants),
        Formula(f"q = x0 @ x1; {_steps(STEPS, step, upwards)}", f"{rounded}; {upwards}", constants),
    )


def basis(q: Array) -> Array:
    """Orthonormal columns, with those that they lack: Q Q' is the identity, and its rounding that of whole columns."""
    return np.linalg.qr(np.asarray(q, np.float64), mode="complete")[0]


def inverse_of(name: str, a: Array) -> Array:
    """The inverse in float64, which refinements begin with. Raises Refused where it has too few digits for that."""
    a = np.asarray(a, np.float64)
    _checked(name, a)
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        raise Refused(f"`{name}` of a matrix that is singular", remedy=AWAY) from None
    condition = float((np.abs(a).sum(-1).max(-1, initial=0) * np.abs(inverse).sum(-1).max(-1, initial=0)).max(initial=0))
    if not condition < 1e12:
        raise Refused(f"`{name}` of a matrix that is close to a singular one: its condition is {condition:.0e}", remedy=AWAY)
    return inverse


# --- linear systems --------------------------------------------------------------------------------------------------


def solved(name: str, a: Array, y: Array, read: str, right: str, first: int, last: str = "y") -> Formula:
    """The solution y of A y = b: y becomes y + S (b - A y), where S r is t + M (r - A0 t), t = M r, with the inverse M
    of A at this point, A0: so each residual is rounded as a stable solver may (Higham 2002, section 12.1).

    `read` and `right` are texts for A and b, matrices, in operands x0, ...; `first` is how many these are. `last` is
    a text for what is made of y.
    """
    a = np.asarray(a, np.float64)
    inverse = inverse_of(name, a)
    _checked(name, np.asarray(y))
    step = f"r = b - a @ y; {applied('t', 'r', first + 1, first + 2)}; y = y + t"
    start = f"a = {read}; b = {right}; y = copy(x{first})"
    return Formula(f"{start}; {_steps(STEPS, step, last)}", f"{start}; {step}; {last}", [np.asarray(y, np.float64), inverse, a])


def applied(result: str, of: str, inverse: int, matrix: int) -> str:
    """What solves a system with a matrix that is constant, refined once."""
    m = f"x{inverse}"
    return f"{result} = {m} @ {of}; {result} = {result} + {m} @ ({of} - x{matrix} @ {result})"


def cholesky(own: Array, read: str, last: str = "l") -> Formula:
    """The lower factor of A = L L': L becomes L + L0 low(S (A - L L') S'), where L0 is the run's own factor, S solves
    with it, and low is the lower part with half of the diagonal (Murray 2016, section 3). `read` is a text for A, `last` one for what
    is made of L."""
    own = np.asarray(own, np.float64)
    _checked("cholesky", own)
    n = own.shape[-1]
    inverse = inverse_of("cholesky", own)
    step = (
        f"r = a - l @ matrix_transpose(l); {applied('t', 'r', 2, 1)}; r = matrix_transpose(t); {applied('z', 'r', 2, 1)}; "
        "l = l + x1 @ (where(x4, matrix_transpose(z), 0) + z * x3 / 2)"
    )
    start = f"a = {read}; l = copy(x1)"
    lower = np.tril(np.ones((n, n), bool), -1)
    return Formula(f"{start}; {_steps(STEPS, step, last)}", f"{start}; {step}; {last}", [own, inverse, np.eye(n), lower])
