"""Ports as people write them, and their mistakes: the folders of `ports/`, read, patched and loaded.

A folder has an original, its port and `changes.py`, which says what is patched in the port's source: variants that
compute the same, mistakes that do not. The two programs are plain code that knows nothing of us.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

FOLDER = Path(__file__).parent / "ports"
PATCHED = Path(tempfile.gettempdir()) / "gradaccord-ports"
Kind = Literal["value", "gradient", "output"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A patch of the port's source that computes the same: old text, which stands there once, and new text; `also`: one
    more. `digits`: to how many, fewer where the new text computes in float32."""

    name: str
    old: str = ""
    new: str = ""
    also: tuple[str, str] | None = None
    digits: int = 10


@dataclass(frozen=True, slots=True)
class Mistake:
    """A patch of the port's source that computes something else.

    `at`: texts of lines, of either side, that are right to name. `reason`: a regular expression that is found in a
    right reason, upper and lower case alike. `kind`: whether values differ, gradients alone, or the order of outputs.
    """

    name: str
    old: str
    new: str
    at: tuple[str, ...]
    reason: str
    kind: Kind = "value"
    also: tuple[str, str] | None = None


@dataclass(frozen=True)
class Pair:
    """An original and its port: how each is taken from its module, and the inputs of both.

    `parameters`: what an original without state of its own is called with first. `needs`: packages that the port is
    written for.
    """

    original: Callable[[Any], Any]
    port: Callable[[Any], Any]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    variants: tuple[Variant, ...]
    mistakes: tuple[Mistake, ...]
    parameters: Callable[[np.random.Generator], Any] | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """What is compared: two functions, the inputs, and the user's `convert`, or none."""

    original: Any
    port: Any
    inputs: tuple[Any, ...]
    convert: Callable[[Any], Any] | None


NAMES = tuple(sorted(folder.name for folder in FOLDER.iterdir() if (folder / "changes.py").is_file()))


@cache
def pair(name: str) -> Pair:
    return _loaded(FOLDER / name / "changes.py").PAIR


def changes(name: str) -> Iterator[Variant | Mistake]:
    """The port as it is, then each change."""
    yield Variant("as it is")
    yield from pair(name).variants
    yield from pair(name).mistakes


def ready(name: str, change: Variant | Mistake) -> Ready:
    """The pair with a changed port. A module's random numbers are the same every time, and float64."""
    about, path = pair(name), patched(name, change)
    original, port = _loaded(FOLDER / name / "original.py"), _loaded(path)
    rng = np.random.default_rng(1)
    inputs = about.inputs(rng)
    if about.parameters is not None:
        inputs = (about.parameters(rng), *inputs)
    return Ready(_made(about.original, original), _made(about.port, port), inputs, getattr(port, "convert", None))


def patched(name: str, change: Variant | Mistake) -> Path:
    """A file with the port's source and the change in it, `port.py` by name. Raises ValueError where a text to be
    replaced does not stand there exactly once."""
    source = (FOLDER / name / "port.py").read_text(encoding="utf-8")
    for old, new in ((change.old, change.new), *([change.also] if change.also else [])):
        if not old:
            continue
        if source.count(old) != 1:
            raise ValueError(f"{name}, {change.name}: {old!r} stands {source.count(old)} times in the port")
        source = source.replace(old, new)
    folder = PATCHED / hashlib.sha256(f"{name} {source}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "port.py"
    if not path.exists() or path.read_text(encoding="utf-8") != source:
        path.write_text(source, encoding="utf-8")
    return path


def _made(taken: Callable[[Any], Any], module: ModuleType) -> Any:
    if torch := getattr(module, "torch", None) or ("torch" in sys.modules and sys.modules["torch"]):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made = taken(module)
        return made.double() if isinstance(made, torch.nn.Module) else made
    return taken(module)


@cache
def _loaded(path: Path) -> ModuleType:
    """A module by its file, under a name of its own, so that the files of two pairs do not meet."""
    spec = importlib.util.spec_from_file_location(f"ports_{path.parent.name}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
