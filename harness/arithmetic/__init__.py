"""The arithmetic that emitted graphs run on in floating point: Python floats and NumPy arrays.

Each is a namespace for `emit`: operation name -> function, and `constant`. Imports the names of dtypes and
no framework. The hand-written engine runs on it, and so do the sweeps of `truth/sensitivity.py`.
"""
