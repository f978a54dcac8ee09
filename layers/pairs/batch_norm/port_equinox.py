import equinox as eqx
import jax
import jax.numpy as jnp


def port(made, x):
    norm, state = made
    old = state.get(norm.batch_state_index)[1]
    y, state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
    mean, var = jax.lax.stop_gradient(state.get(norm.batch_state_index))
    return y, mean, unbiased(var, old, x)


def unbiased(new, old, x, momentum=0.9):
    n = x.size // x.shape[1]
    return momentum * old + (new - momentum * old) * n / (n - 1)


def convert(state):
    weight, bias, mean, var = (jnp.asarray(x.numpy()) for x in list(state.values())[:4])
    make = eqx.nn.make_with_state(eqx.nn.BatchNorm)
    norm, fresh = make(6, axis_name="batch", momentum=0.9, mode="batch", dtype=mean.dtype)
    norm = eqx.tree_at(lambda m: (m.weight, m.bias), norm, (weight, bias))
    return norm, fresh.set(norm.batch_state_index, (mean, var))
