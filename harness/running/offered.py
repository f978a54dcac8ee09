"""What installed packages offer, by name: engines, their variants, reports. Nothing of it is imported here."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

ENGINES = "gradaccord.engines"
VARIANTS = "gradaccord.variants"  # of engines, for derivatives along a direction alone
REPORTS = "gradaccord.reports"
PAGES = "gradaccord.pages"  # of what people compare in Python
LISTENERS = "gradaccord.listeners"
SHIPPED = "gradaccord"  # the distribution whose engines are this project's own
DEFAULT = ("backprop", "torch", "jax", "jax:jit", "finite_difference")


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in the order of the names."""
    return {entry.name: entry for entry in sorted(_all().select(group=group), key=lambda entry: entry.name)}


_all = cache(entry_points)  # it reads the list of every installed package: 10 ms


@cache
def installed() -> dict[str, EntryPoint]:
    """Every engine that an installed package offers, the shipped ones first, variants last."""
    found = entries(ENGINES)
    order = [name for name in DEFAULT if name in found] + [name for name in found if name not in DEFAULT]
    return {name: found[name] for name in order} | variants()


def shipped(name: str) -> bool:
    """Whether an engine of that name comes with this project, and not from a file or another package."""
    entry = installed().get(name)
    return entry is not None and entry.dist is not None and entry.dist.name == SHIPPED


def variants() -> dict[str, EntryPoint]:
    """The engines among the installed ones that only cases which ask for more than the gradient are for."""
    return entries(VARIANTS)
