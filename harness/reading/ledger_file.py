"""A ledger beside an engine: what it is known to get wrong in the cases of others, each entry with its `case`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..words import nearest
from .case import Case
from .keys import ACCEPT
from .known import acceptances
from .names import shipped_names
from .schema import TEXT, Key, list_of, located, record
from .yaml_text import CaseErrors, Stop, Value, read
from .yaml_tree import tree

ENTRY = {"case": Key(located(TEXT), "the name of the case that it is about", required=True), **ACCEPT}
ENTRIES = list_of(
    located(record(ENTRY, "a mapping with `case` and what `accept` of a case has")), "a list", whole=False
)
FILE = record({"accept": Key(ENTRIES, "the entries, each with its `case`", required=True)}, "a mapping with `accept`")


def with_ledger(cases: Sequence[Case], path: Path) -> list[Case]:
    """The cases with the entries of a file that are about them; those about other cases are left out.

    Raises CaseErrors with everything that is wrong with the file.
    """
    source = read(path)
    extended: list[Case] = []
    try:
        contents = cast("dict[str, Any]", FILE.read(source, tree(source, FILE.expected)) or {})
        found: list[tuple[Value, dict[str, Any]]] = contents.get("accept") or []
        entries = [(place, form) for place, form in found if form.get("case") is not None]
        names = [*(case.name for case in cases), *shipped_names()]
        for _, form in entries:
            place, name = form["case"]
            if name.text not in names and (near := nearest(name.text, names)):
                source.error(place, f"no case `{name.text}`", "the name of a case", near)
        for case in cases:
            own = [entry for entry in entries if entry[1]["case"][1].text == case.name]
            nodes = [node.name for node in case.graph.nodes]
            known = acceptances(
                source, nodes.__contains__, nodes, own, len(case.points), any_name=case.call is not None
            )
            about = tuple(replace(entry, file=path.name) for entry in known)
            extended.append(replace(case, accept=(*case.accept, *about)))
    except Stop:
        pass
    if source.errors:
        raise CaseErrors(sorted(source.errors, key=lambda error: (error.line, error.column)))
    return extended
