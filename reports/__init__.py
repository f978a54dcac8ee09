"""One file for each format: the outcomes of a run in, a file out. Computes nothing."""
