"""Update rules of optimisers, a row each in the case language."""
