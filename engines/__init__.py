"""One file for each engine, which imports `harness.graph`, the contract and one framework, no other engine.

Beside a framework's stand its vocabulary, `_operations`, and its variants along a direction, `_directional`.
"""
