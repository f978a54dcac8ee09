"""Attention pooling with weight norm."""

import numpy as np
from ported import Mistake, Pair, Variant

WEIGHT = ("length", "w = self.g", "F.linear(x, w", "y = (x", "return y", "weight_norm(p", "y * p")
GATED = ("h = ",)
SCORES = ("scores", "weights = ")
MOMENTS = ("mean = ", "variance", "second", "std", "jnp.einsum(")
NORM = ("centred", "self.norm", "mean = x")

PAIR = Pair(
    original=lambda module: module.Pool(4, 3),
    port=lambda module: module.pool,
    inputs=lambda rng: (rng.normal(size=(3, 5, 4)), np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], bool)),
    variants=(
        Variant("weight normalised first", "length = jnp.sqrt(jnp.sum(v * v, axis=1))\n    y = (x @ v.T) / length\n    return y * p[name + \".g\"][:, 0] + p[name + \".bias\"]", "w = v / jnp.linalg.norm(v, axis=1, keepdims=True) * p[name + \".g\"]\n    return jnp.einsum(\"btd,hd->bth\", x, w) + p[name + \".bias\"]"),
        Variant("rsqrt", "length = jnp.sqrt(jnp.sum(v * v, axis=1))\n    y = (x @ v.T) / length", "y = (x @ v.T) * jax.lax.rsqrt(jnp.sum(v * v, axis=1))"),
        Variant("variance about the mean", 'variance = jnp.einsum("bt,btd->bd", weights, x**2) - mean**2', 'variance = jnp.einsum("bt,btd->bd", weights, (x - mean[:, None]) ** 2)'),
        Variant("softmax with where", "scores = jnp.where(present, scores, -jnp.inf)\n    weights = jax.nn.softmax(scores, axis=1)", "weights = jax.nn.softmax(scores, axis=1, where=present)"),
        Variant("exponentials masked", "scores = jnp.where(present, scores, -jnp.inf)\n    weights = jax.nn.softmax(scores, axis=1)", "weights = jnp.exp(scores) * present\n    weights = weights / weights.sum(axis=1, keepdims=True)"),
        Variant("sum of products", 'mean = jnp.einsum("bt,btd->bd", weights, x)', "mean = jnp.sum(weights[..., None] * x, axis=1)"),
        Variant("score as a column", 'scores = h @ p["score.weight"][0] + p["score.bias"]', 'scores = (h @ p["score.weight"].T + p["score.bias"])[..., 0]'),
        Variant("clipped by maximum", "jnp.clip(variance, 1e-6)", "jnp.maximum(variance, 1e-6)"),
    ),
    mistakes=(
        Mistake("norm of columns", "length = jnp.sqrt(jnp.sum(v * v, axis=1))", "length = jnp.sqrt(jnp.sum(v * v, axis=0))[:3]", WEIGHT, r"axis|column|dim"),
        Mistake("norm of the whole matrix", "jnp.sum(v * v, axis=1)", "jnp.sum(v * v)", WEIGHT, r"axis|axes|whole|all|dim"),
        Mistake("norm not rooted", "jnp.sqrt(jnp.sum(v * v, axis=1))", "jnp.sum(v * v, axis=1)", WEIGHT, r"root|sqrt|square|power"),
        Mistake("gain left out", ' * p[name + ".g"][:, 0]', "", WEIGHT, r"left out|factor|scale|gain|\bg\b|leav|without"),
        Mistake("gain squashed", '* p[name + ".g"][:, 0]', '* jnp.exp(p[name + ".g"][:, 0])', WEIGHT, r"exp|step|reads"),
        Mistake("gate by tanh", "* jax.nn.sigmoid(weight_norm", "* jnp.tanh(weight_norm", GATED, r"sigmoid|tanh|activation"),
        Mistake("gate and branch swapped", 'jnp.tanh(weight_norm(p, "tanh", x)) * jax.nn.sigmoid(weight_norm(p, "gate", x))', 'jnp.tanh(weight_norm(p, "gate", x)) * jax.nn.sigmoid(weight_norm(p, "tanh", x))', GATED + WEIGHT, r"swap|reads|gate|param|operand|activation|sigmoid|tanh"),
        Mistake("gates added", 'jnp.tanh(weight_norm(p, "tanh", x)) * jax', 'jnp.tanh(weight_norm(p, "tanh", x)) + jax', GATED, r"add|sum|multipl|product|plus"),
        Mistake("temperature multiplied", "scores / TEMPERATURE", "scores * TEMPERATURE", SCORES, r"factor|0\.5|2|divid|scale|temperature|multipl|recipro"),
        Mistake("mask inverted", "jnp.where(present, scores, -jnp.inf)", "jnp.where(~present | (jnp.arange(5) == 0), scores, -jnp.inf)", SCORES, r"mask|invert"),
        Mistake("masked scores of zero", "jnp.where(present, scores, -jnp.inf)", "jnp.where(present, scores, 0.0)", SCORES, r"mask|fill|\b0(\.0)?\b|inf"),
        Mistake("softmax over the batch", "jax.nn.softmax(scores, axis=1)", "jax.nn.softmax(scores, axis=0)", SCORES, r"axis"),
        Mistake("plain mean", 'mean = jnp.einsum("bt,btd->bd", weights, x)', "mean = jnp.mean(x, axis=1)", MOMENTS, r"mean|weight|reads|left out"),
        Mistake("mean not squared", "x**2) - mean**2", "x**2) - mean", MOMENTS, r"square|power|left out|leav|exponent|reads"),
        Mistake("variance for deviation", "std = jnp.sqrt(jnp.clip(variance, 1e-6))", "std = jnp.clip(variance, 1e-6)", (*MOMENTS, "jnp.concatenate", "torch.cat"), r"root|sqrt|left out|leav"),
        Mistake("clip bound", "jnp.clip(variance, 1e-6)", "jnp.clip(variance, 0.5)", MOMENTS, r"clip|bound|0\.5|min|1e-0?6"),
        Mistake("eps of the norm", "+ 1e-5)", "+ 1e-6)", NORM, r"eps|1e-0?6"),
        Mistake("concatenated the other way", "[layer_norm(mean, p[\"norm.weight\"], p[\"norm.bias\"]), std]", "[std, layer_norm(mean, p[\"norm.weight\"], p[\"norm.bias\"])]", ("jnp.concatenate", "torch.cat"), r"swap|order"),
        Mistake("norm of the deviation", "layer_norm(mean, p", "layer_norm(std, p", (*NORM, "jnp.concatenate"), r"reads|std|mean|operand|another"),
        Mistake("weights' gradient stopped", "weights = jax.nn.softmax(scores, axis=1)", "weights = jax.lax.stop_gradient(jax.nn.softmax(scores, axis=1))", SCORES, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
