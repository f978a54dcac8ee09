"""What the JSON Schema says for editors beyond the table of keys: settings of rules, operations with signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graph.operations import OPERATIONS
from ..rules.rule import COMMON, RULES, Choice, Rule, Setting
from ..rules.schedules import SCHEDULES

EXPRESSIONS = (
    "an expression over inputs and nodes above: `+ - * / ** @ ( )`, comparisons, slices, numbers, and operations"
)
FORMULAS = "or a formula of the step's number t, such as a schedule"


def for_editors(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a case's keys with what helps a person who writes one."""
    return {**keys, "graph": _expressions(keys["graph"]), "define": _expressions(keys["define"]),
            "update": _rules(keys["update"])}  # fmt: skip


def _expressions(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Values complete to operations; `describe` of an editor shows what each takes."""
    offered = [operation.written for _, operation in sorted(OPERATIONS.items())]
    return {**mapping, "additionalProperties": {**mapping["additionalProperties"], "description": EXPRESSIONS,
                                                "examples": offered}}  # fmt: skip


def _rules(update: Mapping[str, Any]) -> dict[str, Any]:
    """Of each rule its own settings: those of another are refused, as the loader refuses them."""
    common = {**update["properties"], **{name: _setting(one) for name, one in COMMON.items()}}
    return {**update, "properties": common, "allOf": [_settings(list(common), rule) for rule in RULES.values()]}


def _settings(common: list[str], rule: Rule) -> dict[str, Any]:
    own = {name: _setting(one) for name, one in rule.settings.items()}
    return {
        "if": {"properties": {"rule": {"const": rule.name}}, "required": ["rule"]},
        "then": {
            "description": rule.source,
            "properties": own,
            "propertyNames": {"enum": [*common, *(name for name in own if name not in common)]},
        },
    }


def _setting(one: Setting | Choice) -> dict[str, Any]:
    if isinstance(one, Choice):
        said = "; ".join(f"{answer}: {meaning}" for answer, meaning in one.answers.items())
        return {"enum": list(one.answers), "default": one.default, "description": said}
    if one.whole:
        whole = {"type": "integer", "minimum": int(one.least), "description": one.expected}
        return whole if one.default is None else {**whole, "default": int(one.default)}
    default = {} if one.default is None else {"default": float(one.default)}
    return {
        "type": ["number", "string"],
        **default,
        "description": f"{one.expected}; {FORMULAS}",
        "examples": list(SCHEDULES),
    }
