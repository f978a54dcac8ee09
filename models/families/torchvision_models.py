"""Classifiers of torchvision, at 32 pixels where they can."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import Model
from ._torch import module
from ._torchvision import inception, torchvision

FRAMEWORK = "torch"
SMALL: Mapping[str, Callable[[Any], Any]] = {
    "squeezenet1_1": lambda m: m.squeezenet1_1(num_classes=4),
    "shufflenet_v2_x0_5": lambda m: m.shufflenet_v2_x0_5(num_classes=4),
    "mobilenet_v2": lambda m: m.MobileNetV2(4, 0.25, [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 2, 2]]),
    "mobilenet_v3_small": lambda m: m.mobilenet_v3_small(num_classes=4, reduced_tail=True, width_mult=0.25),
    "mnasnet0_5": lambda m: m.MNASNet(0.25, 4),
    "resnet basic": lambda m: m.ResNet(m.resnet.BasicBlock, [1, 1, 1, 1], 4),
    "resnet bottleneck": lambda m: m.ResNet(m.resnet.Bottleneck, [1, 1, 1, 1], 4, groups=4, width_per_group=8),
    "densenet": lambda m: m.DenseNet(8, (2, 2), 16, num_classes=4),
    "inception block": lambda m: inception(8, 4, 4, 4, 4, 4, 4),
    "vgg": lambda m: m.vgg.VGG(m.vgg.make_layers([8, "M", 16, "M", 16, "M"], batch_norm=True), 4, False).features,
    "convnext": lambda m: m.ConvNeXt([m.convnext.CNBlockConfig(16, 24, 1), m.convnext.CNBlockConfig(24, None, 1)], num_classes=4),
    "efficientnet": lambda m: m.EfficientNet(
        [m.efficientnet.MBConvConfig(1, 3, 1, 16, 8, 1), m.efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 1)], 0.1, num_classes=4
    ),
    "regnet": lambda m: m.RegNet(m.regnet.BlockParams([1, 1], [16, 24], [8, 8], [1.0, 1.0], [2, 2], 0.25), 4),
    "vit": lambda m: m.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=4),
    "swin": lambda m: m.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=4),
    "swin v2": lambda m: m.SwinTransformer(
        [4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=4, block=m.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=m.swin_transformer.PatchMergingV2,
    ),
    "maxvit": lambda m: m.MaxVit((32, 32), 8, 4, [16], [2], 8, 0.0, num_classes=4),
    "alexnet features": lambda m: m.alexnet(num_classes=4).features[:6],
    "deeplab head": lambda m: m.segmentation.deeplabv3.DeepLabHead(8, 4, (2, 3)),
    "fcn head": lambda m: m.segmentation.fcn.FCNHead(8, 4),
}  # fmt: skip
SHAPES = {
    "alexnet features": (1, 3, 48, 48),
    "inception block": (2, 8, 8, 8),
    "deeplab head": (1, 8, 6, 6),
    "fcn head": (1, 8, 6, 6),
}


def _made(make: Callable[[Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        with warnings.catch_warnings(action="ignore"):
            return make(torchvision.models)

    return made


def _training(name: str) -> Model:
    return module(_made(SMALL[name]), (2, 3, 32, 32), train=True)


MODELS: Mapping[str, Model] = {
    **{name: module(_made(make), SHAPES.get(name, (1, 3, 32, 32))) for name, make in SMALL.items()},
    **{f"{name} training": _training(name) for name in ("resnet basic", "mobilenet_v2", "densenet")},
}
