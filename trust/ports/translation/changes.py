"""Embeddings with padding, positions, masked pooling, smoothed loss."""

import numpy as np
from ported import Mistake, Pair, Variant

EMBEDDED = ("embed(params", "self.embedding(source)", "table[source]", "table.at")
TABLE = ("rate", "div_term", "table[:", "pe[:", "positions(", "self.pe")
POOL = ("pooled", "mask = ")
LOSS = ("losses", "weights", "smoothing", "uniform", "nll", "logp", "self.loss(")

PAIR = Pair(
    original=lambda module: module.Ends(7, 6),
    port=lambda module: module.loss,
    inputs=lambda rng: (np.array([[3, 1, 4, 0], [2, 6, 0, 0]]), np.array([[1, 4, 5, 0], [6, 2, 0, 0]])),
    variants=(
        Variant("padding by where", "table = table.at[PAD].set(jax.lax.stop_gradient(table[PAD]))\n    return table[source]", "x = table[source]\n    return jnp.where((source == PAD)[..., None], jax.lax.stop_gradient(x), x)"),
        Variant("embedding by one-hot", "return table[source]", "return jax.nn.one_hot(source, table.shape[0]) @ table"),
        Variant("smoothed targets", "nll = -jnp.take_along_axis(logp, target[..., None], axis=-1)[..., 0]\n    uniform = -logp.mean(axis=-1)\n    return (1 - smoothing) * nll + smoothing * uniform", "n = logits.shape[-1]\n    q = (1 - smoothing) * jax.nn.one_hot(target, n) + smoothing / n\n    return -jnp.sum(q * logp, axis=-1)"),
        Variant("weights by where", "jnp.sum(losses * weights) / jnp.sum(weights)", "jnp.where(weights, losses, 0.0).sum() / weights.sum()"),
        Variant("mean with where", "jnp.sum(losses * weights) / jnp.sum(weights)", "jnp.mean(losses, where=weights)"),
        Variant("pooled by a product", "pooled = jnp.sum(x * mask, axis=1, keepdims=True) / jnp.sum(mask, axis=1, keepdims=True)", 'share = mask / jnp.sum(mask, axis=1, keepdims=True)\n    pooled = jnp.einsum("btd,bto->bod", x, share)'),
        Variant("table scaled first", "x = embed(params[\"embedding\"], source) * jnp.sqrt(dim)", "x = embed(params[\"embedding\"] * jnp.sqrt(dim), source)"),
    ),
    mistakes=(
        Mistake("embedding not scaled", " * jnp.sqrt(dim)", "", (*EMBEDDED, "x = x + positions", "x = x + self.pe"), r"scale|factor|sqrt|2\.4|left out|leav"),
        Mistake("embedding scaled by the width", " * jnp.sqrt(dim)", " * dim", EMBEDDED, r"scale|factor|sqrt|2\.4|6"),
        Mistake("positions in halves", "table[:, 0::2] = np.sin(position * rate)\n    table[:, 1::2] = np.cos(position * rate)", "table[:, :3] = np.sin(position * rate)\n    table[:, 3:] = np.cos(position * rate)", TABLE, r"table|order|constant|position|interleav|permut"),
        Mistake("rates computed in float32", "rate = 10000.0 ** (-np.arange(0, dim, 2) / dim)", "rate = np.float32(10000.0) ** (-np.arange(0, dim, 2) / dim).astype(np.float32)", TABLE, r"float32|precision|single|digits"),
        Mistake("base of positions", "10000.0", "1000.0", TABLE, r"base|1000|table|constant|position"),
        Mistake("positions begin at one", "np.arange(length)[:, None]", "np.arange(1, length + 1)[:, None]", TABLE, r"off by one|position|shift|table|constant"),
        Mistake("sine and cosine swapped", "table[:, 0::2] = np.sin", "table[:, 0::2] = np.cos", TABLE, r"sin|cos|table|constant"),
        Mistake("positions before the scale", 'x = embed(params["embedding"], source) * jnp.sqrt(dim)\n    x = x + positions(source.shape[1], dim)', 'x = embed(params["embedding"], source) + positions(source.shape[1], dim)\n    x = x * jnp.sqrt(dim)', (*EMBEDDED, *TABLE, "x = x * jnp.sqrt"), r"scale|factor|order|before|after|sqrt"),
        Mistake("pooled over padding too", "pooled = jnp.sum(x * mask, axis=1, keepdims=True) / jnp.sum(mask, axis=1, keepdims=True)", "pooled = jnp.mean(x, axis=1, keepdims=True)", POOL, r"mask|mean|factor|left out|count"),
        Mistake("divided by the length", "/ jnp.sum(mask, axis=1, keepdims=True)", "/ source.shape[1]", POOL, r"mask|mean|factor|4|count|divid|sum|reads"),
        Mistake("mask inverted", "mask = (source != PAD)", "mask = (source == PAD)", POOL, r"mask|invert"),
        Mistake("ignored tokens counted in the mean", "/ jnp.sum(weights)", "/ weights.size", LOSS, r"ignor|count|mean|factor|8|0\.625|1\.6|divid"),
        Mistake("padding not ignored", "weights = target != PAD", "weights = target >= 0", LOSS, r"ignor|mask|weights|pad"),
        Mistake("smoothing over the others", "smoothing * uniform", "smoothing * (-logp.sum(axis=-1) - nll) / 6", LOSS, r"smooth|factor|constant|reads|subtract|addend|6"),
        Mistake("smoothing left out", "(1 - smoothing) * nll + smoothing * uniform", "nll", LOSS, r"smooth|left out|factor|addend|0\.9|leav"),
        Mistake("smoothing", "smoothing=0.1", "smoothing=0.2", LOSS, r"smooth|0\.2|factor"),
        Mistake("positions' sum stopped", "jnp.tanh(x + pooled)", "jnp.tanh(x + jax.lax.stop_gradient(pooled))", (*POOL, "jnp.tanh", "torch.tanh"), r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
