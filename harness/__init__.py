"""The core of gradaccord: the language, the truth, the judge, and the run that brings them together.

Knows no engine and no report format by name: both are found through entry points.
"""
