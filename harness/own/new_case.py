"""A case to begin with: a file that is valid as it stands, and the schema that editors complete and check by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..errors import CommandError
from ..reading.case import schema

SCHEMA = "gradaccord.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA}\n"
TEXT = """\
name: {name}
about: What it shows, in a sentence.
inputs: {{x: 0.5, w: -1.25}}
graph:
  h: tanh(w * x)
  loss: (h - 1) ** 2
# expect:                 # numbers that you know, as decimals
#   gradient: {{x: 3.1}}
# dtypes: [float64, float32, bfloat16]
# update: {{rule: descent, step_size: 0.1, steps: 20}}
"""


def new_case(path: Path, written: Callable[[Path], list[Path]] | None = None) -> list[Path]:
    """Write a case and, beside it, the schema that its first line names. Returns all files, the case first.

    `written` writes the case itself, as a run that was heard; a small one by hand without it. Raises CommandError for
    a file that is there already, or cannot be written.
    """
    path = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
    if path.exists():
        raise CommandError(f"{path} is there already: choose another name, or take it away")
    beside = path.with_name(SCHEMA)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files = [path] if written is None else written(path)
        name = path.stem.lower().replace("_", "-").replace(" ", "-")
        text = TEXT.format(name=name) if written is None else path.read_text(encoding="utf-8")
        path.write_text(MODELINE + text, encoding="utf-8")
        beside.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {error.filename or path}: {error.strerror or error}") from None
    return [*files, beside]
