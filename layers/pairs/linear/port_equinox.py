import equinox as eqx
import jax

layer = eqx.nn.Linear(6, 6, key=jax.random.key(0))


def port(layer, x):
    return jax.vmap(layer)(x)


def convert(state):
    return eqx.tree_at(lambda m: (m.weight, m.bias), layer, (state["weight"].numpy(), state["bias"].numpy()))
