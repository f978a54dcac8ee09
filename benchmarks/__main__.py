"""The benchmark: `python benchmarks` prints the tables and keeps them in docs/benchmarks.md.

With a word (`links`, `products`, `judged`, `heard`, `ported`, `moves`, `paths`, `sizes`) it does so with one table;
`python benchmarks suite` with the last table alone, that of the shipped cases, which takes the longest: some
25 minutes. Each row is kept once it is measured, so that a run which stopped goes on with those that are named:
`suite jax run`. With paths of cases behind it, it measures those, and keeps nothing.

Everything is measured in turns within one process, on one thread, and stated as a ratio. Every contestant's
numbers are compared first: a wrong answer is not a fast one. Nothing here asserts a time.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import statistics
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import heard
import judged
import links
import networks
import numpy as np
import paths
import ported
import scalars
import sizes
import suite
from machine import machine
from timing import once, ratio, turns

from gradaccord.engines.backprop import prepare, value_and_gradient

KEPT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HAND, OURS, PUBLIC = "by hand", "gradaccord, compiled", "gradaccord, public call"
Table = tuple[str, str, list[list[str]]]


def scalar_table(power: str, counts: tuple[int, ...]) -> Table:
    rows: list[list[str]] = []
    for count in counts:
        chain = scalars.steps(count, power)
        graph = scalars.graph(chain)
        preparation = once(lambda g=graph: value_and_gradient(g))
        compiled, evaluate, by_hand = value_and_gradient(graph), prepare(graph, "float64"), scalars.by_hand(chain)
        numbers = tuple(scalars.INPUTS.values())
        arrays = {name: np.array(x) for name, x in scalars.INPUTS.items()}
        cotangent = np.array(1.0)
        calls: dict[str, Callable[[], Any]] = {
            HAND: lambda f=by_hand, n=numbers: f(*n),
            OURS: lambda f=compiled, n=numbers: f(*n),
            PUBLIC: lambda f=evaluate, a=arrays, c=cotangent: f(a, c),
        }
        if power == "**":
            _offer(calls, "micrograd", lambda c=chain: scalars.micrograd(c))
        _offer(calls, "torch eager", lambda c=chain: scalars.torch_eager(c))
        if count <= 1000:
            _offer(calls, "HIPS autograd", lambda c=chain: scalars.hips_autograd(c))
        for name, call in calls.items():
            if name != PUBLIC and not scalars.agree(call(), by_hand(*numbers)):
                raise SystemExit(f"{name} gives other numbers than {HAND}")
        taken = turns(calls)
        seconds = {name: statistics.median(times) for name, times in taken.items()}
        ours = taken[OURS]
        rows.append(
            [
                f"{count:,}",
                _time(seconds[HAND]),
                _time(seconds[OURS]),
                f"{ratio(ours, taken[HAND]):.2f}",
                _time(seconds[PUBLIC]),
                *(f"{ratio(taken[name], ours):.0f}" if name in taken else "" for name in OTHERS),
                _time(preparation),
                f"{seconds[OURS] / count * 1e9:.0f} ns",
            ]
        )
    ops = "`+ * **`" if power == "**" else "`+ * tanh`"
    head = "nodes | by hand | compiled | ratio to by hand | public call | " + " | ".join(
        f"{n} is slower by" for n in OTHERS
    )
    return f"Single numbers, {ops}: value and full gradient", head + " | preparation | a node", rows


OTHERS = ("micrograd", "torch eager", "HIPS autograd")


def network_table() -> Table:
    rows: list[list[str]] = []
    for label, size in networks.SIZES.items():
        for dtype in ("float64", "float32"):
            arrays = networks.data(size, dtype)
            graph = networks.graph(arrays)
            compiled, evaluate, by_hand = (
                value_and_gradient(graph, dtype),
                prepare(graph, dtype),
                networks.by_hand(arrays),
            )
            given, one = tuple(arrays.values()), np.array(1, dtype)
            calls: dict[str, Callable[[], Any]] = {
                HAND: by_hand,
                OURS: lambda f=compiled, g=given: f(*g),
                PUBLIC: lambda f=evaluate, a=arrays, c=one: f(a, c),
            }
            _offer(calls, "torch eager", lambda a=arrays: networks.torch_eager(a, fused=False))
            _offer(calls, "torch eager, addmm", lambda a=arrays: networks.torch_eager(a, fused=True))
            _offer(calls, "jax.jit", lambda a=arrays: networks.jax_jit(a))
            _offer(calls, "HIPS autograd", lambda a=arrays: networks.hips_autograd(a))
            for name, call in calls.items():
                if name != PUBLIC and not networks.agree(call(), by_hand()):
                    raise SystemExit(f"{name} gives other numbers than {HAND}")
            taken = turns(calls)
            base = taken[HAND]
            rows.append(
                [
                    label,
                    dtype,
                    _time(statistics.median(base)),
                    *(f"{ratio(taken[name], base):.2f}" if name in taken else "" for name in NETWORK),
                ]
            )
    return "Networks: value and full gradient, as multiples of NumPy written by hand", (
        "network | dtype | by hand | " + " | ".join(NETWORK)
    ), rows  # fmt: skip


NETWORK = (OURS, PUBLIC, "torch eager", "torch eager, addmm", "jax.jit", "HIPS autograd")


def _offer(calls: dict[str, Callable[[], Any]], name: str, make: Callable[[], Callable[[], Any]]) -> None:
    """Add a contestant, unless its library is not installed."""
    try:
        calls[name] = make()
    except ImportError:
        print(f"{name} is not installed", file=sys.stderr)


# By its word: the title of a table, its head, and what measures its rows.
ALONE: Mapping[str, tuple[str, str, Callable[[], Iterable[list[str]]]]] = {
    "links": (
        "Links: every number of one evaluation judged",
        "what is judged | values, terms, adjoints | truth, once | links | an element",
        links.link_rows,
    ),
    "products": (
        "Links of a product of matrices",
        "product of | values, terms, adjoints | links in balls | value's link | all links | an element",
        links.product_rows,
    ),
    "judged": (
        "One answer of torch judged: with the truth of the whole, and by its links alone",
        judged.HEAD,
        judged.judged_rows,
    ),
    "heard": (
        "A GPT of 109,312 parameters in float32, heard and judged by `gradaccord.check`",
        heard.HEAD,
        heard.heard_rows,
    ),
    "ported": (
        "A GPT of torch and its port to JAX, held together by `gradaccord.compare`",
        ported.HEAD,
        ported.ported_rows,
    ),
    "moves": (
        "Moves of an optimiser: a parameter and step, 100,000 parameters",
        paths.MOVES_HEAD,
        paths.move_rows,
    ),
    "paths": (
        "A path judged: 784-128-10, batch 16, by Adam in float32 on torch",
        paths.PATHS_HEAD,
        paths.path_rows,
    ),
    "sizes": ("Nothing quadratic: one answer, or one run, of the hand-written engine", sizes.HEAD, sizes.size_rows),
}


def table_alone(name: str) -> Table:
    title, head, rows = ALONE[name]
    return title, head, list(rows())


SUITE = "The shipped suite, one engine at a time, and `run`, all of them by the clock; paths included"
SUITE_HEAD = "engine | nothing compiled before | compiled before | of that the harness's own part | share"


def suite_rows(words: Sequence[str]) -> None:
    """The rows of the suite that the words name, all if none does; kept unless other words, paths, are among them."""
    named = [word for word in words if word in suite.ROWS]
    paths = [word for word in words if word not in suite.ROWS]
    for name in named or suite.ROWS:
        cells = suite.row(name, paths)
        print(" | ".join(cells), flush=True)
        if not paths:
            KEPT.write_text(with_suite_row(KEPT.read_text(encoding="utf-8"), cells), encoding="utf-8")


def with_table(page: str, title: str, table: str) -> str:
    """The page with this table in place of the one of its title; a new one stands before that of the suite."""
    heading, suite_heading = f"## {title}\n", "## The shipped suite"
    if heading not in page:
        page = page.replace(suite_heading, f"{heading}\n{suite_heading}", 1)
    before, _, rest = page.partition(heading)
    _, mark, after = rest.partition("\n## ")
    return f"{before}{table}{mark}{after}"


def with_suite_row(page: str, cells: list[str]) -> str:
    """The page with this row in its last table, in place of what the row was."""
    before, title, table = page.partition(f"## {SUITE}\n")
    if not title:  # none yet, or one with other columns
        before = page.partition("## The shipped suite")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    rows = {row[0]: row for row in found} | {cells[0]: cells}
    return before + _markdown((SUITE, SUITE_HEAD, [rows[name] for name in suite.ROWS if name in rows]))


def _time(seconds: float) -> str:
    scale, unit = (1e6, "µs") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1.0, "s")
    return f"{seconds * scale:.3g} {unit}"


def _markdown(table: Table) -> str:
    title, head, rows = table
    names = head.split(" | ")
    lines = [" | ".join(names), " | ".join(["---", *["---:"] * (len(names) - 1)]), *(" | ".join(row) for row in rows)]
    return f"## {title}\n\n" + "".join(f"| {line} |\n" for line in lines)


PREFACE = """# Benchmarks

Kept by `tox run -e bench` (or `python benchmarks`), which overwrites this page; with a word (`links`, `products`,
`judged`, `heard`, `ported`, `moves`, `paths`, `sizes`) the table of that alone, with `suite` the last one. Contestants
take turns within one process; times are medians of its processor time, ratios medians of the ratios within a turn, so
that they hold on a busy machine. *By hand* is straight-line Python, or NumPy, that a person would write
for just this computation.
*Compiled* is `gradaccord.engines.backprop.value_and_gradient(graph)`; the *public call* is what the harness
runs, which also hands out every value, term and adjoint as arrays.
"""


def main() -> None:
    """The tables that are asked for, to the terminal and to docs/benchmarks.md."""
    match sys.argv[1:]:
        case []:
            all_tables()
        case [name] if name in ALONE:
            table = table_alone(name)
            text = _markdown(table)
            print(text)
            KEPT.write_text(with_table(KEPT.read_text(encoding="utf-8"), table[0], text), encoding="utf-8")
        case ["suite", *words]:
            suite_rows(words)
        case words:
            known = ", ".join(f"`{name}`" for name in ALONE)
            said = f"`{' '.join(words)}`: expected nothing, {known}, or `suite` with its rows or paths of cases"
            raise SystemExit(said)


def all_tables() -> None:
    counts = (10, 100, 1000, 10_000)
    parts = [PREFACE, f"Machine: {machine('numpy', 'torch', 'jax', 'autograd', 'micrograd', threads=', one thread')}\n"]
    for make in (
        lambda: scalar_table("**", counts),
        lambda: scalar_table("tanh", counts),
        network_table,
        *(partial(table_alone, name) for name in ALONE),
    ):
        parts.append(_markdown(make()))
        print(parts[-1], flush=True)
    KEPT.write_text("\n".join([*parts, ""]), encoding="utf-8")
    suite_rows([])


if __name__ == "__main__":
    # micrograd recurses once a node; in a thread of its own the stack can be made large enough for that.
    sys.setrecursionlimit(100_000)
    threading.stack_size(512 * 2**20)
    ended: list[BaseException] = []

    def watched() -> None:
        try:
            main()
        except BaseException as error:  # noqa: BLE001 a thread would keep it to itself
            ended.append(error)

    thread = threading.Thread(target=watched)
    thread.start()
    thread.join()
    if ended:
        raise ended[0]
