"""The ground floor: the language of cases, its operations, their derivatives.

Knows nothing of the rooms above it and needs the standard library and numpy alone.
"""
