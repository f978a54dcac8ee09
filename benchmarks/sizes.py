"""Nothing quadratic: time and memory at growing sizes, each size in a process of its own.

`python benchmarks/sizes.py KIND SIZE` does one of them and prints what it took.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import judged
import links
from timing import once

from gradaccord.engines.backprop import prepare
from gradaccord.harness.cli import main
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject

HEAD = "what is judged | size | processor time | a number, node, case or step | peak of new memory"
Job = Callable[[int], tuple[float, float]]  # a size -> seconds of processor time, MiB
CASE = "name: {name}\nabout: A chain.\nsource: benchmarks\ninputs: {{x0: 0.3}}\ngraph:\n{lines}{more}"


def here(make: Callable[[int], Subject], *, whole: bool = True) -> Job:
    """One answer of the hand-written engine judged, with its truth or by its links alone."""

    def job(size: int) -> tuple[float, float]:
        small = make(2)
        judge(small, "backprop", prepare(small.graph, small.dtype)(small.inputs, small.cotangent))
        about = make(size)
        shown = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
        if whole:
            return _taken(lambda: judge(about, "backprop", shown))
        return _taken(Chain(about, shown).judge)

    return job


def by_command(write: Callable[[Path, int], None]) -> Job:
    """`gradaccord run` on cases that are written for it, from YAML to its reports, by the hand-written engine."""

    def command(folder: Path) -> None:
        words = ["run", str(folder), "-e", "backprop", "-d", "float64", "--jobs", "1", "--quiet"]
        try:
            main([*words, "--out", f"{folder}/out"])
        except SystemExit as ended:
            if ended.code:
                raise

    def job(size: int) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as folder:
            write(Path(first), 1)
            command(Path(first))  # imports what it needs
            write(Path(folder), size)
            return _taken(lambda: command(Path(folder)))

    return job


def _taken(call: Callable[[], object]) -> tuple[float, float]:
    before = _peak()
    return once(call), _peak() - before


def _peak() -> float:
    """The most memory that this process had at once, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def nodes(folder: Path, count: int) -> None:
    """Four nodes a statement: a file has at most 50,000 values."""
    statements = max(count // 4, 1)
    lines = "".join(f"  x{k + 1}: tanh(tanh(x{k} * 1.25) * 0.8)\n" for k in range(statements))
    (folder / "chain.yaml").write_text(CASE.format(name="chain", lines=lines, more=""))


def cases(folder: Path, count: int) -> None:
    lines = "".join(f"  x{k + 1}: tanh(x{k} * 1.25)\n" for k in range(3))
    for k in range(count):
        (folder / f"chain-{k}.yaml").write_text(CASE.format(name=f"chain-{k}", lines=lines, more=""))


def steps(folder: Path, count: int) -> None:
    update = f"update: {{rule: adam, step_size: 0.0001, steps: {count}}}\n"
    text = CASE.format(name="path", lines="  y: tanh(x0) ** 2 + x0 ** 2\n", more=update)
    (folder / "path.yaml").write_text(text)


def network(hidden: int) -> Subject:
    return judged.network(784, hidden)("float64")


KINDS: Mapping[str, tuple[str, Job, tuple[int, ...], Callable[[int], float]]] = {
    "elementwise": ("numbers of tanh(x) * x", here(links.elementwise), (10_000, 100_000, 1_000_000), float),
    "product": (
        "rows of a product of square matrices, by its links; a number",
        here(lambda n: links.product(n, "float64"), whole=False), (256, 512, 1024, 2048), lambda n: n * n,
    ),
    "parameters": (
        "units of a 784-n-10 network, 795 parameters each", here(network), (13, 126, 1258), lambda n: 795 * n,
    ),
    "nodes": ("single numbers, from YAML to reports", by_command(nodes), (1_000, 10_000, 99_600), float),
    "cases": ("cases, from YAML to reports", by_command(cases), (10, 100, 1_000), float),
    "steps": ("steps of Adam, from YAML to reports", by_command(steps), (100, 1_000, 10_000), float),
}  # fmt: skip


def size_rows() -> Iterator[list[str]]:
    for kind, (what, _, sizes, units) in KINDS.items():
        for size in sizes:
            told = subprocess.check_output([sys.executable, __file__, kind, str(size)], text=True)
            seconds, peak = map(float, told.split()[-2:])
            each = seconds / units(size)
            text = f"{each * 1e3:.2f} ms" if each > 1e-3 else f"{each * 1e6:.2f} µs"
            yield [what, f"{size:,}", f"{seconds:.2f} s", text, f"{peak:,.0f} MiB"]


if __name__ == "__main__":
    _, kind, size = sys.argv
    print(*KINDS[kind][1](int(size)))
