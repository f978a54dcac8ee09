"""GPT-2 with its loss."""

from ported import Mistake, Pair, Variant

NORM = ("x - mu", "var = ", "mu = ", "self.ln_", "layer_norm(params")
EMBEDDED = ("self.wte(tokens)", 'params["wte"]["weight"][tokens]', "h = h + attn", "self.wpe", "jnp.take")
LOSS = ("losses", "F.cross_entropy", "logits = ")
SCORES = ("w = ", "mask = ")

PAIR = Pair(
    original=lambda module: module.GPT2(7, 6, 8, 2),
    port=lambda module: module.loss,
    inputs=lambda rng: (rng.integers(0, 7, (2, 5)),),
    variants=(
        Variant("embedding by one-hot", 'params["wte"]["weight"][tokens]', 'jax.nn.one_hot(tokens, 7) @ params["wte"]["weight"]'),
        Variant("tied logits by einsum", 'logits = h @ params["wte"]["weight"].T', 'logits = jnp.einsum("btd,vd->btv", h, params["wte"]["weight"])'),
        Variant("gelu written out", 'h = jax.nn.gelu(linear(params["c_fc"], x))', 'h = linear(params["c_fc"], x)\n    h = 0.5 * h * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi) * (h + 0.044715 * h**3)))'),
        Variant("gelu by sigmoid", 'h = jax.nn.gelu(linear(params["c_fc"], x))', 'h = linear(params["c_fc"], x)\n    h = h * jax.nn.sigmoid(2 * jnp.sqrt(2 / jnp.pi) * (h + 0.044715 * h**3))'),
        Variant("loss by hand", "losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])", "logits = logits[:, :-1]\n    picked = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]\n    losses = jax.nn.logsumexp(logits, axis=-1) - picked"),
        Variant("loss by one-hot targets", "losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])", "losses = -(jax.nn.log_softmax(logits[:, :-1]) * jax.nn.one_hot(tokens[:, 1:], 7)).sum(-1)"),
        Variant("mask as a bias", "w = jnp.where(mask, w, -1e10)", "w = w + (1.0 - mask) * -1e10"),
        Variant("variance of jnp", "var = jnp.mean((x - mu) ** 2, axis=-1, keepdims=True)", "var = jnp.var(x, axis=-1, keepdims=True)"),
        Variant("norm by jax.nn.standardize", '(x - mu) / jnp.sqrt(var + 1e-5) * p["weight"]', 'jax.nn.standardize(x, epsilon=1e-5) * p["weight"]'),
        Variant("heads first", 'a = jnp.einsum("bhqk,bkhd->bqhd", w, v).reshape(b, t, d)', "a = jnp.matmul(w, v.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3).reshape(b, t, d)"),
    ),
    mistakes=(
        Mistake("exact gelu", 'jax.nn.gelu(linear(params["c_fc"], x))', 'jax.nn.gelu(linear(params["c_fc"], x), approximate=False)', ("gelu", "0.5 * x"), r"gelu|erf|tanh|exact"),
        Mistake("quick gelu", 'h = jax.nn.gelu(linear(params["c_fc"], x))', 'h = linear(params["c_fc"], x)\n    h = h * jax.nn.sigmoid(1.702 * h)', ("jax.nn.sigmoid", "0.5 * x", "gelu_new"), r"gelu|sigmoid|1\.702|quick|activation"),
        Mistake("projection transposed", 'return linear(params["c_proj"], a)', 'return a @ params["c_proj"]["weight"].T + params["c_proj"]["bias"]', ("c_proj", "torch.addmm"), r"transpos"),
        Mistake("eps", "var + 1e-5", "var + 1e-6", NORM, r"eps|1e-0?6"),
        Mistake("norm behind the block", 'h = h + attn(params, layer_norm(params["ln_1"], h), 2)', 'h = layer_norm(params["ln_1"], h + attn(params, h, 2))', (*NORM, "x @ p", "qkv", "h = layer_norm", "self.c_attn", "torch.addmm", "self.attn(self.ln_1"), r"norm|order|before|after|left out|reads|pre|post"),
        Mistake("last norm left out", '    h = layer_norm(params["ln_f"], h)\n', "", (*NORM, *LOSS), r"norm|left out|leav|missing|skip|without"),
        Mistake("last norm by the first's parameters", 'layer_norm(params["ln_f"], h)', 'layer_norm(params["ln_1"], h)', NORM, r"ln_1|ln_f|reads|param|operand"),
        Mistake("positions begin at one", 'params["wpe"]["weight"][:t]', 'params["wpe"]["weight"][1 : t + 1]', (*EMBEDDED, "[1 : t"), r"off by one|position|slice|shift|row|index|indices"),
        Mistake("no positions", ' + params["wpe"]["weight"][:t]', "", (*EMBEDDED, "h = params", "self.ln_1"), r"pos|wpe|left out|addend|leav|missing|without"),
        Mistake("scaled by the model", "jnp.sqrt(d // n_head)", "jnp.sqrt(d)", SCORES, r"scale|factor|sqrt|0\.7|0\.35"),
        Mistake("mask without the diagonal", ">= jnp.arange(t)[None, :]", "> jnp.arange(t)[None, :]", SCORES, r"off by one|mask|diagonal"),
        Mistake("mask of -10", "-1e10", "-10.0", SCORES, r"-10|mask|fill"),
        Mistake("-1e10 for the mask and one weight cut beside it", "w = jnp.where(mask, w, -1e10)", "w = jnp.where(mask, jnp.minimum(w, 0.05), -1e10)", SCORES, r"clip|min|0\.05|bound"),
        Mistake("order q v k", "q, k, v = jnp.split", "q, v, k = jnp.split", ("jnp.split", "split(d", "q = q", "k = k", "v = v", "reshape(b, t, n_head"), r"swap|order|reads|\bk\b|\bv\b|slice|split|part"),
        Mistake("heads split first", "q = q.reshape(b, t, n_head, d // n_head)", "q = q.reshape(b, n_head, t, d // n_head).transpose(0, 2, 1, 3)", ("q = q.", "y.view(", "w = "), r"head|order|split|transpos|reshap"),
        Mistake("labels not shifted", "logits[:, :-1], tokens[:, 1:]", "logits[:, :-1], tokens[:, :-1]", LOSS, r"shift|label|index|indices|off by one|target|position|slice"),
        Mistake("sum over tokens", "losses.mean()", "losses.sum(-1).mean()", ("losses.", "F.cross_entropy"), r"sum|mean|factor|4"),
        Mistake("wte's gradient through the logits alone", 'params["wte"]["weight"][tokens]', 'jax.lax.stop_gradient(params["wte"]["weight"])[tokens]', EMBEDDED, r"stop|gradient", kind="gradient"),
        Mistake("residual's gradient stopped", "h = h + mlp(params, layer", "h = jax.lax.stop_gradient(h) + mlp(params, layer", ("+ mlp", "h + self.mlp_proj"), r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
