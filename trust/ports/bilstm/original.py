"""A tagger with a bidirectional LSTM."""

from torch import nn


class Tagger(nn.Module):
    def __init__(self, inputs, hidden, tags):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, tags)

    def forward(self, x):
        h, _ = self.lstm(x)
        return self.out(h)
