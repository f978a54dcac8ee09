"""The same rule in JAX."""

import jax.numpy as jnp


def convert(state):
    w = state["f.fc1.weight"].numpy().T
    return {
        "w_state": w[:-1],
        "w_time": w[-1],
        "b1": state["f.fc1.bias"].numpy(),
        "w2": state["f.fc2.weight"].numpy().T,
        "b2": state["f.fc2.bias"].numpy(),
    }


def dynamics(p, t, y):
    h = jnp.tanh(y @ p["w_state"] + t * p["w_time"] + p["b1"])
    return h @ p["w2"] + p["b2"]


def rk4_step(p, t, y, dt):
    k1 = dynamics(p, t, y)
    k2 = dynamics(p, t + 0.5 * dt, y + 0.5 * dt * k1)
    k3 = dynamics(p, t + 0.5 * dt, y + 0.5 * dt * k2)
    k4 = dynamics(p, t + dt, y + dt * k3)
    return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


def flow(params, y, steps=2):
    dt = 1.0 / steps
    for n in range(steps):
        y = rk4_step(params, n * dt, y, dt)
    return y
