import equinox as eqx
import jax
import jax.numpy as jnp

layer = eqx.nn.LSTMCell(4, 5, key=jax.random.key(0))


def port(cell, x):
    def one(x):
        def step(carry, x):
            h, c = cell(x, carry)
            return (h, c), h

        zero = jnp.zeros(5, x.dtype)
        return jax.lax.scan(step, (zero, zero), x)

    (h, c), y = jax.vmap(one)(x)
    return y, (h[None], c[None])


def convert(state):
    w, u = (state[f"weight_{of}_l0"].numpy() for of in ("ih", "hh"))
    bias = (state["bias_ih_l0"] + state["bias_hh_l0"]).numpy()
    return eqx.tree_at(lambda m: (m.weight_ih, m.weight_hh, m.bias), layer, (w, u, bias))
