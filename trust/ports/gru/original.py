"""Two layers of a GRU over a sequence."""

from torch import nn


class Encoder(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, num_layers=2, batch_first=True)

    def forward(self, x):
        out, _ = self.gru(x)
        return out
