"""`gradaccord dialect`: two optimisers by their names, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence

from ..running.files import theirs
from .dialect import compare
from .settled import settled
from .sides import named
from .wording import Dialect


def dialect_command(first: str, second: str, settings: Sequence[str]) -> Dialect:
    """Compare two optimisers. Raises CommandError; what a user's own code raises is in UsersError."""
    return theirs(lambda: Dialect(compare(*settled(named(first), named(second), settings))))
