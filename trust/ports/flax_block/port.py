"""The block in flax.linen, whose defaults are others."""

import flax.linen as nn


def convert(state):
    p = {name: value.numpy() for name, value in state.items()}
    return {
        "embed": {"embedding": p["embed.weight"]},
        "norm": {"scale": p["norm.weight"], "bias": p["norm.bias"]},
        "conv": {"kernel": p["conv.weight"].transpose(2, 1, 0), "bias": p["conv.bias"]},
        "fc1": {"kernel": p["fc1.weight"].T, "bias": p["fc1.bias"]},
        "fc2": {"kernel": p["fc2.weight"].T, "bias": p["fc2.bias"]},
        "group": {"scale": p["group.weight"], "bias": p["group.bias"]},
    }


class Block(nn.Module):
    dim: int = 4
    hidden: int = 6

    def setup(self):
        self.embed = nn.Embed(9, self.dim)
        self.norm = nn.LayerNorm(epsilon=1e-5)
        self.conv = nn.Conv(self.dim, (3,), padding=1)
        self.fc1 = nn.Dense(self.hidden)
        self.fc2 = nn.Dense(self.dim)
        self.group = nn.GroupNorm(num_groups=2, epsilon=1e-5)

    def __call__(self, tokens):
        x = self.embed(tokens)
        y = self.conv(x)
        y = self.group(y)
        h = self.norm(x + y)
        h = self.fc1(h)
        h = nn.gelu(h, approximate=False)
        return x + self.fc2(h)


def block(params, tokens):
    return Block().apply({"params": params}, tokens)
