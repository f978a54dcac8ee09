"""Models of transformers from tiny configurations; nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from . import Model, Run
from . import _torchvision as _torchvision  # noqa: PLC0414 it must be imported first
from ._torch import index, normal, seeded

# isort: split
import torch
import transformers

FRAMEWORK = "torch"
WORDS, LENGTH = 19, 6
TINY: Mapping[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA: Mapping[str, Any] = {**TINY, "num_key_value_heads": 1}
GPT2: Mapping[str, Any] = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": WORDS, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
BART: Mapping[str, Any] = {
    "vocab_size": WORDS, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 32,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip
T5: Mapping[str, Any] = {
    "vocab_size": WORDS, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2,
    "decoder_start_token_id": 0,
}  # fmt: skip
IMAGE: Mapping[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "image_size": 16,
    "patch_size": 8,
}  # fmt: skip
# Of each model the class of its configuration, its own class, its settings.
LANGUAGE: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "bert": ("BertConfig", "BertModel", TINY),
    "bert masked": ("BertConfig", "BertForMaskedLM", TINY),
    "bert classifier": ("BertConfig", "BertForSequenceClassification", TINY),
    "bert questions": ("BertConfig", "BertForQuestionAnswering", TINY),
    "roberta": ("RobertaConfig", "RobertaModel", TINY),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaModel", TINY),
    "camembert": ("CamembertConfig", "CamembertModel", TINY),
    "electra": ("ElectraConfig", "ElectraModel", {**TINY, "embedding_size": 8}),
    "albert": ("AlbertConfig", "AlbertModel", {**TINY, "embedding_size": 8}),
    "distilbert": ("DistilBertConfig", "DistilBertModel", {"vocab_size": WORDS, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}),
    "mobilebert": ("MobileBertConfig", "MobileBertModel", {**TINY, "embedding_size": 8, "intra_bottleneck_size": 16}),
    "squeezebert": ("SqueezeBertConfig", "SqueezeBertModel", {**TINY, "embedding_size": 16, "q_groups": 1, "k_groups": 1, "v_groups": 1, "post_attention_groups": 1, "intermediate_groups": 1, "output_groups": 1}),
    "deberta": ("DebertaConfig", "DebertaModel", {**TINY, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta v2": ("DebertaV2Config", "DebertaV2Model", {**TINY, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "mpnet": ("MPNetConfig", "MPNetModel", TINY),
    "convbert": ("ConvBertConfig", "ConvBertModel", {**TINY, "embedding_size": 8, "conv_kernel_size": 3}),
    "nystromformer": ("NystromformerConfig", "NystromformerModel", {**TINY, "num_landmarks": 2, "segment_means_seq_len": 6}),
    "funnel": ("FunnelConfig", "FunnelModel", {"vocab_size": WORDS, "block_sizes": [1, 1], "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 24, "num_decoder_layers": 1}),
    "fnet": ("FNetConfig", "FNetModel", TINY),
    "modernbert": ("ModernBertConfig", "ModernBertModel", {**TINY, "cls_token_id": 1, "sep_token_id": 2}),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", GPT2),
    "openai-gpt": ("OpenAIGPTConfig", "OpenAIGPTModel", GPT2),
    "gpt-neo": ("GPTNeoConfig", "GPTNeoModel", {**GPT2, "hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]], "window_size": 3}),
    "gpt-neox": ("GPTNeoXConfig", "GPTNeoXModel", TINY),
    "gptj": ("GPTJConfig", "GPTJModel", {**GPT2, "rotary_dim": 4}),
    "codegen": ("CodeGenConfig", "CodeGenModel", {**GPT2, "n_head": 4, "rotary_dim": 4}),
    "opt": ("OPTConfig", "OPTModel", {**TINY, "ffn_dim": 24, "word_embed_proj_dim": 16}),
    "bloom": ("BloomConfig", "BloomModel", {"vocab_size": WORDS, "hidden_size": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}),
    "falcon": ("FalconConfig", "FalconModel", TINY),
    "mpt": ("MptConfig", "MptModel", {"d_model": 16, "n_heads": 2, "n_layers": 2, "vocab_size": WORDS, "max_seq_len": 16}),
    "phi": ("PhiConfig", "PhiModel", TINY),
    "phi3": ("Phi3Config", "Phi3Model", LLAMA),
    "llama": ("LlamaConfig", "LlamaForCausalLM", LLAMA),
    "mistral": ("MistralConfig", "MistralModel", {**LLAMA, "sliding_window": 3}),
    "mixtral": ("MixtralConfig", "MixtralModel", {**LLAMA, "num_local_experts": 2, "num_experts_per_tok": 1, "experts_implementation": "eager"}),
    "qwen2": ("Qwen2Config", "Qwen2Model", LLAMA),
    "qwen2 moe": ("Qwen2MoeConfig", "Qwen2MoeModel", {**LLAMA, "num_experts": 2, "num_experts_per_tok": 1, "experts_implementation": "eager", "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8}),
    "qwen3": ("Qwen3Config", "Qwen3Model", {**LLAMA, "head_dim": 8}),
    "gemma": ("GemmaConfig", "GemmaModel", {**LLAMA, "head_dim": 8}),
    "gemma2": ("Gemma2Config", "Gemma2Model", {**LLAMA, "head_dim": 8, "sliding_window": 3}),
    "gemma3": ("Gemma3TextConfig", "Gemma3TextModel", {**LLAMA, "head_dim": 8, "sliding_window": 3}),
    "cohere": ("CohereConfig", "CohereModel", LLAMA),
    "olmo": ("OlmoConfig", "OlmoModel", LLAMA),
    "olmo2": ("Olmo2Config", "Olmo2Model", LLAMA),
    "stablelm": ("StableLmConfig", "StableLmModel", LLAMA),
    "starcoder2": ("Starcoder2Config", "Starcoder2Model", LLAMA),
    "granite": ("GraniteConfig", "GraniteModel", LLAMA),
    "mamba": ("MambaConfig", "MambaModel", {"vocab_size": WORDS, "hidden_size": 16, "state_size": 4, "num_hidden_layers": 1}),
    "rwkv": ("RwkvConfig", "RwkvModel", {"vocab_size": WORDS, "hidden_size": 16, "num_hidden_layers": 2, "context_length": 16}),
    "xlnet": ("XLNetConfig", "XLNetModel", {"vocab_size": WORDS, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 24}),
    "biogpt": ("BioGptConfig", "BioGptModel", TINY),
    "ctrl": ("CTRLConfig", "CTRLModel", {**GPT2, "dff": 24}),
}  # fmt: skip
BOTH: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "bart": ("BartConfig", "BartModel", BART),
    "mbart": ("MBartConfig", "MBartModel", BART),
    "pegasus": ("PegasusConfig", "PegasusModel", BART),
    "marian": ("MarianConfig", "MarianModel", BART),
    "m2m-100": ("M2M100Config", "M2M100Model", BART),
    "blenderbot": ("BlenderbotConfig", "BlenderbotModel", BART),
    "t5": ("T5Config", "T5Model", T5),
    "mt5": ("MT5Config", "MT5Model", T5),
    "umt5": ("UMT5Config", "UMT5Model", T5),
}
IMAGES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "vit": ("ViTConfig", "ViTModel", IMAGE),
    "deit": ("DeiTConfig", "DeiTModel", IMAGE),
    "beit": ("BeitConfig", "BeitModel", IMAGE),
    "dinov2": ("Dinov2Config", "Dinov2Model", IMAGE),
    "vit mae": ("ViTMSNConfig", "ViTMSNModel", IMAGE),
    "siglip": ("SiglipVisionConfig", "SiglipVisionModel", IMAGE),
    "clip": ("CLIPVisionConfig", "CLIPVisionModel", IMAGE),
    "swin": ("SwinConfig", "SwinModel", {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2}),
    "convnext": ("ConvNextConfig", "ConvNextModel", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    "resnet": ("ResNetConfig", "ResNetModel", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
    "segformer": ("SegformerConfig", "SegformerModel", {"num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [8, 16], "patch_sizes": [3, 3], "strides": [2, 2], "num_attention_heads": [1, 2], "mlp_ratios": [2, 2]}),
    "poolformer": ("PoolFormerConfig", "PoolFormerModel", {"depths": [1, 1], "hidden_sizes": [8, 16], "num_encoder_blocks": 2, "patch_sizes": [3, 3], "strides": [2, 2], "padding": [1, 1]}),
}  # fmt: skip


def _built(config: str, model: str, settings: Mapping[str, Any]) -> Any:
    with warnings.catch_warnings(action="ignore"):
        made = getattr(transformers, model)(getattr(transformers, config)(**settings))
    return made.double().eval()


def _language(*parts: Any) -> Model:
    """Of words, without a cache of keys and values."""

    def make() -> Run:
        model = _built(*parts)
        words = index(WORDS - 3, 2, LENGTH) + 3
        caches = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
        return Run(model, (), {"input_ids": words, **caches})

    return seeded(make)


def _both(*parts: Any) -> Model:
    def make() -> Run:
        words, others = index(WORDS - 3, 2, LENGTH) + 3, index(WORDS - 3, 2, 4) + 3
        return Run(_built(*parts), (), {"input_ids": words, "decoder_input_ids": others, "use_cache": False})

    return seeded(make)


def _image(*parts: Any) -> Model:
    size = parts[2].get("image_size", 16)
    return seeded(lambda: Run(_built(*parts), (), {"pixel_values": normal(1, 3, size, size)}))


def _sound() -> Run:
    settings = {**TINY, "conv_dim": (8, 8), "conv_stride": (3, 2), "conv_kernel": (5, 3), "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "mask_time_prob": 0.0}  # fmt: skip
    return Run(_built("Wav2Vec2Config", "Wav2Vec2Model", settings), (), {"input_values": normal(1, 64)})


def _clip() -> Run:
    settings = {"text_config": {**TINY}, "vision_config": {**IMAGE}, "projection_dim": 8}
    words = torch.cat([index(WORDS - 3, 2, LENGTH - 1) + 3, torch.full((2, 1), 2)], 1)
    return Run(
        _built("CLIPConfig", "CLIPModel", settings), (), {"input_ids": words, "pixel_values": normal(2, 3, 16, 16)}
    )


def _padded() -> Run:
    words = index(WORDS - 3, 2, LENGTH) + 3
    mask = torch.ones_like(words)
    mask[1, 4:] = 0
    return Run(_built("BertConfig", "BertModel", TINY), (), {"input_ids": words, "attention_mask": mask})


def _trained() -> Run:
    words = index(WORDS - 3, 2, LENGTH) + 3
    model = _built("GPT2Config", "GPT2LMHeadModel", GPT2).train()
    return Run(model, (), {"input_ids": words, "labels": words, "use_cache": False})


MODELS: Mapping[str, Model] = {
    **{name: _language(*parts) for name, parts in LANGUAGE.items()},
    **{name: _both(*parts) for name, parts in BOTH.items()},
    **{f"{name} of images": _image(*parts) for name, parts in IMAGES.items()},
    "wav2vec2": seeded(_sound),
    "clip": seeded(_clip),
    "bert padded": seeded(_padded),
    "gpt2 training with labels": seeded(_trained),
}
