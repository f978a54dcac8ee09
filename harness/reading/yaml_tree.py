"""YAML text -> a tree of located values.

Reads ruamel.yaml's events (YAML 1.2) without recursion, resolves no tag and runs nothing. Nesting and aliases
have limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from ..words import HIDDEN, nearest, visible
from .yaml_syntax import explain
from .yaml_text import List, Map, Scalar, Source, Stop, Value, kind_of, shortened

MAX_DEPTH = 50
MAX_NODES = 2_000_000
MAX_WRITTEN = 50_000  # values of the file itself: some 40 microseconds each


def tree(source: Source, expected: str) -> Map:
    """The one document of a file as a tree. Raises Stop after noting the error where there is none, or not what is
    expected: which mapping."""
    try:
        root = _Composer(source).compose()
    except ReaderError as error:
        _unreadable(source, error)
        raise Stop from None
    except MarkedYAMLError as error:
        explain(source, error)
        raise Stop from None
    if root is None:
        source.error_at(0, 0, "the file is empty", expected)
        raise Stop
    if not isinstance(root, Map):
        source.error(root, f"the file holds {kind_of(root)}", expected)
        raise Stop
    return root


def _unreadable(source: Source, error: Any) -> None:
    before = "\n".join(source.lines)[: error.position].split("\n")
    character = ascii(chr(error.character) if isinstance(error.character, int) else error.character)
    source.error_at(len(before) - 1, len(before[-1]), f"the character {character} is not allowed", "printable text")


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read; of a mapping the key whose value is due."""

    value: List | Map
    anchor: str | None
    key: Scalar | None = None


class _Composer:
    """Builds the tree from events, with a stack of its own instead of recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.anchors: dict[str, Value | None] = {}
        self.count = 0  # of values, aliases written out
        self.written = 0
        self._open: list[_Open] = []
        self._root: Value | None = None

    def compose(self) -> Value | None:
        yaml: Any = YAML(typ="safe", pure=True)
        documents = 0
        for event in cast("Iterator[Any]", yaml.parse("\n".join(self.source.lines))):
            match type(event).__name__:
                case "ScalarEvent":
                    self._place(self._scalar(event))
                case "MappingStartEvent":
                    self._begin(event, Map([], event.start_mark.line, event.start_mark.column))
                case "SequenceStartEvent":
                    self._begin(event, List([], event.start_mark.line, event.start_mark.column))
                case "MappingEndEvent" | "SequenceEndEvent":
                    self._place(self._end())
                case "AliasEvent":
                    self._place(self._alias(event), alias=True)
                case "DocumentStartEvent":
                    documents += 1
                    if documents > 1:
                        self._second_document(event)
                        break
                case _:
                    pass
        return self._root

    def _scalar(self, event: Any) -> Scalar:
        value = Scalar(event.value, event.style or "", event.start_mark.line, event.start_mark.column)
        if event.anchor or event.tag:
            self._properties(event, value)
        if hidden := HIDDEN.search(event.value):  # an escape, or a mark that turns the direction of writing
            self._refuse(value, f"the character `{visible(hidden[0])}` in a text", "characters that can be seen")
        self.count += 1
        return value

    def _begin(self, event: Any, opened: List | Map) -> None:
        if event.anchor or event.tag:
            self._properties(event, None)
        if len(self._open) == MAX_DEPTH:
            self._refuse(opened, f"nesting deeper than {MAX_DEPTH} levels", "a flatter file")
        self._open.append(_Open(opened, event.anchor))

    def _end(self) -> Value:
        closed = self._open.pop()
        if closed.anchor:
            self.anchors[closed.anchor] = closed.value
        self.count += 1
        return closed.value

    def _second_document(self, event: Any) -> None:
        mark, remedy = event.start_mark, "move it to a file of its own"
        self.source.error_at(mark.line, mark.column, "a second document", "one case in a file", remedy)

    def _place(self, value: Value, *, alias: bool = False) -> None:
        """Put a value where it belongs: an item, a key, what stands behind a key, or the whole."""
        self.written += 1
        if self.written > MAX_WRITTEN:
            remedy = "keep arrays as `{file: w.npy}` beside the case, or describe them by a formula or a seed"
            self._refuse(value, f"more than {MAX_WRITTEN:,} values", "a smaller file", remedy)
        if self.count > MAX_NODES:
            self._refuse(value, f"more than {MAX_NODES:,} values, aliases written out", "a smaller file")
        if not self._open:
            self._root = value
            return
        holder = self._open[-1]
        if isinstance(holder.value, List):
            holder.value.items.append(value)
        elif (key := holder.key) is not None:
            if isinstance(value, Scalar) and not value.text and not value.style and not alias:
                self._nothing_behind(key, value)
            holder.value.pairs.append((key, value))
            holder.key = None
        elif isinstance(value, Scalar):
            holder.key = value
        else:
            self._refuse(
                value, f"{kind_of(value)} as a key", "a name", "quote an expression that begins with `[` or `{`"
            )
        holder.value.size += value.size

    def _nothing_behind(self, key: Scalar, value: Scalar) -> None:
        value.line = key.line  # nothing stands right after its key
        value.column = min(key.column + len(key.text), len(self.source.lines[key.line]))
        if not key.style and (touching := re.fullmatch(r"([^\s:]+):(\S.*)", key.text)):
            self._untouched(key, value, *touching.groups())

    def _untouched(self, key: Scalar, value: Scalar, name: str, text: str) -> None:
        """Read `{a:1}`, which YAML takes for a name alone, as what it is meant to be, after noting the mistake."""
        remedy = f"put a space after the colon: `{shortened(f'{name}: {text}')}`"
        self.source.error(key, f"`{shortened(key.text)}` without a space after the colon", "`name: value`", remedy)
        key.text, value.text = name, text

    def _properties(self, event: Any, value: Value | None) -> None:
        """The anchor and the tag of an event."""
        if event.tag and str(event.tag) != "!":
            mark = event.start_mark
            self.source.error_at(
                mark.line, mark.column, f"the tag `{event.tag}`", "no tag: a case is plain data", "remove it"
            )
        if event.anchor:
            self.anchors[event.anchor] = value

    def _alias(self, event: Any) -> Value:
        mark = event.start_mark
        place = Scalar("", "", mark.line, mark.column)
        if event.anchor not in self.anchors:
            self._refuse(
                place,
                f"the alias `*{event.anchor}` of no anchor",
                f"`&{event.anchor}` above it",
                nearest(event.anchor, list(self.anchors)),
            )
        value = self.anchors[event.anchor]
        if value is None:
            self._refuse(place, f"the alias `*{event.anchor}` inside its own anchor", "a finite value")
            raise AssertionError
        self.count += value.size
        return value

    def _refuse(self, place: Value, found: str, expected: str, remedy: str = "") -> None:
        self.source.error(place, found, expected, remedy)
        raise Stop
