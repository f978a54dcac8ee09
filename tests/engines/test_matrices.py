"""Decompositions of matrices and linear systems in both frameworks: right ones pass, wrong ones are found, and what has
no derivative is said."""

# The frameworks are annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gradaccord
from gradaccord.harness.hearing import matrices
from gradaccord.harness.hearing.heard import Refused

Array = NDArray[Any]
L: Any = torch.linalg
J: Any = jnp.linalg


def square(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, n))


def symmetric(n: int, seed: int) -> Array:
    return square(n, seed) + square(n, seed).T


def positive(n: int, seed: int) -> Array:
    return square(n, seed) @ square(n, seed).T + np.eye(n)


def tall(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n + 2, n))


def badly_scaled(n: int, seed: int) -> Array:
    """Zeros in it, and rows of other sizes: an algorithm errs there by the size of the whole."""
    draws = np.random.default_rng(seed)
    return square(n, seed) * (draws.random((n, n)) < 0.6) * 10.0 ** draws.integers(-2, 3, size=(n, 1)) + np.eye(n)


def several(make: Callable[[int, int], Array]) -> Callable[[int, int], Array]:
    return lambda n, seed: np.stack([make(n, seed), make(n, seed + 100)])


TORCH: dict[str, tuple[Callable[[Any], Any], Callable[[int, int], Array]]] = {
    "eigh": (lambda a: L.eigh(a), symmetric),  # noqa: PLW0108
    "eigh of a scaled one": (lambda a: L.eigh(a + a.T, "U")[1], badly_scaled),
    "eigvalsh": (L.eigvalsh, symmetric),
    "eigh of several": (lambda a: L.eigh(a)[1], several(symmetric)),
    "svd": (lambda a: L.svd(a, full_matrices=False), tall),
    "svd of a wide one": (lambda a: L.svd(a.mT, full_matrices=False), tall),
    "svd of a square one": (torch.svd, square),
    "svdvals": (L.svdvals, badly_scaled),
    "qr": (L.qr, tall),
    "qr of a scaled one": (L.qr, badly_scaled),
    "cholesky": (L.cholesky, positive),
    "cholesky, upper": (lambda a: L.cholesky(a, upper=True), positive),
    "inv": (lambda a: L.inv(a) + torch.inverse(a), badly_scaled),
    "solve": (lambda a: L.solve(a, a[:, 0] * 2), badly_scaled),
    "solve several": (lambda a: L.solve(a, a[:, :, :1].exp()), several(square)),
    "triangular": (lambda a: L.solve_triangular(a, a[:, :2].sin(), upper=True), positive),
    "unit triangular": (lambda a: L.solve_triangular(a / 4, a.sin(), upper=False, unitriangular=True), positive),
    "cholesky_solve": (lambda a: torch.cholesky_solve(a[:, :2].sin(), L.cholesky(a)), positive),
    "det": (lambda a: L.det(a) + a.det(), badly_scaled),
    "slogdet": (L.slogdet, several(badly_scaled)),
    "logdet": (torch.logdet, positive),
}
JAX: dict[str, tuple[Callable[[Any], Any], Callable[[int, int], Array]]] = {
    "eigh": (J.eigh, symmetric),
    "eigh of several": (J.eigh, several(symmetric)),
    "eigvalsh": (J.eigvalsh, symmetric),
    "svd": (lambda a: J.svd(a, full_matrices=False), tall),
    "svd of a wide one": (lambda a: J.svd(a.T, full_matrices=False), tall),
    "singular values": (lambda a: J.svd(a, compute_uv=False), badly_scaled),
    "qr": (J.qr, tall),
    "qr of a scaled one": (J.qr, badly_scaled),
}
# What is refined where it was written out before, above 16 rows.
LARGE: dict[str, Callable[[Any], Any]] = {
    "cholesky": J.cholesky,
    "triangular": lambda a: jax.scipy.linalg.solve_triangular(a, a[:, :2], lower=True),
    "triangular, turned": lambda a: jax.scipy.linalg.solve_triangular(a, a[:, :2], trans=1),
}


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TORCH)
def test_torchs_own_pass(name: str, dtype: str) -> None:
    function, make = TORCH[name]
    for n, seed in ((1, 1), (3, 2), (5, 3)):
        gradaccord.check(function, torch.from_numpy(make(n, seed).astype(dtype))).assert_sound()


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", JAX)
def test_jaxs_own_pass(name: str, dtype: str) -> None:
    function, make = JAX[name]
    gradaccord.check(function, jnp.asarray(make(4, 5).astype(dtype))).assert_sound()


@pytest.mark.parametrize("name", LARGE)
def test_those_of_many_rows_pass(name: str) -> None:
    gradaccord.check(LARGE[name], jnp.asarray(positive(18, 7))).assert_sound()


# --- wrong ones ---------------------------------------------------------------------------------------------------


def by_hand(forward: Callable[[Any], Any], backward: Callable[..., Any]) -> Callable[[Any], Any]:
    """A rule whose backward is given the matrix, the results and their gradients."""

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Any) -> Any:
            made = forward(a)
            ctx.save_for_backward(a, *(made if isinstance(made, tuple) else (made,)))
            return made

        @staticmethod
        def backward(ctx: Any, *gs: Any) -> Any:
            a, *made = ctx.saved_tensors
            return backward(a, made, gs)

    return lambda a: Rule.apply((a + a.mT) / 2)


def of_eigenvectors(factor: float, sign: float) -> Callable[..., Any]:
    def backward(a: Any, made: Any, gs: Any) -> Any:
        w, v = made
        gap = w[None, :] - w[:, None]
        gap.fill_diagonal_(float("inf"))
        inner = torch.diag(gs[0]) * factor + sign * (v.T @ gs[1]) / gap
        whole = v @ inner @ v.T
        return (whole + whole.T) / 2  # as torch has it

    return backward


def tuple_of_eigh(a: Any) -> Any:
    w, v = L.eigh(a)
    return w, v


RULES: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "eigh": (by_hand(tuple_of_eigh, of_eigenvectors(1, 1)), True),
    "eigh, gaps the other way": (by_hand(tuple_of_eigh, of_eigenvectors(1, -1)), False),
    "eigh, values too large by 1e-11": (by_hand(tuple_of_eigh, of_eigenvectors(1 + 1e-11, 1)), False),
    "inv": (by_hand(L.inv, lambda a, y, g: -y[0].T @ g[0] @ y[0].T), True),
    "inv, not transposed": (
        by_hand(lambda a: L.inv(a + torch.ones(4, 4).triu()), lambda a, y, g: -y[0] @ g[0] @ y[0]),
        False,
    ),
    "logdet": (by_hand(torch.logdet, lambda a, y, g: g[0] * L.inv(a).T), True),
    "logdet, twice": (by_hand(torch.logdet, lambda a, y, g: g[0] * 2 * L.inv(a).T), False),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_about_them_is_judged(name: str) -> None:
    function, right = RULES[name]
    assert gradaccord.check(function, torch.from_numpy(positive(4, 9))).sound == right


def test_a_decomposition_that_is_off_is_found() -> None:
    """Vectors that are off by 1e-12 in a run, as if LAPACK had been stopped early."""
    a = symmetric(4, 3)
    v = np.linalg.eigh(a)[1]
    values, vectors = matrices.eigh(a, v, 2.0**-53)
    assert isinstance(vectors, matrices.Formula) and len(values.constants) == len(vectors.constants)
    rule = by_hand(tuple_of_eigh, of_eigenvectors(1, 1))
    checked = gradaccord.check(lambda a: rule(a)[1] * 1, torch.from_numpy(a))
    checked.assert_sound()

    def slightly(a: Any) -> Any:
        w, v = L.eigh(a)
        return w, v + 1e-12 * torch.arange(16.0).reshape(4, 4)

    assert not gradaccord.check(by_hand(slightly, of_eigenvectors(1 + 1e-9, 1)), torch.from_numpy(a)).sound


def test_the_determinant_of_a_singular_matrix_is_found() -> None:
    """torch gives zeros, where the cofactors are 4, -2, -2, 1 (pytorch/pytorch#104675)."""
    checked = gradaccord.check(torch.linalg.det, torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64))
    assert "wrong" in {row.verdict for row in checked.rows}


# --- what has no derivative ---------------------------------------------------------------------------------------

EYE = np.eye(3)
REFUSED: dict[str, tuple[Callable[[Any], Any], Array, str]] = {
    "equal eigenvalues": (lambda a: L.eigh(a)[1], EYE, "eigenvectors of eigenvalues that are equal"),
    "equal singular values": (lambda a: L.svd(a, full_matrices=False)[0], EYE, "singular vectors of singular values"),
    "not symmetric": (L.eigvalsh, square(3, 1), r"not symmetric.*\(a \+ a.T\) / 2"),
    "full": (lambda a: L.svd(a)[0], tall(3, 1), "full_matrices=False"),
    "close to singular": (L.qr, np.ones((3, 3)) + 1e-15 * EYE, "close to a singular one"),
    "from the right": (lambda a: L.solve(a, a, left=False), positive(3, 1), "from the right"),
    "many rows": (L.det, positive(17, 1), "at most 16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_way_out(name: str) -> None:
    function, a, said = REFUSED[name]
    with pytest.raises(Refused, match=said) as caught:
        gradaccord.check(function, torch.from_numpy(a))
    assert caught.value.remedy


def test_equal_eigenvalues_have_derivatives_as_long_as_no_vector_is_read() -> None:
    gradaccord.check(torch.linalg.eigvalsh, torch.eye(3, dtype=torch.float64)).assert_sound()
    gradaccord.check(lambda a: J.eigh(a)[0], jnp.diag(jnp.array([1.0, 2.0, 4.0]))).assert_sound()
    with pytest.raises(Refused, match="eigenvectors of eigenvalues that are equal") as caught:
        gradaccord.check(lambda a: J.eigh(a)[1], jnp.eye(3))
    assert caught.value.place.file == __file__
