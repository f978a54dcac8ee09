"""`gradaccord compare`: two functions by their files, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .command import theirs
from .compare import compare
from .compared import Compared
from .files import function_of, inputs_of, load


def compare_command(
    first: str, second: str, made_by: str, parameters: str, wanted: Sequence[str], dtype: str, *, judge: bool
) -> Compared:
    """Compare what two addresses name. Raises CommandError; what the user's own code raises is in UsersError."""
    named = [theirs(lambda address=address: load(address)) for address in (first, second)]
    args, kwargs = theirs(lambda: inputs_of(load(made_by or first.rpartition(":")[0], "inputs")))
    a, b = (theirs(lambda one=one: function_of(one)) for one in named)
    convert: Any = theirs(lambda: load(parameters, "convert")) if parameters else None
    return theirs(
        lambda: compare(
            a, b, *args, parameters=convert, kwargs=kwargs, wanted=list(wanted) or None, dtype=dtype, judge=judge
        )
    )


def write_page(compared: Compared, path: Path) -> None:
    """The comparison as Markdown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compared.markdown(), encoding="utf-8")
