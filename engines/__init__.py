"""One file for each engine, which imports `harness.graph`, `harness.evaluation` and one framework, no other engine."""
