"""torch against flax's own layers: the defaults that differ."""

from ported import Mistake, Pair, Variant

NORM = ("self.norm(",)
GROUP = ("self.group(",)
CONV = ("self.conv(",)
MLP = ("self.fc1(", "nn.gelu", "self.fc2(", "nn.silu")

PAIR = Pair(
    original=lambda module: module.Block(4, 6, 3),
    port=lambda module: module.block,
    inputs=lambda rng: (rng.integers(0, 9, (2, 5)),),
    needs=("flax",),
    variants=(
        Variant("two-pass variance", "nn.LayerNorm(epsilon=1e-5)", "nn.LayerNorm(epsilon=1e-5, use_fast_variance=False)"),
        Variant("padding by name", "(3,), padding=1)", '(3,), padding="SAME")'),
        Variant("groups by size", "num_groups=2, epsilon=1e-5", "num_groups=None, group_size=2, epsilon=1e-5"),
    ),
    mistakes=(
        Mistake("flax's eps of a layer norm", "nn.LayerNorm(epsilon=1e-5)", "nn.LayerNorm()", NORM, r"eps|1e-0?6"),
        Mistake("flax's eps of a group norm", "num_groups=2, epsilon=1e-5", "num_groups=2", GROUP, r"eps|1e-0?6"),
        Mistake("flax's gelu", "nn.gelu(h, approximate=False)", "nn.gelu(h)", MLP, r"gelu|tanh|approx"),
        Mistake("causal padding", "(3,), padding=1)", '(3,), padding="CAUSAL")', CONV, r"pad|shift|side"),
        Mistake("circular padding", "(3,), padding=1)", '(3,), padding="CIRCULAR")', CONV, r"pad|circular|wrap"),
        Mistake("no bias of the convolution", "(3,), padding=1)", "(3,), padding=1, use_bias=False)", CONV, r"bias|left out|without"),
        Mistake("number of groups", "num_groups=2,", "num_groups=1,", GROUP, r"group|ax[ei]s"),
        Mistake("kernel not transposed", 'p["conv.weight"].transpose(2, 1, 0)', 'p["conv.weight"].transpose(2, 0, 1)', CONV, r"transpos|order|axes|permut|swap"),
        Mistake("norm of the residual left out", "self.norm(x + y)", "self.norm(y)", NORM, r"residual|left out|addend|leav|reads|missing|without"),
    ),
)  # fmt: skip
