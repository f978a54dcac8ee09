"""The update of a case, what it carries from step to step, and its data: tables beside it, of whose rows each step
reads a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..records.evaluation import DTYPES
from ..rules.rule import RULES
from ..rules.update import HOW_FAR, Batches, Update, check, faults, faults_of_group
from ..words import nearest
from .inputs import Input, build
from .known import Pairs
from .statements import Assembly
from .yaml_text import Scalar, Source, Value


@dataclass(frozen=True, slots=True)
class Data:
    """Tables by the inputs that read them, which are constant, and how many rows make a batch."""

    tables: Mapping[str, Input]
    batch: int

    def first(self) -> dict[str, Input]:
        """What the first step reads: the inputs of the case itself."""
        return {name: _rows(table, self.batch) for name, table in self.tables.items()}

    def batches(self, dtype: str) -> Batches:
        return Batches({name: table.rounded(DTYPES[dtype]) for name, table in self.tables.items()}, self.batch)


def _rows(table: Input, count: int) -> Input:
    array = table.array[:count]
    return replace(table, array=array, texts=None if table.texts is None else table.texts[: array.size])


def read_update(
    source: Source, entry: tuple[Value, Pairs] | None, inputs: Mapping[str, Any], carry: Mapping[str, str]
) -> Update | None:
    """The update that a case asks for, of its inputs, which carries that; every mistake in it is noted."""
    if entry is None:
        return None
    form, pairs = entry
    good = {name: (key, value[0]) for name, (key, value) in pairs.items() if value is not None}
    if "rule" not in good:
        return None
    groups = pairs["groups"][1] if good.pop("groups", None) is not None else None
    rule = good.pop("rule")[1].text
    settings = {name: value.text for name, (_, value) in good.items()}
    wrong = list(faults(rule, settings))
    for error in wrong:
        name, place = error.parameter, form
        if name in good:
            place = good[name][name in RULES[rule].settings or name in HOW_FAR]
        elif name in pairs or name == "steps":
            continue  # the form has told that it is wrong, or missing
        source.error(place, error.found, error.expected, error.remedy)
    if wrong:
        return None
    own = _groups(source, groups[1] if groups else [], rule, settings, inputs)
    return replace(check(rule, settings), groups=own, carry=carry)


def read_carry(
    source: Source, contents: Mapping[str, Any], inputs: Mapping[str, Any], tabled: Collection[str], assembly: Assembly
) -> dict[str, str] | None:
    """Of each input that a case carries from step to step the node that it becomes; every mistake in it is noted, and
    where there is one, None. `tabled` are inputs that read data."""
    if "carry" not in contents:
        return {}
    if contents["carry"] is None:
        return None
    noted = len(source.errors)
    place, pairs = contents["carry"]
    if "update" not in contents:
        source.error(place, "`carry` without `update`", "steps that carry it", "add an update")
    for name, (key, value) in pairs.items():
        known = _carried(source, key, inputs, tabled)
        if value is not None:
            _node(source, name, value[1], inputs[name][1] if known else None, assembly)
    if len(source.errors) > noted or not all(value for _, value in pairs.values()):
        return None
    return {name: value[1].text for name, (_, value) in pairs.items()}


def _carried(source: Source, key: Scalar, inputs: Mapping[str, Any], tabled: Collection[str]) -> bool:
    """Whether that is an input that a path may carry."""
    name = key.text
    if name not in inputs:
        near = nearest(name, [known for known in inputs if known not in tabled])
        source.error(key, f"unknown input `{name}` in `carry`", "an input of the case", near)
    elif name in tabled:
        source.error(
            key, f"`{name}` in `data` and in `carry`", "one of them: a step reads it from a table, or carries it"
        )
    elif (made := inputs[name][1]) is not None and made.kind == "float" and not made.constant:
        remedy = f"add `constant: true` to `{name}`"
        source.error(key, f"`{name}` in `carry`, which the optimiser moves", "an input without a gradient", remedy)
    else:
        return True
    return False


def _node(source: Source, name: str, place: Scalar, made: Input | None, assembly: Assembly) -> None:
    """Note why the input, of which it is known as what it was `made`, can't become what the node is."""
    node, names = assembly.node(place.text), assembly.names
    if node is None:
        if not names.excused(place.text):
            near = nearest(place.text, [known for known in names.ready if known not in assembly.inputs])
            source.error(place, f"undefined node `{place.text}` in `carry`", "a node of the graph", near)
    elif node.op == "input":
        source.error(place, f"the input `{place.text}` as what `{name}` becomes", "a node of the graph")
    elif made is not None and (made.kind, made.shape) != (node.kind, node.shape):
        found = f"`{place.text}`, {node.kind} of shape {node.shape}, as what `{name}` becomes"
        source.error(place, found, f"{made.kind} of shape {made.shape}, as `{name}` is")


def _groups(
    source: Source, entries: Sequence[Pairs], rule: str, settings: Mapping[str, str], inputs: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Of each input that is in a group the settings of that."""
    groups: dict[str, dict[str, str]] = {}
    moving = [name for name, (_, made) in inputs.items() if made and made.kind == "float" and not made.constant]
    for entry in entries:
        given = {
            name: (key, value[0]) for name, (key, value) in entry.items() if name != "inputs" and value is not None
        }
        own = {name: value.text for name, (_, value) in given.items()}
        for error in faults_of_group(rule, settings, own):
            place = given[error.parameter][error.parameter in RULES[rule].settings]
            source.error(place, error.found, error.expected, error.remedy)
        members: list[tuple[Value, Scalar]] = (entry["inputs"][1] if "inputs" in entry else None) or []
        for place, scalar in members:
            name = scalar.text
            if name not in moving:
                source.error(place, f"`{name}` in a group", "an input that has a gradient", nearest(name, moving))
            if name in groups:
                source.error(place, f"`{name}` in two groups", "each input in one")
            groups[name] = own
    return groups


def read_data(
    source: Source, entry: tuple[Value, Pairs] | None, inputs: Mapping[str, Any], moving: bool
) -> tuple[Data | None, Pairs]:
    """The data that a case has, if any, and what the file says of its tables; every mistake in it is noted. `inputs`
    are those that stand elsewhere, and `moving` says whether there are steps."""
    if entry is None:
        return None, {}
    place, pairs = entry
    if not moving:
        remedy = "add an update, or make the tables `inputs`"
        source.error(place, "`data` without `update`", "steps that read it", remedy)
    tabled = {name: pair for name, pair in pairs.items() if name != "batch"}
    return _data(source, place, pairs, tabled, inputs), tabled


def _data(source: Source, place: Value, pairs: Pairs, tabled: Pairs, inputs: Mapping[str, Any]) -> Data | None:
    tables: dict[str, Input] = {}
    batch = pairs["batch"][1] if "batch" in pairs else None
    for name, (key, form) in tabled.items():
        if form is None:
            continue
        source.key = name
        if name in inputs:
            source.error(key, f"`{name}` in `inputs` and in `data`", "one of them")
        elif (table := build(source, form)) is not None:
            tables[name] = _table(source, key, form[0], table)
    if batch is None:
        return None
    if not tabled:
        source.error(place, "no table in `data`", "at least one, as in `x: {file: x.npy}`")
    size, count = batch
    return _whole(source, size, count, pairs, tables) if tables else None


def _table(source: Source, key: Scalar, place: Value, table: Input) -> Input:
    if table.array.ndim == 0:
        source.error(place, f"a number as the table `{key.text}`", "an array, whose first axis is that of the rows")
    return replace(table, constant=True)


def _whole(source: Source, place: Value, batch: int, pairs: Pairs, tables: Mapping[str, Input]) -> Data | None:
    """Tables that fit together, and with the batch."""
    rows = {name: len(np.atleast_1d(table.array)) for name, table in tables.items()}
    first = next(iter(rows))
    for name, count in rows.items():
        if count != rows[first]:
            found = f"{count} rows in `{name}`"
            source.error(pairs[name][0], found, f"{rows[first]}, as `{first}` has: a row of each belongs together")
            return None
    if not 1 <= batch <= rows[first]:
        source.error(place, f"a batch of {batch} rows", f"1 to {rows[first]}, of which the tables consist")
        return None
    return Data(tables, batch)
