"""The residual block, evaluated with running statistics."""

from ported import Mistake, Pair, Variant

CONV = ("h = conv3x3(x", "lax.conv_general_dilated", "x, w, (stride", "out = self.conv1(x)")
NORM = ("inv = ", "* inv", "self.bn", "batch_norm(", "self.downsample(x)")

PAIR = Pair(
    original=lambda module: module.BasicBlock(3, 4, 2).eval(),
    port=lambda module: module.block,
    inputs=lambda rng: (rng.normal(size=(2, 3, 6, 6)),),
    variants=(
        Variant("folded batch norm", '(x - p["mean"]) * inv * p["scale"] + p["bias"]', 'x * (inv * p["scale"]) + (p["bias"] - p["mean"] * inv * p["scale"])'),
        Variant("divided by the root", 'inv = lax.rsqrt(p["var"] + 1e-5)', 'inv = 1.0 / jnp.sqrt(p["var"] + 1e-5)'),
        Variant("relu by maximum", "h = jax.nn.relu(h)\n    return", "h = jnp.maximum(h, 0)\n    return"),
        Variant("relu by where", "h = jax.nn.relu(h)\n    h = conv3x3", "h = jnp.where(h > 0, h, 0.0)\n    h = conv3x3"),
        Variant("padded by hand", "h = conv3x3(h, params[\"conv2\"])", 'h = lax.conv_general_dilated(jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0))), params["conv2"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))'),
        Variant("shortcut as a product", 'shortcut = conv1x1(x, params["proj"], stride=2)', 'shortcut = x[:, ::2, ::2] @ params["proj"][0, 0]'),
        Variant("addends swapped", "h = h + shortcut", "h = shortcut + h"),
    ),
    mistakes=(
        Mistake("same padding with a stride", "[(1, 1), (1, 1)]", '"SAME"', CONV, r"pad|shift"),
        Mistake("eps", "+ 1e-5)", "+ 1e-3)", NORM, r"eps|0\.001|1e-0?3"),
        Mistake("eps outside the root", 'lax.rsqrt(p["var"] + 1e-5)', '1 / (jnp.sqrt(p["var"]) + 1e-5)', NORM, r"eps|outside"),
        Mistake("variance not rooted", 'lax.rsqrt(p["var"] + 1e-5)', '1 / (p["var"] + 1e-5)', NORM, r"root|sqrt|power|square"),
        Mistake("kernel transposed", ".transpose(2, 3, 1, 0)", ".transpose(3, 2, 1, 0)", ("conv", "self.downsample"), r"transpos|axes|order|swap|permut"),
        Mistake("kernel flipped", ".transpose(2, 3, 1, 0)", ".transpose(2, 3, 1, 0)[::-1, ::-1]", ("conv", "self.downsample"), r"flip|revers|order"),
        Mistake("residual left out", "h = h + shortcut", "h = h", ("h = h", "out = out + identity", "relu"), r"residual|left out|addend|leav|missing|skip|without"),
        Mistake("residual behind the relu", "h = h + shortcut\n    h = jax.nn.relu(h)", "h = jax.nn.relu(h) + shortcut", ("h = jax.nn.relu(h) + shortcut", "out = out + identity", "return F.relu"), r"order|relu|before|after|left out|reads"),
        Mistake("relu left out", "    h = jax.nn.relu(h)\n    h = conv3x3", "    h = conv3x3", ('h = conv3x3(h, params["conv2"])', "out = F.relu(out)", "out = self.conv2(out)", "x, w, (stride"), r"relu|left out|missing|leav|skip|without"),
        Mistake("relu6", "h = jax.nn.relu(h)\n    return", "h = jax.nn.relu6(h * 4)\n    return", ("relu",), r"relu6|clip|min|6|4"),
        Mistake("another layer's norm", 'h = batch_norm(h, params["bn2"])', 'h = batch_norm(h, params["bn1"])', NORM, r"bn2|bn1|param|reads|swap|operand"),
        Mistake("mean and bias swapped", '"mean": state[name + ".running_mean"]', '"mean": state[name + ".bias"]', NORM, r"mean|bias|reads|twice|operand"),
        Mistake("shortcut without its norm", '    shortcut = batch_norm(shortcut, params["bn_proj"])\n', "", ("shortcut", "self.downsample(x)"), r"norm|left out|leav|missing|skip|without"),
    ),
)  # fmt: skip
