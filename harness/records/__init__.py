"""What travels, plain data: evaluations (the contract with engines), rows, findings, the outcome of a unit."""
