"""Two optimisers side by side, and one held against a rule: which definition each of them steps by."""
