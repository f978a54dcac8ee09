"""An engine that raises while it is imported."""

# pyright: basic

raise OSError("the driver is missing")


def prepare(graph, dtype): ...
