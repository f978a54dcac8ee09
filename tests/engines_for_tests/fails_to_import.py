"""An engine that raises while it is imported."""

raise OSError("the driver is missing")


def prepare(graph, dtype): ...
