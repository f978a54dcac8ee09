"""How a framework spells an operation, and where its default means something else: an engine's `spellings.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spelling:
    """The function that its users call, and what of it they should know who come from elsewhere.

    `call` is a path and the framework's own arguments with its own defaults, `torch.var(input, correction=1)`; those
    that matter to nobody are left out. `note` says where leaving one out means something else than in our row.
    """

    call: str
    note: str = ""


def spelled(own: str, prefix: str) -> dict[str, Spelling]:
    """Those that go by the operation's name, below one path of the framework's."""
    return {name: Spelling(f"{prefix}.{name}") for name in own.split()}
