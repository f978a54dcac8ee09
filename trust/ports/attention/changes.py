"""torch's MultiheadAttention, one call, against its parts."""

import numpy as np
from ported import Mistake, Pair, Variant

CALL = "out, _ = self.attn"
SCORES = ("scores", CALL, "weights")
MASK = ("padding[:", "scores + ", "weights = ", CALL)
PROJECTION = ("dense(params", "x @ p[", CALL)

PAIR = Pair(
    original=lambda module: module.SelfAttention(8, 2),
    port=lambda module: module.attention,
    inputs=lambda rng: (rng.normal(size=(2, 5, 8)), np.array([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], bool)),
    variants=(
        Variant("masked by -1e9", "scores = jnp.where(padding[:, None, None, :], -jnp.inf, scores)", "scores = scores + jnp.where(padding, -1e9, 0.0)[:, None, None, :]"),
        Variant("masked by the least number", "-jnp.inf, scores)", "jnp.finfo(scores.dtype).min, scores)"),
        Variant("queries scaled", 'q = split(dense(params["q"], x))', 'q = split(dense(params["q"], x)) * (d // heads) ** -0.5 * jnp.sqrt(d // heads)'),
        Variant("products, not einsum", 'out = jnp.einsum("bhqk,bhkd->bhqd", weights, v)', "out = weights @ v"),
        Variant("softmax by hand", "weights = jax.nn.softmax(scores, axis=-1)", "e = jnp.exp(scores - scores.max(-1, keepdims=True))\n    weights = e / e.sum(-1, keepdims=True)"),
        Variant("normalised at the end", "weights = jax.nn.softmax(scores, axis=-1)\n    out = jnp.einsum(\"bhqk,bhkd->bhqd\", weights, v)", "weights = jnp.exp(scores)\n    out = jnp.einsum(\"bhqk,bhkd->bhqd\", weights, v) / weights.sum(-1)[..., None]"),
        Variant("heads kept behind", 'out = out.transpose(0, 2, 1, 3).reshape(b, t, d)\n    return x + dense(params["out"], out)', 'kernel = params["out"]["kernel"].reshape(heads, d // heads, d)\n    return x + jnp.einsum("bhqd,hde->bqe", out, kernel) + params["out"]["bias"]'),
        Variant("jax's own attention, which computes in float32", 'scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / jnp.sqrt(d // heads)\n    scores = jnp.where(padding[:, None, None, :], -jnp.inf, scores)\n    weights = jax.nn.softmax(scores, axis=-1)\n    out = jnp.einsum("bhqk,bhkd->bhqd", weights, v)\n    out = out.transpose(0, 2, 1, 3).reshape(b, t, d)', "q, k, v = (y.transpose(0, 2, 1, 3) for y in (q, k, v))\n    out = jax.nn.dot_product_attention(q, k, v, mask=~padding[:, None, None, :]).reshape(b, t, d)", digits=6),
    ),
    mistakes=(
        Mistake("scaled by the model", "jnp.sqrt(d // heads)", "jnp.sqrt(d)", SCORES, r"scale|factor|sqrt|0\.7|0\.35"),
        Mistake("not scaled", " / jnp.sqrt(d // heads)", "", SCORES, r"scale|factor|left out|sqrt|0\.5|divi"),
        Mistake("divided by the head, not its root", "/ jnp.sqrt(d // heads)", "/ (d // heads)", SCORES, r"scale|factor|sqrt|0\.25|root"),
        Mistake("mask inverted", "padding[:, None, None, :], -jnp.inf", "~padding[:, None, None, :], -jnp.inf", MASK, r"invert|mask"),
        Mistake("no mask", "    scores = jnp.where(padding[:, None, None, :], -jnp.inf, scores)\n", "", (*MASK, "scores = jnp.einsum"), r"mask|left out|missing|leav|skip|without"),
        Mistake("mask of -10", "-jnp.inf, scores", "-10.0, scores", MASK, r"-10|mask|fill"),
        Mistake("mask after the softmax", "    scores = jnp.where(padding[:, None, None, :], -jnp.inf, scores)\n    weights = jax.nn.softmax(scores, axis=-1)", "    weights = jax.nn.softmax(scores, axis=-1)\n    weights = jnp.where(padding[:, None, None, :], 0.0, weights)", MASK, r"mask|left out|order|after|before|reads|softmax"),
        Mistake("softmax over queries", "softmax(scores, axis=-1)", "softmax(jnp.where(scores == -jnp.inf, -1e9, scores), axis=-2)", ("weights = ", CALL), r"axis"),
        Mistake("heads split before tokens", "y.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)", "y.reshape(b, heads, t, d // heads)", ("y.reshape", CALL, "split(dense"), r"head|order|split|transpos|reshap"),
        Mistake("heads interleaved", "y.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)", "y.reshape(b, t, d // heads, heads).transpose(0, 3, 1, 2)", ("y.reshape", CALL, "split(dense"), r"head|order|split|transpos|reshap"),
        Mistake("heads joined without transposing", "out.transpose(0, 2, 1, 3).reshape(b, t, d)", "out.reshape(b, t, d)", ("out = out.reshape", CALL, 'dense(params["out"]'), r"head|order|split|transpos|reshap"),
        Mistake("output matrix transposed", '["attn.out_proj.weight"].numpy().T', '["attn.out_proj.weight"].numpy()', PROJECTION, r"transpos"),
        Mistake("key and value swapped", "wq, wk, wv = ", "wq, wv, wk = ", PROJECTION, r"swap|reads|\bk\b|\bv\b|order|param"),
        Mistake("query and key swapped in the scores", '"bhqd,bhkd->bhqk", q, k', '"bhqd,bhkd->bhqk", k, q', SCORES, r"swap|transpos|reads|order|operand"),
        Mistake("bias of the values left out", 'v = split(dense(params["v"], x))', 'v = split(x @ params["v"]["kernel"])', ("v = split(", CALL), r"bias|left out|without"),
        Mistake("output bias twice", 'return x + dense(params["out"], out)', 'return x + dense(params["out"], out) + params["out"]["bias"]', ("return x + ", CALL), r"bias|twice|added|extra|addend|adds"),
        Mistake("no residual", 'return x + dense(params["out"], out)', 'return dense(params["out"], out)', ("return ", "x @ p[", CALL), r"residual|left out|addend|leav|missing|skip|without"),
        Mistake("weights' gradient stopped", "weights = jax.nn.softmax(scores, axis=-1)", "weights = jax.lax.stop_gradient(jax.nn.softmax(scores, axis=-1))", ("weights", CALL), r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
