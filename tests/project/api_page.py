"""docs/api.md, made of the docstrings of what `import gradaccord` has: `python -m tests.project.api_page` writes it."""

from __future__ import annotations

import inspect
from pathlib import Path

import gradaccord

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
PREFACE = """# API

What `import gradaccord` has: names that stay. Nothing is loaded before it is used. This page is made of the
docstrings, and a test holds that it is theirs.
"""
GROUPS = {
    "Own functions": ("check", "trace", "define", "Refused"),
    "Ports": ("compare",),
    "Optimisers": ("check_optimiser",),
    "Runs": ("run", "read_csv"),
    "Authors of engines": (
        "Engine", "Evaluation", "Moved", "Variant", "Unsupported", "DTYPES", "Graph", "Node", "Use", "Constant",
        "emit", "missing", "runnable", "written_out",
    ),
}  # fmt: skip


def page() -> str:
    parts = [PREFACE.strip()]
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        parts += [_entry(name) for name in names if name in gradaccord.__all__]
    return "\n\n".join(parts) + "\n"


def _entry(name: str) -> str:
    thing = getattr(gradaccord, name)
    if not callable(thing):
        return f"### `{name}`\n\n{', '.join(f'`{key}`' for key in thing)}."
    text = inspect.cleandoc(thing.__doc__ or "")
    return f"### `{name}`\n\n```python\n{_signature(name, thing)}\n```\n\n{text}"


def _signature(name: str, thing: object) -> str:
    """With a parameter a line where it is long."""
    if not callable(thing) or (inspect.isclass(thing) and issubclass(thing, BaseException)):
        return name
    signature = inspect.signature(thing)
    written, star = list[str](), False
    for parameter in signature.parameters.values():
        if parameter.kind == parameter.KEYWORD_ONLY and not star:
            written.append("*")
        star |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        typed = "" if parameter.annotation is parameter.empty else f": {_typed(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        written.append(f"{mark}{parameter.name}{typed}{default}")
    returns = "" if signature.return_annotation is signature.empty else f" -> {_typed(signature.return_annotation)}"
    line = f"{name}({', '.join(written)}){returns}"
    return line if len(line) <= 100 else "\n".join([f"{name}(", *(f"    {one}," for one in written), f"){returns}"])


def _typed(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _default(value: object) -> str:
    return "..." if inspect.isfunction(value) else repr(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
