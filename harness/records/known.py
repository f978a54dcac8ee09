"""What is known of an engine, plain data that lives with it: formulas that it runs, defects, failures.

All holds in every case. What a shipped engine says of itself was measured by this project and counts; what a stranger's
engine says of itself is shown as its claim, and excuses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from packaging.specifiers import SpecifierSet

from ..graph.node import Node, Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """What an engine computes an elementwise operation by, where that loses more digits than the usual formula.

    `text` is in the case language, as in the operation's row: of a composite what stands for `stable`, of a primitive
    its `derivative`. Where that depends on its parameters `stable` says it, as in the row; where values and terms are
    computed by others, `quantity` says which one is meant. It counts where balls prove
    that it is the operation (`params`: with these parameters), and where no more than `digits` decimal digits went.
    `source` says where it is written. Its operations may round `rounding` times as far as usual.
    """

    operation: str
    text: str
    digits: int
    source: str
    rounding: float = 1
    params: Params = ()
    dtypes: tuple[str, ...] = ()
    versions: str = ""
    stable: Callable[[Mapping[str, object]], str] | None = None
    quantity: Literal["value", "term"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What an engine computes wrongly by no formula, and how wrongly at most.

    A number may be off by `within` units roundoff of `of`, an expression in the operands and parameters, of a term in
    the adjoint `g` too; `exact` is the right number. With `finite` false it may be NaN or infinite wherever `of` is not
    0. `operand` is that of a term, every one unless given. `plain` is a term that the plain program adds up in parts,
    where the one that shows its links does not; its size is taken at the true numbers. A variant along a direction
    shows no links: no component of its product may be off by more than `within` times the largest one, in every case
    that has the operation.
    """

    operation: str
    quantity: Literal["value", "term", "plain", "tangent", "hessian_product"]
    reason: str
    within: float
    of: str = "exact"
    finite: bool = True
    params: Params = ()
    operand: int | None = None
    dtypes: tuple[str, ...] = ()
    link: str = ""
    versions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure that an adapter recognises, and raises by its `name` (`KnownFailure`)."""

    name: str
    reason: str
    link: str = ""
    versions: str = ""


Entry: TypeAlias = "Formula | Defect | Failure"


def is_of(entry: Formula | Defect, node: Node) -> bool:
    """Whether a node is what an entry is about."""
    return entry.operation == node.op and all(dict(node.params).get(name) == value for name, value in entry.params)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of an engine in the version that runs. `shipped`: measured by this project, no stranger's claim."""

    entries: tuple[Entry, ...] = ()
    shipped: bool = False

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Formula))

    @property
    def defects(self) -> tuple[Defect, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Defect))

    def of(self, dtype: str, quantity: Literal["value", "term"]) -> Knowledge:
        """What is known of it in one precision, and formulas of values or of terms."""
        held = [e for e in self.entries if isinstance(e, Failure) or not e.dtypes or dtype in e.dtypes]
        read = (e for e in held if not isinstance(e, Formula) or e.quantity in (None, quantity))
        return Knowledge(tuple(read), self.shipped)

    def failure(self, name: str) -> str:
        """Why a failure of that name is known; empty where it is not."""
        failures = (entry for entry in self.entries if isinstance(entry, Failure) and entry.name == name)
        return next((entry.reason for entry in failures if self.shipped), "")


NOTHING = Knowledge()


def covers(versions: str, version: str) -> bool:
    """Whether a version such as `torch 2.13.0+cpu` lies within bounds such as `>=2.6,<3` (PEP 440, pre-releases too);
    all do where either is empty."""
    found = VERSION.search(version)
    return not versions or found is None or SpecifierSet(versions).contains(found[0], prereleases=True)


# As much of what an engine says of its version as is one: behind a word or alone.
VERSION = re.compile(r"\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?(?:\+[a-z0-9.]+)?")
