"""Which engines there are: entry points of the groups `gradaccord.engines` and `gradaccord.variants`.

Nothing is imported to know their names.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

GROUP = "gradaccord.engines"
VARIANTS = "gradaccord.variants"  # of engines, for derivatives along a direction alone
DEFAULT = ("backprop", "torch", "jax", "jax:jit", "finite_difference")


@cache
def installed() -> dict[str, EntryPoint]:
    """Every engine that an installed package offers, the shipped ones first, variants last."""
    entries = {entry.name: entry for entry in entry_points(group=GROUP)}
    order = [name for name in DEFAULT if name in entries] + sorted(set(entries) - set(DEFAULT))
    return {name: entries[name] for name in order} | dict(sorted(variants().items()))


@cache
def variants() -> dict[str, EntryPoint]:
    """The engines among the installed ones that only cases which ask for more than the gradient are for."""
    return {entry.name: entry for entry in entry_points(group=VARIANTS)}
