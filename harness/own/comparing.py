"""`gradaccord compare`: two functions by their files, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CommandError
from ..running.files import function_of, inputs_of, load, theirs
from .compare import compare
from .compared import Compared
from .heard_file import SUFFIX


def compare_command(
    first: str, second: str, made_by: str, parameters: str, wanted: Sequence[str], dtype: str, *, judge: bool
) -> Compared:
    """Compare what two addresses name. Raises CommandError; what the user's own code raises is in UsersError."""
    if first == second and not parameters:  # a class is made anew for either side, with weights of its own
        raise CommandError(f"the same function twice: {first}. Compare it with another one.")
    named = [theirs(lambda address=address: _named(address)) for address in (first, second)]
    args, kwargs = (), dict[str, Any]()
    if not any(isinstance(one, Path) for one in named):
        args, kwargs = theirs(lambda: inputs_of(load(made_by or first.rpartition(":")[0], "inputs")))
    elif made_by:
        raise CommandError("`--inputs` with a file of `gradaccord hear`: the inputs are those of the file")
    a, b = (one if isinstance(one, Path) else theirs(lambda one=one: function_of(one)) for one in named)
    convert: Any = theirs(lambda: load(parameters, "convert")) if parameters else None
    return theirs(
        lambda: compare(
            a, b, *args, parameters=convert, kwargs=kwargs, wanted=list(wanted) or None, dtype=dtype, judge=judge
        )
    )


def _named(address: str) -> Any:
    """A function by its file, or the path of one that was heard."""
    return Path(address) if address.endswith(SUFFIX) else load(address)


def write_page(compared: Compared, path: Path) -> None:
    """The comparison as HTML where the file's name ends so, as Markdown elsewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compared.html() if path.suffix == ".html" else compared.markdown(), encoding="utf-8")
