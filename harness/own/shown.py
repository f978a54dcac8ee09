"""How results show themselves: as text, in a notebook, in a failing test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import StringIO
from typing import Self

from rich.console import Console

WIDTH = 100


class Shown(ABC):
    """What rich can print: as text, as HTML, and where a test of it fails."""

    @property
    @abstractmethod
    def sound(self) -> bool:
        """Whether a test of it passes."""

    def assert_sound(self) -> Self:
        """This, if it is sound. Raises AssertionError, which says what is off and where."""
        __tracebackhide__ = True
        if not self.sound:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        screen = Console(file=StringIO(), width=WIDTH, highlight=False, no_color=True)
        screen.print(self)
        assert isinstance(screen.file, StringIO)
        return "\n".join(line.rstrip() for line in screen.file.getvalue().rstrip().splitlines())

    def _repr_html_(self) -> str:
        screen = Console(file=StringIO(), width=WIDTH, highlight=False, record=True)
        screen.print(self)
        return screen.export_html(inline_styles=True, code_format='<pre style="white-space: pre-wrap">{code}</pre>')
