"""docs/layers.md from what was tried, the table, and the sources of the ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promotion import ROWS
from table import LAYERS, PORTS, Layer
from tried import PAIRS

PREFACE = """# Layers of torch, Flax and Equinox

What must be set so that a layer of Flax or Equinox computes what torch's does, and how its parameters are converted.
Each port below was run beside its original by [`gradaccord.compare`](compare.md): values and gradients, at its own
numbers and at random ones, in float64, every link of both runs judged. The code is that which was run; copy it.
What `compare` says where one thing is left out was tried as well.

Kept by `tox run -e layers` (or `python layers`), which overwrites this page. Initial parameters are not compared.
"""


def page(kept: Mapping[str, Any]) -> str:
    """The page, in Markdown; `kept` is what `python layers` keeps in `records.json`."""
    parts = [PREFACE, f"Versions: {kept['versions']}\n", _summary(), _promotion(kept["promotion"])]
    parts += [part for layer in LAYERS for part in _layer(layer, kept["layers"][layer.folder])]
    return "\n".join(parts)


def _summary() -> str:
    rows = [
        [f"[{layer.title}](#{_anchor(layer.title)})", *(_writes(layer, name) for name in PORTS)] for layer in LAYERS
    ]
    return "## What to set\n\n" + _table(["torch.nn", *PORTS.values()], rows)


def _writes(layer: Layer, name: str) -> str:
    return "; ".join(f"{one.what}: {one.write}" for one in layer.ports[name].differences) or "nothing"


def _promotion(found: Mapping[str, Sequence[str]]) -> str:
    rows = [[row, *(f"`{found[name][k]}`" for name in ("torch", *PORTS))] for k, row in enumerate(ROWS)]
    return (
        "## Types\n\n"
        "What comes out where parameters are float32, unless said otherwise:\n\n"
        + _table(["", "torch", *PORTS.values()], rows)
        + "\nFlax computes in the wider type of input and parameters, where torch raises; `dtype=jnp.bfloat16` makes "
        "it compute in that. Its norms take their statistics in float32 at least, as torch's do.\n"
    )


def _layer(layer: Layer, kept: Mapping[str, Any]) -> Iterable[str]:
    yield f"## {layer.title}\n"
    if layer.note:
        yield layer.note + "\n"
    if layer.defaults:
        columns = [kept["torch"], *(kept[name]["defaults"] for name in PORTS)]
        rows = [
            [f"`{next(filter(None, names))}`", *(_named(names[0], name, column[k]) for name, column in pairs)]
            for k, names in enumerate(layer.defaults)
            for pairs in [list(zip(names, columns, strict=True))]
        ]
        paths = [layer.torch, *(layer.ports[name].path for name in PORTS)]
        yield _table(["default of", *(f"`{path}`" for path in paths)], rows)
    yield _code(layer, "original")
    for name in PORTS:
        yield from _port(layer, name, kept[name])


def _named(first: str, name: str, default: str) -> str:
    """A default, with the name of the setting where that is another one."""
    return "" if not name else f"{default}" if name == first else f"{default} (`{name}`)"


def _port(layer: Layer, name: str, kept: Mapping[str, Any]) -> Iterable[str]:
    port = layer.ports[name]
    yield f"### {layer.title}: {port.path}\n"
    if port.differences:
        rows = [
            [one.what, one.torch, one.theirs, one.write, _cell(said)]
            for one, said in zip(port.differences, kept["said"], strict=True)
        ]
        yield _table(["", "torch", PORTS[name], "makes it equal", "without that `compare` says"], rows)
    if port.note:
        yield port.note + "\n"
    yield _code(layer, f"port_{name}")
    told = [f"{'The same' if kept['same'] else '**Not** the same'} computation: {kept['headline']}", *kept["notes"]]
    yield "`compare`: " + ("; ".join(map(_cell, told))) + ".\n"


def _code(layer: Layer, name: str) -> str:
    source = (PAIRS / layer.folder / f"{name}.py").read_text(encoding="utf-8")
    return f"`{name}.py`:\n\n```python\n{source}```\n"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(names), " | ".join(["---"] * len(names)), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
