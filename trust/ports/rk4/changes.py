"""A solver's step."""

from ported import Mistake, Pair, Variant

FIELD = ("h = jnp", "h @ p", "self.fc2(", "torch.cat([y, time]", "torch.full_like")
STAGES = ("k1 = ", "k2 = ", "k3 = ", "k4 = ")
STEP = ("return y + ", "y = y + h / 6", "rk4_step(", "return y")

PAIR = Pair(
    original=lambda module: module.Flow(3, 4),
    port=lambda module: module.flow,
    inputs=lambda rng: (rng.normal(size=(2, 3)),),
    variants=(
        Variant("weights apart", "y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6", "y + dt / 6 * k1 + dt / 3 * k2 + dt / 3 * k3 + dt / 6 * k4"),
        Variant("middle stages together", "(k1 + 2 * k2 + 2 * k3 + k4)", "(k1 + 2 * (k2 + k3) + k4)"),
        Variant("time concatenated", 'h = jnp.tanh(y @ p["w_state"] + t * p["w_time"] + p["b1"])', 'yt = jnp.concatenate([y, jnp.full_like(y[:, :1], t)], axis=1)\n    h = jnp.tanh(yt @ jnp.concatenate([p["w_state"], p["w_time"][None]]) + p["b1"])'),
        Variant("stages by a tableau", "return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6", "return y + dt * jnp.tensordot(jnp.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]), jnp.stack([k1, k2, k3, k4]), axes=1)"),
        Variant("stages are increments", "k2 = dynamics(p, t + 0.5 * dt, y + 0.5 * dt * k1)", "k2 = dynamics(p, t + dt / 2, y + (dt * k1) / 2)"),
    ),
    mistakes=(
        Mistake("weights of the stages", "k1 + 2 * k2 + 2 * k3 + k4", "k1 + 2 * k2 + k3 + k4", STEP, r"factor|2|weight"),
        Mistake("not divided by six", "(k1 + 2 * k2 + 2 * k3 + k4) / 6", "(k1 + 2 * k2 + 2 * k3 + k4)", STEP, r"factor|6|0\.16|divid|1/6"),
        Mistake("third stage from the first", "y + 0.5 * dt * k2", "y + 0.5 * dt * k1", STAGES + FIELD, r"k1|k2|reads|operand|another"),
        Mistake("fourth stage by half a step", "y + dt * k3", "y + 0.5 * dt * k3", STAGES + FIELD, r"factor|0\.5|half|0\.25"),
        Mistake("times of the stages", "dynamics(p, t + dt, y", "dynamics(p, t + 0.5 * dt, y", STAGES + FIELD, r"time|constant|0\.\d|factor|\b1(\.0)?\b|\d"),
        Mistake("Euler's rule", "return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6", "return y + dt * k1", STEP, r"left out|addend|reads|k1|leav|missing|term|stage"),
        Mistake("step's sign", "return y + dt", "return y - dt", STEP, r"sign|negat|subtract"),
        Mistake("start left out", "return y + dt * (", "return dt * (", STEP, r"left out|addend|leav|missing|residual|without"),
        Mistake("time left out", ' + t * p["w_time"]', "", FIELD, r"left out|addend|leav|time|missing|term|without"),
        Mistake("relu for tanh", "h = jnp.tanh(y @", "h = jnp.maximum(0, y @", ("h = jnp", "self.fc2(torch.tanh", "torch.tanh"), r"relu|tanh|activation|max"),
        Mistake("bias of the output left out", 'h @ p["w2"] + p["b2"]', 'h @ p["w2"]', FIELD, r"bias|left out|without"),
        Mistake("one step too few", "range(steps)", "range(steps - 1)", STEP + STAGES + FIELD, r"left out|step|leav|missing|addend|reads|skip|output"),
        Mistake("time does not move", "rk4_step(params, n * dt, y, dt)", "rk4_step(params, 0.0, y, dt)", FIELD + STAGES, r"time|constant|left out|addend|0|factor"),
        Mistake("stage's gradient stopped", "k2 = dynamics(p, t + 0.5 * dt, y + 0.5 * dt * k1)", "k2 = dynamics(p, t + 0.5 * dt, __import__('jax').lax.stop_gradient(y + 0.5 * dt * k1))", STAGES + FIELD, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
