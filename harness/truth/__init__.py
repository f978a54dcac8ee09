"""What is so: certified arithmetic. Stands on `harness.graph` and python-flint alone."""
