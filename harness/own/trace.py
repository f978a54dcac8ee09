"""The front door to cases: a person's own function, heard once, written as a case that every engine runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..graph.graph import Graph
from ..graph.language.printing import text_of
from ..hearing.heard import Heard
from ..running.files import name_of
from . import case_file
from .check import asked, hear


@dataclass(frozen=True)
class Traced:
    """A run that was heard."""

    name: str
    heard: Heard

    @property
    def graph(self) -> Graph:
        return self.heard.graph

    @property
    def text(self) -> Mapping[str, str]:
        """The graph as statements of the case language, by name."""
        return text_of(self.graph)

    def to_case(self, path: str | Path) -> list[Path]:
        """Write a case file and, for large inputs, `.npy` files beside it. Returns all of them, the case first.

        A case runs in one precision at a time: casts between precisions are written as definitions that do nothing.
        """
        mixed = any(node.dtype for node in self.graph.nodes)
        casts = " Its casts between precisions are left out: a case runs in one at a time." if mixed else ""
        return case_file.write(self.heard, Path(path), f"Traced from {self.name}.{casts}")


def trace(
    function: Callable[..., Any],
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    wanted: Sequence[str] | str | None = None,
    cotangent: Any = None,
    dtype: Any = "",
    intended: Mapping[Any, str] | None = None,
    framework: str = "",
) -> Traced:
    """Hear one run of a function, as `check` does, without judging it: `.to_case(path)` writes it as a case file.

    Raises as `check` does.
    """
    ask = asked(wanted, cotangent, dtype, intended)
    return Traced(name_of(function), hear(function, inputs, kwargs or {}, ask, framework)[1])
