"""Examples of losses and layers: what `examples.py` has of them."""

from __future__ import annotations

from .draws import Example, example, held, index, positive, real, share, wide

LAYERS: dict[str, list[Example]] = {
    "mse_loss": [example("mse_loss(x, t)", x=real(3), t=real(3)), example("mse_loss(x, t)", x=real(2, 3), t=real(3))],
    "cross_entropy": [
        example("cross_entropy(x, t)", x=real(3), t=index(3)),
        example("cross_entropy(x, t)", x=real(2, 3), t=index(3, 2)),
        example("cross_entropy(x, t)", x=wide(4, 3), t=index(3, 4)),
        example("cross_entropy(x, t, w, label_smoothing=0.2)", x=real(4, 3), t=index(3, 4), w=held(3)),
        example("cross_entropy(x, t, ignore_index=5, reduction='sum')", x=real(2, 2, 3), t=index(3, 2, 2)),
        example("cross_entropy(x, t, w, ignore_index=-7, label_smoothing=0.1)", x=real(4, 3), t=index(3, 4), w=held(3)),
    ],
    "layer_norm": [
        example("layer_norm(x)", x=real(3)),
        example("layer_norm(x, w, b)", x=real(2, 3), w=real(3), b=real(3)),
        example("layer_norm(x, w, axis=[-2, -1], eps=0.1)", x=real(2, 2, 3), w=real(2, 3)),
    ],
    "l1_loss": [
        example("l1_loss(x, t)", x=real(3), t=real(3)),
        example("l1_loss(x, t, reduction='sum')", x=real(2, 3), t=real(3)),
    ],
    "smooth_l1_loss": [
        example("smooth_l1_loss(x, t)", x=real(5), t=real(5)),
        example("smooth_l1_loss(x, t, reduction='none', beta=2.5)", x=real(2, 3), t=real(3)),
    ],
    "huber_loss": [
        example("huber_loss(x, t)", x=real(5), t=real(5)),
        example("huber_loss(x, t, reduction='sum', delta=2.5)", x=real(2, 3), t=real(3)),
    ],
    "kl_div": [
        example("kl_div(x, t)", x=real(3), t=positive(3)),
        example("kl_div(x, t, log_target=True, reduction='batchmean')", x=real(2, 3), t=real(2, 3)),
        example("kl_div(x, t, reduction='none')", x=real(2, 3), t=positive(3)),
    ],
    "binary_cross_entropy": [
        example("binary_cross_entropy(x, t)", x=share(3), t=share(3)),
        example("binary_cross_entropy(x, t, w, reduction='sum')", x=share(2, 3), t=share(2, 3), w=held(3)),
    ],
    "binary_cross_entropy_with_logits": [
        example("binary_cross_entropy_with_logits(x, t)", x=real(3), t=share(3)),
        example("binary_cross_entropy_with_logits(x, t, w)", x=wide(2, 3), t=share(2, 3), w=held(3)),
        example(
            "binary_cross_entropy_with_logits(x, t, w, p, reduction='none')",
            x=real(2, 3),
            t=share(2, 3),
            w=held(3),
            p=held(3),
        ),
    ],
    "nll_loss": [
        example("nll_loss(x, t)", x=real(2, 3), t=index(3, 2)),
        example("nll_loss(x, t, w)", x=real(5, 3), t=index(3, 5), w=held(3)),
        example("nll_loss(x, t, w, ignore_index=1, reduction='none')", x=real(4, 3), t=index(3, 4), w=held(3)),
    ],
    "rms_norm": [
        example("rms_norm(x)", x=real(3)),
        example("rms_norm(x, w, eps=0.1)", x=real(2, 3), w=real(3)),
        example("rms_norm(x, w, axis=[-2, -1])", x=real(2, 2, 3), w=real(2, 3)),
        example("rms_norm(x, axis=0)", x=real(2, 3)),
    ],
    "batch_norm": [
        example("batch_norm(x)", x=real(4, 2)),
        example("batch_norm(x, w, eps=0.1)", x=real(2, 3, 2), w=real(3)),
        example("batch_norm(x, w, b)", x=real(2, 2, 2, 3), w=real(2), b=real(2)),
    ],
    "batch_norm_evaluation": [
        example("batch_norm_evaluation(x, m, v)", x=real(3, 2), m=real(2), v=positive(2)),
        example(
            "batch_norm_evaluation(x, m, v, w, b, eps=0.1)",
            x=real(1, 2, 2, 3),
            m=real(2),
            v=positive(2),
            w=real(2),
            b=real(2),
        ),
    ],
    "group_norm": [
        example("group_norm(x, groups=1)", x=real(2, 4)),
        example("group_norm(x, w, groups=2)", x=real(2, 4, 3), w=real(4)),
        example("group_norm(x, w, b, groups=2, eps=0.1)", x=real(1, 4, 2, 3), w=real(4), b=real(4)),
    ],
    "instance_norm": [
        example("instance_norm(x)", x=real(2, 2, 4)),
        example("instance_norm(x, w, b, eps=0.1)", x=real(1, 2, 2, 3), w=real(2), b=real(2)),
    ],
    "scaled_dot_product_attention": [
        example("scaled_dot_product_attention(q, k, v)", q=real(2, 3), k=real(4, 3), v=real(4, 3)),
        example(
            "scaled_dot_product_attention(q, k, v, scale=0.3, causal=True)",
            q=real(2, 3, 2),
            k=real(2, 3, 2),
            v=real(2, 3, 2),
        ),
        example(
            "scaled_dot_product_attention(q, k, v, m < 2)",
            q=real(2, 1, 3, 2),
            k=real(2, 2, 4, 2),
            v=real(2, 2, 4, 2),
            m=real(3, 4),
        ),
        example(
            "scaled_dot_product_attention(q, k, v, m)",
            q=real(1, 2, 3, 2),
            k=real(1, 2, 3, 2),
            v=real(1, 2, 3, 2),
            m=wide(3, 3),
        ),
    ],
    "embedding": [
        example("embedding(i, w)", i=index(4, 3), w=real(4, 2)),
        example("embedding(i, w, padding_index=1)", i=index(3, 2, 4), w=real(3, 2)),
    ],
    "conv1d": [
        example("conv1d(x, w)", x=real(1, 1, 4), w=real(1, 1, 2)),
        example("conv1d(x, w, b, stride=2, padding=1)", x=real(2, 2, 5), w=real(3, 2, 3), b=real(3)),
        example("conv1d(x, w, dilation=2, groups=2)", x=real(1, 2, 5), w=real(2, 1, 2)),
    ],
    "conv_transpose": [
        example("conv_transpose(x, w)", x=real(1, 1, 3), w=real(1, 2, 2)),
        example("conv_transpose(x, w, b, stride=2, padding=1)", x=real(2, 2, 3), w=real(2, 3, 3), b=real(3)),
        example(
            "conv_transpose(x, w, b, stride=[2, 1], padding=[0, 1], output_padding=[1, 0], groups=2)",
            x=real(1, 2, 2, 3),
            w=real(2, 2, 2, 3),
            b=real(4),
        ),
        example("conv_transpose(x, w, dilation=[1, 2])", x=real(1, 1, 2, 2), w=real(1, 1, 2, 2)),
    ],
    "max_pool": [
        example("max_pool(x, kernel=2)", x=real(1, 2, 5)),
        example("max_pool(x, kernel=2, stride=1, padding=1, dilation=[1, 2])", x=real(1, 1, 3, 3)),
        example("max_pool(x, kernel=[2, 3], stride=[2, 1], padding=[1, 0])", x=real(1, 2, 4, 4)),
    ],
    "avg_pool": [
        example("avg_pool(x, kernel=2)", x=real(1, 2, 5)),
        example("avg_pool(x, kernel=[2, 3], stride=[2, 1], padding=[1, 0])", x=real(1, 2, 4, 4)),
        example("avg_pool(x, kernel=3, padding=1, count_include_pad=False)", x=real(1, 1, 4, 3)),
    ],
    "adaptive_avg_pool": [
        example("adaptive_avg_pool(x, output_size=2)", x=real(1, 2, 4)),
        example("adaptive_avg_pool(x, output_size=[2, 1])", x=real(1, 2, 4, 3)),
    ],
    "pad_reflect": [
        example("pad_reflect(x, widths=[[0, 0], [2, 1]])", x=real(2, 4)),
        example("pad_reflect(x, widths=[[0, 0], [0, 0], [1, 1], [0, 2]])", x=real(1, 2, 2, 3)),
    ],
    "pad_replicate": [
        example("pad_replicate(x, widths=[[0, 0], [2, 1]])", x=real(2, 2)),
        example("pad_replicate(x, widths=[[0, 0], [1, 1], [0, 2]])", x=real(2, 2, 3)),
    ],
    "pad_circular": [
        example("pad_circular(x, widths=[[0, 0], [2, 1]])", x=real(2, 3)),
        example("pad_circular(x, widths=[[0, 0], [1, 1], [0, 3]])", x=real(2, 2, 3)),
    ],
    "upsample_linear": [
        example("upsample_linear(x, factor=2)", x=real(1, 2, 3)),
        example("upsample_linear(x, factor=3)", x=real(1, 1, 2, 3)),
    ],
    "unfold": [
        example("unfold(x, kernel=2)", x=real(1, 2, 3, 3)),
        example("unfold(x, kernel=[2, 3], stride=2, padding=[1, 0])", x=real(1, 1, 4, 5)),
        example("unfold(x, kernel=[2, 3], stride=2, padding=[1, 0], dilation=[1, 2])", x=real(1, 1, 4, 5)),
    ],
}
