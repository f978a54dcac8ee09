"""Finite differences: `engine.py` takes them, `points.py` evaluates a graph at many points in one run."""
