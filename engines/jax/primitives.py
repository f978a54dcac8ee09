"""JAX's primitives in the vocabulary, all families together, and those that are refused, each with its way out."""

from __future__ import annotations

from collections.abc import Mapping

from . import contraction, linear_algebra, movement, pointwise, reduction
from .equation import Row

ROWS: Mapping[str, Row] = {
    **pointwise.ROWS,
    **movement.ROWS,
    **reduction.ROWS,
    **contraction.ROWS,
    **linear_algebra.ROWS,
}

DEFINE = 'Give the function that calls it a meaning: gradaccord.define("f(x)", "text", jax=f)'
APART = "Move it out of the function, and hand what it gives to the function as an input"
ONE_DEVICE = "Run the function on one device, without it"

# What is refused where a wanted float reaches it: the way out, and JAX's names.
WAYS_OUT: Mapping[str, str] = {
    DEFINE: """
        cholesky_update eig hessenberg householder_product lu_pivots_to_permutation geqrf schur
        symmetric_product tridiagonal tridiagonal_solve fft
        igamma igammac lgamma_grad bessel_i0e bessel_i1e regularized_incomplete_beta
        custom_call ffi_call tpu_custom_call pallas_call random_gamma
    """,
    APART: "pure_callback io_callback python_callback",
    ONE_DEVICE: "xla_pmap pmap shard_map all_gather all_to_all ppermute axis_index",
}
REFUSED: Mapping[str, str] = {name: way for way, names in WAYS_OUT.items() for name in names.split()}
