"""What people read: the terminal, a graph and its gradient written out, proofs, scripts, diagrams."""
