import equinox as eqx
import jax
import jax.numpy as jnp


def port(made, x):
    norm, state = made
    norm = eqx.nn.inference_mode(norm)
    return jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)[0]


def convert(state):
    weight, bias, mean, var = (jnp.asarray(x.numpy()) for x in list(state.values())[:4])
    make = eqx.nn.make_with_state(eqx.nn.BatchNorm)
    norm, fresh = make(6, axis_name="batch", mode="batch", dtype=mean.dtype)
    norm = eqx.tree_at(lambda m: (m.weight, m.bias), norm, (weight, bias))
    return norm, fresh.set(norm.batch_state_index, (mean, var))
