"""A layer against its port, and the port once more without each of the things that make it equal."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from table import PORTS, Difference, Layer

import gradaccord
from gradaccord.harness.own.compared import Compared

PAIRS = Path(__file__).parent / "pairs"
SHOWN = 2  # divergences of one port


@dataclass(frozen=True)
class Tried:
    """What `compare` says of one port: `headline` and `notes` where all is set, `said` for each difference, empty where
    nothing is tried."""

    same: bool
    headline: str
    notes: tuple[str, ...]
    said: tuple[str, ...]


def tried(layer: Layer, name: str) -> Tried:
    """A port with all that is set, and without each. Raises ImportError where its framework is not installed."""
    path = PAIRS / layer.folder / f"port_{name}.py"
    found = compared(path.parent, path)
    said = tuple(left_out(path, one) if one.old else "" for one in layer.ports[name].differences)
    return Tried(found.same, found.headline.partition(" the same computation: ")[2], tuple(notes(found)), said)


def notes(found: Compared) -> list[str]:
    """What there is to say beside the headline."""
    record = found.record()
    told = [f"{word}: {one}" for word in ("layout", "not exercised") for one in record[_key(word)]]
    if names := record["not_compared"]:
        told.append(f"gradients not compared: {', '.join(f'`{name}`' for name in names)}, not found one by one")
    return told + (["every link of both runs is sound"] if found.sound else record["findings"])


def _key(word: str) -> str:
    return {"layout": "layouts"}.get(word, word.replace(" ", "_"))


def left_out(path: Path, difference: Difference) -> str:
    """What is said where somebody does not know of a difference."""
    with tempfile.TemporaryDirectory() as scratch:
        found = compared(path.parent, patched(path, difference, Path(scratch)))
    return "; ".join(str(one) for one in found.divergences[:SHOWN]) or "the same computation"


def patched(path: Path, difference: Difference, into: Path) -> Path:
    """The port's source without what makes it equal. Raises ValueError where that does not stand there once."""
    source = path.read_text(encoding="utf-8")
    if source.count(difference.old) != 1:
        raise ValueError(f"{path}: {difference.old!r} stands {source.count(difference.old)} times there")
    made = into / path.name
    made.write_text(source.replace(difference.old, difference.new), encoding="utf-8")
    return made


def compared(folder: Path, port: Path) -> Compared:
    """`gradaccord.compare` on the original of a folder and a port of it."""
    import torch

    original, theirs = _loaded(folder / "original.py"), _loaded(port)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convert = getattr(theirs, "convert", None)
        return gradaccord.compare(original.layer, theirs.port, original.inputs(), parameters=convert)


def defaults(layer: Layer, name: str) -> list[str]:
    """Of the layer's settings, what a framework has for each; `name` is a port's, or `torch`."""
    column = ("torch", *PORTS).index(name)
    path = layer.torch if name == "torch" else layer.ports[name].path.partition("(")[0]
    return [_default(path, row[column]) if row[column] else "" for row in layer.defaults]


def _default(path: str, name: str) -> str:
    module, _, attribute = path.rpartition(".")
    made = getattr(import_module(module), attribute)
    default = inspect.signature(made.__init__ if isinstance(made, type) else made).parameters[name].default
    return "must be given" if default is inspect.Parameter.empty else repr(default)


def _loaded(path: Path) -> ModuleType:
    name = f"layers_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
