"""What crosses between NumPy and torch."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch

from ...harness.records.evaluation import DTYPES as ARRAYS
from ...harness.records.evaluation import Array

Tensor: TypeAlias = torch.Tensor

# A tensor of one of these types is nothing but a tensor.
PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
DTYPES = {name: getattr(torch, name) for name in ARRAYS if hasattr(torch, name)}


def to_torch(array: Array) -> Tensor:
    """A tensor of its own memory. NumPy's bfloat16 and torch's meet in float32, which holds both."""
    if array.dtype == ARRAYS["bfloat16"]:
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.array(array, order="C", copy=True))


def to_numpy(tensor: Tensor) -> Array:
    """An array, on the memory of the tensor where it can be."""
    tensor = tensor.detach()
    return tensor.float().numpy().astype(ARRAYS["bfloat16"]) if tensor.dtype == torch.bfloat16 else tensor.numpy()
