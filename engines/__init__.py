"""One file for each engine, which imports `harness.graph`, `harness.evaluation` and one framework, no other engine.

Beside a framework's stand its vocabulary, `_operations`, and its variants along a direction, `_directional`.
"""
