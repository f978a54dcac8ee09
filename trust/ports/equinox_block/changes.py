"""torch against equinox's own layers."""

from ported import Mistake, Pair, Variant

CELL = ('params["cell"]', "self.cell(x, h)")
NORM = ('params["norm"]', "self.norm(h)")
MLP = ('params["mlp"]', "self.mlp(")
LAST = ("jnp.concatenate", "torch.cat")

PAIR = Pair(
    original=lambda module: module.Step(3, 4),
    port=lambda module: module.step,
    inputs=lambda rng: (rng.normal(size=(2, 3)), rng.normal(size=(2, 4))),
    needs=("equinox",),
    variants=(
        Variant("one vmap", 'y = jax.vmap(params["norm"])(h)\n    y = jax.vmap(params["mlp"])(y)', 'y = jax.vmap(lambda row: params["mlp"](params["norm"](row)))(h)'),
        Variant("bias of the reset in the state", "b_i[:8] + b_h[:8], b_i[8:]", "b_h[:8] + b_i[:8], b_i[8:]"),
    ),
    mistakes=(
        Mistake("state's bias of the candidate outside the reset", "bias = jnp.concatenate([b_i[:8] + b_h[:8], b_i[8:]])", "bias, b_h = b_i + b_h, jnp.zeros_like(b_h)", CELL, r"bias|reset|outside"),
        Mistake("only the inputs' bias", "b_i[:8] + b_h[:8], b_i[8:]", "b_i[:8], b_i[8:]", CELL, r"bias"),
        Mistake("candidate's bias left out", "bias, b_h[8:]", "bias, 0 * b_h[8:]", CELL, r"bias|left out|0"),
        Mistake("state's matrix upside down", '(p["cell.weight_ih"], p["cell.weight_hh"]', '(p["cell.weight_ih"], p["cell.weight_hh"][::-1]', CELL, r"gate|order|revers|flip"),
        Mistake("eps of the norm", "eqx.nn.LayerNorm(4)", "eqx.nn.LayerNorm(4, eps=1e-6)", NORM, r"eps|1e-0?6"),
        Mistake("gelu in the perceptron", "eqx.nn.MLP(4, 3, 6, 1, key", "eqx.nn.MLP(4, 3, 6, 1, activation=jax.nn.gelu, key", MLP, r"gelu|relu|activation"),
        Mistake("norm of the old state", 'h = jax.vmap(params["cell"])(x, h)\n    y = jax.vmap(params["norm"])(h)', 'y = jax.vmap(params["norm"])(h)\n    h = jax.vmap(params["cell"])(x, h)', NORM, r"reads|operand|order|state|`h`"),
        Mistake("halves of the result swapped", "[x + y, h]", "[h, x + y]", LAST, r"swap|order"),
        Mistake("state's gradient stopped", 'jax.vmap(params["norm"])(h)', 'jax.vmap(params["norm"])(jax.lax.stop_gradient(h))', NORM, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
