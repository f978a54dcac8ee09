"""Walls between rooms: no import runs back. The map is `docs/architecture.md`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FRAMEWORKS = {"torch", "jax", "jaxlib", "optax", "tensorflow", "autograd"}
SOURCES = sorted(path for room in ("api", "harness", "engines", "reports") for path in (ROOT / room).rglob("*.py"))


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


# The rooms of `harness/` from the ground up; those between two bars may not import one another. A room imports only
# rooms before the bar that stands before it.
ORDER = (
    "words | errors | graph | records | evaluation arithmetic hearing | rules | truth reading | judging "
    "| alignment paths | running | telling | own | dialects"
)


def floors(line: str) -> dict[str, int]:
    """What floor each name of an ordered line stands on."""
    return {name: floor for floor, names in enumerate(line.split("|")) for name in names.split()}


FLOORS = floors(ORDER)
SHELLS = (
    "__init__",
    "cli",
    "cli_own",
    "options",
    "pytest_plugin",
)  # above all rooms; nothing imports them but one another
REPORTED = (
    "words",
    "graph",
    *(f"records.{name}" for name in ("growing", "rows", "verdicts", "outcome", "paths", "tally")),
    "telling.mermaid",
    "telling.findings",
    "telling.causes",
)
# Narrower than the order says: what begins with the first may import of this project only the others, and itself.
NARROW = {
    "harness/truth/": ("words", "graph", "arithmetic", "records.formats"),
    "harness/arithmetic/": ("records.evaluation",),
    "harness/records/verdicts.py": (),
    "harness/records/formats.py": (),
    "harness/records/rows.py": ("graph.node", "records.verdicts"),
    "harness/records/evaluation.py": ("graph", "records.formats", "records.known"),
    "harness/records/known.py": ("graph.node",),
    "harness/running/workers.py": (
        "errors", "running.garbage", "running.loading", "running.memory", "running.offered", "words",
    ),
    "engines/": (
        "words", "graph", "records.evaluation", "records.known", "records.spelling", "records.cotangent", "rules",
        "arithmetic", "hearing",
    ),
    "reports/html/beside.py": (*REPORTED, "alignment.trail", "hearing.heard", "own.compared"),
    "reports/": REPORTED,
}  # fmt: skip


# The files of a room, and the rooms within, by the same rule: a file imports only what stands before its bar.
FILES = {
    "graph": "node | shapes symbol | operations | graph | build | language | emit expand | define gradient native "
    "| directional",
    "graph/operations": "operation | parameters arithmetic exponential trigonometric special activation choice "
    "reduction linear_algebra convolution movement | pooling border indexing loss layer | __init__",
    "graph/language": "habits printing | slips subscripts | expression | mistakes",
    "records": "formats growing verdicts known spelling | evaluation rows | cotangent paths settings | outcome | tally",
    "arithmetic": "special | arrays floats",
    "hearing": "heard structure | definitions matrices recording",
    "rules": "schedules texts | rule | adam gradient turns | adaptive whole | __init__ | definition "
    "| native optimiser update | framework",
    "truth": "arrays precision next_to_one | rounding | choice products | laurent numbers | pairs series "
    "| germs lost poles reference residuals shaken | adjoints beside forward intervals together "
    "| links | batches proof sides sweeps | groups radii "
    "| second sensitivity ties",
    "reading": "elsewhere formula names yaml_text | code schema yaml_syntax | descriptions editors yaml_tree "
    "| inputs keys | definitions indices | statements | known | update | case | ledger_file",
    "judging": "begins choices subject triangles | classify matter | defects together | known "
    "| agreement allowance expectation unseen | inside | chain | range estimates last_word | shadow | judge "
    "| certificate second_order | heard",
    "alignment": "content difference layout | parameters side | matching wording | proposals exercised trail "
    "| exchanges omissions orders relations steps tables windows | gradients operands outputs proofs | calls | search "
    "| align | compare",
    "paths": "arithmetic horizon kept summary | gaps inner move | reckoning stacked | settled | moves "
    "| dialects ends settings | trajectory | planes swapped | parting",
    "running": "files folder garbage interrupts ledger offered pieces selection spread | listeners loading | answers "
    "| inside memory | workers | called coverage | unit | journal schedule | place | cluster | pools | run | session "
    "| gathered",
    "dialects": "known probing slips | sides | following settled | identify | checking likeness | check remedies "
    "| dialect | wording | command pairs",
    "own": "new_case case_file drawn elsewhere frameworks shown tables | checked ran | check compared | take trace "
    "| further heard_file | command compare | comparing",
    "telling": "changes copying findings lists mermaid progress proving rules showing ways | causes explaining script "
    "| annotations failing issue stream terminal | watching",
}


def room_of(path: Path) -> str:
    """The room of a file, `graph` for `harness/graph/emit.py`; a file directly in `harness/` is a room of its own."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def allowed(path: Path) -> tuple[str, ...]:
    """Prefixes of this project that a file may import."""
    name = path.relative_to(ROOT).as_posix()
    if name.startswith("api/"):
        return ("gradaccord.harness",)
    for place, rooms in NARROW.items():
        if name.startswith(place):
            return (*(f"harness.{room}" for room in rooms), *itself(name))
    room = room_of(path)
    if room in SHELLS:
        return ("harness",)
    below = [other for other, floor in FLOORS.items() if floor < FLOORS[room]]
    return tuple(f"harness.{other}" for other in [*below, room])


def itself(name: str) -> tuple[str, ...]:
    """Prefixes of what a file may import beside other rooms: its room; of an engine, that of its framework."""
    if name.startswith("engines/"):
        return (".".join(name.split("/")[:2]).removesuffix(".py"),)
    if name.startswith("reports/"):
        return ("reports",)
    room = name.rpartition("/")[0].replace("/", ".")
    return (room,) if room in ("harness.truth", "harness.arithmetic") else ()


def inside(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    found = set(imports(path))
    ours = {name for name in found if inside(name, ("harness", "engines", "reports", "cases", "gradaccord"))}
    room = path.relative_to(ROOT).parts[0]
    if room == "harness":
        assert not {name for name in ours if inside(name, ("engines", "reports", "gradaccord"))}
    if room != "engines":
        assert not {name for name in found if name.partition(".")[0] in FRAMEWORKS}
    assert not {name for name in ours if not inside(name, allowed(path))}


INSIDE = sorted(path for room in FILES for path in (ROOT / "harness" / room).glob("*.py"))


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_what_stands_before_it_in_its_room(path: Path) -> None:
    room = path.parent.relative_to(ROOT / "harness").as_posix()
    order, prefix = floors(FILES[room]), f"harness/{room}/".replace("/", ".")
    found = {name.removeprefix(prefix).partition(".")[0] for name in imports(path) if name.startswith(prefix)}
    if path.stem == "__init__" and "__init__" not in order:
        assert not found
    else:
        later = {name for name in found if order.get(name, -1) >= order[path.stem] and name != path.stem}
        assert not later
        assert path.stem in order


def test_every_file_has_its_place() -> None:
    for room, line in FILES.items():
        folder = ROOT / "harness" / room
        there = {path.stem for path in folder.glob("*.py")} | {
            path.parent.name for path in folder.glob("*/__init__.py")
        }
        assert there | {"__init__"} == {*floors(line), "__init__"}
        assert len(floors(line)) == len(line.replace("|", " ").split())


def assert_each_is_noticed(planted: Iterable[tuple[str, str]], check: Callable[[Path], None]) -> None:
    """Each file of one line, in the tree that the check looks at."""
    for name, line in planted:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line)
        try:
            check(path)
        except AssertionError:
            continue
        pytest.fail(f"{name}: `{line}` is not noticed")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree that is looked at is an empty one."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)


BACK_INSIDE = [
    (f"harness/{room}/{name}.py", f"from .{other} import y")
    for room, line in FILES.items()
    for name, floor in floors(line).items()
    for other, above in floors(line).items()
    if other != name and above >= floor and "__init__" not in (name, other)
]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("room", sorted({name.rpartition("/")[0] for name, _ in BACK_INSIDE}))
def test_an_import_planted_within_a_room_is_noticed(room: str) -> None:
    planted = [one for one in BACK_INSIDE if one[0].rpartition("/")[0] == room]
    assert_each_is_noticed(planted, test_a_file_imports_only_what_stands_before_it_in_its_room)


def test_every_room_has_its_place_and_says_what_lives_there() -> None:
    folder = ROOT / "harness"
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms == {*FLOORS, *SHELLS}
    assert len([*folder.glob("*.py")]) <= 8
    assert all(ast.get_docstring(ast.parse(path.read_text())) for path in folder.rglob("__init__.py"))


@pytest.mark.parametrize("path", sorted((ROOT / "engines").rglob("*.py")), ids=lambda path: path.name)
def test_an_engine_knows_one_framework(path: Path) -> None:
    used = {name.partition(".")[0] for name in imports(path)} & FRAMEWORKS
    assert used <= {"torch"} or used <= {"jax", "jaxlib", "optax"}


def readers(name: str, paths: list[Path]) -> set[tuple[str, str]]:
    """Who reads an attribute: file and expression."""
    return {
        (path.relative_to(ROOT).as_posix(), ast.unparse(node))
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == name
    }


def test_who_reads_a_derivative() -> None:
    """What proves them, germs above all, does not; `taylor` is a power series of FLINT's."""
    found = readers("derivative", SOURCES)
    assert found == {
        ("harness/graph/gradient.py", "operation.derivative"),
        ("harness/truth/series.py", "taylor.derivative"),
    }


BACK = [
    (room, other)
    for room, floor in FLOORS.items()
    for other in (*FLOORS, *SHELLS)
    if other != room and FLOORS.get(other, len(FLOORS)) >= floor
]
PLANTED = [
    ("harness/graph/x.py", "import torch"),
    ("harness/graph/x.py", "from ...engines import backprop"),
    ("engines/x.py", "from ..harness.judging.judge import judge"),
    ("engines/x.py", "from ..harness.judging import judge"),
    ("engines/x.py", "from ..harness.records.rows import Row"),
    ("api/x.py", "from gradaccord.engines import backprop"),
    ("api/x.py", "import torch"),
    ("engines/x.py", "from gradaccord import emit"),
    ("reports/x.py", "import gradaccord"),
    ("reports/x.py", "from ..harness.running.run import run"),
    ("reports/x.py", "from ..harness.telling.terminal import console"),
    ("harness/truth/x.py", "from ..records.rows import Row"),
    ("harness/arithmetic/x.py", "from ..graph.graph import Graph"),
    ("harness/records/rows.py", "from ..graph.graph import Graph"),
    ("harness/records/evaluation.py", "from .rows import Row"),
    ("harness/running/workers.py", "from .run import run"),
    *((f"harness/{room}/x.py", f"from ..{other} import y") for room, other in BACK),
    *((f"harness/{room}/x.py", f"from ..{other}.x import y") for room, other in BACK),
]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("room", sorted({name.rpartition("/")[0] for name, _ in PLANTED}))
def test_a_planted_import_is_noticed(room: str) -> None:
    planted = [one for one in PLANTED if one[0].rpartition("/")[0] == room]
    assert_each_is_noticed(planted, test_a_room_imports_only_what_lies_below_it)
