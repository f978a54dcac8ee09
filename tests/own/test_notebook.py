"""The notebook of the docs: every cell runs, in order, and shows what stands below it."""

from __future__ import annotations

import ast
import json
import linecache
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
CELLS = json.loads((ROOT / "docs" / "gradaccord.ipynb").read_text(encoding="utf-8"))["cells"]


def executed(text: str, file: str, names: dict[str, Any]) -> Any:
    """What a cell ends with, run as a notebook runs it: under a file name of its own."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    tree = ast.parse(text)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, file, "exec"), names)
    return eval(compile(ast.Expression(last.value), file, "eval"), names)


def without_numbers(text: str) -> list[str]:
    return re.sub(r"-?\d[\d.]*(e-?\d+)?", "N", text).split()


def test_every_cell_shows_what_stands_below_it() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    codes = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert len(codes) == 3
    for number, cell in enumerate(codes, 1):
        found = executed("".join(cell["source"]), f"/tmp/ipykernel_1/{number}.py", names)
        kept = cell["outputs"][0]["data"]
        assert without_numbers(str(found)) == without_numbers("".join(kept["text/plain"]))
        assert found._repr_html_().startswith("<pre")
        assert "".join(kept["text/html"]).startswith("<pre")
