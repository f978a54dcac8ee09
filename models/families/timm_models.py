"""Image models of timm: its own small ones for tests, and others made narrow and shallow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from . import Model
from . import _torchvision as _torchvision  # noqa: PLC0414 it must be imported first
from ._torch import module

# isort: split
import timm
from timm import layers
from timm.models import focalnet, gcvit, metaformer, mlp_mixer, volo

FRAMEWORK = "torch"
PIXELS = 32
FOUR: Mapping[str, Any] = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
VIT: Mapping[str, Any] = {"img_size": 32, "embed_dim": 24, "depth": 2, "num_heads": 2}
SWIN: Mapping[str, Any] = {"img_size": 32, "embed_dim": 8, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4}
TWINS: Mapping[str, Any] = {
    "img_size": 32,
    "embed_dims": (8, 16, 24, 32),
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 2, 2, 2),
}
OF_TIMM: Mapping[str, Mapping[str, Any]] = {
    "test_byobnet": {}, "test_coatnet": {"img_size": 64}, "test_convnext": {}, "test_convnext2": {}, "test_convnext3": {},
    "test_efficientnet": {}, "test_efficientnet_evos": {}, "test_efficientnet_gn": {}, "test_efficientnet_ln": {},
    "test_mambaout": {}, "test_maxvit": {"img_size": 64}, "test_nfnet": {}, "test_resnet": {},
    "test_vit": {"img_size": 32}, "test_vit2": {"img_size": 32}, "test_vit3": {"img_size": 32},
    "test_vit4": {"img_size": 32}, "test_vit_relpos": {"img_size": 32},
    "convnext_atto": FOUR, "convnextv2_atto": FOUR, "mambaout_femto": FOUR,
    "deit_tiny_distilled_patch16_224": VIT, "beit_base_patch16_224": VIT, "beitv2_base_patch16_224": VIT,
    "cait_xxs24_224": VIT, "vit_tiny_patch16_224": VIT, "vit_relpos_small_patch16_224": VIT,
    "samvit_base_patch16_224": {**VIT, "global_attn_indexes": ()},
    "eva02_tiny_patch14_224": {**VIT, "img_size": 28},
    "naflexvit_base_patch16_gap": VIT,
    "vit_tiny_r_s16_p8_224": {**VIT, "img_size": 64, "depth": 1},
    "xcit_nano_12_p16_224": {**VIT, "embed_dim": 16},
    "convit_tiny": {"img_size": 32, "embed_dim": 24, "depth": 3, "num_heads": 2, "local_up_to_layer": 2},
    "davit_tiny": {"embed_dims": (8, 16, 24, 32), "depths": (1, 1, 1, 1), "num_heads": (2, 2, 2, 2)},
    "hiera_tiny_224": {"img_size": 64, "embed_dim": 8, "stages": (1, 1, 1, 1), "num_heads": 1},
    "levit_128s": {"img_size": 64, "embed_dim": (16, 24, 32), "depth": (1, 1, 1), "num_heads": (2, 2, 2), "key_dim": 8},
    "pit_ti_224": {"img_size": 64, "base_dims": (8, 8, 8), "depth": (1, 1, 1), "heads": (1, 2, 4)},
    "sequencer2d_s": {
        "img_size": 32, "layers": (1, 1, 1, 1), "embed_dims": (8, 8, 8, 8), "hidden_sizes": (4, 4, 4, 4),
    },
    "swin_tiny_patch4_window7_224": SWIN, "swinv2_tiny_window8_256": SWIN, "swinv2_cr_tiny_224": SWIN,
    "tnt_s_patch16_224": {
        "img_size": 32, "embed_dim": 24, "inner_dim": 8, "depth": 1, "num_heads_inner": 2, "num_heads_outer": 2,
    },
    "twins_svt_small": {**TWINS, "wss": (2, 2, 2, 2)}, "twins_pcpvt_small": TWINS,
    "visformer_tiny": {"img_size": 32, "embed_dim": 24, "depth": (1, 1, 1), "num_heads": 2, "init_channels": 8},
    "pvt_v2_b0": {"depths": (1, 1, 1, 1), "embed_dims": (8, 16, 20, 32)},
    "qwen3_vit_88m": {"embed_dim": 24, "depth": 2, "num_heads": 2},
    "dla46_c": {}, "edgenext_xx_small": {}, "ghostnet_050": {}, "repghostnet_050": {}, "lcnet_035": {},
    "tinynet_e": {}, "mobilenetv2_035": {}, "mobilenetv3_small_050": {}, "mobilenetv4_conv_small_035": {},
    "mnasnet_small": {}, "mobilevit_xxs": {}, "mobilevitv2_050": {}, "ese_vovnet19b_slim_dw": {},
    "efficientvit_b0": {}, "regnety_002": {}, "starnet_s1": {},
}  # fmt: skip
SMALL: Mapping[str, Any] = {"img_size": 32, "patch_size": 8, "num_blocks": 2, "embed_dim": 24, "num_classes": 4}
NARROW: Mapping[str, Any] = {**FOUR, "num_classes": 4}


def _named(name: str, train: bool = False) -> Model:
    settings = OF_TIMM[name]

    def made() -> Any:
        with warnings.catch_warnings(action="ignore"):
            return timm.create_model(name, num_classes=4, **settings)

    pixels = settings.get("img_size", 64 if "mobilevit" in name else PIXELS)
    return module(made, (2 if train else 1, 3, pixels, pixels), train=train)


def _of(build: Any, pixels: int = PIXELS) -> Model:
    return module(build, (1, 3, pixels, pixels))


MODELS: Mapping[str, Model] = {
    **{name: _named(name) for name in OF_TIMM},
    **{f"{name} training": _named(name, train=True) for name in ("test_resnet", "test_vit", "test_efficientnet")},
    "mixer": _of(lambda: mlp_mixer.MlpMixer(**SMALL)),
    "gmlp": _of(lambda: mlp_mixer.MlpMixer(**SMALL, block_layer=mlp_mixer.SpatialGatingBlock, mlp_ratio=4, mlp_layer=layers.GatedMlp)),
    "resmlp": _of(lambda: mlp_mixer.MlpMixer(**SMALL, block_layer=mlp_mixer.ResBlock, mlp_ratio=4, norm_layer=mlp_mixer.Affine)),
    "poolformer": _of(lambda: metaformer.MetaFormer(**NARROW)),
    "convformer": _of(lambda: metaformer.MetaFormer(**NARROW, token_mixers=metaformer.SepConv, mlp_act=metaformer.StarReLU)),
    "caformer": _of(
        lambda: metaformer.MetaFormer(
            depths=(1, 1, 1, 1), dims=(8, 16, 32, 64), num_classes=4,
            token_mixers=[metaformer.SepConv, metaformer.SepConv, metaformer.Attention, metaformer.Attention],
            norm_layers=[metaformer.LayerNorm2dNoBias] * 2 + [metaformer.LayerNormNoBias] * 2,
        )
    ),
    "focalnet": _of(lambda: focalnet.FocalNet(embed_dim=8, depths=(1, 1, 1, 1), num_classes=4)),
    "gcvit": _of(lambda: gcvit.GlobalContextVit(img_size=64, embed_dim=8, depths=(1, 1), num_heads=(2, 2), window_ratio=(32, 16), num_classes=4), 64),
    "volo": _of(lambda: volo.VOLO((1, 1, 1, 1), img_size=64, embed_dims=(8, 16, 16, 16), num_heads=(1, 2, 2, 2), num_classes=4), 64),
}  # fmt: skip
