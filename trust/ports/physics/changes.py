"""A physics loss by differences on a grid."""

import numpy as np
from ported import Mistake, Pair, Variant

FIELD = ("h = jnp", "grid = ", "return h @", "self.fc1(grid)", "return self.fc2", "jnp.meshgrid")
TIME = ("u_t = ", "dt")
SPACE = ("u_xx = ", "dx")
RESIDUAL = ("residual = ", "F.softplus")
EQUATION = ("equation = ", "F.huber", "residual")
ENDS = ("initial", "boundary", "return equation")

PAIR = Pair(
    original=lambda module: module.Field(4),
    port=lambda module: module.loss,
    inputs=lambda rng: (np.linspace(0, 1, 4), np.linspace(-1, 1, 6), rng.normal(size=6)),
    variants=(
        Variant("second difference written out", "jnp.diff(u, n=2, axis=1)[:-1] / dx**2", "((u[:, 2:] - u[:, 1:-1]) - (u[:, 1:-1] - u[:, :-2]))[:-1] / dx / dx"),
        Variant("second difference by a convolution", "jnp.diff(u, n=2, axis=1)[:-1] / dx**2", 'jax.vmap(lambda row: jnp.convolve(row, jnp.array([1.0, -2.0, 1.0]), mode="valid"))(u)[:-1] / dx**2'),
        Variant("differences by roll", "jnp.diff(u, axis=0)[:, 1:-1] / dt", "(jnp.roll(u, -1, axis=0) - u)[:-1, 1:-1] / dt"),
        Variant("softplus by logaddexp", 'jax.nn.softplus(params["d"])', 'jnp.logaddexp(params["d"], 0.0)'),
        Variant("huber by where", "optax.huber_loss(residual, delta=0.5)", "jnp.where(jnp.abs(residual) < 0.5, 0.5 * residual**2, 0.5 * (jnp.abs(residual) - 0.25))"),
        Variant("grid as points", 'h = jnp.sin(tt[..., None] * p["w1"][0] + xx[..., None] * p["w1"][1] + p["b1"])', 'points = jnp.stack([tt.ravel(), xx.ravel()], axis=1)\n    h = jnp.sin(points @ p["w1"] + p["b1"]).reshape(*tt.shape, -1)'),
        Variant("time and space by broadcasting", 'tt, xx = jnp.meshgrid(t, x, indexing="ij")', "tt, xx = t[:, None], x[None, :]"),
        Variant("boundary in one mean", "jnp.mean(jnp.square(u[:, 0])) + jnp.mean(jnp.square(u[:, -1]))", "2 * jnp.mean(u[:, jnp.array([0, -1])] ** 2)"),
    ),
    mistakes=(
        Mistake("weights of time and space swapped", '* p["w1"][0] + xx[..., None] * p["w1"][1]', '* p["w1"][1] + xx[..., None] * p["w1"][0]', FIELD, r"swap|order|reads|row|index|revers|operand"),
        Mistake("cosine", "jnp.sin(", "jnp.cos(", FIELD, r"cos|sin|activation"),
        Mistake("bias of the output left out", 'h @ p["w2"] + p["b2"]', 'h @ p["w2"]', FIELD, r"bias|left out|without"),
        Mistake("difference backwards", "jnp.diff(u, axis=0)[:, 1:-1]", "-jnp.diff(u, axis=0)[:, 1:-1]", TIME, r"sign|negat|swap|operand"),
        Mistake("not divided by the step", "jnp.diff(u, axis=0)[:, 1:-1] / dt", "jnp.diff(u, axis=0)[:, 1:-1]", (*TIME, *RESIDUAL), r"divid|factor|left out|dt|step|leav"),
        Mistake("step not squared", "/ dx**2", "/ dx", SPACE, r"pow|square|divid|factor|exponent|0\.4|2\.5"),
        Mistake("later time in space", "jnp.diff(u, n=2, axis=1)[:-1]", "jnp.diff(u, n=2, axis=1)[1:]", SPACE, r"off by one|shift|slice|position|index|row|range"),
        Mistake("once the middle", "jnp.diff(u, n=2, axis=1)[:-1]", "(u[:-1, 2:] - u[:-1, 1:-1] + u[:-1, :-2])", SPACE, r"factor|2|coefficient"),
        Mistake("sign of the diffusion", 'u_t - jax.nn.softplus(params["d"]) * u_xx', 'u_t + jax.nn.softplus(params["d"]) * u_xx', RESIDUAL, r"sign|negat|add|plus|subtract"),
        Mistake("exponential for softplus", 'jax.nn.softplus(params["d"])', 'jnp.exp(params["d"])', (*RESIDUAL, "jnp.exp"), r"exp|softplus|activation"),
        Mistake("delta", "delta=0.5", "delta=1.0", EQUATION, r"delta|\b1(\.0)?\b|bound|clip"),
        Mistake("squared residual", "optax.huber_loss(residual, delta=0.5)", "jnp.square(residual)", EQUATION, r"square|huber|mse|left out|branch"),
        Mistake("sum for mean", "initial = jnp.mean(", "initial = jnp.sum(", ENDS, r"sum|mean|factor|6"),
        Mistake("absolute for square", "initial = jnp.mean(jnp.square(u[0] - start))", "initial = jnp.mean(jnp.abs(u[0] - start))", ENDS, r"abs|square|power"),
        Mistake("start at the end", "jnp.square(u[0] - start)", "jnp.square(u[-1] - start)", ENDS, r"index|slice|position|row|last|reads"),
        Mistake("weight of the start", "10.0 * initial", "initial", ENDS, r"factor|10|weight"),
        Mistake("one boundary", " + jnp.mean(jnp.square(u[:, -1]))", "", ENDS, r"left out|addend|boundary|leav|missing|term"),
        Mistake("boundary off by one", "jnp.square(u[:, -1])", "jnp.square(u[:, -2])", ENDS, r"off by one|index|slice|position|column|shift|reads"),
        Mistake("target's gradient through the field", "u[0] - start", "u[0] - jax.lax.stop_gradient(start)", ENDS, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
