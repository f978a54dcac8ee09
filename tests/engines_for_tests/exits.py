"""An engine that leaves Python."""

# pyright: basic

import sys


def prepare(graph, dtype):
    def evaluate(inputs, cotangent):
        sys.exit(3)

    return evaluate
