import equinox as eqx
import jax

layer = eqx.nn.Conv2d(3, 4, 3, stride=2, padding=1, key=jax.random.key(0))


def port(layer, x):
    return jax.vmap(layer)(x)


def convert(state):
    weight, bias = state["weight"].numpy(), state["bias"].numpy()
    return eqx.tree_at(lambda m: (m.weight, m.bias), layer, (weight, bias[:, None, None]))
