import equinox as eqx
import jax

layer = eqx.nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, key=jax.random.key(0))


def port(layer, x):
    return jax.vmap(layer)(x)


def convert(state):
    weight = state["weight"].numpy().transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    return eqx.tree_at(lambda m: (m.weight, m.bias), layer, (weight, state["bias"].numpy()[:, None, None]))
