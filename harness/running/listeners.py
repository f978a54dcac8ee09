"""Listeners of frameworks, by name: through the entry points that `offered.py` knows."""

from __future__ import annotations

from functools import cache
from typing import cast

from ..errors import CommandError, raised
from ..hearing.heard import Listener
from ..words import nearest
from .offered import LISTENERS, entries


@cache
def listener(name: str) -> Listener:
    """The listener of a framework, imported now. Raises CommandError for one that is not there."""
    known = entries(LISTENERS)
    if name not in known:
        hint = " ".join(filter(None, [nearest(name, known), f"Known: {', '.join(known)}."]))
        raise CommandError(f"unknown framework `{name}`. {hint}")
    try:
        return cast(Listener, known[name].load())
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise CommandError(f"{missing} is not installed: pip install 'gradaccord[{name}]'. {raised(error)}") from None
