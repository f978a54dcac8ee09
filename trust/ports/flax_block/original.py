"""A feed-forward block with an embedding, in torch."""

from torch import nn


class Block(nn.Module):
    def __init__(self, dim, hidden, kernel):
        super().__init__()
        self.embed = nn.Embedding(9, dim)
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, dim, kernel, padding=1)
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)
        self.group = nn.GroupNorm(2, dim)

    def forward(self, tokens):
        x = self.embed(tokens)
        y = self.conv(x.transpose(1, 2))
        y = self.group(y).transpose(1, 2)
        h = self.norm(x + y)
        return x + self.fc2(self.act(self.fc1(h)))
