"""Patches by a strided convolution against patches by reshaping."""

from ported import Mistake, Pair, Variant

PATCH = (
    "x = x.transpose(0, ",
    "x = x.reshape(n",
    'dense(params["patch"]',
    "self.patch_embed(images)",
    "x.flatten(2)",
    "jnp.dot(x",
    "x = images",
)
NORM = ("x - mean", "mean = ", "var = ", "self.norm(x)", "h = layer_norm(")
TOKENS = ("jnp.concatenate", "torch.cat", "cls", 'params["pos"]', "self.pos_embed")

PAIR = Pair(
    original=lambda module: module.Front(6, 2, 3),
    port=lambda module: module.front,
    inputs=lambda rng: (rng.normal(size=(2, 3, 4, 4)),),
    variants=(
        Variant("a convolution", 'x = x.reshape(n, height // patch, patch, width // patch, patch, c)\n    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * c)\n    x = dense(params["patch"], x)', 'kernel = params["patch"]["kernel"].reshape(patch, patch, c, -1)\n    x = jax.lax.conv_general_dilated(x, kernel, (patch, patch), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))\n    x = x.reshape(n, -1, x.shape[-1]) + params["patch"]["bias"]'),
        Variant("an einsum over patches", 'x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * c)\n    x = dense(params["patch"], x)', 'x = jnp.einsum("nhpwqc,pqcd->nhwd", x, params["patch"]["kernel"].reshape(patch, patch, c, -1)).reshape(n, 4, -1) + params["patch"]["bias"]'),
        Variant("gelu by erf", 'h = jax.nn.gelu(dense(params["fc1"], h), approximate=False)', 'h = dense(params["fc1"], h)\n    h = h * 0.5 * (1 + jax.scipy.special.erf(h / jnp.sqrt(2.0)))'),
        Variant("gelu by the normal distribution", 'h = jax.nn.gelu(dense(params["fc1"], h), approximate=False)', 'h = dense(params["fc1"], h)\n    h = h * jax.scipy.stats.norm.cdf(h)'),
        Variant("cls by tile", 'jnp.broadcast_to(params["cls"], (n, 1, x.shape[-1]))', 'jnp.tile(params["cls"], (n, 1, 1))'),
        Variant("positions added apart", 'x = jnp.concatenate([cls, x], axis=1)\n    x = x + params["pos"]', 'x = jnp.concatenate([cls + params["pos"][:, :1], x + params["pos"][:, 1:]], axis=1)'),
        Variant("mean by sum", "jnp.mean(x[:, 1:], axis=1)", "(x.sum(1) - x[:, 0]) / 4"),
        Variant("one-pass norm", "var = ((x - mean) ** 2).mean(-1, keepdims=True)", "var = (x**2).mean(-1, keepdims=True) - mean**2"),
    ),
    mistakes=(
        Mistake("channels first in the kernel", 'p["patch_embed.weight"].transpose(2, 3, 1, 0).reshape(-1, dim)', 'p["patch_embed.weight"].reshape(dim, -1).T', PATCH, r"order|transpos|permut|channel"),
        Mistake("rows and columns swapped within a patch", ".transpose(0, 1, 3, 2, 4, 5)", ".transpose(0, 1, 3, 4, 2, 5)", PATCH, r"order|transpos|permut|swap"),
        Mistake("patches in another order", ".transpose(0, 1, 3, 2, 4, 5)", ".transpose(0, 3, 1, 2, 4, 5)", PATCH + TOKENS, r"order|transpos|permut|swap"),
        Mistake("not cut into patches", "x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * c)", "x = x.reshape(n, -1, patch * patch * c)", PATCH, r"order|transpos|permut|reshap"),
        Mistake("patch bias left out", 'dense(params["patch"], x)', 'x @ params["patch"]["kernel"]', (*PATCH, "x @ params"), r"bias|left out"),
        Mistake("class token at the end", "jnp.concatenate([cls, x]", "jnp.concatenate([x, cls]", TOKENS, r"order|swap|concat"),
        Mistake("positions left out", '    x = x + params["pos"]\n', "", TOKENS + NORM, r"pos|left out|addend|leav|missing|without"),
        Mistake("positions off by one", 'x + params["pos"]', 'x + jnp.roll(params["pos"], 1, axis=1)', TOKENS, r"off by one|position|roll|order|shift"),
        Mistake("eps", "eps=1e-6", "eps=1e-5", NORM, r"eps|1e-0?5"),
        Mistake("eps added twice to the root", "jnp.sqrt(var + eps)", "(jnp.sqrt(var + eps) + eps)", NORM, r"eps"),
        Mistake("scale and bias swapped", '* p["scale"] + p["bias"]', '* p["bias"] + p["scale"]', NORM, r"swap|scale|bias|weight"),
        Mistake("scale around one", '* p["scale"]', '* (1 + p["scale"])', NORM, r"\b1\b|scale|weight|added"),
        Mistake("gelu's tanh form", "approximate=False", "approximate=True", ("gelu",), r"tanh|approx"),
        Mistake("residual from the norm", 'x = x + dense(params["fc2"], h)', 'x = layer_norm(params["norm"], x) + dense(params["fc2"], h)', ("x = layer_norm", "x = x + self.fc2(h)"), r"norm|reads|residual|operand"),
        Mistake("pooled with the class token", "jnp.mean(x[:, 1:], axis=1)", "jnp.mean(x, axis=1)", ("pooled", "self.head(x"), r"token|reads|slice|mean|without|range|element|index"),
        Mistake("sum for mean", "jnp.mean(x[:, 1:], axis=1)", "jnp.sum(x[:, 1:], axis=1)", ("pooled", "self.head(x"), r"sum|mean|factor|4"),
        Mistake("maximum for mean", "jnp.mean(x[:, 1:], axis=1)", "jnp.max(x[:, 1:], axis=1)", ("pooled", "self.head(x"), r"max|mean"),
    ),
)  # fmt: skip
