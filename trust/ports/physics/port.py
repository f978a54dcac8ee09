"""The heat equation's loss in JAX."""

import jax
import jax.numpy as jnp
import optax


def convert(state):
    return {
        "w1": state["fc1.weight"].numpy().T,
        "b1": state["fc1.bias"].numpy(),
        "w2": state["fc2.weight"].numpy()[0],
        "b2": state["fc2.bias"].numpy()[0],
        "d": state["log_diffusivity"].numpy(),
    }


def field(p, t, x):
    tt, xx = jnp.meshgrid(t, x, indexing="ij")
    h = jnp.sin(tt[..., None] * p["w1"][0] + xx[..., None] * p["w1"][1] + p["b1"])
    return h @ p["w2"] + p["b2"]


def loss(params, t, x, start):
    u = field(params, t, x)
    dt = t[1] - t[0]
    dx = x[1] - x[0]
    u_t = jnp.diff(u, axis=0)[:, 1:-1] / dt
    u_xx = jnp.diff(u, n=2, axis=1)[:-1] / dx**2
    residual = u_t - jax.nn.softplus(params["d"]) * u_xx
    equation = jnp.mean(optax.huber_loss(residual, delta=0.5))
    initial = jnp.mean(jnp.square(u[0] - start))
    boundary = jnp.mean(jnp.square(u[:, 0])) + jnp.mean(jnp.square(u[:, -1]))
    return equation + 10.0 * initial + boundary
