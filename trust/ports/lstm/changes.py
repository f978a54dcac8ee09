"""torch's LSTM against a scan."""

from ported import Mistake, Pair, Variant

CALL = "out, _ = self.lstm(x)"
CELL = ("gates", "c = jax.nn.sigmoid", "h = jax.nn.sigmoid", "h = jnp.tanh", "lax.scan", CALL, "c = c", "h = c")

PAIR = Pair(
    original=lambda module: module.Classifier(3, 4, 2),
    port=lambda module: module.classify,
    inputs=lambda rng: (rng.normal(size=(2, 4, 3)),),
    variants=(
        Variant("inputs multiplied before the scan", 'gates = xt @ params["wx"] + h @ params["wh"] + params["b"]', 'gates = xt + h @ params["wh"]', ("x.transpose(1, 0, 2))", 'x.transpose(1, 0, 2) @ params["wx"] + params["b"])')),
        Variant("one matrix for both", 'gates = xt @ params["wx"] + h @ params["wh"] + params["b"]', 'gates = jnp.concatenate([xt, h], -1) @ jnp.concatenate([params["wx"], params["wh"]]) + params["b"]'),
        Variant("sigmoid by tanh", "c = jax.nn.sigmoid(f) * c", "c = (jnp.tanh(f / 2) + 1) / 2 * c"),
        Variant("sigmoid by exp", "h = jax.nn.sigmoid(o) * jnp.tanh(c)", "h = jnp.tanh(c) / (1 + jnp.exp(-o))"),
        Variant("a loop for the scan", "_, hs = lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))", "carry, hs = (zeros, zeros), []\n    for t in range(x.shape[1]):\n        carry, out = step(carry, x[:, t])\n        hs.append(out)"),
        Variant("gates by slices", "i, f, g, o = jnp.split(gates, 4, axis=-1)", "i, f, g, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))"),
        Variant("the carry, not the outputs", "_, hs = lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))", "(h, _), _ = lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))\n    hs = [h]"),
    ),
    mistakes=(
        Mistake("gate order i f o g", "i, f, g, o = jnp.split", "i, f, o, g = jnp.split", CELL, r"gate|order"),
        Mistake("gate order f i g o", "i, f, g, o = jnp.split", "f, i, g, o = jnp.split", CELL, r"gate|order"),
        Mistake("forget bias of 1", "jax.nn.sigmoid(f) * c", "jax.nn.sigmoid(f + 1.0) * c", CELL, r"forget|bias|\b1(\.0)?\b|\badd of"),
        Mistake("only one bias", '(state["lstm.bias_ih_l0"] + state["lstm.bias_hh_l0"])', 'state["lstm.bias_ih_l0"]', CELL, r"bias"),
        Mistake("state not squashed", "h = jax.nn.sigmoid(o) * jnp.tanh(c)", "h = jax.nn.sigmoid(o) * c", CELL, r"tanh|left out|leav|activation|without"),
        Mistake("sigmoid for the candidate", "jax.nn.sigmoid(i) * jnp.tanh(g)", "jax.nn.sigmoid(i) * jax.nn.sigmoid(g)", CELL, r"sigmoid|tanh|activation"),
        Mistake("tanh for the output gate", "jax.nn.sigmoid(o) * jnp.tanh(c)", "jnp.tanh(o) * jnp.tanh(c)", CELL, r"sigmoid|tanh|activation"),
        Mistake("relu for tanh", "h = jax.nn.sigmoid(o) * jnp.tanh(c)", "h = jax.nn.sigmoid(o) * jax.nn.relu(c)", CELL, r"relu|tanh|activation"),
        Mistake("coupled gates", "jax.nn.sigmoid(i) * jnp.tanh(g)", "(1 - jax.nn.sigmoid(f)) * jnp.tanh(g)", CELL, r"gate|1 - |reads|sigmoid|input"),
        Mistake("sequence reversed", "x.transpose(1, 0, 2))", "x.transpose(1, 0, 2)[::-1])", (*CELL, "x.transpose"), r"revers|order|flip"),
        Mistake("first output", "hs[-1] @ w + b", "hs[0] @ w + b", ("hs[0]", "self.head(out[:, -1])"), r"index|position|step|slice|order|\[0\]|reads|element"),
        Mistake("last but one", "hs[-1] @ w + b", "hs[-2] @ w + b", ("hs[-2]", "self.head(out[:, -1])"), r"index|position|step|slice|off by one|reads|element"),
        Mistake("cell for state", "return (h, c), h", "return (h, c), c", (*CELL, "hs[-1]", "self.head", "return (h, c)"), r"cell|reads|state|\bc\b|output"),
        Mistake("no head bias", "hs[-1] @ w + b", "hs[-1] @ w", ("hs[-1]", "self.head"), r"bias|left out"),
        Mistake("truncated backpropagation", "h, c = carry", "h, c = lax.stop_gradient(carry)", (*CELL, "stop_gradient"), r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
