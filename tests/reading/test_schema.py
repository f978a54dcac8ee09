"""The JSON Schema for editors says what the loader checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from ruamel.yaml import YAML

from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.reading.case import Case, CaseErrors, find, schema, shipped
from gradaccord.harness.reading.keys import KEYS
from gradaccord.harness.rules.rule import COMMON, RULES, Choice, Setting

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
        "update: {rule: descent, step_size: 0.1, steps: 1, beta1: 0.9}",
        "update: {rule: adam, step_size: 0.1, steps: 1, epsilon: 1}",
        "update: {rule: rmsprop, step_size: 0.1, steps: 1, eps_at: beside}",
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


def test_an_editor_knows_the_settings_of_each_rule_and_their_answers() -> None:
    known = {one["if"]["properties"]["rule"]["const"]: one["then"] for one in schema()["properties"]["update"]["allOf"]}
    assert list(known) == list(RULES)
    validator = jsonschema.Draft202012Validator(schema()["properties"]["update"])
    for rule in RULES.values():
        for name, one in {**COMMON, **rule.settings}.items():
            answers: list[object] = list(one.answers) if isinstance(one, Choice) else [one.default or 0.5]
            if isinstance(one, Setting):
                answers = [3] if one.whole else [*answers, "warmup(0.1, steps=3)"]
                assert validator.is_valid({"rule": rule.name, "steps": 1, name: "1 / t"}) != one.whole
            for answer in answers:
                validator.validate({"rule": rule.name, "steps": 1, "step_size": 0.1, name: answer})
            if isinstance(one, Choice):
                assert name in COMMON or known[rule.name]["properties"][name]["default"] == one.default
                assert not validator.is_valid({"rule": rule.name, "steps": 1, name: "beside"})


def test_an_editor_offers_every_operation_with_its_signature() -> None:
    offered = schema()["properties"]["graph"]["additionalProperties"]["examples"]
    assert len(offered) == len(OPERATIONS) and any(one.startswith("clip(x, ") for one in offered)
