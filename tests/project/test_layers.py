"""Layers of Flax and Equinox beside torch's: docs/layers.md is what the table, the ports and the records say."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "layers"))

from table import LAYERS, PORTS, Layer
from written import page

ROOT = Path(__file__).parent.parent.parent

KEPT: dict[str, Any] = json.loads((ROOT / "layers" / "records.json").read_text(encoding="utf-8"))
PAIRS = ROOT / "layers" / "pairs"
EACH = [(layer, name) for layer in LAYERS for name in PORTS]


def named(folder: str) -> Layer:
    (found,) = (layer for layer in LAYERS if layer.folder == folder)
    return found


def test_the_page_is_what_is_kept_and_what_the_ports_are() -> None:
    """`python layers --page` writes it anew."""
    text = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    assert text == page(KEPT)
    for layer, name in EACH:
        source = (PAIRS / layer.folder / f"port_{name}.py").read_text(encoding="utf-8")
        assert f"### {layer.title}: {layer.ports[name].path}\n" in text and source in text


def test_no_folder_is_left_out() -> None:
    assert {layer.folder for layer in LAYERS} == {path.name for path in PAIRS.iterdir() if path.is_dir()}


@pytest.mark.parametrize("layer, name", EACH, ids=[f"{layer.folder}-{name}" for layer, name in EACH])
def test_a_port_is_the_same_and_each_of_its_differences_is_one(layer: Layer, name: str) -> None:
    found = KEPT["layers"][layer.folder][name]
    source = (PAIRS / layer.folder / f"port_{name}.py").read_text(encoding="utf-8")
    assert found["same"] and "every link of both runs is sound" in found["notes"]
    for difference, said in zip(layer.ports[name].differences, found["said"], strict=True):
        if difference.old:
            assert source.count(difference.old) == 1, difference.what
            ast.parse(source.replace(difference.old, difference.new))
            assert said and "the same computation" not in said, difference.what


@pytest.mark.parametrize(
    "folder, name, package",
    [("gelu", "equinox", "jax"), ("layer_norm", "linen", "flax"), ("linear", "equinox", "equinox")],
)
def test_a_port_runs(folder: str, name: str, package: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip(package)
    from tried import tried

    layer = named(folder)
    found = tried(layer, name)
    assert found.same
    assert all(bool(said) == bool(one.old) for one, said in zip(layer.ports[name].differences, found.said, strict=True))


def test_what_does_not_stand_in_a_port_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tried import patched

    difference = replace(named("gelu").ports["linen"].differences[0], old="no such text")
    with pytest.raises(ValueError, match="'no such text' stands 0 times there"):
        patched(PAIRS / "gelu" / "port_linen.py", difference, tmp_path)
