"""A causal convolution in time."""

from ported import Mistake, Pair, Variant

WEIGHT = ("w = ",)
CONV = ("causal_conv", "lax.conv", "x, w, (1,)", "F.conv1d", "pad = ")
TAIL = ("y = y + x", "F.avg_pool1d", "y = y.reshape", "y.reshape")

PAIR = Pair(
    original=lambda module: module.Temporal(3, 4, 3, 2),
    port=lambda module: module.temporal,
    inputs=lambda rng: (rng.normal(size=(2, 3, 6)),),
    variants=(
        Variant("convolution by shifts", 'return lax.conv_general_dilated(\n        x, w, (1,), [(pad, 0)], rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")\n    )', "t = x.shape[1]\n    padded = jnp.pad(x, ((0, 0), (pad, 0), (0, 0)))\n    return sum(padded[:, k * dilation : k * dilation + t] @ w[k] for k in range(w.shape[0]))"),
        Variant("padded by hand", "    return lax.conv_general_dilated(\n        x, w, (1,), [(pad, 0)], rhs", '    x = jnp.pad(x, ((0, 0), (pad, 0), (0, 0)))\n    return lax.conv_general_dilated(\n        x, w, (1,), "VALID", rhs'),
        Variant("norm by linalg", "jnp.sqrt(jnp.sum(v**2, axis=(0, 1)))", "jnp.linalg.norm(v.reshape(-1, v.shape[-1]), axis=0)"),
        Variant("pool by slices", "y = y.reshape(n, t // 2, 2, c).mean(axis=2)", "y = (y[:, ::2] + y[:, 1::2]) / 2"),
        Variant("pool by reduce_window", "y = y.reshape(n, t // 2, 2, c).mean(axis=2)", 'y = lax.reduce_window(y, 0.0, lax.add, (1, 2, 1), (1, 2, 1), "VALID") * 0.5'),
        Variant("prelu by parts", "y = jnp.where(y > 0, y, params[\"slope\"] * y)", 'y = jax.nn.relu(y) - params["slope"] * jax.nn.relu(-y)'),
        Variant("log of the softmax", "y = y - jax.nn.logsumexp(y, axis=-1, keepdims=True)", "y = jnp.log(jax.nn.softmax(y, axis=-1))"),
    ),
    mistakes=(
        Mistake("padded on the right", "[(pad, 0)]", "[(0, pad)]", CONV, r"pad|shift|side"),
        Mistake("padded on both sides", "[(pad, 0)]", "[(pad // 2, pad // 2)]", CONV, r"pad|shift|side"),
        Mistake("not dilated", "(pad, 0)], rhs_dilation=(dilation,)", "(pad // 2, 0)], rhs_dilation=(1,)", CONV, r"dilat|pad"),
        Mistake("kernel reversed in time", 'p["v"].transpose(2, 1, 0)', 'p["v"][:, :, ::-1].transpose(2, 1, 0)', CONV + WEIGHT, r"flip|revers|order"),
        Mistake("gain left out", " * params[\"g\"]", "", WEIGHT + CONV, r"left out|factor|scale|gain|\bg\b|leav|without"),
        Mistake("norm over outputs too", "axis=(0, 1))", "axis=(0, 1, 2))", WEIGHT, r"ax[ei]s"),
        Mistake("norm over time alone", "axis=(0, 1))", "axis=0)", WEIGHT, r"ax[ei]s"),
        Mistake("norm not rooted", "jnp.sqrt(jnp.sum(v**2, axis=(0, 1)))", "jnp.sum(v**2, axis=(0, 1))", WEIGHT, r"root|sqrt|square|power"),
        Mistake("slope fixed", 'params["slope"] * y', "0.01 * y", ("jnp.where(y", "F.prelu"), r"slope|0\.01|constant|leaky|reads"),
        Mistake("slope above", 'jnp.where(y > 0, y, params["slope"] * y)', 'jnp.where(y < 0, y, params["slope"] * y)', ("jnp.where(y", "F.prelu"), r"invert|swap|branch|min|max|sign|condition"),
        Mistake("shortcut's bias left out", "y + x @ kernel + bias", "y + x @ kernel", ("y = y + x", "self.shortcut"), r"bias|left out|without"),
        Mistake("shortcut left out", "    y = y + x @ kernel + bias\n", "", (*TAIL, "self.shortcut"), r"residual|shortcut|left out|addend|leav|missing|without"),
        Mistake("pool by maximum", ".mean(axis=2)", ".max(axis=2)", TAIL, r"max|average|mean"),
        Mistake("pool over halves", "y.reshape(n, t // 2, 2, c).mean(axis=2)", "y.reshape(n, 2, t // 2, c).mean(axis=1)", TAIL, r"order|reshap|pool|transpos|axis|stride|permut"),
        Mistake("softmax over time", "jax.nn.logsumexp(y, axis=-1, keepdims=True)", "jax.nn.logsumexp(y, axis=1, keepdims=True)", ("logsumexp", "log_softmax"), r"axis"),
        Mistake("activation behind the shortcut", '    y = jnp.where(y > 0, y, params["slope"] * y)\n    kernel, bias = params["shortcut"]\n    y = y + x @ kernel + bias\n', '    kernel, bias = params["shortcut"]\n    y = y + x @ kernel + bias\n    y = jnp.where(y > 0, y, params["slope"] * y)\n', ("jnp.where(y", "F.prelu", *TAIL), r"order|before|after|behind|left out|reads|prelu"),
        Mistake("norm's gradient stopped", "jnp.sqrt(jnp.sum(v**2, axis=(0, 1)))", "lax.stop_gradient(jnp.sqrt(jnp.sum(v**2, axis=(0, 1))))", WEIGHT, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
