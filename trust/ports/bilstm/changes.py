"""torch's bidirectional LSTM against two scans."""

from ported import Mistake, Pair, Variant

CALL = "h, _ = self.lstm(x)"
RUN = (
    "run(params",
    "lax.scan",
    "y = jnp.concat",
    "c = jax.nn",
    "h = jax.nn",
    CALL,
    "h = jnp.concatenate",
    "i, f, g, o",
)

PAIR = Pair(
    original=lambda module: module.Tagger(3, 2, 3),
    port=lambda module: module.tag,
    inputs=lambda rng: (rng.normal(size=(2, 4, 3)),),
    variants=(
        Variant("flipped by hand", 'right = run(params["backward"], xs, reverse=True)', 'right = run(params["backward"], xs[::-1])[::-1]'),
        Variant("two products for the halves", 'y = h @ params["out"]["w"] + params["out"]["b"]', 'y = left @ params["out"]["w"][:2] + right @ params["out"]["w"][2:] + params["out"]["b"]'),
        Variant("states stacked", "h = jnp.concatenate([left, right], axis=-1)", "h = jnp.stack([left, right], axis=-2).reshape(*left.shape[:2], -1)"),
    ),
    mistakes=(
        Mistake("backward not reversed", "xs, reverse=True)", "xs)", RUN, r"revers|order|direction"),
        Mistake("backward not flipped back", 'run(params["backward"], xs, reverse=True)', 'run(params["backward"], xs[::-1])', RUN, r"revers|order|flip|direction"),
        Mistake("forward weights for both", 'right = run(params["backward"]', 'right = run(params["forward"]', RUN, r"reads|weight|reverse|param|direction|twice|operand"),
        Mistake("directions swapped", "jnp.concatenate([left, right]", "jnp.concatenate([right, left]", RUN, r"swap|order"),
        Mistake("output gate and candidate swapped", "i, f, g, o = jnp.split(y", "i, f, o, g = jnp.split(y", RUN, r"gate|order"),
        Mistake("carry swapped", "c, h = carry", "h, c = carry", RUN, r"swap|reads|carry|state|order|cell|operand"),
        Mistake("batch and time confused", "xs = x.transpose(1, 0, 2)", "xs = x.reshape(4, 2, 3)", ("xs = x.", *RUN), r"transpos|order|reshap|permut"),
        Mistake("halves interleaved", "jnp.concatenate([left, right], axis=-1)", "jnp.stack([left, right], axis=-1).reshape(4, 2, 4)", RUN, r"order|interleav|transpos|stack|permut"),
        Mistake("output of tags transposed in time", "return y.transpose(1, 0, 2)", "return y[::-1].transpose(1, 0, 2)", ("return y", "self.out(h)"), r"revers|order|flip", kind="output"),
    ),
)  # fmt: skip
