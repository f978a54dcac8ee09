"""torch's GRU against a scan."""

from ported import Mistake, Pair, Variant

CALL = "out, _ = self.gru(x)"
CELL = (
    "jnp.split",
    "r = ",
    "z = ",
    "n = ",
    "return (1 - z)",
    "return z * n",
    "return h + ",
    CALL,
    "lax.scan",
    "return n + ",
    "return jnp",
)

PAIR = Pair(
    original=lambda module: module.Encoder(3, 4),
    port=lambda module: module.encode,
    inputs=lambda rng: (rng.normal(size=(2, 4, 3)),),
    variants=(
        Variant("written as a step", "return (1 - z) * n + z * h", "return n + z * (h - n)"),
        Variant("a gate by its complement", "z = jax.nn.sigmoid(xz + hz)\n    n", "z = 1 - jax.nn.sigmoid(-xz - hz)\n    n"),
        Variant("matrices of each gate", 'xr, xz, xn = jnp.split(x @ p["wi"] + p["bi"], 3, axis=-1)', 'xr, xz, xn = (x @ w + b for w, b in zip(jnp.split(p["wi"], 3, axis=1), jnp.split(p["bi"], 3)))'),
        Variant("both layers in one scan", "    hs = layer(params[0], xs)\n    hs = layer(params[1], hs)\n", "    def both(carry, x):\n        first = cell(params[0], carry[0], x)\n        second = cell(params[1], carry[1], first)\n        return (first, second), second\n\n    h0 = jnp.zeros((xs.shape[1], 4))\n    hs = lax.scan(both, (h0, h0), xs)[1]\n"),
        Variant("products as einsum", 'h @ p["wh"] + p["bh"]', 'jnp.einsum("bh,hk->bk", h, p["wh"]) + p["bh"]'),
    ),
    mistakes=(
        Mistake("reset before the product", "n = jnp.tanh(xn + r * hn)", 'n = jnp.tanh(xn + (r * h) @ p["wh"][:, 8:] + p["bh"][8:])', CELL, r"reset|before|order"),
        Mistake("bias outside the reset", "n = jnp.tanh(xn + r * hn)", 'n = jnp.tanh(xn + r * (hn - p["bh"][8:]) + p["bh"][8:])', CELL, r"bias|reset|outside"),
        Mistake("update inverted", "return (1 - z) * n + z * h", "return z * n + (1 - z) * h", CELL, r"invert|swap|1 - |update|gate|z"),
        Mistake("gate order z r n", "xr, xz, xn = jnp.split", "xz, xr, xn = jnp.split", CELL, r"gate|order"),
        Mistake("gate order of both", 'hr, hz, hn = jnp.split(h @ p["wh"]', 'hz, hr, hn = jnp.split(h @ p["wh"]', CELL, r"gate|order"),
        Mistake("candidate without reset", "xn + r * hn", "xn + hn", CELL, r"reset|left out|factor|gate|leav|without"),
        Mistake("sigmoid for tanh", "n = jnp.tanh(", "n = jax.nn.sigmoid(", CELL, r"sigmoid|tanh|activation"),
        Mistake("hidden bias left out", 'h @ p["wh"] + p["bh"]', 'h @ p["wh"]', CELL, r"bias|left out"),
        Mistake("second layer with the first's state matrix", '"wh": state[f"gru.weight_hh_l{n}"]', '"wh": state["gru.weight_hh_l0"]', CELL, r"l0|l1|weight_hh|reads|param|twice|operand"),
        Mistake("first layer's matrices transposed by gates", '"wh": state[f"gru.weight_hh_l{n}"].numpy().T', '"wh": state[f"gru.weight_hh_l{n}"].numpy().reshape(3, 4, 4).transpose(1, 0, 2).reshape(4, 12)', CELL, r"transpos|order"),
        Mistake("outputs of the first layer", "    hs = layer(params[1], hs)\n", "", ("hs", CELL[-3], CALL, "return (1 - z)", "lax.scan"), r"layer|left out|second|leav|missing|skip"),
        Mistake("outputs reversed", "return jnp.swapaxes(hs, 0, 1)", "return jnp.swapaxes(hs[::-1], 0, 1)", ("return jnp.swapaxes", CALL, "return out"), r"revers|order|flip", kind="output"),
        Mistake("time and batch swapped", "return jnp.swapaxes(hs, 0, 1)", "return hs.reshape(2, 4, 4)", ("return hs", CALL, "return out"), r"transpos|order|swap|permut|reshap", kind="output"),
    ),
)  # fmt: skip
