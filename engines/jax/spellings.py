"""How JAX spells each operation, for `gradaccord ops NAME`. Of JAX 0.10.2; importing this loads no framework.

JAX leaves losses to optax, and layers to libraries that are built of the pieces named here.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...harness.records.spelling import Spelling, spelled

ELEMENTS = "of each example: the mean is yours to take"
PIECES = "weight and bias are applied to its result"
MOMENTUM = "flax's momentum is the share of the old statistics, not of the new ones"

SPELLINGS: Mapping[str, Spelling] = {
    **spelled(
        "add subtract multiply divide negative abs sign square sqrt reciprocal hypot exp expm1 log log1p log2 log10 "
        "logaddexp logaddexp2 exp2 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh maximum minimum "
        "where floor ceil less less_equal greater greater_equal equal not_equal sum mean prod max min cumsum cumprod "
        "logical_and logical_or logical_not "
        "matmul vecdot outer einsum permute_dims matrix_transpose reshape broadcast_to expand_dims squeeze concat "
        "stack flip roll tile astype",
        "jax.numpy",
    ),
    **spelled("sigmoid softplus log_sigmoid relu silu mish selu relu6 logsumexp", "jax.nn"),
    **spelled("erf erfc digamma polygamma xlogy", "jax.scipy.special"),
    "pow": Spelling("jax.numpy.power"),
    "rsqrt": Spelling("jax.lax.rsqrt"),
    "lgamma": Spelling("jax.scipy.special.gammaln"),
    "leaky_relu": Spelling(
        "jax.nn.leaky_relu(x, negative_slope=0.01)", "at 0 the slope is 1, PyTorch's is negative_slope"
    ),
    "elu": Spelling("jax.nn.elu(x, alpha=1.0)"),
    "celu": Spelling("jax.nn.celu(x, alpha=1.0)"),
    "gelu": Spelling(
        "jax.nn.gelu(x, approximate=True)", "the one with tanh; here and in PyTorch the default is that with erf"
    ),
    "hardtanh": Spelling("jax.nn.hard_tanh", "between -1 and 1; else jax.numpy.clip"),
    "hardsigmoid": Spelling("jax.nn.hard_sigmoid"),
    "hardswish": Spelling("jax.nn.hard_swish"),
    "hardshrink": Spelling("jax.numpy.where", "with abs(x) > lambd"),
    "softshrink": Spelling("jax.numpy.where", "with abs(x) > lambd"),
    "softsign": Spelling("jax.nn.soft_sign"),
    "clip": Spelling("jax.numpy.clip(arr, min=None, max=None)", "where bounds cross it is max"),
    "stop_gradient": Spelling("jax.lax.stop_gradient"),
    "copy": Spelling("jax.numpy.copy"),
    "var": Spelling("jax.numpy.var(a, axis=None, ddof=0)", "it divides by n, PyTorch by n - 1"),
    "std": Spelling("jax.numpy.std(a, axis=None, ddof=0)", "it divides by n, PyTorch by n - 1"),
    "norm": Spelling("jax.numpy.linalg.vector_norm(x, ord=2)"),
    "softmax": Spelling("jax.nn.softmax(x, axis=-1)"),
    "log_softmax": Spelling("jax.nn.log_softmax(x, axis=-1)"),
    "linear": Spelling("jax.numpy.matmul", "with the weight transposed; flax keeps weights as (in, out)"),
    "conv1d": Spelling("jax.lax.conv_general_dilated"),
    "conv2d": Spelling("jax.lax.conv_general_dilated", "channels come second, as in PyTorch; in flax they come last"),
    "correlate2d": Spelling("jax.lax.conv_general_dilated"),
    "correlate2d_input": Spelling("jax.vjp", "of jax.lax.conv_general_dilated"),
    "correlate2d_weight": Spelling("jax.vjp", "of jax.lax.conv_general_dilated"),
    "conv_transpose": Spelling(
        "jax.lax.conv_transpose(lhs, rhs, strides, padding, transpose_kernel=False)",
        "the kernel is not turned around unless transpose_kernel; padding is that of the dilated input, where "
        "PyTorch's cuts the result; channels come last",
    ),
    "max_pool": Spelling(
        "jax.lax.reduce_window(operand, init_value, computation, window_dimensions, window_strides=None)",
        "the stride is 1 unless given, in PyTorch the kernel; the first of equals has all of the gradient",
    ),
    "avg_pool": Spelling(
        "jax.lax.reduce_window(operand, init_value, computation, window_dimensions, window_strides=None)",
        "a sum, divided by what you count; the stride is 1 unless given, in PyTorch the kernel",
    ),
    "adaptive_avg_pool": Spelling("jax.numpy.mean", "of tiles"),
    "getitem": Spelling("jax.Array.__getitem__"),
    "place": Spelling("jax.numpy.ndarray.at", "set, into zeros"),
    "take": Spelling(
        "jax.numpy.take(a, indices, axis=None, mode=None)", "an index out of range gives NaN, not an error"
    ),
    "scatter_add": Spelling("jax.numpy.ndarray.at", "add, into zeros; what is out of range is dropped"),
    "take_along_axis": Spelling(
        "jax.numpy.take_along_axis(arr, indices, axis=-1, mode=None)", "an index out of range gives NaN"
    ),
    "scatter_add_along_axis": Spelling("jax.numpy.ndarray.at", "add, into zeros; what is out of range is dropped"),
    "one_hot": Spelling("jax.nn.one_hot", "an index out of range gives zeros, not an error"),
    "pad": Spelling("jax.numpy.pad(array, pad_width, mode='constant')"),
    "pad_reflect": Spelling("jax.numpy.pad(array, pad_width, mode='constant')", "with mode='reflect'"),
    "pad_replicate": Spelling("jax.numpy.pad(array, pad_width, mode='constant')", "with mode='edge'"),
    "pad_circular": Spelling("jax.numpy.pad(array, pad_width, mode='constant')", "with mode='wrap'"),
    "unfold": Spelling(
        "jax.lax.conv_general_dilated_patches", "XLA ends the process where it compiles the derivative of some"
    ),
    "upsample_linear": Spelling("jax.image.resize", "by method='linear'; corners are not aligned"),
    "pixel_shuffle": Spelling("jax.numpy.moveaxis", "between two reshapes"),
    "upsample_nearest": Spelling("jax.image.resize", "by method='nearest'"),
    "mse_loss": Spelling("optax.squared_error", ELEMENTS),
    "l1_loss": Spelling("jax.numpy.abs", ELEMENTS),
    "smooth_l1_loss": Spelling(
        "optax.huber_loss(predictions, targets=None, delta=1.0)", f"divided by delta; {ELEMENTS}"
    ),
    "huber_loss": Spelling("optax.huber_loss(predictions, targets=None, delta=1.0)", ELEMENTS),
    "kl_div": Spelling(
        "optax.kl_divergence(log_predictions, targets, axis=-1)", "summed over the last axis, not the mean"
    ),
    "binary_cross_entropy": Spelling("jax.numpy.log", "written out: optax has that of logits alone"),
    "binary_cross_entropy_with_logits": Spelling("optax.sigmoid_binary_cross_entropy", ELEMENTS),
    "nll_loss": Spelling("jax.numpy.take_along_axis", f"written out; {ELEMENTS}"),
    "cross_entropy": Spelling(
        "optax.softmax_cross_entropy_with_integer_labels(logits, labels, axis=-1)",
        f"{ELEMENTS}; no index is left out, PyTorch leaves out -100",
    ),
    "layer_norm": Spelling("jax.nn.standardize(x, axis=-1, epsilon=1e-05)", f"{PIECES}; flax.linen's epsilon is 1e-6"),
    "rms_norm": Spelling("jax.lax.rsqrt", "of the mean of squares; flax.linen's epsilon is 1e-6"),
    "batch_norm": Spelling(
        "jax.nn.standardize(x, axis=-1, epsilon=1e-05)", f"over all axes but the channels'; {MOMENTUM}"
    ),
    "batch_norm_evaluation": Spelling("jax.nn.standardize(x, mean=None, variance=None, epsilon=1e-05)", PIECES),
    "group_norm": Spelling("jax.nn.standardize(x, axis=-1, epsilon=1e-05)", f"{PIECES}; flax.linen's epsilon is 1e-6"),
    "instance_norm": Spelling("jax.nn.standardize(x, axis=-1, epsilon=1e-05)", PIECES),
    "scaled_dot_product_attention": Spelling(
        "jax.nn.dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False)",
        "positions stand before heads; what is added goes by `bias`, a condition by `mask`; softmax in float32 at most",
    ),
    "embedding": Spelling(
        "jax.numpy.take(a, indices, axis=None, mode=None)", "an index out of range gives NaN, not an error"
    ),
}
