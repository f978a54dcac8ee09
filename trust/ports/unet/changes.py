"""A U-Net's bottom, NCHW to NHWC."""

from ported import Mistake, Pair, Variant

NORM = (
    "y - mean",
    "mean = ",
    "var = ",
    "y = x.reshape",
    "y.reshape(x.shape)",
    "self.norm",
    "self.mid_norm",
    "group_norm(params",
)
EMBEDDED = ("freqs", "angles", "args", "torch.cat([torch.cos", "jnp.concatenate([jnp", "timestep_embedding(t")
UP = ("F.interpolate", "upsample", "jnp.repeat", "jnp.tile", "jax.image.resize")
FINAL = ("conv_transpose", "self.final", "jnp.einsum", "y.reshape(n")

PAIR = Pair(
    original=lambda module: module.UNet(4, 6, 4),
    port=lambda module: module.unet,
    inputs=lambda rng: (rng.normal(size=(2, 4, 4, 4)), rng.uniform(0, 50, size=2)),
    variants=(
        Variant("upsampling by image.resize", "x = jnp.repeat(x, 2, axis=1)\n    return jnp.repeat(x, 2, axis=2)", 'n, height, width, c = x.shape\n    return jax.image.resize(x, (n, 2 * height, 2 * width, c), "nearest")'),
        Variant("upsampling by broadcasting", "x = jnp.repeat(x, 2, axis=1)\n    return jnp.repeat(x, 2, axis=2)", "n, height, width, c = x.shape\n    x = jnp.broadcast_to(x[:, :, None, :, None], (n, height, 2, width, 2, c))\n    return x.reshape(n, 2 * height, 2 * width, c)"),
        Variant("transposed convolution of lax", 'y = jnp.einsum("nhwi,pqio->nhpwqo", x, p["w"])\n    return y.reshape(n, 2 * height, 2 * width, -1) + p["b"]', 'return lax.conv_transpose(x, p["w"][::-1, ::-1], (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + p["b"]'),
        Variant("skip by two products", 'h = jnp.concatenate([h, skip], axis=-1)\n    h = conv(params["out"], h, padding=0)', 'w = params["out"]["w"][0, 0]\n    h = h @ w[:6] + skip @ w[6:] + params["out"]["b"]'),
        Variant("one-pass variance", "var = jnp.mean((y - mean) ** 2, axis=(1, 2, 4), keepdims=True)", "var = jnp.mean(y * y, axis=(1, 2, 4), keepdims=True) - mean * mean"),
        Variant("table by powers", "jnp.exp(-jnp.log(10000.0) * jnp.arange(half) / half)", "1.0 / 10000.0 ** (jnp.arange(half) / half)"),
        Variant("silu by division", "jax.nn.silu(group_norm(params[\"mid_norm\"], h, eps=1e-6))", "group_norm(params[\"mid_norm\"], h, eps=1e-6)\n    h = h / (1 + jnp.exp(-h))"),
    ),
    mistakes=(
        Mistake("sine first", "[jnp.cos(angles), jnp.sin(angles)]", "[jnp.sin(angles), jnp.cos(angles)]", (*EMBEDDED, "emb = "), r"swap|order|sin|cos"),
        Mistake("frequencies over half less one", "/ half)\n", "/ (half - 1))\n", EMBEDDED, r"freq|table|factor|constant|exponent|power|2"),
        Mistake("base of frequencies", "jnp.log(10000.0)", "jnp.log(1000.0)", EMBEDDED, r"base|1000|freq|table|constant|factor"),
        Mistake("concatenated the other way", "jnp.concatenate([h, skip]", "jnp.concatenate([skip, h]", ("jnp.concatenate([skip", "torch.cat([h, skip]"), r"swap|order"),
        Mistake("skip before the embedding", "    h = h + emb[:, None, None, :]\n    skip = h\n", "    skip = h\n    h = h + emb[:, None, None, :]\n", ("jnp.concatenate([h, skip]", "torch.cat([h, skip]", "emb[:"), r"reads|skip|left out|before|after|addend|operand|emb"),
        Mistake("groups of strided channels", "y = x.reshape(n, height, width, groups, c // groups)\n    mean = jnp.mean(y, axis=(1, 2, 4), keepdims=True)\n    var = jnp.mean((y - mean) ** 2, axis=(1, 2, 4), keepdims=True)", "y = x.reshape(n, height, width, c // groups, groups)\n    mean = jnp.mean(y, axis=(1, 2, 3), keepdims=True)\n    var = jnp.mean((y - mean) ** 2, axis=(1, 2, 3), keepdims=True)", NORM, r"group|order|ax[ei]s|reshap|split|interleav"),
        Mistake("number of groups", "groups=2", "groups=1", NORM, r"group|ax[ei]s"),
        Mistake("instance norm", "axis=(1, 2, 4), keepdims=True)\n    var", "axis=(1, 2), keepdims=True)\n    var", NORM, r"ax[ei]s|mean|group"),
        Mistake("eps of the middle norm", ", eps=1e-6", "", NORM, r"eps|1e-0?5"),
        Mistake("unbiased variance", "var = jnp.mean((y - mean) ** 2, axis=(1, 2, 4), keepdims=True)", "var = jnp.var(y, axis=(1, 2, 4), keepdims=True, ddof=1)", NORM, r"unbiased|n - 1|correction|ddof"),
        Mistake("same padding with a stride", "pads = [(padding, padding)] * 2", 'pads = "SAME"', ("lax.conv", "self.down", "y + p"), r"pad|shift"),
        Mistake("relu for silu", "jax.nn.silu(group_norm(params[\"mid_norm\"]", "jax.nn.relu(group_norm(params[\"mid_norm\"]", ("jax.nn.relu", "F.silu(self.mid"), r"relu|silu|activation"),
        Mistake("tiled, not repeated", "return jnp.repeat(x, 2, axis=2)", "return jnp.tile(x, (1, 1, 2, 1))", UP, r"tile|repeat|order|interleav"),
        Mistake("bilinear", "x = jnp.repeat(x, 2, axis=1)\n    return jnp.repeat(x, 2, axis=2)", 'n, height, width, c = x.shape\n    return jax.image.resize(x, (n, 2 * height, 2 * width, c), "bilinear")', UP, r"linear|nearest|mode|interpol"),
        Mistake("kernel of the transposed convolution flipped", 'p["final.weight"].transpose(2, 3, 0, 1)', 'p["final.weight"][:, :, ::-1, ::-1].transpose(2, 3, 0, 1)', FINAL, r"flip|revers|order"),
        Mistake("height and width swapped", '"nhwi,pqio->nhpwqo"', '"nhwi,qpio->nhpwqo"', FINAL, r"transpos|swap|order|axes|permut"),
        Mistake("no residual", "x + h)", "h)", (*FINAL, "self.out(h)", 'conv(params["out"]', "lax.conv"), r"residual|left out|addend|leav|missing|without"),
        Mistake("embedding activated", 'emb = timestep_embedding(t, 4) @', 'emb = jax.nn.silu(timestep_embedding(t, 4)) @', ("emb = ", "jax.nn.silu(time", *EMBEDDED), r"silu|step|activation|reads|applied"),
        Mistake("output's axes", "return y.transpose(0, 3, 1, 2)", "return y.transpose(0, 3, 2, 1)", ("y.transpose", "self.final"), r"transpos|axes|order|swap|permut", kind="output"),
    ),
)  # fmt: skip
