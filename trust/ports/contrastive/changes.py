"""A contrastive loss: norms, cosines, temperature."""

from ported import Mistake, Pair, Variant

NORM = ("norm = ", "x / ", "x * jax", "normalize(", "F.normalize")
LOGITS = ("logits = ", "scale = ")
LOSS = ("by_image", "by_text", "loss_i", "loss_t", "F.cross_entropy")

PAIR = Pair(
    original=lambda module: module.CLIP(5, 4, 3),
    port=lambda module: module.loss,
    inputs=lambda rng: (rng.normal(size=(4, 5)), rng.normal(size=(4, 4))),
    variants=(
        Variant("norm by rsqrt", "norm = jnp.linalg.norm(x, axis=-1, keepdims=True)\n    return x / jnp.maximum(norm, 1e-12)", "return x * jax.lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True))"),
        Variant("norm by root", "jnp.linalg.norm(x, axis=-1, keepdims=True)", "jnp.sqrt((x**2).sum(-1, keepdims=True))"),
        Variant("diagonal of log-softmax", "by_image = optax.softmax_cross_entropy_with_integer_labels(logits, labels)", "by_image = -jnp.diagonal(jax.nn.log_softmax(logits, axis=-1))"),
        Variant("columns, not transposed", "by_text = optax.softmax_cross_entropy_with_integer_labels(logits.T, labels)", "by_text = jax.nn.logsumexp(logits, axis=0) - jnp.diag(logits)"),
        Variant("temperature on one tower", 'logits = jnp.exp(params["scale"]) * (a @ b.T)', 'logits = (a * jnp.exp(params["scale"])) @ b.T'),
        Variant("divided by the temperature", 'jnp.exp(params["scale"]) * (a @ b.T)', '(a @ b.T) / jnp.exp(-params["scale"])'),
        Variant("agreement by a sum", "jax.vmap(jnp.dot)(a, b)", "jnp.sum(a * b, axis=-1)"),
    ),
    mistakes=(
        Mistake("scale not exponentiated", 'jnp.exp(params["scale"])', 'params["scale"]', LOGITS, r"exp|left out|leav|without"),
        Mistake("divided, not multiplied", 'jnp.exp(params["scale"]) * (a @ b.T)', '(a @ b.T) / jnp.exp(params["scale"])', LOGITS, r"divid|recipro|multipl|inver|power|sign|negat"),
        Mistake("one half only", "(by_image.mean() + by_text.mean()) / 2", "by_image.mean()", ("return", *LOSS), r"left out|addend|by_text|one|leav|half|missing"),
        Mistake("not halved", "(by_image.mean() + by_text.mean()) / 2", "(by_image.mean() + by_text.mean())", ("return", "(loss_i"), r"factor|2|half|divid|0\.5"),
        Mistake("not transposed", "_labels(logits.T, labels)", "_labels(logits, labels)", (*LOSS, "return"), r"transpos|axis|reads|twice"),
        Mistake("texts not normalised", 'b = normalize(texts @ params["text"])', 'b = texts @ params["text"]', (*NORM, *LOGITS, "b = texts"), r"norm|left out|leav|missing|skip|without"),
        Mistake("normalised by the square", "return x / jnp.maximum(norm, 1e-12)", "return x / jnp.maximum(norm**2, 1e-12)", NORM, r"square|root|power|norm"),
        Mistake("sum of absolutes for the norm", "jnp.linalg.norm(x, axis=-1, keepdims=True)", "jnp.abs(x).sum(-1, keepdims=True)", NORM, r"abs|norm|l1|order|1|sum"),
        Mistake("normalised over the batch", "jnp.linalg.norm(x, axis=-1, keepdims=True)", "jnp.linalg.norm(x, axis=0, keepdims=True)", NORM, r"axis|dim"),
        Mistake("labels reversed", "jnp.arange(a.shape[0])", "jnp.arange(a.shape[0])[::-1]", LOSS, r"label|index|indices|revers|order|target"),
        Mistake("sum over the batch", "by_text.mean()", "by_text.sum()", ("return", *LOSS), r"sum|mean|factor|4"),
        Mistake("outputs in another order", "return (by_image.mean() + by_text.mean()) / 2, agreement", "return (by_image.mean() + by_text.mean()) / 2, agreement[::-1]", ("return", "agreement"), r"revers|order|flip", kind="output"),
        Mistake("eps within the norm", "return x / jnp.maximum(norm, 1e-12)", "return x / (norm + 1e-3)", NORM, r"eps|0\.001|1e-0?3|added|addend|\badd of"),
        Mistake("temperature's gradient stopped", 'jnp.exp(params["scale"])', 'jax.lax.stop_gradient(jnp.exp(params["scale"]))', LOGITS, r"stop|gradient", kind="gradient"),
        Mistake("texts' gradient stopped", "(a @ b.T)", "(a @ jax.lax.stop_gradient(b).T)", (*LOGITS, "b = "), r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
