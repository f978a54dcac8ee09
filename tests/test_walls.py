"""Walls between rooms: no import runs back. The map is `docs/architecture.md`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"torch", "jax", "jaxlib", "optax", "tensorflow", "autograd"}
FILES = sorted(path for room in ("harness", "engines", "reports") for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every import of a file, dotted from the checkout's root; those for the type checker alone are left out."""
    module = path.relative_to(ROOT).with_suffix("").parts
    package = module[:-1]
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{whole}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def allowed(path: Path) -> tuple[str, ...] | None:
    """Prefixes of this project that a file may import; None where only the general walls hold."""
    name = path.relative_to(ROOT).as_posix()
    graph, rows = "harness.graph", "harness.rows"
    if name.startswith("harness/graph/"):
        return (graph,)
    if name.startswith("harness/truth/"):
        return (graph, "harness.truth", "harness.arithmetic")
    if name.startswith("harness/arithmetic/"):
        return ("harness.arithmetic", "harness.evaluation")
    if name in ("harness/rows.py", "harness/workers.py"):
        return ("harness.engine_loading", "harness.graph.counted") if "workers" in name else ()
    if name == "harness/evaluation.py":
        return (graph,)
    if name.startswith("engines/"):
        adapter = name.removesuffix(".py").removesuffix("_directional").replace("/", ".")
        own = (adapter, adapter + "_operations")
        return (graph, "harness.evaluation", "harness.update", "harness.arithmetic", *own)
    if name.startswith("reports/"):
        return (graph, rows, "harness.results", "harness.findings", "harness.mermaid", "reports")
    return None


def inside(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    found = set(imports(path))
    ours = {name for name in found if inside(name, ("harness", "engines", "reports", "cases", "gradaccord"))}
    room = path.relative_to(ROOT).parts[0]
    if room == "harness":
        assert not {name for name in ours if inside(name, ("engines", "reports", "gradaccord"))}
    if room != "engines":
        assert not {name for name in found if name.partition(".")[0] in FRAMEWORKS}
    prefixes = allowed(path)
    if prefixes is not None:
        assert not {name for name in ours if not inside(name, prefixes)}


@pytest.mark.parametrize("path", sorted((ROOT / "engines").rglob("*.py")), ids=lambda path: path.name)
def test_an_engine_knows_one_framework(path: Path) -> None:
    used = {name.partition(".")[0] for name in imports(path)} & FRAMEWORKS
    assert used <= {"torch"} or used <= {"jax", "jaxlib", "optax"}


def test_germs_share_nothing_with_the_rules_that_they_prove() -> None:
    reached: set[str] = set()
    waiting = ["harness/truth/germs.py"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for found in imports(ROOT / name):
            parts = found.split(".")
            candidates = ("/".join(parts) + ".py", "/".join(parts[:-1]) + ".py")
            waiting += [candidate for candidate in candidates if (ROOT / candidate).is_file()]
    assert len(reached) > 3
    assert not reached & {"harness/graph/derivatives.py", "harness/graph/gradient.py"}


PLANTED = {
    "harness/graph/x.py": "from ..rows import Row",
    "harness/truth/x.py": "from ..judge import judge",
    "harness/x.py": "import torch",
    "harness/y.py": "from ..engines import backprop",
    "engines/x.py": "from ..harness.judge import judge",
    "engines/y.py": "from ..harness import judge",
    "reports/x.py": "from ..harness.run import run",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_import_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(PLANTED[name])
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    with pytest.raises(AssertionError):
        test_a_room_imports_only_what_lies_below_it(path)
