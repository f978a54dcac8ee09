"""torchvision, beside the CPU build of torch as well.

Its wheels on PyPI are built for CUDA, and without their library `import torchvision` stumbles over two operators that
no classifier calls. Declared first, they are found.
"""

from __future__ import annotations

import sys

import torch
from torch import library

_OPERATORS = library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _name):
        _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision  # noqa: E402
import torchvision.models.segmentation  # noqa: E402

inception = sys.modules["torchvision.models.googlenet"].Inception  # a function of this name hides the file
__all__ = ["inception", "torchvision"]
