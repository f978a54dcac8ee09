"""The mixture of experts in JAX: all experts at once, masks for the choice."""

import jax
import jax.numpy as jnp


def convert(state):
    return {
        "gate": state["gate.weight"].numpy().T,
        "w1": state["w1"].numpy(),
        "b1": state["b1"].numpy(),
        "w2": state["w2"].numpy(),
    }


def switch(params, x):
    probs = jax.nn.softmax(x @ params["gate"], axis=-1)
    experts = probs.shape[-1]
    chosen = jax.nn.one_hot(jnp.argmax(probs, axis=-1), experts)
    combine = probs * chosen
    h = jnp.einsum("td,edh->teh", x, params["w1"]) + params["b1"]
    h = jax.nn.elu(h)
    y = jnp.einsum("teh,ehd->ted", h, params["w2"])
    out = jnp.einsum("te,ted->td", combine, y)
    balance = experts * jnp.sum(jnp.mean(probs, axis=0) * jnp.mean(chosen, axis=0))
    return out, balance
