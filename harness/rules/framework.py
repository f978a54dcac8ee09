"""What a framework's room offers of its optimisers: the table of their names, and how any of them is made and stepped.

Found by an entry point of the group `gradaccord.optimisers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from ..records.evaluation import Array
from .definition import Definition
from .native import Around, Native, nearest
from .optimiser import asked
from .rule import RULES


@dataclass(frozen=True, slots=True)
class Stepped:
    """What one step made: each parameter, and each state variable by the framework's own name, by its parameter. A
    state variable that all parameters share stands under each of them."""

    x: Mapping[str, Array]
    state: Mapping[str, Mapping[str, Array]]


Step: TypeAlias = Callable[[Mapping[str, Array]], Stepped]


class Group(NamedTuple):
    """The parameters that have the same settings, by their names: what moves them, and by which definition."""

    native: Native
    runs: Definition
    names: Sequence[str]


def native_groups(
    natives: Sequence[Native], around: Around, rule: str, settings: Mapping[str, Any], names: Iterable[str]
) -> list[Group]:
    """For each definition that inputs ask for the native that comes nearest. Raises Unsupported where there is none."""
    return [Group(*nearest(natives, wanted, around), own) for wanted, own in asked(rule, settings, names).items()]


def of_any_shape(natives: Iterable[Native]) -> list[Native]:
    """Those that are one definition whatever the parameter's shape."""
    return [native for native in natives if not RULES[native.rule].by_shape]


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework's optimisers.

    `natives`: those of one definition for every shape. `begin`: (constructor or what a user made, arguments,
    parameters) -> a step from gradients; an argument that is a `Schedule` changes from step to step. `around`: settings
    that it adds to any optimiser. `packages`: those whose constructors are its own.
    """

    name: str
    version: str
    packages: tuple[str, ...]
    natives: Sequence[Native]
    around: Around
    begin: Callable[[Any, Mapping[str, Any], Mapping[str, Array]], Step]
    arguments_of: Callable[[Any], Mapping[str, Any]]

    def find(self, path: str) -> Any:
        """A constructor by its path as users write it, `torch.optim.Adam`; None where there is none of that name."""
        module, _, name = path.rpartition(".")
        try:
            return getattr(import_module(module), name, None)
        except ImportError:
            return None
