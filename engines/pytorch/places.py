"""Where a call of a user's run stands: frames outside installed packages, and the modules on the way."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from types import FrameType
from typing import Any

from torch import nn

from ...harness.hearing.heard import Place

PROJECT = str(Path(__file__).resolve().parents[2])
TORCH = str(Path(nn.__file__).resolve().parents[1])
_PATHS = sysconfig.get_paths()
INSTALLED = tuple(_PATHS[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@lru_cache(maxsize=4096)
def _whose(file: str) -> str:
    """Whose a file is: `user`, `package` (an installed one that is not torch), or nobody's."""
    if file.startswith("<") or ("torch" in file and file.startswith(TORCH)):
        return ""
    if any(file.startswith(f"{PROJECT}/{room}/") for room in ("engines", "harness", "api")):
        return ""
    return "package" if file.startswith(INSTALLED) or "site-packages" in file else "user"


def raised_at(error: BaseException) -> Place:
    """Where a user's run has raised an error."""
    frames = [(_whose(frame.filename), frame) for frame in reversed(extract_tb(error.__traceback__))]
    shown = next((frame for kind in ("user", "package") for whose, frame in frames if whose == kind), None)
    return Place() if shown is None else Place(shown.filename, shown.lineno or 0, shown.name)


class Places:
    """Finds the place of the call that is under way. `modules` are the paths of modules by identity."""

    def __init__(self, modules: Mapping[int, str]) -> None:
        self.modules = modules
        self.outside: FrameType | None = None  # the frame that hears: the user's function is called below it

    def here(self, call: str = "", rule: str = "") -> Place:
        """The innermost frame of the user's, or, where a package runs all by itself, of that package."""
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        found: FrameType | None = None
        package: FrameType | None = None
        module: str | None = None
        chain: list[str] = []
        while frame is not None and frame is not self.outside:
            whose = _whose(frame.f_code.co_filename)
            if whose == "user":
                found = found or frame
                chain.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            elif whose == "package":
                package = package or frame
            if module is None:
                module = self._module(frame)
            frame = frame.f_back
        shown = found or package
        if shown is None:
            return Place(module=module or "", call=call, rule=rule)
        code = shown.f_code
        return Place(code.co_filename, shown.f_lineno, code.co_name, module or "", call, rule, tuple(reversed(chain)))

    def _module(self, frame: FrameType) -> str | None:
        """The path of the module whose method a frame runs."""
        code = frame.f_code
        if not code.co_argcount or code.co_name in ("_call_impl", "_wrapped_call_impl"):
            return None
        owner: Any = frame.f_locals.get(code.co_varnames[0])
        return self.modules.get(id(owner)) if isinstance(owner, nn.Module) else None
