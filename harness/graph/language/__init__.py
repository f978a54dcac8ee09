"""Text <-> nodes: the language of cases read and printed, and what to say of text that is none."""
