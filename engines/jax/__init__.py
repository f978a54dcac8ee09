"""JAX: `engine.py` runs a graph, `operations.py` is its vocabulary, `optimisers.py` has those of optax.

`directional.py` has its variants along a direction, `precision.py` switches 64-bit numbers on, `cache.py` keeps what
XLA compiled, `replay.py` records eager operations once.
"""
