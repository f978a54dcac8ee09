"""T5: attention with a relative bias."""

from ported import Mistake, Pair, Variant

BIAS = ("bias", "self.relative_attention_bias(", "values.permute")
NORM = ("variance", "rsqrt", "x - jnp.mean")
SCORES = ("scores", "weights = ")

PAIR = Pair(
    original=lambda module: module.Layer(8, 2, 3, 12),
    port=lambda module: module.layer,
    inputs=lambda rng: (rng.normal(size=(2, 7, 8)),),
    variants=(
        Variant("bias by one-hot", 'bias = p["relative_attention_bias"][buckets(t)]', 'bias = jax.nn.one_hot(buckets(t), 8) @ p["relative_attention_bias"]'),
        Variant("bias by take", 'bias = p["relative_attention_bias"][buckets(t)]', 'bias = jnp.take(p["relative_attention_bias"], buckets(t), axis=0)'),
        Variant("bias transposed first", 'bias = p["relative_attention_bias"][buckets(t)]\n    scores = scores + bias.transpose(2, 0, 1)[None]', 'bias = p["relative_attention_bias"].T[:, buckets(t)]\n    scores = bias + scores'),
        Variant("norm scaled first", "return x * jax.lax.rsqrt(variance + 1e-6) * scale", "return (scale * x) / jnp.sqrt(variance + 1e-6)"),
        Variant("softmax in log space", "jax.nn.softmax(scores, axis=-1)", "jnp.exp(jax.nn.log_softmax(scores, axis=-1))"),
        Variant("one matrix for q, k and v", 'q = (h @ p["q"]).reshape(b, t, heads, head_dim)\n    k = (h @ p["k"]).reshape(b, t, heads, head_dim)\n    v = (h @ p["v"]).reshape(b, t, heads, head_dim)', 'qkv = h @ jnp.concatenate([p["q"], p["k"], p["v"]], axis=1)\n    q, k, v = (y.reshape(b, t, heads, head_dim) for y in jnp.split(qkv, 3, axis=-1))'),
    ),
    mistakes=(
        Mistake("scores scaled", '"bqhd,bkhd->bhqk", q, k)', '"bqhd,bkhd->bhqk", q, k) / head_dim**0.5', SCORES, r"scale|factor|divid|sqrt|0\.57"),
        Mistake("context and memory swapped", "np.arange(t)[None, :] - np.arange(t)[:, None]", "np.arange(t)[:, None] - np.arange(t)[None, :]", BIAS, r"transpos|index|indices|table|position|gather|another|swap|sign|order|row"),
        Mistake("greatest distance", "max_distance=16", "max_distance=128", BIAS, r"index|indices|table|position|bucket|gather|row"),
        Mistake("bucket off by one", "large = np.minimum(large, num_buckets - 1)", "large = np.minimum(large + 1, num_buckets - 1)", BIAS, r"index|indices|table|position|bucket|gather|off by one|row"),
        Mistake("bidirectional as causal", "(relative > 0) * num_buckets", "0 * num_buckets", BIAS, r"index|indices|table|position|bucket|gather|row"),
        Mistake("bias transposed", "bias.transpose(2, 0, 1)", "bias.transpose(2, 1, 0)", (*BIAS, "scores + bias"), r"transpos|axes|order|permut"),
        Mistake("bias of one head for both", "bias.transpose(2, 0, 1)", "bias[..., :1].transpose(2, 0, 1)", (*BIAS, "scores + bias"), r"head|slice|index|reads|element|part"),
        Mistake("bias left out", "    scores = scores + bias.transpose(2, 0, 1)[None]\n", "", (*SCORES, *BIAS), r"bias|left out|addend|leav|missing|without"),
        Mistake("bias behind the softmax", "    scores = scores + bias.transpose(2, 0, 1)[None]\n    weights = jax.nn.softmax(scores, axis=-1)", "    weights = jax.nn.softmax(scores, axis=-1) + bias.transpose(2, 0, 1)[None]", (*SCORES, *BIAS), r"bias|left out|addend|order|before|after|reads"),
        Mistake("mean subtracted", "    variance = jnp.mean(x * x", "    x = x - jnp.mean(x, axis=-1, keepdims=True)\n    variance = jnp.mean(x * x", NORM, r"mean|subtract|centr|layer"),
        Mistake("eps", "1e-6", "1e-5", NORM, r"eps|1e-0?5"),
        Mistake("unbiased mean of squares", "variance = jnp.mean(x * x, axis=-1, keepdims=True)", "variance = jnp.sum(x * x, axis=-1, keepdims=True) / (x.shape[-1] - 1)", NORM, r"unbiased|n - 1|correction|factor|7"),
        Mistake("gelu for relu", "jax.nn.relu(", "jax.nn.gelu(", ("jax.nn.gelu", "torch.relu"), r"gelu|relu|activation"),
        Mistake("residual from the norm", "x = x + out @", "x = h + out @", ("x = h + ", "x = x + self.o"), r"reads|norm|residual|operand|`h`"),
        Mistake("norms swapped", 'h = t5_norm(x, p["norm1"])', 'h = t5_norm(x, p["norm2"])', (*NORM, "t5_norm", "self.norm"), r"norm1|norm2|reads|swap|param|twice|operand"),
        Mistake("keys and values swapped", 'k = (h @ p["k"])', 'k = (h @ p["v"])', ('p["v"]', "self.k(h)"), r"\bv\b|\bk\b|reads|swap|param|twice|operand"),
    ),
)  # fmt: skip
