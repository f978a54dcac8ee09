"""The machine and the versions that figures on a page come from."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine(*packages: str, threads: str = "") -> str:
    """Processor, cores, Python and the packages that are installed, in one sentence."""
    model = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        found = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = found[0] if found else model
    versions = ", ".join(f"{name} {number}" for name in packages if (number := _version(name)))
    return f"{model}, {os.cpu_count()} cores{threads}; Python {platform.python_version()}, {versions}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
