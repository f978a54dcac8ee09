"""JAX: `engine.py` runs a graph, `operations.py` is its vocabulary, `optimisers.py` has those of optax.

`directional.py` has its variants along a direction, `precision.py` switches 64-bit numbers on, `cache.py` keeps what
XLA compiled, `replay.py` records eager operations once.

`listener.py` hears functions of users: `leaves.py` has their arguments, `walk.py` their jaxpr, with `control.py`
(branches and loops), `inner.py` (custom rules and compiled functions), `places.py` (the user's lines), and the tables
`primitives.py`, by family, and `functions.py`.
"""
