"""An engine that returns None."""

# pyright: basic


def prepare(graph, dtype):
    return lambda inputs, cotangent: None
