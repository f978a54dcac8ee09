"""The step with equinox's layers, one example at a time under vmap."""

import equinox as eqx
import jax
import jax.numpy as jnp


def convert(state):
    p = {name: jnp.asarray(value.numpy()) for name, value in state.items()}
    cell = eqx.nn.GRUCell(3, 4, key=jax.random.PRNGKey(0))
    b_i, b_h = p["cell.bias_ih"], p["cell.bias_hh"]
    bias = jnp.concatenate([b_i[:8] + b_h[:8], b_i[8:]])
    cell = eqx.tree_at(
        lambda c: (c.weight_ih, c.weight_hh, c.bias, c.bias_n),
        cell,
        (p["cell.weight_ih"], p["cell.weight_hh"], bias, b_h[8:]),
    )
    norm = eqx.nn.LayerNorm(4)
    norm = eqx.tree_at(lambda n: (n.weight, n.bias), norm, (p["norm.weight"], p["norm.bias"]))
    mlp = eqx.nn.MLP(4, 3, 6, 1, key=jax.random.PRNGKey(0))
    mlp = eqx.tree_at(
        lambda m: (m.layers[0].weight, m.layers[0].bias, m.layers[1].weight, m.layers[1].bias),
        mlp,
        (p["mlp.0.weight"], p["mlp.0.bias"], p["mlp.2.weight"], p["mlp.2.bias"]),
    )
    return {"cell": cell, "norm": norm, "mlp": mlp}


def step(params, x, h):
    h = jax.vmap(params["cell"])(x, h)
    y = jax.vmap(params["norm"])(h)
    y = jax.vmap(params["mlp"])(y)
    return jnp.concatenate([x + y, h], axis=-1)
