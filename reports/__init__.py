"""One file for each format: rows of a run in, a file out. Imports `harness.rows` and nothing that computes."""
