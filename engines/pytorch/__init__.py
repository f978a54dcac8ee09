"""PyTorch: `engine.py` runs a graph, `operations.py` is its vocabulary, `optimisers.py` its optimisers.

`directional.py` has its variants along a direction, `tensors.py` what crosses between NumPy and torch.
"""
