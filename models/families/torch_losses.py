"""Losses of torch.nn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from . import Model, Run
from ._torch import index, normal, seeded

FRAMEWORK = "torch"


def _signs(*shape: int) -> torch.Tensor:
    return torch.where(normal(*shape) > 0, 1.0, -1.0).double()


def _of_two(layer: type[nn.Module], **settings: Any) -> Model:
    """Numbers against numbers, which have a gradient too."""

    def make() -> Run:
        return Run(layer(**settings), (normal(4, 3), normal(4, 3)))

    return seeded(make)


def _of_classes(layer: type[nn.Module], *, rank: int = 1, **settings: Any) -> Model:
    def make() -> Run:
        shape = (4, 5) if rank == 1 else (2, 5, 3, 3)
        target, loss = index(5, *(shape[:1] + shape[2:])), layer(**settings)
        if rank == 1:
            target[1] = 2
        return Run(lambda x: loss(x if layer is nn.CrossEntropyLoss else x.log_softmax(1), target), (normal(*shape),))

    return seeded(make)


def _by(make: Any) -> Model:
    return seeded(lambda: Run(*make()))


def _probable() -> tuple[Any, tuple[Any, ...]]:
    return lambda x, target: nn.BCELoss()(x.sigmoid(), target), (normal(4, 3), torch.rand(4, 3, dtype=torch.float64))


def _with_logits(**settings: Any) -> Model:
    def make() -> Run:
        return Run(nn.BCEWithLogitsLoss(**settings), (normal(4, 3), torch.rand(4, 3, dtype=torch.float64)))

    return seeded(make)


def _ctc() -> tuple[Any, tuple[Any, ...]]:
    target = index(4, 2, 3) + 1
    lengths = torch.tensor([6, 6]), torch.tensor([3, 2])
    return lambda x: nn.CTCLoss()(x.log_softmax(-1), target, *lengths), (normal(6, 2, 5),)


def _gaussian() -> tuple[Any, tuple[Any, ...]]:
    return lambda x, y, v: nn.GaussianNLLLoss()(x, y, v.exp()), (normal(4, 3), normal(4, 3), normal(4, 3))


def _divergence(log_target: bool) -> Model:
    def make() -> Run:
        target = normal(4, 3).log_softmax(-1)
        target = target if log_target else target.exp()
        loss = nn.KLDivLoss(reduction="batchmean", log_target=log_target)
        return Run(lambda x, y: loss(x.log_softmax(-1), y), (normal(4, 3), target))

    return seeded(make)


def _embedding() -> tuple[Any, tuple[Any, ...]]:
    target = _signs(4)
    return lambda a, b: nn.CosineEmbeddingLoss(margin=0.1)(a, b, target), (normal(4, 3), normal(4, 3))


def _ranking() -> tuple[Any, tuple[Any, ...]]:
    target = _signs(4)
    return lambda a, b: nn.MarginRankingLoss(0.1)(a, b, target), (normal(4), normal(4))


def _hinge() -> tuple[Any, tuple[Any, ...]]:
    target = _signs(4, 3)
    return lambda x: nn.HingeEmbeddingLoss()(x, target), (normal(4, 3),)


def _soft() -> tuple[Any, tuple[Any, ...]]:
    target = _signs(4, 3)
    return lambda x: nn.SoftMarginLoss()(x, target), (normal(4, 3),)


def _many_labels() -> tuple[Any, tuple[Any, ...]]:
    target = index(2, 4, 3).double()
    return lambda x: nn.MultiLabelSoftMarginLoss()(x, target), (normal(4, 3),)


def _many_margins() -> tuple[Any, tuple[Any, ...]]:
    target = torch.tensor([[3, 0, -1, 1], [0, -1, 2, 1]])
    return lambda x: nn.MultiLabelMarginLoss()(x, target), (normal(2, 4),)


def _triplet() -> tuple[Any, tuple[Any, ...]]:
    return nn.TripletMarginLoss(), (normal(4, 3), normal(4, 3), normal(4, 3))


def _triplet_cosine() -> tuple[Any, tuple[Any, ...]]:
    distance = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: 1 - nn.functional.cosine_similarity(a, b)
    )
    return distance, (normal(4, 3), normal(4, 3), normal(4, 3))


def _soft_targets() -> tuple[Any, tuple[Any, ...]]:
    return nn.CrossEntropyLoss(label_smoothing=0.1), (normal(4, 5), normal(4, 5).softmax(-1))


def _adaptive() -> tuple[Any, tuple[Any, ...]]:
    layer, target = nn.AdaptiveLogSoftmaxWithLoss(6, 12, [4, 8]).double(), index(12, 5)
    return lambda x: layer(x, target).loss, (normal(5, 6),)


WEIGHT = torch.tensor([0.5, 1.0, 2.0, 1.5, 0.7], dtype=torch.float64)
MODELS: Mapping[str, Model] = {
    "L1Loss": _of_two(nn.L1Loss),
    "L1Loss sum": _of_two(nn.L1Loss, reduction="sum"),
    "MSELoss": _of_two(nn.MSELoss),
    "MSELoss none": _of_two(nn.MSELoss, reduction="none"),
    "HuberLoss": _of_two(nn.HuberLoss),
    "HuberLoss delta": _of_two(nn.HuberLoss, delta=0.3),
    "SmoothL1Loss": _of_two(nn.SmoothL1Loss),
    "SmoothL1Loss beta": _of_two(nn.SmoothL1Loss, beta=0.3),
    "PoissonNLLLoss": _of_two(nn.PoissonNLLLoss),
    "CrossEntropyLoss": _of_classes(nn.CrossEntropyLoss),
    "CrossEntropyLoss of images": _of_classes(nn.CrossEntropyLoss, rank=2),
    "CrossEntropyLoss weighted": _of_classes(nn.CrossEntropyLoss, weight=WEIGHT),
    "CrossEntropyLoss ignoring": _of_classes(nn.CrossEntropyLoss, ignore_index=2),
    "CrossEntropyLoss smoothed": _of_classes(nn.CrossEntropyLoss, label_smoothing=0.1),
    "CrossEntropyLoss all": _of_classes(nn.CrossEntropyLoss, weight=WEIGHT, ignore_index=2, label_smoothing=0.1),
    "CrossEntropyLoss soft targets": _by(_soft_targets),
    "NLLLoss": _of_classes(nn.NLLLoss),
    "NLLLoss weighted": _of_classes(nn.NLLLoss, weight=WEIGHT, reduction="sum"),
    "NLLLoss of images": _of_classes(nn.NLLLoss, rank=2),
    "BCELoss": _by(_probable),
    "BCEWithLogitsLoss": _with_logits(),
    "BCEWithLogitsLoss weighted": _with_logits(pos_weight=WEIGHT[:3]),
    "CTCLoss": _by(_ctc),
    "GaussianNLLLoss": _by(_gaussian),
    "KLDivLoss": _divergence(False),
    "KLDivLoss of logarithms": _divergence(True),
    "CosineEmbeddingLoss": _by(_embedding),
    "MarginRankingLoss": _by(_ranking),
    "HingeEmbeddingLoss": _by(_hinge),
    "SoftMarginLoss": _by(_soft),
    "MultiLabelSoftMarginLoss": _by(_many_labels),
    "MultiLabelMarginLoss": _by(_many_margins),
    "MultiMarginLoss": _of_classes(nn.MultiMarginLoss),
    "TripletMarginLoss": _by(_triplet),
    "TripletMarginWithDistanceLoss": _by(_triplet_cosine),
    "AdaptiveLogSoftmaxWithLoss": _by(_adaptive),
}
