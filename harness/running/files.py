"""A function by where it stands, `model.py:loss`, and what its own code raises."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from ..errors import CommandError
from ..words import nearest

T = TypeVar("T")
OURS = Path(__file__).parent.parent.parent


class UsersError(CommandError):
    """What the user's own code raised: its traceback, without the frames of this project."""


def theirs(call: Callable[[], T]) -> T:
    """A call of a user's code. Raises UsersError for what that raises."""
    try:
        return call()
    except CommandError:
        raise
    except Exception as error:
        told = traceback.TracebackException.from_exception(error)
        kept = [frame for frame in told.stack if not Path(frame.filename).is_relative_to(OURS)]
        if not any(Path(frame.filename).is_file() for frame in kept):
            raise  # a defect of this project
        told.stack[:] = kept
        raise UsersError("".join(told.format()).rstrip()) from error


def load(address: str, default: str = "") -> Any:
    """What a Python file calls by a name, `model.py:loss`; `default` is the name where none is given.

    The file is run as a module of its name, its folder last on the path. Raises CommandError for a file or a name that
    is not there; what the file itself raises goes through as it is.
    """
    place, colon, name = address.rpartition(":")
    path, name = (Path(place), name) if colon and place.endswith(".py") else (Path(address), default)
    if not name:
        raise CommandError(f"`{address}` names no function: write `{address}:NAME`")
    if not path.is_file():
        raise CommandError(f"no file {path}: a function is named by its file and its name, `model.py:loss`")
    module = _module(path.resolve())
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            known = [word for word in dir(thing) if not word.startswith("_")]
            hint = " ".join(filter(None, [nearest(part, known), f"It has: {', '.join(known) or 'nothing'}."]))
            raise CommandError(f"{path} has no `{part}`. {hint}")
        thing = getattr(thing, part)
    return thing


def _module(path: Path) -> Any:
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "").resolve() == path:
        return known
    name = path.stem if known is None else f"{path.stem}_of_{path.parent.name}"  # a file `torch.py` hides no framework
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise CommandError(f"{path} is no Python file")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def inputs_of(made: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a maker of inputs returned, as operands by place and by name: a tuple or list, a dict, or one alone."""
    made = made() if callable(made) and not hasattr(made, "shape") else made
    if isinstance(made, dict):
        return (), cast("dict[str, Any]", made)
    return tuple(cast("tuple[Any, ...]", made)) if isinstance(made, tuple | list) else (made,), {}


def function_of(thing: Any) -> Any:
    """What is to be heard: a class that stands for a module is made without arguments."""
    if not isinstance(thing, type):
        return thing
    try:
        return thing()
    except TypeError as error:
        found = f"`{thing.__name__}` is a class that takes arguments ({error})"
        raise CommandError(
            f"{found}. Name an object that is made: `net = {thing.__name__}(...)`, `model.py:net`."
        ) from None


def check_inputs(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], remedy: str) -> None:
    """Raises CommandError for a function that does not take such inputs."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # it has none, or is no function
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        found = f"`{name_of(function)}{signature}` does not take these inputs: {error}"
        raise CommandError(f"{found}. {remedy}") from None


def name_of(function: Any) -> str:
    """What people call a function: a method with its class, a module by its class."""
    return getattr(function, "__qualname__", "") or type(function).__qualname__
