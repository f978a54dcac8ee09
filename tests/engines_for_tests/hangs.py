"""An engine that never comes back from compiled code: a loop in C that no signal interrupts."""

# pyright: basic

from itertools import repeat


def prepare(graph, dtype):
    def evaluate(inputs, cotangent):
        return sum(repeat(0))

    return evaluate
