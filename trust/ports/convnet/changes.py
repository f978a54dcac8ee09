"""A classifier in training mode: statistics of the batch, NCHW to NHWC, a smoothed loss."""

from ported import Mistake, Pair, Variant

NORM = ("x - mean", "var = ", "self.bn1(x)", "mean = jnp")
LOSS = ("targets", "logp", "F.cross_entropy")
POOL = ("reduce_window", "F.max_pool2d")

PAIR = Pair(
    original=lambda module: module.Net(),
    port=lambda module: module.loss,
    inputs=lambda rng: (rng.normal(size=(3, 3, 8, 8)), rng.integers(0, 5, 3)),
    variants=(
        Variant("one-pass variance", "var = jnp.var(x, axis=(0, 1, 2))", "var = jnp.mean(x * x, axis=(0, 1, 2)) - mean**2"),
        Variant("two-pass variance", "var = jnp.var(x, axis=(0, 1, 2))", "var = jnp.mean(jnp.square(x - mean), axis=(0, 1, 2))"),
        Variant("log-sum-exp by hand", "logp = jax.nn.log_softmax(logits)", "logp = logits - jnp.log(jnp.sum(jnp.exp(logits), axis=-1, keepdims=True))"),
        Variant("smoothing as a second term", "return -jnp.mean(jnp.sum(targets * logp, axis=-1))", "nll = -jnp.take_along_axis(logp, labels[:, None], axis=-1)[:, 0]\n    return jnp.mean(0.9 * nll - 0.1 * jnp.mean(logp, axis=-1))"),
        Variant("pool by reshape", 'x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")', "x = x.reshape(3, 4, 2, 4, 2, 6).max(axis=(2, 4))"),
        Variant("head for channels last", "x = x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)\n    w, b = params[\"fc\"]\n    logits = x @ w + b", "w, b = params[\"fc\"]\n    logits = jnp.einsum('nhwc,chwk->nk', x, w.reshape(8, 2, 2, 5)) + b"),
        Variant("leaky relu by maximum", "jax.nn.leaky_relu(x, 0.1)", "jnp.maximum(x, 0.1 * x)"),
    ),
    mistakes=(
        Mistake("flattened with channels last", "x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)", "x.reshape(x.shape[0], -1)", ("x.reshape", "torch.flatten", "logits = "), r"order|transpos|flatten|permut|axes"),
        Mistake("unbiased variance", "var = jnp.var(x, axis=(0, 1, 2))", "var = jnp.var(x, axis=(0, 1, 2), ddof=1)", NORM, r"unbiased|n - 1|correction|ddof"),
        Mistake("running statistics", "mean = jnp.mean(x, axis=(0, 1, 2))\n    var = jnp.var(x, axis=(0, 1, 2))", "mean, var = jnp.zeros(6), jnp.ones(6)", (*NORM, "mean, var"), r"mean|var|stat"),
        Mistake("statistics of each sample", "mean = jnp.mean(x, axis=(0, 1, 2))\n    var = jnp.var(x, axis=(0, 1, 2))", "mean = jnp.mean(x, axis=(1, 2), keepdims=True)\n    var = jnp.var(x, axis=(1, 2), keepdims=True)", NORM, r"ax[ei]s|sample"),
        Mistake("smoothing over the others", "* 0.9 + 0.1 / 5", "* (0.9 - 0.1 / 4) + 0.1 / 4", LOSS, r"smooth|constant|factor|0\.\d"),
        Mistake("smoothing not taken off", "* 0.9 + 0.1 / 5", "+ 0.1 / 5", LOSS, r"smooth|factor|scale|0\.9"),
        Mistake("no smoothing", "* 0.9 + 0.1 / 5", "", LOSS, r"smooth"),
        Mistake("slope", "leaky_relu(x, 0.1)", "leaky_relu(x)", ("leaky_relu",), r"slope|0\.01|negative"),
        Mistake("average for maximum", 'lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")', 'lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4', POOL, r"average|mean|max|sum"),
        Mistake("minimum for maximum", "-jnp.inf, lax.max", "jnp.inf, lax.min", POOL, r"min|max"),
        Mistake("bias of the second convolution left out", 'conv(x, params["conv2"], "VALID")', 'conv(x, (params["conv2"][0], 0.0), "VALID")', ("conv2", "return y + b"), r"bias|left out|without"),
        Mistake("sum for mean", "-jnp.mean(jnp.sum(targets", "-jnp.sum(jnp.sum(targets", LOSS, r"sum|mean|factor|3"),
        Mistake("mean over classes too", "-jnp.mean(jnp.sum(targets * logp, axis=-1))", "-jnp.mean(targets * logp)", LOSS, r"sum|mean|factor|5|0\.2"),
        Mistake("softmax over the batch", "jax.nn.log_softmax(logits)", "jax.nn.log_softmax(logits, axis=0)", LOSS, r"axis"),
        Mistake("batch norm behind the activation", '    x = batch_norm(x, params["bn1"])\n    x = jax.nn.leaky_relu(x, 0.1)\n', '    x = jax.nn.leaky_relu(x, 0.1)\n    x = batch_norm(x, params["bn1"])\n', (*NORM, "leaky_relu", "x = batch_norm("), r"order|reads|before|after|behind|left out|leaky"),
        Mistake("variance's gradient stopped", "var = jnp.var(x, axis=(0, 1, 2))", "var = lax.stop_gradient(jnp.var(x, axis=(0, 1, 2)))", NORM, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
