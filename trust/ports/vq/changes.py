"""A quantiser: nearly all its mistakes show in gradients alone."""

from ported import Mistake, Pair, Variant

BOOK = ("codebook_loss = ",)
COMMITMENT = ("commitment = ",)
THROUGH = ("q = z + ", "q = stop", "q = q + ", "rebuilt = ")
TOTAL = ("return",)
CHOICE = ("index", "q = codes", "self.codebook(index)", "distances")

PAIR = Pair(
    original=lambda module: module.Quantiser(4, 5),
    port=lambda module: module.loss,
    inputs=lambda rng: (rng.normal(size=(6, 3)),),
    variants=(
        Variant("distances expanded", "jnp.sum((z[:, None] - codes[None]) ** 2, axis=-1)", "(z * z).sum(1, keepdims=True) - 2 * z @ codes.T + (codes * codes).sum(1)"),
        Variant("code by one-hot", "q = codes[index]", "q = jnp.eye(5)[index] @ codes"),
        Variant("addends in another order", "q = z + stop_gradient(q - z)", "q = stop_gradient(q) + (z - stop_gradient(z))"),
        Variant("commitment turned round", "(stop_gradient(q) - z) ** 2", "jnp.square(z - stop_gradient(q))"),
        Variant("nearest by argmax", "jnp.argmin(distances, axis=-1)", "jnp.argmax(-distances, axis=-1)"),
    ),
    mistakes=(
        Mistake("no straight-through", "    q = z + stop_gradient(q - z)\n", "", THROUGH, r"stop|gradient|straight", kind="gradient"),
        Mistake("straight-through stops all", "q = z + stop_gradient(q - z)", "q = stop_gradient(q)", THROUGH, r"stop|gradient|straight", kind="gradient"),
        Mistake("straight-through lets all pass", "q = z + stop_gradient(q - z)", "q = z + (q - z)", THROUGH, r"stop|gradient|straight", kind="gradient"),
        Mistake("straight-through turned round", "q = z + stop_gradient(q - z)", "q = q + stop_gradient(z - z)", THROUGH, r"stop|gradient|straight", kind="gradient"),
        Mistake("codebook's loss reaches the encoder", "(q - stop_gradient(z)) ** 2", "(q - z) ** 2", BOOK, r"stop|gradient", kind="gradient"),
        Mistake("commitment reaches the codebook", "(stop_gradient(q) - z) ** 2", "(q - z) ** 2", COMMITMENT, r"stop|gradient", kind="gradient"),
        Mistake("both losses stop the same side", "(stop_gradient(q) - z) ** 2", "(q - stop_gradient(z)) ** 2", COMMITMENT, r"stop|gradient", kind="gradient"),
        Mistake("beta on the codebook's loss", "codebook_loss + beta * commitment", "beta * codebook_loss + commitment", TOTAL, r"factor|beta|0\.25|gradient|weight|swap|stop", kind="gradient"),
        Mistake("beta", "beta=0.25", "beta=0.5", TOTAL, r"factor|beta|0\.5|2"),
        Mistake("farthest code", "jnp.argmin(distances", "jnp.argmax(distances", CHOICE, r"max|min|index|indices|gather|another|row|choice"),
        Mistake("codebook's loss left out", " + codebook_loss", "", TOTAL, r"left out|addend|codebook|leav|missing|term|factor"),
        Mistake("sum for mean", "commitment = jnp.mean((stop_gradient(q) - z) ** 2)", "commitment = jnp.sum((stop_gradient(q) - z) ** 2)", COMMITMENT, r"sum|mean|factor|24"),
        Mistake("absolute distance rebuilt", "jnp.mean((rebuilt - x) ** 2)", "jnp.mean(jnp.abs(rebuilt - x))", TOTAL, r"abs|square|power"),
    ),
)  # fmt: skip
