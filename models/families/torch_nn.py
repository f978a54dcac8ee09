"""Layers of torch.nn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from . import Model, Run
from ._torch import index, module, normal, seeded

FRAMEWORK = "torch"
ELEMENTWISE = [
    "ELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "RReLU",
    "SELU",
    "CELU",
    "GELU",
    "Sigmoid",
    "SiLU",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Identity",
    "Flatten",
]


class First(nn.Module):
    """The first of several results."""

    def __init__(self, inner: nn.Module, *args: Any) -> None:
        super().__init__()
        self.inner, self.args = inner, args

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.inner(*inputs, *self.args)[0]


def _recurrent(kind: str, **settings: Any) -> Model:
    return module(lambda: First(getattr(nn, kind)(4, 5, **settings)), (3, 2, 4))


def _attends(**settings: Any) -> Model:
    def make() -> Run:
        layer = nn.MultiheadAttention(8, 2, batch_first=True, **settings).double().eval()
        return Run(layer, (normal(2, 5, 8), normal(2, 6, 8), normal(2, 6, 8)))

    return seeded(make)


def _masked() -> Run:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).double().eval()
    x = normal(2, 5, 8)
    return Run(
        layer,
        (x, x, x),
        {"attn_mask": nn.Transformer.generate_square_subsequent_mask(5).double(), "need_weights": False},
    )


def _embeds(layer: type[nn.Module], **settings: Any) -> Model:
    return seeded(lambda: Run(layer(11, 4, **settings).double(), (index(11, 3, 5),)))


def _unpools() -> Run:
    def run(x: torch.Tensor) -> torch.Tensor:
        y, where = nn.functional.max_pool2d(x, 2, return_indices=True)
        return nn.functional.max_unpool2d(y, where, 2)

    return Run(run, (normal(1, 2, 6, 6),))


def _packed() -> Run:
    rnn = nn.LSTM(4, 5, batch_first=True).double()

    def run(x: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([4, 2]), batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], batch_first=True)[0]

    return Run(run, (normal(2, 4, 4),))


MODELS: Mapping[str, Model] = {
    **{name: module(getattr(nn, name), (3, 4)) for name in ELEMENTWISE},
    "Threshold": module(lambda: nn.Threshold(0.1, -1.0), (3, 4)),
    "GELU tanh": module(lambda: nn.GELU("tanh"), (3, 4)),
    "GLU": module(nn.GLU, (3, 4)),
    "Softmax": module(lambda: nn.Softmax(-1), (3, 4)),
    "Softmin": module(lambda: nn.Softmin(-1), (3, 4)),
    "Softmax2d": module(nn.Softmax2d, (2, 3, 4, 4)),
    "LogSoftmax": module(lambda: nn.LogSoftmax(-1), (3, 4)),
    "RReLU training": module(nn.RReLU, (3, 4), train=True),
    "Linear": module(lambda: nn.Linear(4, 3), (2, 4)),
    "Linear without bias": module(lambda: nn.Linear(4, 3, bias=False), (2, 5, 4)),
    "Bilinear": module(lambda: nn.Bilinear(3, 4, 2), (5, 3), (5, 4)),
    "LazyLinear": module(lambda: nn.Linear(4, 3), (4,)),
    "Conv1d": module(lambda: nn.Conv1d(3, 4, 3, padding=1), (2, 3, 8)),
    "Conv1d same": module(lambda: nn.Conv1d(3, 4, 4, padding="same", dilation=2), (2, 3, 9)),
    "Conv2d": module(lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 8, 8)),
    "Conv2d depthwise": module(lambda: nn.Conv2d(4, 4, 3, groups=4, padding="same"), (2, 4, 6, 6)),
    "Conv2d dilated": module(lambda: nn.Conv2d(3, 4, 3, dilation=2), (1, 3, 8, 8)),
    "Conv2d circular": module(lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (1, 3, 6, 6)),
    "Conv2d reflect": module(lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (1, 3, 6, 6)),
    "Conv2d unbatched": module(lambda: nn.Conv2d(3, 4, 3), (3, 6, 6)),
    "Conv3d": module(lambda: nn.Conv3d(2, 3, 3, padding=1), (1, 2, 4, 4, 4)),
    "ConvTranspose1d": module(lambda: nn.ConvTranspose1d(3, 4, 3, stride=2), (2, 3, 5)),
    "ConvTranspose2d": module(lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), (1, 3, 4, 4)),
    "ConvTranspose3d": module(lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), (1, 2, 3, 3, 3)),
    "Unfold": module(lambda: nn.Unfold(3, padding=1), (1, 2, 5, 5)),
    "Fold": module(lambda: nn.Fold((4, 4), 2, stride=2), (1, 12, 4)),
    "MaxPool1d": module(lambda: nn.MaxPool1d(2), (2, 3, 8)),
    "MaxPool2d": module(lambda: nn.MaxPool2d(3, 2, 1), (2, 3, 8, 8)),
    "MaxPool2d ceil": module(lambda: nn.MaxPool2d(3, 2, ceil_mode=True), (1, 3, 6, 6)),
    "MaxPool3d": module(lambda: nn.MaxPool3d(2), (1, 2, 4, 4, 4)),
    "MaxUnpool2d": seeded(_unpools),
    "AvgPool1d": module(lambda: nn.AvgPool1d(2), (2, 3, 8)),
    "AvgPool2d": module(lambda: nn.AvgPool2d(3, 2, 1), (2, 3, 8, 8)),
    "AvgPool2d not counting": module(lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 3, 8, 8)),
    "AvgPool3d": module(lambda: nn.AvgPool3d(2), (1, 2, 4, 4, 4)),
    "LPPool2d": module(lambda: nn.LPPool2d(2, 2), (1, 2, 4, 4)),
    "FractionalMaxPool2d": module(lambda: nn.FractionalMaxPool2d(2, output_size=3), (1, 2, 7, 7)),
    "AdaptiveAvgPool1d": module(lambda: nn.AdaptiveAvgPool1d(3), (2, 3, 8)),
    "AdaptiveAvgPool2d": module(lambda: nn.AdaptiveAvgPool2d((2, 3)), (2, 3, 7, 7)),
    "AdaptiveMaxPool2d": module(lambda: nn.AdaptiveMaxPool2d(2), (2, 3, 7, 7)),
    "BatchNorm1d": module(lambda: nn.BatchNorm1d(4), (5, 4)),
    "BatchNorm1d training": module(lambda: nn.BatchNorm1d(4), (5, 4), train=True),
    "BatchNorm2d": module(lambda: nn.BatchNorm2d(3), (2, 3, 4, 4)),
    "BatchNorm2d training": module(lambda: nn.BatchNorm2d(3), (2, 3, 4, 4), train=True),
    "BatchNorm2d without statistics": module(lambda: nn.BatchNorm2d(3, track_running_stats=False), (2, 3, 4, 4)),
    "BatchNorm3d training": module(lambda: nn.BatchNorm3d(2), (2, 2, 3, 3, 3), train=True),
    "GroupNorm": module(lambda: nn.GroupNorm(2, 4), (2, 4, 3, 3)),
    "InstanceNorm1d": module(lambda: nn.InstanceNorm1d(3), (2, 3, 6)),
    "InstanceNorm2d affine": module(lambda: nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 4)),
    "LayerNorm": module(lambda: nn.LayerNorm(4), (3, 4)),
    "LayerNorm of two axes": module(lambda: nn.LayerNorm((3, 4)), (2, 3, 4)),
    "RMSNorm": module(lambda: nn.RMSNorm(4), (3, 4)),
    "LocalResponseNorm": module(lambda: nn.LocalResponseNorm(3), (2, 5, 4, 4)),
    "Embedding": _embeds(nn.Embedding),
    "Embedding with padding": _embeds(nn.Embedding, padding_idx=2),
    "Embedding scaled by frequency": _embeds(nn.Embedding, scale_grad_by_freq=True),
    "EmbeddingBag mean": _embeds(nn.EmbeddingBag),
    "EmbeddingBag sum": _embeds(nn.EmbeddingBag, mode="sum"),
    "EmbeddingBag max": _embeds(nn.EmbeddingBag, mode="max"),
    "Dropout training": module(nn.Dropout, (3, 4), train=True),
    "Dropout2d training": module(nn.Dropout2d, (2, 3, 4, 4), train=True),
    "AlphaDropout training": module(nn.AlphaDropout, (3, 4), train=True),
    "FeatureAlphaDropout training": module(nn.FeatureAlphaDropout, (2, 3, 4), train=True),
    "RNN": _recurrent("RNN"),
    "RNN relu": _recurrent("RNN", nonlinearity="relu"),
    "LSTM": _recurrent("LSTM"),
    "LSTM of two layers": _recurrent("LSTM", num_layers=2),
    "LSTM both ways": _recurrent("LSTM", bidirectional=True),
    "LSTM projected": _recurrent("LSTM", proj_size=3),
    "LSTM all results": module(lambda: nn.LSTM(4, 5), (3, 2, 4)),
    "LSTM packed": seeded(_packed),
    "GRU": _recurrent("GRU"),
    "GRU both ways": _recurrent("GRU", bidirectional=True, num_layers=2),
    "RNNCell": module(lambda: nn.RNNCell(4, 5), (2, 4), (2, 5)),
    "LSTMCell": module(lambda: First(nn.LSTMCell(4, 5)), (2, 4)),
    "GRUCell": module(lambda: nn.GRUCell(4, 5), (2, 4), (2, 5)),
    "MultiheadAttention": _attends(),
    "MultiheadAttention with zero and bias": _attends(add_zero_attn=True, add_bias_kv=True),
    "MultiheadAttention other sizes": _attends(kdim=8, vdim=8),
    "MultiheadAttention masked": seeded(_masked),
    "TransformerEncoderLayer": module(lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "TransformerEncoderLayer training": module(lambda: nn.TransformerEncoderLayer(8, 2, 16), (5, 2, 8), train=True),
    "TransformerEncoder": module(
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, norm_first=True), 2), (5, 2, 8)
    ),
    "TransformerDecoderLayer": module(lambda: nn.TransformerDecoderLayer(8, 2, 16), (5, 2, 8), (4, 2, 8)),
    "Transformer": module(lambda: nn.Transformer(8, 2, 1, 1, 16), (5, 2, 8), (4, 2, 8)),
    "CosineSimilarity": module(nn.CosineSimilarity, (3, 4), (3, 4)),
    "PairwiseDistance": module(nn.PairwiseDistance, (3, 4), (3, 4)),
    "PixelShuffle": module(lambda: nn.PixelShuffle(2), (1, 8, 3, 3)),
    "PixelUnshuffle": module(lambda: nn.PixelUnshuffle(2), (1, 2, 4, 4)),
    "ChannelShuffle": module(lambda: nn.ChannelShuffle(2), (1, 4, 3, 3)),
    "Upsample nearest": module(lambda: nn.Upsample(scale_factor=2), (1, 2, 3, 3)),
    "Upsample bilinear": module(lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 2, 3, 3)),
    "Upsample bilinear aligned": module(lambda: nn.Upsample(size=5, mode="bilinear", align_corners=True), (1, 2, 3, 3)),
    "Upsample bicubic": module(lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (1, 2, 4, 4)),
    "Upsample linear": module(lambda: nn.Upsample(scale_factor=2, mode="linear"), (1, 2, 4)),
    "Upsample trilinear": module(lambda: nn.Upsample(scale_factor=2, mode="trilinear"), (1, 1, 2, 3, 2)),
    "ZeroPad2d": module(lambda: nn.ZeroPad2d(1), (1, 2, 3, 3)),
    "ConstantPad1d": module(lambda: nn.ConstantPad1d((1, 2), 3.5), (1, 2, 4)),
    "ReflectionPad2d": module(lambda: nn.ReflectionPad2d(1), (1, 2, 4, 4)),
    "ReplicationPad2d": module(lambda: nn.ReplicationPad2d((1, 2, 0, 1)), (1, 2, 4, 4)),
    "CircularPad2d": module(lambda: nn.CircularPad2d(1), (1, 2, 4, 4)),
    "Unflatten": module(lambda: nn.Unflatten(1, (2, 3)), (2, 6)),
    "weight_norm": module(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (2, 4)),
    "spectral_norm": module(lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), (2, 4)),
    "orthogonal": module(lambda: nn.utils.parametrizations.orthogonal(nn.Linear(4, 4)), (2, 4)),
    "Sequential MLP": module(
        lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.LayerNorm(8), nn.Linear(8, 2)), (3, 4)
    ),
}
