"""The number systems that the hand-written engine runs on: Python floats and NumPy arrays.

A number system is a namespace for `emit`: operation name -> function, and `constant`. It imports no framework.
"""
