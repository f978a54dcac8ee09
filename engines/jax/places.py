"""Where an equation comes from: the user's file and line, the module's path, and JAX's function by its own name."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from os import sep
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax._src import source_info_util

from ...harness.hearing.heard import Place

JAX = str(Path(jax.__file__).parent) + sep
ROOT = Path(__file__).parents[2]
# This project, but not its tests: who writes a function there is a user.
OURS = tuple(str(ROOT / room) + sep for room in ("engines", "harness", "api"))
MARKS = str(ROOT / "engines" / "jax" / "defined.py")  # stands between the user's call and a function with a meaning
INSTALLED = tuple({str(Path(path)) + sep for name, path in sysconfig.get_paths().items() if name.endswith("lib")})
PUBLIC = (
    ("jnp", jnp),
    ("jax.nn", jax.nn),
    ("jnp.linalg", jnp.linalg),
    ("jnp.fft", jnp.fft),
    ("lax", lax),
    ("jax.scipy.special", jax.scipy.special),
    ("jax", jax),
)


@lru_cache(maxsize=4096)
def is_ours(file: str) -> bool:
    """Whether a file is one of this project's own rooms."""
    return file.startswith(OURS)


@lru_cache(maxsize=4096)
def is_installed(file: str) -> bool:
    return file.startswith((*INSTALLED, JAX, "<")) or "site-packages" in file or "dist-packages" in file


def is_of_jax(file: str) -> bool:
    """Whether a file is JAX's own."""
    return file.startswith(JAX)


def place_of(equation: Any, scope: tuple[str, ...] = ()) -> Place:
    """The innermost of the user's frames; where there is none, that of a library that is not JAX."""
    frames = list(_frames(equation.source_info.traceback))
    users = [k for k, frame in enumerate(frames) if not is_installed(frame.file_name)]
    libraries = [k for k, frame in enumerate(frames) if not is_of_jax(frame.file_name)]
    here = next(iter(users or libraries), None)
    module = ".".join((*scope, *names_of(equation)))
    compiled = equation.params.get("name", "") if equation.primitive.name in ("jit", "pjit") else ""
    call = _called(frames[:here]) or public(compiled) or compiled or f"lax.{equation.primitive.name}"
    if here is None:
        return Place(module=module, call=call)
    frame = frames[here]
    chain = tuple(f"{frames[k].file_name}:{frames[k].line_num}" for k in reversed(users))
    return Place(frame.file_name, frame.line_num, frame.function_name, module, call, chain=chain)


def place_of_traceback(traceback: Any) -> Place:
    """The innermost of the user's frames in a traceback that JAX has recorded."""
    for frame in traceback.frames if traceback is not None else ():
        if not is_installed(frame.file_name) and not is_ours(frame.file_name):
            return Place(frame.file_name, frame.line_num, frame.function_name)
    return Place()


def names_of(equation: Any) -> tuple[str, ...]:
    """The scopes that an equation stands in, as Flax and `jax.named_scope` name them."""
    stack = equation.source_info.name_stack.stack
    return tuple(part.name for part in stack if isinstance(part, source_info_util.Scope))


def _frames(traceback: Any) -> Iterator[Any]:
    """The frames of a recorded traceback, the innermost first, up to the listener itself."""
    for frame in traceback.frames if traceback is not None else ():
        if frame.file_name == MARKS:
            continue
        if is_ours(frame.file_name):
            return
        yield frame


def _called(frames: list[Any]) -> str:
    """JAX's function that the user's line called: the outermost public one within it."""
    for frame in reversed(frames):
        name = frame.function_name.rpartition(".")[2]
        if is_of_jax(frame.file_name) and (found := public(name)):
            return found
    return ""


def public(name: str) -> str:
    """A function of JAX by the name that users know, empty where there is none."""
    modules = () if name.startswith("_") or not name else PUBLIC
    return next((f"{prefix}.{name}" for prefix, module in modules if callable(getattr(module, name, None))), "")


def place_of_error(traceback: TracebackType | None) -> Place:
    """The innermost of the user's frames that an exception went through."""
    found = Place()
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_installed(code.co_filename) and not is_ours(code.co_filename):
            found = Place(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next
    return found
