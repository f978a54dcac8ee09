"""A reinforcement loss: clips, a stopped target, signs."""

from ported import Mistake, Pair, Variant

ADVANTAGE = ("scale = ", "advantages = ")
RATIO = ("ratio = ", "log_prob = ")
CLIP = ("clipped", "policy_loss", "unclipped")
ENTROPY = ("entropy",)
VALUE = ("value_loss", "td_loss", "target = ", "value = ")
TOTAL = ("return policy_loss",)

PAIR = Pair(
    original=lambda module: module.ActorCritic(4, 5, 3),
    port=lambda module: module.loss,
    inputs=lambda rng: (
        rng.normal(size=(8, 4)),
        rng.integers(0, 3, 8),
        -1.1 + 0.4 * rng.normal(size=8),
        rng.normal(size=8) + 0.3,
        rng.normal(size=8),
        rng.normal(size=(8, 4)),
        2 * rng.normal(size=8),
    ),
    variants=(
        Variant("deviation by hand", "jnp.std(advantages, ddof=1)", "jnp.sqrt(jnp.sum((advantages - advantages.mean()) ** 2) / 7)"),
        Variant("picked by one-hot", "jnp.take_along_axis(log_probs, actions[:, None], axis=-1)[:, 0]", "jnp.sum(log_probs * jax.nn.one_hot(actions, 3), axis=-1)"),
        Variant("picked by index", "jnp.take_along_axis(log_probs, actions[:, None], axis=-1)[:, 0]", "log_probs[jnp.arange(8), actions]"),
        Variant("largest of the losses", "-jnp.mean(jnp.minimum(ratio * advantages, clipped * advantages))", "jnp.mean(jnp.maximum(-ratio * advantages, -clipped * advantages))"),
        Variant("entropy by logits", "-jnp.mean(jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1))", "jnp.mean(jax.nn.logsumexp(logits, axis=-1) - jnp.sum(jax.nn.softmax(logits) * logits, axis=-1))"),
        Variant("ratio of probabilities", "jnp.exp(log_prob - old_log_prob)", "jnp.exp(log_prob) / jnp.exp(old_log_prob)"),
        Variant("target's parameters stopped", "jax.lax.stop_gradient(rewards + 0.99 * critic(params, next_obs))", "jax.lax.stop_gradient(rewards) + 0.99 * critic(jax.lax.stop_gradient(params), jax.lax.stop_gradient(next_obs))"),
        Variant("minimum by where", "jnp.minimum(ratio * advantages, clipped * advantages)", "jnp.where(advantages > 0, jnp.minimum(ratio, 1.2), jnp.maximum(ratio, 0.8)) * advantages"),
    ),
    mistakes=(
        Mistake("biased deviation", ", ddof=1", "", ADVANTAGE, r"unbiased|biased|n - 1|correction|ddof"),
        Mistake("eps of the deviation", "+ 1e-8", "+ 1e-2", ADVANTAGE, r"eps|0\.01|1e-0?2|addend"),
        Mistake("variance for deviation", "jnp.std(advantages", "jnp.var(advantages", ADVANTAGE, r"root|sqrt|var|std|square|power"),
        Mistake("advantages not centred", "(advantages - advantages.mean()) / scale", "advantages / scale", ADVANTAGE, r"mean|left out|subtract|centr|leav|addend|without"),
        Mistake("maximum for minimum", "jnp.minimum(ratio * adv", "jnp.maximum(ratio * adv", CLIP, r"max|min"),
        Mistake("clip bounds", "jnp.clip(ratio, 0.8, 1.2)", "jnp.clip(ratio, 0.9, 1.1)", CLIP, r"clip|bound|0\.9|1\.1|0\.1"),
        Mistake("clipped above alone", "jnp.clip(ratio, 0.8, 1.2)", "jnp.minimum(ratio, 1.2)", CLIP, r"clip|bound|0\.8|min|max"),
        Mistake("clipped product", "clipped = jnp.clip(ratio, 0.8, 1.2)\n    policy_loss = -jnp.mean(jnp.minimum(ratio * advantages, clipped * advantages))", "clipped = jnp.clip(ratio * advantages, 0.8, 1.2)\n    policy_loss = -jnp.mean(jnp.minimum(ratio * advantages, clipped))", CLIP, r"order|reads|factor|before|after|left out|advantages"),
        Mistake("ratio turned round", "log_prob - old_log_prob", "old_log_prob - log_prob", RATIO + CLIP, r"sign|swap|order|negat|operand|recipro"),
        Mistake("log ratio", "ratio = jnp.exp(log_prob - old_log_prob)", "ratio = 1.0 + log_prob - old_log_prob", RATIO + CLIP, r"exp|left out|leav|\b1(\.0)?\b"),
        Mistake("entropy's sign", "- 0.01 * entropy", "+ 0.01 * entropy", TOTAL, r"sign|negat|add|plus|subtract"),
        Mistake("entropy of probabilities", "jnp.exp(log_probs) * log_probs", "jnp.exp(log_probs) * jnp.exp(log_probs)", ENTROPY, r"log|reads|exp|square|operand|prob"),
        Mistake("entropy over the batch", "jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)", "jnp.sum(jnp.exp(log_probs) * log_probs, axis=0)", ENTROPY, r"axis|factor|mean|sum"),
        Mistake("policy's sign", "policy_loss = -jnp.mean", "policy_loss = jnp.mean", CLIP + TOTAL, r"sign|negat"),
        Mistake("value loss not halved", "value_loss = 0.5 * jnp.mean", "value_loss = jnp.mean", VALUE, r"factor|0\.5|half|2"),
        Mistake("discount", "0.99 * critic", "0.9 * critic", VALUE, r"0\.9|factor|constant|discount"),
        Mistake("huber's delta", "optax.huber_loss(value, target)", "optax.huber_loss(value, target, delta=0.5)", VALUE, r"delta|beta|0\.5|bound|clip"),
        Mistake("target of this step", "critic(params, next_obs)", "critic(params, obs)", (*VALUE, "jnp.tanh", "torch.tanh", "x @ p"), r"reads|obs|operand|next"),
        Mistake("target's gradient not stopped", "jax.lax.stop_gradient(rewards + 0.99 * critic(params, next_obs))", "rewards + 0.99 * critic(params, next_obs)", VALUE, r"stop|gradient|detach|no_grad", kind="gradient"),
        Mistake("value's gradient stopped", "optax.huber_loss(value, target)", "optax.huber_loss(jax.lax.stop_gradient(value), target)", VALUE, r"stop|gradient", kind="gradient"),
        Mistake("advantages' gradient stopped", "advantages = (advantages - advantages.mean()) / scale", "advantages = jax.lax.stop_gradient((advantages - advantages.mean()) / scale)", ADVANTAGE, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
