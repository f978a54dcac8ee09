"""A Llama block in torch against JAX."""

from ported import Mistake, Pair, Variant

NORM = ("rsqrt", "variance", "self.weight * x", "jnp.sqrt", "x - jnp.mean", "jnp.square")
TABLE = ("freqs", "angles", "inv_freq")
ROTARY = (
    *TABLE,
    "apply_rotary",
    "x1 * cos",
    "rotate_half",
    "torch.cat((-b",
    "x1, x2",
    "jnp.stack",
    "x[..., ",
    "self.rotary",
)
SCORES = ("scores", "F.scaled_dot_product_attention", "probs", "mask")
GATED = ("gate", "silu", "up", "self.down_proj")

PAIR = Pair(
    original=lambda module: module.Block(16, 4, 2, 12),
    port=lambda module: module.block,
    inputs=lambda rng: (rng.normal(size=(2, 5, 16)),),
    variants=(
        Variant("grouped einsum, keys not repeated", '    k = jnp.repeat(k, HEADS // KV_HEADS, axis=1)\n    v = jnp.repeat(v, HEADS // KV_HEADS, axis=1)\n    scores = q @ k.swapaxes(-1, -2) / HEAD_DIM**0.5', '    q = q.reshape(b, KV_HEADS, HEADS // KV_HEADS, t, HEAD_DIM)\n    scores = jnp.einsum("bgrqd,bgkd->bgrqk", q, k) / HEAD_DIM**0.5', ("out = (probs @ v).swapaxes(1, 2)", 'out = jnp.einsum("bgrqk,bgkd->bgrqd", probs, v).reshape(b, HEADS, t, HEAD_DIM).swapaxes(1, 2)')),
        Variant("rotary by complex halves, stacked", "return jnp.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)", "z = jax.lax.complex(x1, x2) * jax.lax.complex(cos, sin)\n    return jnp.concatenate([z.real, z.imag], axis=-1)"),
        Variant("rotary by the rotated half", "return jnp.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)", "cos, sin = jnp.tile(cos, 2), jnp.tile(sin, 2)\n    return x * cos + jnp.concatenate([-x2, x1], axis=-1) * sin"),
        Variant("table by exp", "10000.0 ** (-jnp.arange(0, HEAD_DIM, 2) / HEAD_DIM)", "jnp.exp(-jnp.log(10000.0) * jnp.arange(0, HEAD_DIM, 2) / HEAD_DIM)"),
        Variant("norm by division", "x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + eps) * scale", "scale * (x / jnp.sqrt((x * x).sum(-1, keepdims=True) / x.shape[-1] + eps))"),
        Variant("silu by sigmoid", 'gate = jax.nn.silu(x @ params["gate_proj"])', 'gate = x @ params["gate_proj"]\n    gate = gate * jax.nn.sigmoid(gate)'),
        Variant("gate and up in one product", 'gate = jax.nn.silu(x @ params["gate_proj"])\n    up = x @ params["up_proj"]', 'gate, up = jnp.split(x @ jnp.concatenate([params["gate_proj"], params["up_proj"]], axis=1), 2, axis=-1)\n    gate = jax.nn.silu(gate)'),
        Variant("queries scaled first", "scores = q @ k.swapaxes(-1, -2) / HEAD_DIM**0.5", "scores = (q * HEAD_DIM**-0.5) @ k.swapaxes(-1, -2)"),
        Variant("mask added", "scores = jnp.where(mask, scores, -1e30)", "scores = scores + jnp.where(mask, 0.0, -jnp.inf)"),
    ),
    mistakes=(
        Mistake("rotary of neighbours", "x1, x2 = jnp.split(x, 2, axis=-1)", "x1, x2 = x[..., ::2], x[..., 1::2]", ROTARY, r"interleav|order|halv|neighbour|slice|rot|position|split"),
        Mistake("rotary base", "10000.0 **", "1000.0 **", ROTARY, r"base|1000|frequenc|table|constant"),
        Mistake("positions begin at one, for keys", "k = apply_rotary(k, table)", "k = apply_rotary(k, tuple(jnp.roll(r, -1, axis=0) for r in table))", (*ROTARY, "k = "), r"position|off by one|roll|table|shift|order"),
        Mistake("rotated the other way", "x1 * cos - x2 * sin, x2 * cos + x1 * sin", "x1 * cos + x2 * sin, x2 * cos - x1 * sin", ROTARY, r"sign|negat|other way"),
        Mistake("sine and cosine swapped", "cos, sin = table", "sin, cos = table", ROTARY, r"swap|cos|sin"),
        Mistake("keys not rotated", "    k = apply_rotary(k, table)\n", "", (*ROTARY, "k = jnp.repeat", "k.swapaxes", "scores", "k.repeat_interleave"), r"rot|left out|leav|missing|skip|without"),
        Mistake("values rotated too", "v = jnp.repeat(v, HEADS // KV_HEADS, axis=1)", "v = jnp.repeat(apply_rotary(v, table), HEADS // KV_HEADS, axis=1)", (*ROTARY, "v = ", "out = ", "v.repeat_interleave", "F.scaled"), r"rot|added|extra|step|reads"),
        Mistake("frequencies over the whole head", "/ HEAD_DIM)\n", "/ (2 * HEAD_DIM))\n", TABLE + ROTARY, r"table|frequenc|constant|power|0\.5|exponent|base|factor"),
        Mistake("keys tiled, not repeated", "k = jnp.repeat(k, HEADS // KV_HEADS, axis=1)", "k = jnp.tile(k, (1, HEADS // KV_HEADS, 1, 1))", ("jnp.tile", "k.repeat_interleave", "scores", "F.scaled"), r"tile|repeat|order|interleav|head"),
        Mistake("values tiled, not repeated", "v = jnp.repeat(v, HEADS // KV_HEADS, axis=1)", "v = jnp.tile(v, (1, HEADS // KV_HEADS, 1, 1))", ("jnp.tile", "v.repeat_interleave", "out = ", "F.scaled"), r"tile|repeat|order|interleav|head"),
        Mistake("eps", "eps=1e-5", "eps=1e-6", NORM, r"eps|1e-0?6"),
        Mistake("sum of squares", "jnp.mean(jnp.square(x)", "jnp.sum(jnp.square(x)", NORM, r"sum|mean|factor|16"),
        Mistake("layer norm", "return x * jax.lax.rsqrt(jnp.mean(jnp.square(x)", "x = x - jnp.mean(x, axis=-1, keepdims=True)\n    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x)", NORM, r"mean|subtract|layer|centr"),
        Mistake("norm without its scale", " + eps) * scale", " + eps)", (*NORM, "attention(params", "self.attend", "x @ params", "_proj(x)"), r"scale|left out|weight|factor|leav|without"),
        Mistake("mask off by one", "jnp.tril(jnp.ones((t, t), dtype=bool))", "jnp.tril(jnp.ones((t, t), dtype=bool), 1)", SCORES, r"off by one|mask|diagonal"),
        Mistake("mask inverted", "jnp.where(mask, scores, -1e30)", "jnp.where(mask.T, scores, -1e30)", SCORES, r"invert|transpos|mask"),
        Mistake("mask of zeros", "jnp.where(mask, scores, -1e30)", "jnp.where(mask, scores, 0.0)", SCORES, r"mask|fill|\b0(\.0)?\b|-inf"),
        Mistake("scaled by the heads", "HEAD_DIM**0.5", "(HEADS * HEAD_DIM) ** 0.5", SCORES, r"scale|factor|sqrt|0\.25|0\.5"),
        Mistake("gate and up swapped", 'gate = jax.nn.silu(x @ params["gate_proj"])\n    up = x @ params["up_proj"]', 'gate = jax.nn.silu(x @ params["up_proj"])\n    up = x @ params["gate_proj"]', GATED, r"swap|gate|up|reads"),
        Mistake("gelu for silu", "jax.nn.silu(", "jax.nn.gelu(", GATED, r"gelu|silu|activation"),
        Mistake("norm of the wrong tensor", 'x = x + attention(params, rms_norm(x, params["input_norm"]))', 'x = x + attention(params, rms_norm(x, params["post_norm"]))', (*NORM, "x + attention", "self.attend(self.input_norm"), r"post_norm|input_norm|reads|operand|param|swap|twice"),
        Mistake("feed-forward without its norm", 'feed_forward(params, rms_norm(x, params["post_norm"]))', "feed_forward(params, x)", GATED + NORM + ("feed_forward(params, x)", "self.post_norm", "h = "), r"norm|left out|leav|missing|skip|without"),
        Mistake("second residual left out", "return x + feed_forward", "return feed_forward", ("feed_forward", "self.down_proj", "down_proj"), r"residual|left out|addend|leav|missing|without"),
        Mistake("output matrix transposed", 'out @ params["o_proj"]', 'out @ params["o_proj"].T', ("o_proj",), r"transpos"),
        Mistake("gate's gradient stopped", "gate = jax.nn.silu(x @ params", "gate = jax.nn.silu(jax.lax.stop_gradient(x) @ params", GATED, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
