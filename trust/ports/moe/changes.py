"""Gating by the likeliest expert."""

from ported import Mistake, Pair, Variant

GATE = ("probs = ", "chosen", "combine", "weight", "out = ", "self.gate(x)")
EXPERT = ("h = ", "y = ", "out = out + chosen")
BALANCE = ("balance",)

PAIR = Pair(
    original=lambda module: module.Switch(4, 5, 3),
    port=lambda module: module.switch,
    inputs=lambda rng: (2 * rng.normal(size=(7, 4)),),
    variants=(
        Variant("chosen by comparison", "chosen = jax.nn.one_hot(jnp.argmax(probs, axis=-1), experts)", "chosen = jnp.where(probs == probs.max(-1, keepdims=True), 1.0, 0.0)"),
        Variant("weight by maximum", 'out = jnp.einsum("te,ted->td", combine, y)', 'out = jnp.einsum("te,ted->td", chosen, y) * jnp.max(probs, axis=-1, keepdims=True)'),
        Variant("experts gathered", 'h = jnp.einsum("td,edh->teh", x, params["w1"]) + params["b1"]\n    h = jax.nn.elu(h)\n    y = jnp.einsum("teh,ehd->ted", h, params["w2"])\n    out = jnp.einsum("te,ted->td", combine, y)', 'index = jnp.argmax(probs, axis=-1)\n    h = jax.nn.elu(jnp.einsum("td,tdh->th", x, params["w1"][index]) + params["b1"][index])\n    out = jnp.einsum("th,thd->td", h, params["w2"][index]) * combine.sum(-1, keepdims=True)'),
        Variant("elu by where", "h = jax.nn.elu(h)", "h = jnp.where(h > 0, h, jnp.expm1(jnp.minimum(h, 0)))"),
        Variant("experts by vmap", 'h = jnp.einsum("td,edh->teh", x, params["w1"]) + params["b1"]', 'h = jax.vmap(lambda w, b: x @ w + b, out_axes=1)(params["w1"], params["b1"])'),
        Variant("balance as a product", "jnp.sum(jnp.mean(probs, axis=0) * jnp.mean(chosen, axis=0))", "jnp.dot(probs.sum(0), chosen.sum(0)) / probs.shape[0] ** 2"),
    ),
    mistakes=(
        Mistake("not weighted by the gate", '"te,ted->td", combine, y', '"te,ted->td", chosen, y', GATE, r"weight|factor|left out|reads|prob|leav|without"),
        Mistake("all experts", '"te,ted->td", combine, y', '"te,ted->td", probs, y', GATE, r"mask|chosen|reads|left out|factor|leav|without"),
        Mistake("least likely expert", "jnp.argmax(probs", "jnp.argmin(probs", GATE, r"min|max|mask|index|another|choice"),
        Mistake("softmax over tokens", 'jax.nn.softmax(x @ params["gate"], axis=-1)', 'jax.nn.softmax(x @ params["gate"], axis=0)', GATE, r"axis"),
        Mistake("temperature", 'jax.nn.softmax(x @ params["gate"], axis=-1)', 'jax.nn.softmax(x @ params["gate"] / 2.0, axis=-1)', GATE, r"temperature|factor|scale|0\.5|2"),
        Mistake("sigmoid gates", 'jax.nn.softmax(x @ params["gate"], axis=-1)', 'jax.nn.sigmoid(x @ params["gate"])', GATE, r"sigmoid|softmax|activation"),
        Mistake("gate normalised among the chosen", "combine = probs * chosen", "combine = probs * chosen / jnp.sum(probs * chosen, axis=-1, keepdims=True)", GATE, r"normal|divid|factor|step|weight|reads|left out"),
        Mistake("selu for elu", "jax.nn.elu(h)", "jax.nn.selu(h)", EXPERT, r"selu|elu|activation|factor|1\.05"),
        Mistake("alpha of elu", "jax.nn.elu(h)", "jax.nn.elu(h, 0.5)", EXPERT, r"alpha|0\.5|factor"),
        Mistake("experts' bias left out", ' + params["b1"]', "", EXPERT, r"bias|left out|without"),
        Mistake("experts reversed", '"teh,ehd->ted", h, params["w2"])', '"teh,ehd->ted", h, params["w2"][::-1])', (*EXPERT, "out = "), r"revers|order|flip|expert|index|reads"),
        Mistake("balance not scaled by the experts", "balance = experts * ", "balance = ", BALANCE, r"factor|3|scale|left out"),
        Mistake("balance of probabilities twice", "jnp.mean(chosen, axis=0))", "jnp.mean(probs, axis=0))", BALANCE, r"chosen|square|reads|probs|twice|operand"),
        Mistake("balance's gradient stopped", "jnp.mean(probs, axis=0) * jnp", "jax.lax.stop_gradient(jnp.mean(probs, axis=0)) * jnp", BALANCE, r"stop|gradient", kind="gradient"),
        Mistake("gate's gradient stopped", "combine = probs * chosen", "combine = jax.lax.stop_gradient(probs) * chosen", GATE, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
