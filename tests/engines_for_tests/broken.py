"""A file that is no Python."""

def prepare(graph, dtype:
