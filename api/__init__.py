"""gradaccord: do these engines compute the same gradient, and where they do not: rounding, a convention, or a defect?

The front door: what authors of engines need, under names that stay (`docs/engines.md`). Importing it costs
nothing: each name is fetched from its room when it is first asked for, and no framework is loaded by any.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradaccord.harness.dialects.check import check_optimiser
    from gradaccord.harness.graph.define import runnable, written_out
    from gradaccord.harness.graph.emit import emit, missing
    from gradaccord.harness.graph.graph import Constant, Graph, Node, Use
    from gradaccord.harness.hearing.definitions import define
    from gradaccord.harness.hearing.heard import Refused
    from gradaccord.harness.own.check import check
    from gradaccord.harness.own.compare import compare
    from gradaccord.harness.own.ran import run
    from gradaccord.harness.own.tables import read_csv
    from gradaccord.harness.own.trace import trace
    from gradaccord.harness.records.evaluation import DTYPES, Engine, Evaluation, Moved, Unsupported, Variant

    __version__: str

_ROOMS = {
    "dialects.check": ("check_optimiser",),
    "graph.define": ("runnable", "written_out"),
    "graph.emit": ("emit", "missing"),
    "graph.graph": ("Constant", "Graph", "Node", "Use"),
    "own.check": ("check",),
    "own.compare": ("compare",),
    "own.ran": ("run",),
    "own.tables": ("read_csv",),
    "own.trace": ("trace",),
    "hearing.definitions": ("define",),
    "hearing.heard": ("Refused",),
    "records.evaluation": ("DTYPES", "Engine", "Evaluation", "Moved", "Unsupported", "Variant"),
}
_HOMES = {name: f"gradaccord.harness.{room}" for room, names in _ROOMS.items() for name in names}

__all__ = [
    "DTYPES",
    "Constant",
    "Engine",
    "Evaluation",
    "Graph",
    "Moved",
    "Node",
    "Refused",
    "Unsupported",
    "Use",
    "Variant",
    "__version__",
    "check",
    "check_optimiser",
    "compare",
    "define",
    "emit",
    "missing",
    "read_csv",
    "run",
    "runnable",
    "trace",
    "written_out",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        found: object = version("gradaccord")
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found  # the next access finds it without asking
    return found


def __dir__() -> list[str]:
    return __all__
