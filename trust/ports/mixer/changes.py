"""JAX to torch."""

import numpy as np
from ported import Mistake, Pair, Variant


def parameters(rng: np.random.Generator) -> dict[str, object]:
    def mlp(dim: int, hidden: int) -> dict[str, object]:
        return {
            "w1": rng.normal(size=(dim, hidden)),
            "b1": rng.normal(size=hidden),
            "w2": rng.normal(size=(hidden, dim)) / 2,
            "b2": rng.normal(size=dim),
        }

    def norm(dim: int) -> dict[str, object]:
        return {"scale": np.exp(0.2 * rng.normal(size=dim)), "bias": 0.2 * rng.normal(size=dim)}

    return {
        "norm1": norm(5),
        "tokens": mlp(4, 6),
        "norm2": norm(5),
        "channels": mlp(5, 7),
        "head": rng.normal(size=(5, 3)),
    }


NORM = ("x - mean", "var = ", "self.norm1", "self.norm2", "layer_norm(")
MLP = ("h = jax.nn.gelu", "F.gelu", "self.fc1(x)", "self.fc2(x)", "h @ p", "F.silu", "F.linear")
TOKENS = ("jnp.swapaxes", "self.tokens", 'mlp(params["tokens"]')
HEAD = ("self.head(x)", 'params["head"]', "x.mean(", "x.amax(", "x.sum(")

PAIR = Pair(
    original=lambda module: module.mixer,
    port=lambda module: module.Mixer(4, 5, 3),
    inputs=lambda rng: (rng.normal(size=(2, 4, 5)),),
    parameters=parameters,
    variants=(
        Variant("gelu written out", 'x = F.gelu(x, approximate="tanh")', "x = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))"),
        Variant("mixing by einsum", "x = x + self.tokens(y).transpose(1, 2)", "h = torch.einsum('bct,ht->bch', y, self.tokens.fc1.weight) + self.tokens.fc1.bias\n        h = F.gelu(h, approximate='tanh')\n        x = x + (torch.einsum('bch,th->btc', h, self.tokens.fc2.weight) + self.tokens.fc2.bias[:, None])"),
        Variant("softplus by log1p", "return F.softplus(self.head(x))", "x = self.head(x)\n        return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))"),
        Variant("mean behind the head", "x = x.mean(dim=1)\n        return F.softplus(self.head(x))", "return F.softplus(self.head(x).mean(dim=1))"),
        Variant("norm written out", "self.norm1(x).transpose(1, 2)", "((x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-6).sqrt() * self.norm1.weight + self.norm1.bias).mT"),
    ),
    mistakes=(
        Mistake("torch's eps", "self.norm1 = nn.LayerNorm(channels, eps=1e-6)", "self.norm1 = nn.LayerNorm(channels)", NORM, r"eps|1e-0?5"),
        Mistake("eps of the second norm", "self.norm2 = nn.LayerNorm(channels, eps=1e-6)", "self.norm2 = nn.LayerNorm(channels, eps=1e-3)", NORM, r"eps|0\.001|1e-0?3"),
        Mistake("exact gelu", 'F.gelu(x, approximate="tanh")', "F.gelu(x)", MLP, r"gelu|erf|tanh|exact"),
        Mistake("silu", 'F.gelu(x, approximate="tanh")', "F.silu(x)", MLP, r"gelu|silu|activation"),
        Mistake("norms swapped", "self.channels(self.norm2(x))", "self.channels(self.norm1(x))", NORM, r"norm|reads|swap|operand|param"),
        Mistake("norm left out", "self.channels(self.norm2(x))", "self.channels(x)", NORM + MLP, r"norm|left out|leav|missing|skip|without|reads `x`"),
        Mistake("norm over tokens", "y = self.norm1(x).transpose(1, 2)", "y = F.layer_norm(x.transpose(1, 2), (4,), eps=1e-6) * self.norm1.weight[:, None] + self.norm1.bias[:, None]", (*NORM, "F.layer_norm"), r"axis|ax[ei]s"),
        Mistake("not transposed back", "x + self.tokens(y).transpose(1, 2)", "x + self.tokens(y).reshape(x.shape)", (*TOKENS, "x = x + "), r"transpos|order|reshap|permut|axes"),
        Mistake("mixed tokens not added", "x = x + self.tokens(y).transpose(1, 2)", "x = self.tokens(y).transpose(1, 2)", (*TOKENS, "x = x + jnp"), r"residual|left out|addend|leav|missing|without"),
        Mistake("sum of tokens", "x.mean(dim=1)", "x.sum(dim=1)", HEAD, r"sum|mean|factor|4"),
        Mistake("mean over channels of a square", "x = x.mean(dim=1)", "x = x.amax(dim=1)", HEAD, r"max|mean"),
        Mistake("relu for softplus", "F.softplus(", "F.relu(", (*HEAD, "F.relu", "jax.nn.softplus"), r"relu|softplus|activation"),
        Mistake("beta of softplus", "F.softplus(self.head(x))", "F.softplus(self.head(x), beta=2)", (*HEAD, "F.softplus", "jax.nn.softplus"), r"beta|factor|2|0\.5"),
        Mistake("biases upside down", 'state[f"{name}.fc{n}.bias"] = params[name]["b" + n]', 'state[f"{name}.fc{n}.bias"] = params[name]["b" + n][::-1]', MLP, r"bias|revers|order|flip"),
        Mistake("tokens detached", "y = self.norm1(x).transpose(1, 2)", "y = self.norm1(x.detach()).transpose(1, 2)", NORM + TOKENS, r"stop|gradient|detach", kind="gradient"),
    ),
)  # fmt: skip
