"""What stands in the brackets of `x[...]`: integers, slices, `...` and None, as text."""

from __future__ import annotations

import ast
from contextlib import suppress

from ..node import GraphError
from ..shapes import index_of
from .habits import cut


def index_text(tree: ast.expr) -> str:
    """An index as `getitem` has it. Raises GraphError for one that gathers, or is no index."""
    text = ast.unparse(tree)
    text = text[1:-1] if isinstance(tree, ast.Tuple) and text.startswith("(") else text
    with suppress(ValueError):
        index_of(text)
        return text
    raise GraphError(f"index [{cut(text)}]", "integers, slices, `...` and None", "`take` gathers along an axis")
