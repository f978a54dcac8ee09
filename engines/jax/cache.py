"""JAX's persistent compilation cache: what XLA once compiled is read back by later runs and by processes beside.

`GRADACCORD_CACHE` names the folder, empty for no cache; otherwise it is in the user's cache folder. A cache that the
user has set for JAX already is left as it is.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import platform
import time
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from platformdirs import user_cache_path

from ...harness.records.evaluation import CACHE

DAY = 86_400.0
KEPT = 30 * DAY  # an entry that nobody has read for so long is deleted


@cache
def remember() -> None:
    """Switch the cache on, once in a process: for every program, however small and quickly compiled."""
    config: Any = jax.config  # its fields are made when jax is imported
    if config.jax_compilation_cache_dir:
        return
    folder = chosen()
    if folder is None:
        return
    try:
        mine = folder / "jax" / f"{version('jaxlib')}-{machine()}"
        mine.mkdir(parents=True, exist_ok=True)
        prune(folder / "jax")
    except OSError:
        return  # a home that cannot be written costs time, not the run
    config.update("jax_compilation_cache_dir", str(mine))
    config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def chosen() -> Path | None:
    """The folder of caches; None where there is to be none."""
    named = os.environ.get(CACHE)
    if named is None:
        return user_cache_path("gradaccord", appauthor=False)
    return Path(named).expanduser() if named else None


def machine() -> str:
    """A name for this kind of processor: machine code of another, in a home folder on a network, may not run here."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    described = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    text = "\n".join([platform.machine(), platform.processor(), *sorted(described)])
    return sha256(text.encode()).hexdigest()[:12]


def prune(folder: Path) -> None:
    """Delete entries that nobody has read for a month, of any version and machine; looked for once a day."""
    stamp, now = folder / "pruned", time.time()
    if stamp.exists() and now - stamp.stat().st_mtime < DAY:
        return
    stamp.touch()
    for entry in folder.glob("*/*-cache"):
        try:
            read = entry.stat()
            if now - max(read.st_atime, read.st_mtime) > KEPT:
                entry.unlink()
        except FileNotFoundError:
            pass  # a process beside was quicker
