"""Update rules: one row each, in the case language. Importing a family adds its rows to the table; in its order."""

from . import gradient, adaptive, adam, whole  # noqa: I001
from .rule import RULES as RULES

__all__ = ["adam", "adaptive", "gradient", "whole"]
