"""What was judged of a path before it was interrupted: the rows of a portion of it, by all that they were made from.

An engine walks again, which is cheap, and where it comes by the same numbers nothing is judged again, which is dear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, cast

import numpy as np

from ..records.rows import TrajectoryRow


class Kept(Protocol):
    """Rows by what they were made from."""

    def rows(self, key: bytes) -> Sequence[TrajectoryRow] | None: ...

    def add(self, key: bytes, rows: Sequence[TrajectoryRow]) -> None: ...


def key_of(*things: object) -> bytes:
    """What tells things from all others, to the last bit of each array in them."""
    told = hashlib.sha256()
    waiting = [*things]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, np.ndarray):
            array = cast("np.ndarray[Any, Any]", thing)
            told.update(repr((array.dtype.name, array.shape)).encode() + array.tobytes())
        elif isinstance(thing, Mapping):
            pairs = cast("Mapping[object, object]", thing)
            waiting += [part for pair in pairs.items() for part in pair] + [f"mapping {len(pairs)}"]
        elif isinstance(thing, list | tuple):
            parts = cast("Sequence[object]", thing)
            waiting += [*parts, f"sequence {len(parts)}"]
        elif is_dataclass(thing):
            waiting += [getattr(thing, one.name) for one in fields(thing)] + [type(thing).__name__]
        else:
            told.update(repr(thing).encode() + b"\0")
    return told.digest()
