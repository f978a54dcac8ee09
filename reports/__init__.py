"""One file for each format: the outcomes of a run in, a file out. Computes nothing.

Imports `harness.rows`, `harness.results` and what `harness` shows of a graph; no judge and no engine.
"""
