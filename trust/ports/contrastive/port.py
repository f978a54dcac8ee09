"""CLIP's loss in JAX."""

import jax
import jax.numpy as jnp
import optax


def convert(state):
    return {
        "image": state["visual.weight"].numpy().T,
        "text": state["textual.weight"].numpy().T,
        "scale": state["logit_scale"].numpy(),
    }


def normalize(x):
    norm = jnp.linalg.norm(x, axis=-1, keepdims=True)
    return x / jnp.maximum(norm, 1e-12)


def loss(params, images, texts):
    a = normalize(images @ params["image"])
    b = normalize(texts @ params["text"])
    logits = jnp.exp(params["scale"]) * (a @ b.T)
    labels = jnp.arange(a.shape[0])
    by_image = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    by_text = optax.softmax_cross_entropy_with_integer_labels(logits.T, labels)
    agreement = jax.vmap(jnp.dot)(a, b)
    return (by_image.mean() + by_text.mean()) / 2, agreement
