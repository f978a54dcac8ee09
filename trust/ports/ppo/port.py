"""Proximal policy optimisation in JAX."""

import jax
import jax.numpy as jnp
import optax


def convert(state):
    return {
        name: {"w": state[name + ".weight"].numpy().T, "b": state[name + ".bias"].numpy()}
        for name in ("body", "policy", "value")
    }


def dense(p, x):
    return x @ p["w"] + p["b"]


def critic(params, obs):
    h = jnp.tanh(dense(params["body"], obs))
    return dense(params["value"], h)[..., 0]


def loss(params, obs, actions, old_log_prob, advantages, returns, next_obs, rewards):
    logits = dense(params["policy"], jnp.tanh(dense(params["body"], obs)))
    log_probs = jax.nn.log_softmax(logits)
    value = critic(params, obs)
    scale = jnp.std(advantages, ddof=1) + 1e-8
    advantages = (advantages - advantages.mean()) / scale
    log_prob = jnp.take_along_axis(log_probs, actions[:, None], axis=-1)[:, 0]
    ratio = jnp.exp(log_prob - old_log_prob)
    clipped = jnp.clip(ratio, 0.8, 1.2)
    policy_loss = -jnp.mean(jnp.minimum(ratio * advantages, clipped * advantages))
    entropy = -jnp.mean(jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1))
    target = jax.lax.stop_gradient(rewards + 0.99 * critic(params, next_obs))
    value_loss = 0.5 * jnp.mean((value - returns) ** 2)
    td_loss = jnp.mean(optax.huber_loss(value, target))
    return policy_loss + 0.5 * value_loss + td_loss - 0.01 * entropy
