"""An engine that returns None."""


def prepare(graph, dtype):
    return lambda inputs, cotangent: None
