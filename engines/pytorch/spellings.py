"""How PyTorch spells each operation, for `gradaccord ops NAME`. Of torch 2.13; importing this loads no framework."""

from __future__ import annotations

from collections.abc import Mapping

from ...harness.records.spelling import Spelling, spelled

RUNNING = "the running variance is the one with n - 1, the batch's own that with n"
MOMENTUM = "momentum is the share of the new statistics, not of the old ones"

SPELLINGS: Mapping[str, Spelling] = {
    **spelled(
        "add subtract multiply divide negative abs sign square sqrt reciprocal pow hypot rsqrt exp expm1 log log1p "
        "log2 log10 logaddexp logaddexp2 xlogy exp2 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh "
        "lgamma digamma sigmoid maximum minimum where floor ceil less less_equal greater greater_equal not_equal "
        "logical_and logical_or logical_not "
        "matmul outer reshape broadcast_to squeeze flip roll tile cumsum cumprod prod",
        "torch",
    ),
    **spelled("erf erfc", "torch.special"),
    **spelled("relu silu mish selu relu6 hardsigmoid hardswish softsign linear conv1d conv2d", "torch.nn.functional"),
    "polygamma": Spelling("torch.polygamma", "n stands first"),
    "softplus": Spelling(
        "torch.nn.functional.softplus(input, beta=1, threshold=20)",
        "beyond the threshold it is x itself, which is e^-20 too small at most",
    ),
    "log_sigmoid": Spelling("torch.nn.functional.logsigmoid"),
    "leaky_relu": Spelling("torch.nn.functional.leaky_relu(input, negative_slope=0.01)"),
    "elu": Spelling("torch.nn.functional.elu(input, alpha=1.0)"),
    "celu": Spelling("torch.nn.functional.celu(input, alpha=1.0)"),
    "gelu": Spelling(
        "torch.nn.functional.gelu(input, approximate='none')", "the one with erf; JAX's default is that with tanh"
    ),
    "hardtanh": Spelling("torch.nn.functional.hardtanh(input, min_val=-1.0, max_val=1.0)"),
    "hardshrink": Spelling("torch.nn.functional.hardshrink(input, lambd=0.5)"),
    "softshrink": Spelling("torch.nn.functional.softshrink(input, lambd=0.5)"),
    "clip": Spelling("torch.clamp(input, min=None, max=None)", "where bounds cross it is max"),
    "equal": Spelling("torch.eq", "torch.equal is one answer for whole tensors"),
    "stop_gradient": Spelling("torch.Tensor.detach"),
    "copy": Spelling("torch.clone"),
    "sum": Spelling("torch.sum"),
    "mean": Spelling("torch.mean"),
    "max": Spelling(
        "torch.amax", "it shares the gradient among equals; torch.max over an axis gives it to one of them"
    ),
    "min": Spelling(
        "torch.amin", "it shares the gradient among equals; torch.min over an axis gives it to one of them"
    ),
    "var": Spelling("torch.var(input, dim=None, correction=1)", "it divides by n - 1, here and in JAX by n"),
    "std": Spelling("torch.std(input, dim=None, correction=1)", "it divides by n - 1, here and in JAX by n"),
    "norm": Spelling("torch.linalg.vector_norm(x, ord=2)"),
    "logsumexp": Spelling("torch.logsumexp", "the axis is not optional"),
    "softmax": Spelling(
        "torch.softmax", "the axis is not optional; torch.nn.functional.softmax chooses one, and warns"
    ),
    "log_softmax": Spelling("torch.log_softmax", "the axis is not optional"),
    "vecdot": Spelling("torch.linalg.vecdot(x, y, dim=-1)"),
    "einsum": Spelling("torch.einsum"),
    "correlate2d": Spelling("torch.nn.functional.conv2d"),
    "correlate2d_input": Spelling("torch.nn.grad.conv2d_input"),
    "correlate2d_weight": Spelling("torch.nn.grad.conv2d_weight"),
    "conv_transpose": Spelling(
        "torch.nn.functional.conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0)",
        "padding cuts the result; the weight is (in, out / groups, ...)",
    ),
    "max_pool": Spelling(
        "torch.nn.functional.max_pool2d",
        "the stride is the kernel unless given; the first of equals has all of the gradient",
    ),
    "avg_pool": Spelling(
        "torch.nn.functional.avg_pool2d(input, kernel_size, stride=None, padding=0, count_include_pad=True)",
        "the zeros around count",
    ),
    "adaptive_avg_pool": Spelling("torch.nn.functional.adaptive_avg_pool2d"),
    "permute_dims": Spelling("torch.permute"),
    "matrix_transpose": Spelling("torch.transpose", "with -1, -2; or x.mT"),
    "expand_dims": Spelling("torch.unsqueeze"),
    "concat": Spelling("torch.concat"),
    "stack": Spelling("torch.stack"),
    "getitem": Spelling("torch.Tensor.__getitem__", "no slice with a negative step"),
    "place": Spelling("torch.Tensor.__setitem__", "into zeros"),
    "take": Spelling("torch.index_select", "no negative index; torch.take counts through the whole tensor"),
    "scatter_add": Spelling("torch.index_add", "into zeros"),
    "take_along_axis": Spelling("torch.gather", "no negative index"),
    "scatter_add_along_axis": Spelling("torch.scatter_add", "into zeros"),
    "one_hot": Spelling("torch.nn.functional.one_hot", "integers, whatever they are for"),
    "astype": Spelling("torch.Tensor.to"),
    "pad": Spelling(
        "torch.nn.functional.pad(input, pad, mode='constant', value=None)", "widths are in pairs from the last axis"
    ),
    "pad_reflect": Spelling("torch.nn.functional.pad", "with mode='reflect', of the last one to three axes alone"),
    "pad_replicate": Spelling("torch.nn.functional.pad", "with mode='replicate', of the last one to three axes alone"),
    "pad_circular": Spelling("torch.nn.functional.pad", "with mode='circular', of the last one to three axes alone"),
    "unfold": Spelling("torch.nn.functional.unfold(input, kernel_size, dilation=1, padding=0, stride=1)"),
    "upsample_linear": Spelling(
        "torch.nn.functional.interpolate(input, scale_factor=None, mode='nearest', align_corners=None)",
        "with mode='bilinear', whose corners are not aligned unless align_corners=True",
    ),
    "pixel_shuffle": Spelling("torch.nn.functional.pixel_shuffle"),
    "upsample_nearest": Spelling(
        "torch.nn.functional.interpolate(input, size=None, scale_factor=None, mode='nearest')"
    ),
    "mse_loss": Spelling("torch.nn.functional.mse_loss(input, target, reduction='mean')"),
    "l1_loss": Spelling("torch.nn.functional.l1_loss(input, target, reduction='mean')"),
    "smooth_l1_loss": Spelling("torch.nn.functional.smooth_l1_loss(input, target, reduction='mean', beta=1.0)"),
    "huber_loss": Spelling("torch.nn.functional.huber_loss(input, target, reduction='mean', delta=1.0)"),
    "kl_div": Spelling(
        "torch.nn.functional.kl_div(input, target, reduction='mean', log_target=False)",
        "the mean is over elements; the divergence of a batch is reduction='batchmean'",
    ),
    "binary_cross_entropy": Spelling(
        "torch.nn.functional.binary_cross_entropy(input, target, weight=None, reduction='mean')",
        "logarithms are held above -100; no gradient in the weight",
    ),
    "binary_cross_entropy_with_logits": Spelling(
        "torch.nn.functional.binary_cross_entropy_with_logits(input, target, weight=None, reduction='mean')",
        "no gradient in the weights",
    ),
    "nll_loss": Spelling(
        "torch.nn.functional.nll_loss(input, target, weight=None, ignore_index=-100, reduction='mean')",
        "classes are on axis 1; targets of -100 do not count, here none are left out unless it is said",
    ),
    "cross_entropy": Spelling(
        "torch.nn.functional.cross_entropy(input, target, ignore_index=-100, reduction='mean', label_smoothing=0.0)",
        "classes are on axis 1; targets of -100 do not count, here none are left out unless it is said",
    ),
    "layer_norm": Spelling(
        "torch.nn.functional.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)"
    ),
    "rms_norm": Spelling(
        "torch.nn.functional.rms_norm(input, normalized_shape, weight=None, eps=None)",
        "eps is that of the dtype unless given, 1.2e-7 in float32; here 1e-5",
    ),
    "batch_norm": Spelling(
        "torch.nn.functional.batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, "
        "momentum=0.1, eps=1e-05)",
        f"training is not the default; {MOMENTUM}; {RUNNING}",
    ),
    "batch_norm_evaluation": Spelling(
        "torch.nn.functional.batch_norm(input, running_mean, running_var, training=False, eps=1e-05)"
    ),
    "group_norm": Spelling("torch.nn.functional.group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)"),
    "instance_norm": Spelling(
        "torch.nn.functional.instance_norm(input, weight=None, bias=None, momentum=0.1, eps=1e-05)", MOMENTUM
    ),
    "scaled_dot_product_attention": Spelling(
        "torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=None, is_causal=False)",
        "a condition is true where a key is seen; heads stand before positions",
    ),
    "embedding": Spelling("torch.nn.functional.embedding(input, weight, padding_idx=None)", "no negative index"),
}
