"""An engine that raises before it sees a number."""

# pyright: basic


def prepare(graph, dtype):
    raise RuntimeError("no memory for the plan")
