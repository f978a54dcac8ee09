"""Custom rules of functions that read one triangle of a symmetric matrix: their antisymmetric part is a choice, the
symmetric one is not; where a step reads all of its matrix, neither is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from gradaccord import check

Tensor = torch.Tensor
B = torch.tensor([[0.5, -1.2, 0.3], [1.1, 0.4, -0.7], [-0.2, 0.9, 1.6]], dtype=torch.float64)
W = torch.tensor([[0.3, 1.0, -0.6], [-1.4, 0.2, 0.8], [0.7, -0.1, 1.2]], dtype=torch.float64)


def of_cholesky(a: Tensor, g: Tensor) -> Tensor:
    """Murray 2016, section 3, without the last step, which takes the symmetric part."""
    low = torch.linalg.cholesky(a)
    inverse, part = torch.linalg.inv(low), torch.tril(low.T @ g)
    return inverse.T @ (part - torch.diag(torch.diag(part)) / 2) @ inverse


def eigen(a: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(a)
    return (vectors * values) @ torch.sin(vectors)


def of_eigen(a: Tensor, g: Tensor) -> Tensor:
    """Giles 2008, section 3.1, without the symmetric part."""
    w, v = torch.linalg.eigh(a)
    of_w = (g @ torch.sin(v).T * v).sum(0)
    of_v = (g @ torch.sin(v).T) * w + torch.cos(v) * ((v * w).T @ g)
    apart = (w[None, :] - w[:, None]).fill_diagonal_(torch.inf)
    return v @ (torch.diag(of_w) + (v.T @ of_v) / apart) @ v.T


def weighed(a: Tensor) -> Tensor:
    return a * W


def of_weighed(_: Tensor, g: Tensor) -> Tensor:
    return (g * W).T


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "cholesky": (torch.linalg.cholesky, of_cholesky),
    "eigen": (eigen, of_eigen),
}


def own_rule(function: Callable[[Tensor], Tensor], rule: Callable[..., Tensor]) -> Any:
    """A function of a matrix with a backward of one's own."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Tensor) -> Tensor:
            ctx.save_for_backward(a)
            return function(a)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
            return rule(ctx.saved_tensors[0], *grad_outputs)

    return Own


def verdicts(
    function: Callable[[Tensor], Tensor], rule: Callable[[Tensor, Tensor], Tensor], spoil: Callable[[Tensor], Tensor]
) -> dict[str, str]:
    own = own_rule(function, lambda a, *g: spoil(rule(a, *g)))
    rows = check(lambda b: (own.apply(b @ b.T + torch.eye(3, dtype=torch.float64)) * W).sum(), B).rows
    return {row.quantity: row.verdict for row in rows if row.quantity in ("term", "gradient") and row.name != "b.1"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_rule_that_is_not_symmetric_is_no_finding(name: str) -> None:
    assert verdicts(*FUNCTIONS[name], lambda a: a)["gradient"] == "convention"
    assert verdicts(*FUNCTIONS[name], lambda a: (a + a.T) / 2)["gradient"] == "agree"
    assert verdicts(*FUNCTIONS[name], lambda a: a + (W - W.T))["gradient"] == "convention"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("spoil", [lambda a: a * 1.001, lambda a: a + 1e-6 * W, lambda a: -a, lambda a: a.triu()])
def test_one_whose_symmetric_part_is_off_is(name: str, spoil: Callable[[Tensor], Tensor]) -> None:
    assert verdicts(*FUNCTIONS[name], spoil)["gradient"] == "wrong"


def test_what_reads_the_whole_matrix_leaves_no_choice() -> None:
    assert verdicts(weighed, of_weighed, lambda a: a)["gradient"] == "wrong"
    assert verdicts(weighed, of_weighed, lambda a: a.T)["gradient"] == "agree"


def test_the_mean_of_both_triangles_leaves_no_choice() -> None:
    """Along an antisymmetric direction nothing changes, and a gradient that is not symmetric says that it does."""

    def read(a: Tensor) -> Tensor:
        return torch.linalg.cholesky((a + a.T) / 2)

    assert verdicts(read, of_cholesky, lambda a: a)["gradient"] == "wrong"
    assert verdicts(read, of_cholesky, lambda a: (a + a.T) / 2)["gradient"] == "agree"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_matrix_that_is_itself_an_input_shows_the_choice(name: str) -> None:
    """The gradient of all of it, as frameworks give it, is what it is held against."""
    function, rule = FUNCTIONS[name]

    own = own_rule(function, rule)
    rows = check(lambda a: (own.apply(a) * W).sum(), B @ B.T + torch.eye(3, dtype=torch.float64)).rows
    assert any(row.finding and row.quantity == "gradient" for row in rows)
