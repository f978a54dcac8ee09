"""A variational autoencoder's loss: cross entropy and divergence."""

from ported import Mistake, Pair, Variant

KL = ("kl = ", "kld = ", "jnp.mean(bce", "return (bce", "bce - kl", "bce + 0.5", "bce + 4")
BCE = ("bce = ", "sigmoid_cross", "jnp.maximum(", "F.binary", "return labels", "return -", "return jnp.maximum")
DRAW = ("z = ", "std = ")

PAIR = Pair(
    original=lambda module: module.VAE(6, 5, 3),
    port=lambda module: module.loss,
    inputs=lambda rng: (rng.uniform(0.1, 0.9, size=(4, 6)), rng.normal(size=(4, 3))),
    variants=(
        Variant("softplus twice", "jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))", "labels * jax.nn.softplus(-logits) + (1 - labels) * jax.nn.softplus(logits)"),
        Variant("log-sigmoid", "jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))", "-labels * jax.nn.log_sigmoid(logits) - (1 - labels) * jax.nn.log_sigmoid(-logits)"),
        Variant("softplus less the product", "jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))", "jnp.logaddexp(logits, 0.0) - logits * labels"),
        Variant("deviation by root", "jnp.exp(0.5 * logvar)", "jnp.sqrt(jnp.exp(logvar))"),
        Variant("divergence as the original has it", "kl = 0.5 * jnp.sum(jnp.exp(logvar) + mean**2 - 1.0 - logvar, axis=-1)", "kl = -0.5 * jnp.sum(1 + logvar - jnp.square(mean) - jnp.exp(logvar), axis=1)"),
        Variant("divergence term by term", "kl = 0.5 * jnp.sum(jnp.exp(logvar) + mean**2 - 1.0 - logvar, axis=-1)", "kl = 0.5 * (jnp.exp(logvar).sum(-1) + (mean * mean).sum(-1) - logvar.sum(-1) - mean.shape[-1])"),
        Variant("summed apart", "return jnp.mean(bce + kl)", "return bce.mean() + kl.mean()"),
        Variant("mean by division", "return jnp.mean(bce + kl)", "return (jnp.sum(bce) + jnp.sum(kl)) / x.shape[0]"),
    ),
    mistakes=(
        Mistake("divergence subtracted", "bce + kl", "bce - kl", KL, r"sign|negat|subtract|minus|-0\.5"),
        Mistake("sign of log-variance", "mean**2 - 1.0 - logvar", "mean**2 - 1.0 + logvar", KL, r"sign|negat|added|minus|plus"),
        Mistake("one forgotten", "mean**2 - 1.0 - logvar", "mean**2 - logvar", KL, r"\b1(\.0)?\b|left out|addend|constant|leav"),
        Mistake("half forgotten", "kl = 0.5 * jnp.sum", "kl = jnp.sum", KL, r"0\.5|factor|2|half"),
        Mistake("mean not squared", "mean**2 - 1.0", "mean - 1.0", KL, r"square|power|left out|leav|exponent|reads"),
        Mistake("mean to the fourth", "mean**2 - 1.0", "mean**4 - 1.0", KL, r"power|exponent|4|square"),
        Mistake("variance for deviation", "jnp.exp(0.5 * logvar)", "jnp.exp(logvar)", DRAW, r"0\.5|factor|half|root|reads"),
        Mistake("log-variance as log-deviation in the divergence", "jnp.exp(logvar) + mean", "jnp.exp(2 * logvar) + mean", KL, r"factor|2"),
        Mistake("mean and log-variance swapped", 'mean = dense(params["mean"], h)\n    logvar = dense(params["logvar"], h)', 'logvar = dense(params["mean"], h)\n    mean = dense(params["logvar"], h)', ("mean = ", "logvar = ", *DRAW), r"swap|reads|fc2|operand|param"),
        Mistake("sum over latents as mean", "kl = 0.5 * jnp.sum", "kl = 0.5 * jnp.mean", KL, r"sum|mean|factor|3"),
        Mistake("mean over pixels", "bce = jnp.sum(sig", "bce = jnp.mean(sig", BCE + KL, r"sum|mean|factor|6"),
        Mistake("sum over the batch", "return jnp.mean(bce + kl)", "return jnp.sum(bce + kl)", KL, r"sum|mean|factor|4|divid"),
        Mistake("sigmoid before the logits' loss", "logits = dense(params[\"out\"], h)", "logits = jax.nn.sigmoid(dense(params[\"out\"], h))", (*BCE, "logits = ", "x @ p"), r"sigmoid|step|twice|reads|left out|applied"),
        Mistake("squared error", "bce = jnp.sum(sigmoid_cross_entropy(logits, x), axis=-1)", "bce = jnp.sum((jax.nn.sigmoid(logits) - x) ** 2, axis=-1)", BCE, r"square|error|mse|cross|another"),
        Mistake("labels' sign", "- logits * labels", "+ logits * labels", BCE, r"sign|negat"),
        Mistake("noise added to the mean alone", "noise * jnp.exp(0.5 * logvar)", "noise", DRAW, r"factor|left out|leav|exp|noise|reads|scale"),
        Mistake("divergence weighted", "bce + kl)", "bce + 4.0 * kl)", KL, r"factor|4"),
        Mistake("reconstruction's gradient cut from the encoder", 'dense(params["decoder"], z)', 'dense(params["decoder"], jax.lax.stop_gradient(z))', ('params["decoder"]', "z = ", "self.fc3"), r"stop|gradient", kind="gradient"),
        Mistake("divergence's gradient stopped", "jnp.mean(bce + kl)", "jnp.mean(bce + jax.lax.stop_gradient(kl))", KL, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
