"""Two runs of what should be one computation: the same up to where, and why not from there on."""
