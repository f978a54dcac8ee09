"""The layers, and what of each framework's differs from torch's: a row each.

A `Difference` is shown on the page, and tried: `old` in the port's source is replaced by `new`, as somebody writes who
does not know of it, and the page has what `compare` says then. Where `old` is empty nothing is tried: it would not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PORTS = {"linen": "flax.linen", "nnx": "flax.nnx", "equinox": "equinox"}


@dataclass(frozen=True, slots=True)
class Difference:
    """`write`: what makes it equal, as it stands in the port."""

    what: str
    torch: str
    theirs: str
    write: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """A layer of a framework: its path, what differs, what there is to know beside it."""

    path: str
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of torch and its ports. `defaults`: a setting as torch, linen, nnx and equinox call it, empty where one
    has none; their defaults are read from their signatures."""

    folder: str
    title: str
    torch: str
    ports: Mapping[str, Port]
    defaults: tuple[tuple[str, str, str, str], ...] = ()
    note: str = ""


def setting(what: str, torch: str, theirs: str, write: str, before: str = "", after: str = "") -> Difference:
    """A keyword that is left out: with `before`, what stands before it and goes too, or `after`."""
    return Difference(what, torch, theirs, f"`{write}`", f"{before}{write}{after}", "")


LAST = "channels stand last: `x.transpose(0, 2, 3, 1)`"
ONE = Difference("examples", "a batch", "one example", "`jax.vmap(layer)`")
KERNEL = Difference("kernel", "(out, in)", "(in, out)", "`.T`", 'state["weight"].numpy().T', 'state["weight"].numpy()')
EPSILON = "epsilon=1e-5"


def epsilon(**where: str) -> Difference:
    return setting("eps", "1e-5", "1e-6", EPSILON, **where)


def images(axes: str, kernel: str, torch: str, theirs: str) -> tuple[Difference, Difference]:
    """The axes of images and of kernels where channels stand last."""
    return (
        Difference("channels", "second", "last", f"`x.transpose({axes})`"),
        Difference("kernel", torch, theirs, f"`.transpose({kernel})`"),
    )


CHANNELS = Difference("channels", "second", "last", "`x.transpose(0, 2, 3, 1)`")
LINE = images("0, 2, 1", "2, 1, 0", "(out, in, length)", "(length, in, out)")
IMAGE = images("0, 2, 3, 1", "2, 3, 1, 0", "(out, in, height, width)", "(height, width, in, out)")
PADDING = Difference("padding", "0", '`"SAME"`', "`padding=0`", ", padding=0", "")
PADDED = Difference("padding", "as given", '`"SAME"`', "`padding=1`", ", padding=1", "")
STRIDES = "With a stride, `SAME` pads the right side more than the left: no number of torch's is the same."
BIASES = Difference(
    "biases",
    "two",
    "one",
    "their sum",
    'state["bias_ih_l0"] + state["bias_hh_l0"]',
    'state["bias_ih_l0"]',
)
CARRIES = Difference("final carry", "(h, c)", "(c, h), on request", "`return_carry=True`", "(c, h), y", "(h, c), y")
CARRY = Difference("initial carry", "of the input's type", "of `param_dtype`, float32", "`param_dtype=x.dtype`")
ZEROS = Difference("initial carry", "of the input's type", "of `param_dtype`, float32", "`initial_carry=`")
SCAN = Difference("steps", "all", "one", "`jax.lax.scan`")
MASK = Difference(
    "boolean mask",
    "True: not seen",
    "True: seen",
    "`tril` in place of `triu`",
    "jnp.tril(jnp.ones((5, 5), bool))",
    "jnp.triu(jnp.ones((5, 5), bool), 1)",
)
HEADS = (
    Difference("kernels", "one of (3 width, width)", "three of (width, heads, width / heads)", "reshape and transpose"),
    Difference(
        "width of a head",
        "rows of a head follow one another",
        "the same",
        "`.reshape(3, 2, 4, -1)`",
        '.reshape(3, 2, 4, -1) for of in ("weight", "bias"))\n',
        '.reshape(3, 4, 2, -1).swapaxes(1, 2) for of in ("weight", "bias"))\n',
    ),
)
ROW = Difference(
    "`padding_idx`",
    "that row has no gradient",
    "has none",
    "`jnp.where(..., stop_gradient(y), y)`",
    "jnp.where(i[..., None] == 0, jax.lax.stop_gradient(y), y)",
    "y",
)
TANH = Difference("form", "erf", "tanh", "`approximate=False`", ", approximate=False", "")
OUTSIDE = "An index out of range raises in torch; here it does not: Flax gives NaN, Equinox the last row."


def unbiased(old: str, new: str) -> Difference:
    return Difference("running variance", "divided by n - 1", "by n", "`unbiased`", old, new)


MOMENTUM = ("momentum", "0.1: the share of what is new", "0.99: of what was", "`momentum=0.9`")
STOPPED = ("gradient of the statistics", "none", "flows", "`jax.lax.stop_gradient`")

LAYERS = (
    Layer(
        "batch_norm",
        "BatchNorm in training",
        "torch.nn.BatchNorm2d",
        {
            "linen": Port(
                "flax.linen.BatchNorm",
                (
                    CHANNELS,
                    Difference(*MOMENTUM, "=False, momentum=0.9)", "=False)"),
                    unbiased('unbiased(stats["var"], variables["batch_stats"]["var"], x)', 'stats["var"]'),
                    Difference(*STOPPED, 'jax.lax.stop_gradient(new["batch_stats"])', 'new["batch_stats"]'),
                ),
            ),
            "nnx": Port(
                "flax.nnx.BatchNorm",
                (
                    CHANNELS,
                    Difference(*MOMENTUM, "(6, momentum=0.9, ", "(6, "),
                    unbiased("unbiased(self.norm.var[...], old, x)", "self.norm.var[...]"),
                ),
            ),
            "equinox": Port(
                "equinox.nn.BatchNorm",
                (
                    Difference("examples", "a batch", "one example", '`jax.vmap(norm, axis_name="batch", ...)`'),
                    Difference(
                        "mode", "normalised by the batch", "`legacy`: by the running statistics", '`mode="batch"`'
                    ),
                    Difference(*MOMENTUM, ", momentum=0.9, mode", ", mode"),
                    unbiased("mean, unbiased(var, old, x)", "mean, var"),
                    Difference(
                        *STOPPED,
                        "jax.lax.stop_gradient(state.get(norm.batch_state_index))",
                        "state.get(norm.batch_state_index)",
                    ),
                ),
                "In evaluation it divides both statistics by 1 - momentum ** steps where it has counted steps, so that "
                "they begin at nothing; torch does not.",
            ),
        },
        (("eps", "epsilon", "epsilon", "eps"), ("momentum", "momentum", "momentum", "momentum")),
        "Most ports need `momentum=0.9` alone: what is normalised in training is the same by default. `unbiased` is "
        "for running variances that must be torch's to the last digit: those of Flax and Equinox are divided by n. "
        "`stop_gradient` matters where a loss reads the statistics.",
    ),
    Layer(
        "batch_norm_evaluation",
        "BatchNorm in evaluation",
        "torch.nn.BatchNorm2d",
        {
            "linen": Port("flax.linen.BatchNorm", (CHANNELS,), "`use_running_average=True` must be said."),
            "nnx": Port(
                "flax.nnx.BatchNorm",
                (
                    CHANNELS,
                    Difference(
                        "evaluation",
                        "`model.eval()`",
                        "`model.eval()`, or",
                        "`use_running_average=True`",
                        ", use_running_average=True",
                        "",
                    ),
                ),
            ),
            "equinox": Port(
                "equinox.nn.BatchNorm",
                (Difference("evaluation", "`model.eval()`", "a new module", "`eqx.nn.inference_mode(norm)`"),),
            ),
        },
        (("eps", "epsilon", "epsilon", "eps"),),
    ),
    Layer(
        "layer_norm",
        "LayerNorm",
        "torch.nn.LayerNorm",
        {
            "linen": Port("flax.linen.LayerNorm", (epsilon(),)),
            "nnx": Port("flax.nnx.LayerNorm", (epsilon(before=", "),)),
            "equinox": Port("equinox.nn.LayerNorm", (ONE,)),
        },
        (("eps", "epsilon", "epsilon", "eps"), ("bias", "use_bias", "use_bias", "use_bias")),
    ),
    Layer(
        "rms_norm",
        "RMSNorm",
        "torch.nn.RMSNorm",
        {
            "linen": Port(
                "flax.linen.RMSNorm",
                (
                    Difference(
                        "eps",
                        "`None`: that of the type",
                        "1e-6",
                        "`epsilon=float(jnp.finfo(x.dtype).eps)`",
                        "epsilon=float(jnp.finfo(x.dtype).eps)",
                        "",
                    ),
                ),
            ),
            "nnx": Port(
                "flax.nnx.RMSNorm",
                (
                    Difference(
                        "eps",
                        "`None`: that of the type",
                        "1e-6",
                        "`epsilon = float(jnp.finfo(x.dtype).eps)`",
                        "self.norm.epsilon = float(jnp.finfo(x.dtype).eps)",
                        "pass",
                    ),
                ),
            ),
            "equinox": Port(
                "equinox.nn.RMSNorm",
                (
                    Difference(
                        "eps",
                        "`None`: that of the type",
                        "1e-5",
                        "`eps=float(jnp.finfo(x.dtype).eps)`",
                        "eps=float(jnp.finfo(x.dtype).eps), ",
                        "",
                    ),
                    Difference("bias", "none", "there is one", "`use_bias=False`"),
                    ONE,
                ),
            ),
        },
        (("eps", "epsilon", "epsilon", "eps"),),
        "torch's epsilon is 1.2e-7 in float32 and 2.2e-16 in float64; in half precision it is that of float32. Beside "
        "numbers of size 1 none of them is seen.",
    ),
    Layer(
        "group_norm",
        "GroupNorm",
        "torch.nn.GroupNorm",
        {
            "linen": Port("flax.linen.GroupNorm", (CHANNELS, epsilon(before=", "))),
            "nnx": Port("flax.nnx.GroupNorm", (CHANNELS, epsilon(after=", "))),
            "equinox": Port("equinox.nn.GroupNorm", (ONE,)),
        },
        (("eps", "epsilon", "epsilon", "eps"), ("num_groups", "num_groups", "num_groups", "groups")),
    ),
    Layer(
        "linear",
        "Linear",
        "torch.nn.Linear",
        {
            "linen": Port("flax.linen.Dense", (KERNEL,)),
            "nnx": Port("flax.nnx.Linear", (KERNEL,)),
            "equinox": Port("equinox.nn.Linear", (ONE,), "The kernel lies as in torch."),
        },
        (("bias", "use_bias", "use_bias", "use_bias"),),
    ),
    Layer(
        "embedding",
        "Embedding",
        "torch.nn.Embedding",
        {
            "linen": Port("flax.linen.Embed", (ROW,), OUTSIDE),
            "nnx": Port("flax.nnx.Embed", (ROW,), OUTSIDE),
            "equinox": Port(
                "equinox.nn.Embedding",
                (ROW, Difference("examples", "of any shape", "one index", "`jax.vmap(jax.vmap(embed))`")),
                OUTSIDE,
            ),
        },
    ),
    Layer(
        "conv1d",
        "Conv1d",
        "torch.nn.Conv1d",
        {
            "linen": Port("flax.linen.Conv", (*LINE, PADDING)),
            "nnx": Port("flax.nnx.Conv", (*LINE, PADDING)),
            "equinox": Port("equinox.nn.Conv1d", (ONE, Difference("bias", "(out,)", "(out, 1)", "`bias[:, None]`"))),
        },
        (("padding", "padding", "padding", "padding"), ("bias", "use_bias", "use_bias", "use_bias")),
    ),
    Layer(
        "conv2d",
        "Conv2d",
        "torch.nn.Conv2d",
        {
            "linen": Port("flax.linen.Conv", (*IMAGE, PADDED), STRIDES),
            "nnx": Port("flax.nnx.Conv", (*IMAGE, PADDED), STRIDES),
            "equinox": Port(
                "equinox.nn.Conv2d", (ONE, Difference("bias", "(out,)", "(out, 1, 1)", "`bias[:, None, None]`"))
            ),
        },
        (("padding", "padding", "padding", "padding"), ("bias", "use_bias", "use_bias", "use_bias")),
    ),
    Layer(
        "conv_transpose",
        "ConvTranspose2d",
        "torch.nn.ConvTranspose2d",
        {
            name: Port(
                f"flax.{name}.ConvTranspose",
                (
                    *images("0, 2, 3, 1", "2, 3, 1, 0", "(in, out, height, width)", "(height, width, out, in)"),
                    setting("kernel, once more", "flipped", "not flipped", "transpose_kernel=True", before=", "),
                    Difference("padding", "what is cut off", "what is put on", "kernel - 1 - padding"),
                ),
            )
            for name in ("linen", "nnx")
        }
        | {
            "equinox": Port(
                "equinox.nn.ConvTranspose2d",
                (
                    ONE,
                    Difference(
                        "kernel",
                        "(in, out, height, width)",
                        "(out, in, height, width)",
                        "`.transpose(1, 0, 2, 3)`",
                        ".transpose(1, 0, 2, 3)",
                        "",
                    ),
                    Difference(
                        "kernel, once more", "flipped", "not flipped", "`[:, :, ::-1, ::-1]`", "[:, :, ::-1, ::-1]", ""
                    ),
                ),
            )
        },
        (("padding", "padding", "padding", "padding"), ("", "transpose_kernel", "transpose_kernel", "")),
    ),
    Layer(
        "lstm",
        "LSTM",
        "torch.nn.LSTM",
        {
            "linen": Port("flax.linen.RNN(LSTMCell)", (BIASES, CARRIES, CARRY)),
            "nnx": Port(
                "flax.nnx.RNN(OptimizedLSTMCell)",
                (BIASES, CARRIES, ZEROS),
                "`OptimizedLSTMCell` has the kernels of all gates in one, as torch: the order is i f g o.",
            ),
            "equinox": Port("equinox.nn.LSTMCell", (BIASES, SCAN, ONE), "The order of gates is i f g o, as in torch."),
        },
    ),
    Layer(
        "gru",
        "GRU",
        "torch.nn.GRU",
        {
            "linen": Port(
                "flax.linen.RNN(GRUCell)",
                (
                    Difference("biases of r and z", "two", "one", "their sum", '"bias": br + cr}', '"bias": br}'),
                    CARRY,
                ),
                "The biases of n are two in both: the second stands inside of r * (...).",
            ),
            "nnx": Port(
                "flax.nnx.RNN(GRUCell)",
                (
                    Difference("hidden bias", "there is one", "has none", "`cell.dense_h = nnx.Linear(5, 15)`"),
                    ZEROS,
                ),
                "Without it no setting makes `nnx.GRUCell` torch's: the bias inside of r * (...) has no place.",
            ),
            "equinox": Port(
                "equinox.nn.GRUCell",
                (
                    Difference(
                        "biases of r and z",
                        "two",
                        "one",
                        "their sum",
                        "b + np.concatenate([c[:10], np.zeros_like(c[10:])])",
                        "b",
                    ),
                    SCAN,
                    ONE,
                ),
            ),
        },
        note="The order of gates is r z n; h = (1 - z) n + z h; r is applied after the product: all as in torch.",
    ),
    Layer(
        "attention",
        "MultiheadAttention",
        "torch.nn.MultiheadAttention",
        {
            "linen": Port("flax.linen.MultiHeadDotProductAttention", (MASK, *HEADS)),
            "nnx": Port("flax.nnx.MultiHeadAttention", (MASK, *HEADS), "`decode=False` must be said."),
            "equinox": Port(
                "equinox.nn.MultiheadAttention",
                (
                    MASK,
                    Difference("biases", "there are", "none", "`use_query_bias=True` and so on, four of them"),
                    ONE,
                ),
            ),
        },
        (("bias", "use_bias", "use_bias", "use_query_bias"),),
        "A mask of floats is added to the scores in torch; Flax and Equinox take it for a condition: give booleans.",
    ),
    Layer(
        "gelu",
        "GELU",
        "torch.nn.GELU",
        {
            "linen": Port("flax.linen.gelu", (TANH,)),
            "nnx": Port("flax.nnx.gelu", (TANH,)),
            "equinox": Port("jax.nn.gelu", (TANH,)),
        },
        (("approximate", "approximate", "approximate", "approximate"),),
    ),
)
