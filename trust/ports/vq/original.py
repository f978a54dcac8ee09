"""A vector quantiser: nearest code, straight-through gradient, commitment."""

from torch import nn


class Quantiser(nn.Module):
    def __init__(self, dim, codes, beta=0.25):
        super().__init__()
        self.beta = beta
        self.encoder = nn.Linear(3, dim)
        self.codebook = nn.Embedding(codes, dim)
        self.decoder = nn.Linear(dim, 3)

    def forward(self, x):
        z = self.encoder(x)
        codes = self.codebook.weight
        distances = (z**2).sum(1, keepdim=True) + (codes**2).sum(1) - 2 * z @ codes.t()
        index = distances.argmin(dim=1)
        q = self.codebook(index)
        codebook_loss = ((q - z.detach()) ** 2).mean()
        commitment = ((q.detach() - z) ** 2).mean()
        q = z + (q - z).detach()
        rebuilt = self.decoder(q)
        return ((rebuilt - x) ** 2).mean() + codebook_loss + self.beta * commitment
