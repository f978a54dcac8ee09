"""The JSON Schema for editors says what the loader checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from ruamel.yaml import YAML

from gradaccord.harness.reading.case import Case, CaseErrors, find, schema, shipped
from gradaccord.harness.reading.keys import KEYS

Load = Callable[[str], Case]


@pytest.mark.parametrize("path", find([shipped()]), ids=lambda path: cast(Path, path).stem)
def test_the_schema_accepts_every_shipped_case(path: Path) -> None:
    jsonschema.Draft202012Validator(schema()).validate(YAML(typ="safe", pure=True).load(path))


def test_the_schema_is_one_and_knows_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["properties"]) == set(KEYS)


@pytest.mark.parametrize(
    "change",
    [
        "abuot: x",
        "name: [1]",
        "name: a b",
        "graph: {}",
        "tags: x",
        "native: {f: torch.exp}",
        "native: {f: {}}",
        "dtypes: [float23]",
        "inputs: {a: {shpe: [1]}}",
        "inputs: {a: x}",
        "update: {rule: up, steps: 1}",
        "update: {rule: ascent}",
        "accept: [{engine: x}]",
        "points: [{expect: 3}]",
        "expect: {gradient: 3}",
        "call: {torch: 'model.py:f'}",
        "call: {}",
    ],
)
def test_the_schema_and_the_loader_refuse_the_same(load_text: Load, change: str) -> None:
    """A change of one key that is wrong is wrong for both."""
    plain = YAML(typ="safe", pure=True)
    base = {"name": "x", "inputs": {"a": 1}, "graph": {"f": "sin(a)"}}
    jsonschema.validate(base, schema())
    changed = {**base, **plain.load(change)}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, schema())
    rows = [change] + [
        f"{k}: {v}"
        for k, v in {"name": "x", "inputs": "{a: 1}", "graph": "{f: sin(a)}"}.items()
        if k not in plain.load(change)
    ]
    with pytest.raises(CaseErrors):
        load_text("\n".join(rows))
