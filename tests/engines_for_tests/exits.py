"""An engine that leaves Python."""

import sys


def prepare(graph, dtype):
    def evaluate(inputs, cotangent):
        sys.exit(3)

    return evaluate
