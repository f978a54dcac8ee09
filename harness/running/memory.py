"""Memory that a process holds, and gives back between units once it has grown too much.

Compiled programs are what grows: a framework keeps every one of them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .answers import prepared, prepared_along
from .loading import loaded

LIMIT = 1 << 30  # bytes that a process may grow by, before it gives back what it can


class Memory:
    """How much this process has grown since it began here, or since it last gave memory back."""

    def __init__(self) -> None:
        self._left = held()

    def give_back(self, engines: Iterable[str]) -> bool:
        """Drop what is prepared, and what each engine keeps, where the process has grown by more than LIMIT; whether
        it did. Later units prepare again what they need, so no number changes."""
        if held() - self._left <= LIMIT:
            return False
        prepared.cache_clear()
        prepared_along.cache_clear()
        for engine in engines:
            with suppress(Exception):  # one that could not be loaded, or fails at this: its answers tell
                loaded(engine).release()
        gc.collect()
        _trim()
        self._left = held()
        return True


def held() -> int:
    """Bytes of this process in main memory; 0 where the system has no `/proc`, so that nothing is given back there."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _trim() -> None:
    """Ask glibc to hand freed memory to the system: it keeps most of it otherwise."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
