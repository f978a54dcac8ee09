"""Autocast: the casts that torch makes on its own become calls that are heard.

Which functions run in the lower precision, and which in float32, is torch's table for CPUs
(docs.pytorch.org/docs/stable/amp.html, "CPU Op-Specific Behavior"; aten/src/ATen/autocast_mode.h).
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

Tensor: TypeAlias = torch.Tensor

LOWER = frozenset((
    "conv1d", "conv2d", "conv3d", "bmm", "mm", "mv", "linalg_vecdot", "baddbmm", "addmm", "addbmm", "linear",
    "matmul", "rmatmul", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu", "_native_multi_head_attention",
    "linalg_matmul", "einsum",
))  # fmt: skip
FLOAT32 = frozenset((
    "avg_pool3d", "binary_cross_entropy", "grid_sampler", "polar", "prod", "quantile", "nanquantile", "stft",
    "cdist", "trace", "view_as_complex", "cholesky", "cholesky_inverse", "cholesky_solve", "inverse",
    "lu_solve", "orgqr", "ormqr", "pinverse", "max_pool3d", "max_unpool2d", "max_unpool3d",
    "adaptive_avg_pool3d", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
    "replication_pad3d", "mse_loss", "cosine_embedding_loss", "nll_loss", "nll_loss_nd", "nll_loss2d",
    "hinge_embedding_loss", "poisson_nll_loss", "smooth_l1_loss", "cross_entropy_loss", "l1_loss", "huber_loss",
    "margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss", "ctc_loss", "kl_div",
    "multilabel_margin_loss", "binary_cross_entropy_with_logits",
))  # fmt: skip


class Casts:
    """The casts of one run. torch keeps those of parameters as long as autocast is on; so do we."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def cast(self, name: str, args: Any, kwargs: Any, heard: Callable[..., Any]) -> tuple[Any, Any]:
        """The operands as autocast hands them on, each cast a call that is `heard`."""
        to = torch.get_autocast_dtype("cpu") if name in LOWER else torch.float32 if name in FLOAT32 else None
        if to is None:
            return args, kwargs

        def one(x: Any) -> Any:
            if isinstance(x, Tensor):
                eligible = x.is_floating_point() and x.dtype not in (to, torch.float64)
                return self._one(x, to, heard) if eligible else x
            if isinstance(x, list | tuple) and not isinstance(x, torch.Size):
                return type(x)(map(one, x)) if type(x) in (list, tuple) else x
            return x

        return one(tuple(args)), {key: one(value) for key, value in kwargs.items()}

    def _one(self, x: Tensor, to: torch.dtype, heard: Callable[..., Any]) -> Tensor:
        if not (x.is_leaf and x.requires_grad and torch.is_autocast_cache_enabled() and x.dtype == torch.float32):
            return heard(x.to, to)
        if id(x) not in self._kept:
            self._kept[id(x)] = (x, heard(x.to, to))
        return self._kept[id(x)][1]
