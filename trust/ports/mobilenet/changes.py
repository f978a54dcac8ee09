"""A depthwise block with hard activations."""

from ported import Mistake, Pair, Variant

NORM = ("scale = ", "shift = ", "x * scale", "self.bn", "bn(p")
SWISH = ("x * hard_sigmoid", "jnp.clip", "F.hardswish", "hard_swish(", "jax.nn.swish", "hard_sigmoid(x)")
GATE = ("F.hardsigmoid", "hard_sigmoid(s", "jax.nn.sigmoid", "jnp.clip", "s = ", "return x * s", "h = h * s")

PAIR = Pair(
    original=lambda module: module.InvertedResidual(3, 4).eval(),
    port=lambda module: module.block,
    inputs=lambda rng: (2 * rng.normal(size=(2, 3, 4, 4)),),
    variants=(
        Variant("jax's own hard swish", "return x * hard_sigmoid(x)", "return jax.nn.hard_swish(x)"),
        Variant("relu6", "return jnp.clip(x + 3, 0, 6) / 6", "return jax.nn.relu6(x + 3.0) / 6.0"),
        Variant("line clipped at one", "return jnp.clip(x + 3, 0, 6) / 6", "return jnp.clip(x / 6 + 0.5, 0, 1)"),
        Variant("swish by pieces", "return x * hard_sigmoid(x)", "return jnp.where(x <= -3, 0.0, jnp.where(x >= 3, x, x * (x + 3) / 6))"),
        Variant("depthwise by shifts", 'return lax.conv_general_dilated(x, w, (1, 1), "SAME", feature_group_count=x.shape[1])', "padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))\n    return sum(padded[:, :, i : i + 4, j : j + 4] * w[:, 0, i, j][:, None, None] for i in range(3) for j in range(3))"),
        Variant("norm not folded", "return x * scale[:, None, None] + shift[:, None, None]", 'return (x - mean[:, None, None]) / jnp.sqrt(var + eps)[:, None, None] * p[name + "_weight"][:, None, None] + p[name + "_bias"][:, None, None]'),
        Variant("pointwise as a convolution", 'return jnp.einsum("nchw,oc->nohw", x, w[:, :, 0, 0])', 'return lax.conv(x, w, (1, 1), "VALID")'),
    ),
    mistakes=(
        Mistake("eps of torch's default", "eps=1e-3", "eps=1e-5", NORM, r"eps|1e-0?5"),
        Mistake("soft swish", "return x * hard_sigmoid(x)", "return jax.nn.swish(x)", SWISH, r"swish|silu|sigmoid|activation"),
        Mistake("sigmoid in the gate", "s = hard_sigmoid(s @", "s = jax.nn.sigmoid(s @", GATE, r"sigmoid|activation"),
        Mistake("hard sigmoid of slope 1/5", "jnp.clip(x + 3, 0, 6) / 6", "jnp.clip(0.2 * x + 0.5, 0, 1)", SWISH + GATE, r"0\.2|slope|factor|constant|1\.2"),
        Mistake("clipped at three", "jnp.clip(x + 3, 0, 6) / 6", "jnp.clip(x + 3, 0, 3) / 6", SWISH + GATE, r"clip|bound|3|max|min"),
        Mistake("not clipped below", "jnp.clip(x + 3, 0, 6) / 6", "jnp.minimum(x + 3, 6) / 6", SWISH + GATE, r"clip|bound|0|max|min|relu"),
        Mistake("relu for hard swish", "return x * hard_sigmoid(x)", "return jax.nn.relu(x)", (*SWISH, "jax.nn.relu(x)"), r"relu|swish|activation"),
        Mistake("squeeze by maximum", "s = x.mean(axis=(2, 3))", "s = x.max(axis=(2, 3))", ("s = x.max", "F.adaptive_avg"), r"max|mean|average"),
        Mistake("gate before the norm's activation", 'h = hard_swish(bn(p, "bn2", depthwise(h, p["depthwise_weight"])))\n    h = squeeze_excite(p, h)', 'h = bn(p, "bn2", depthwise(h, p["depthwise_weight"]))\n    h = hard_swish(squeeze_excite(p, h))', SWISH + GATE, r"order|before|after|reads|left out|swish"),
        Mistake("gate left out", "    h = squeeze_excite(p, h)\n", "", (*GATE, "pointwise(h", "self.project", "jnp.einsum"), r"gate|left out|factor|leav|missing|without|squeeze"),
        Mistake("gate added", "return x * s[:, :, None, None]", "return x + s[:, :, None, None]", ("return x + s", "h = h * s"), r"add|multipl|plus|sum|product"),
        Mistake("depthwise flipped", "lax.conv_general_dilated(x, w, ", "lax.conv_general_dilated(x, w[:, :, ::-1, ::-1], ", ("lax.conv", "self.depthwise"), r"flip|revers|order"),
        Mistake("depthwise kernel transposed", "lax.conv_general_dilated(x, w, ", "lax.conv_general_dilated(x, w.swapaxes(2, 3), ", ("lax.conv", "self.depthwise"), r"transpos|swap|order|axes|permut"),
        Mistake("bias of the squeeze left out", ' + p["fc1_bias"]', "", ("s = jax.nn.relu", "self.fc1"), r"bias|left out|without"),
        Mistake("variance for its root", "/ jnp.sqrt(var + eps)", "/ (var + eps)", NORM, r"root|sqrt|power|square"),
        Mistake("mean not scaled", "- mean * scale", "- mean", NORM, r"scale|factor|left out|leav"),
        Mistake("residual of the expanded", "return x + h", "return h", ("return h", "return x + self.bn3", "x * scale"), r"residual|left out|addend|leav|missing|without"),
    ),
)  # fmt: skip
