"""Where units are done: the same outcomes from every executor, in the same order, whatever dies on the way."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.metadata import distribution
from multiprocessing import active_children, get_context
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import find, load_all
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running import memory, offered, place
from gradaccord.harness.running.answers import prepared
from gradaccord.harness.running.cluster import Cluster
from gradaccord.harness.running.loading import load, loaded
from gradaccord.harness.running.pools import Processes, ThisProcess, cores, executor
from gradaccord.harness.running.run import run, units
from gradaccord.harness.running.schedule import AHEAD, Schedule, cost
from gradaccord.harness.running.unit import Unit
from gradaccord.harness.running.workers import Apart

from ..conftest import PRODUCT, Command, engine_file, packaged

CASES = Path(__file__).parent.parent.parent / "cases"
ENGINES = ("backprop", "finite_difference")
DIES, HANGS = engine_file("dies_in_float32"), engine_file("hangs")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[str], str]]:
    """Installs an engine for tests as one of this project's own, which live in the processes that do units."""

    def forget() -> None:
        for known in (offered.entries, offered.installed, offered._all, loaded):
            known.cache_clear()

    def installed(name: str) -> str:
        site, ours = tmp_path / "site", distribution("gradaccord")
        about = f"Metadata-Version: 2.1\nName: gradaccord\nVersion: {ours.version}\n"
        group = "[gradaccord.engines]\n"
        entries = (ours.read_text("entry_points.txt") or "").replace(group, f"{group}{name} = {name}:prepare\n")
        packaged(site, "gradaccord", about, entries)
        copy(engine_file(name), site)
        monkeypatch.syspath_prepend(site)
        forget()
        return name

    yield installed
    forget()


def some() -> list[Unit]:
    """Units with paths, a ledger, second order and expectations."""
    names = ("nested-nodes", "gelu-tail", "rosenbrock")
    return units(load_all([path for path in find([CASES]) if path.stem in names]), ["float64"])


def compared(outcome: Outcome) -> Outcome:
    """All of an outcome but how long it took."""
    return replace(outcome, seconds=0.0, rows=tuple(replace(row, seconds=0.0) for row in outcome.rows))


def done(
    work: list[Unit],
    settings: Settings,
    executor: Executor | None = None,
    noticed: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    return [compared(outcome) for outcome in run(work, settings, executor, noticed)]


@pytest.fixture(scope="module")
def serial() -> list[Outcome]:
    return done(some(), Settings(ENGINES))


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    workers, threads = map(int, sys.argv[1:])
    with LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def local_cluster(workers: int, threads: int = 1) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """The address of a Dask cluster of this machine, and its process: one of its own, as users have it."""
    with TemporaryDirectory() as folder:
        script = Path(folder) / "cluster.py"
        script.write_text(CLUSTER)
        with subprocess.Popen(
            [sys.executable, script, str(workers), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
            process.kill()  # workers end with their parent


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with local_cluster(workers=2) as (place, _):
        yield place


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@pytest.mark.parametrize(
    "pool, settings",
    [
        pytest.param(lambda: Processes(2), Settings(ENGINES, jobs=2), id="processes"),
        pytest.param(spawned, Settings(ENGINES), id="anybody's processes", marks=pytest.mark.slow),
        pytest.param(lambda: ThreadPoolExecutor(1), Settings(ENGINES, jobs=1), id="a thread", marks=pytest.mark.slow),
        pytest.param(lambda: ThreadPoolExecutor(4), Settings(ENGINES, jobs=4), id="threads"),
        pytest.param(lambda: ThreadPoolExecutor(1), Settings(ENGINES, timeout=60.0), id="apart"),
    ],
)
def test_every_executor_gives_the_outcomes_of_this_process(
    pool: Callable[[], Executor], settings: Settings, serial: list[Outcome]
) -> None:
    with pool() as workers:
        assert done(some(), settings, workers) == serial


def test_a_cluster_gives_the_outcomes_of_this_process(address: str, serial: list[Outcome]) -> None:
    with Cluster(address, ENGINES) as cluster:
        assert cluster.workers == 2
        assert done(some(), Settings(ENGINES, jobs=2), cluster) == serial
        assert done(some()[:2], Settings(ENGINES, timeout=60.0), cluster) == serial[:2]


def reasons(found: list[Outcome], engine: str) -> set[tuple[str, str]]:
    return {(o.dtype, row.reason) for o in found for row in o.rows if row.engine == engine and row.quantity == "run"}


DIED = "its process died with signal 9"
HUNG = "no answer within 2 seconds: its process was stopped"


def test_on_a_cluster_an_engine_that_hangs_or_dies_is_a_row(address: str, product: Path) -> None:
    """The workers of a cluster are daemons, which may not have children of `multiprocessing`."""
    work = units(load_all([product]))
    with Cluster(address, ()) as cluster:
        hung = done(work, Settings((HANGS, "backprop"), jobs=2, timeout=2.0), cluster)
        died = done(work, Settings((DIES, "backprop"), jobs=2), cluster)
    assert reasons(hung, HANGS) == {("float64", HUNG), ("float32", HUNG)}
    assert reasons(died, DIES) == {("float32", DIED)}
    for found in (hung, died):
        assert {row.verdict for o in found for row in o.rows if row.engine == "backprop"} == {"agree"}


def test_only_the_unit_that_kills_its_worker_is_done_apart(
    product: Path, install: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = install("dies_in_float32")
    sent: list[tuple[str, bool]] = []
    submit = Processes.submit

    def watched(self: Processes, fn: Any, /, unit: Unit, settings: Settings) -> Any:
        sent.append((unit.dtype, settings.apart))
        return submit(self, fn, unit, settings)

    monkeypatch.setattr(Processes, "submit", watched)
    work = units(load_all([product]), ["float32", "float64"])
    work = [*work, *[unit for unit in work if unit.dtype == "float64"] * 6]
    with Processes(1) as pool:
        found = done(work, Settings((dies,)), pool)
    assert [outcome.dtype for outcome in found] == [unit.dtype for unit in work]
    assert reasons(found, dies) == {("float32", DIED)}
    assert sent.count(("float32", True)) == 1
    assert ("float64", True) not in sent


@pytest.mark.slow  # `test_only_the_unit_that_kills_its_worker_is_done_apart` is quicker
def test_where_every_unit_kills_its_worker_the_rest_is_done_apart(product: Path, install: Callable[[str], str]) -> None:
    dies = install("dies_in_float32")
    work = units(load_all([product]), ["float32"]) * 8
    with Processes(2) as pool:
        found = done(work, Settings((dies,), jobs=2), pool)
    assert len(found) == 8
    assert all(reasons([outcome], dies) == {("float32", DIED)} for outcome in found)


class Broken(Executor):
    """An executor that nobody mends."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError("cannot schedule new futures after shutdown")


def test_an_executor_that_takes_no_work_gives_a_row_for_each_unit(product: Path) -> None:
    found = done(units(load_all([product])), Settings(("backprop",)), Broken())
    assert [[(row.engine, row.verdict, row.finding) for row in o.rows] for o in found] == [
        [("truth", "failed", True)],
        [("truth", "failed", True)],
    ]
    assert "cannot schedule new futures" in found[0].rows[0].reason


def test_leaving_a_run_early_waits_for_nothing(product: Path) -> None:
    work = units(load_all([product]), ["float64"])
    before = {child.pid for child in active_children()}
    start = time.perf_counter()
    with Processes(2) as pool, closing(run([*work, *work], Settings((HANGS,), jobs=2), pool)) as outcomes:
        pool.submit(os.getpid).result()  # the workers are there
        with pytest.raises(KeyboardInterrupt):
            _interrupted_after(1.5, outcomes)
    assert time.perf_counter() - start < 60
    assert not {child.pid for child in active_children()} - before


def _interrupted_after(seconds: float, outcomes: Iterator[Outcome]) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        next(outcomes)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_is_complete_is_noticed_at_once_and_given_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PRODUCT.replace("name: product", "name: a"))
    (tmp_path / "b.yaml").write_text(PRODUCT.replace("name: product", "name: b"))
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom pathlib import Path\nfrom gradaccord.engines import backprop\n"
        f"NOTICED = Path({str(tmp_path / 'noticed')!r})\n"
        "def prepare(graph, dtype):\n    end = time.monotonic() + 60\n"
        "    while dtype == 'float64' and not NOTICED.exists() and time.monotonic() < end:\n        time.sleep(0.01)\n"
        "    return backprop.prepare(graph, dtype)\n"
    )
    work = units(load_all(find([tmp_path])))
    noticed: list[tuple[str, str]] = []

    def notice(outcome: Outcome) -> None:
        noticed.append((outcome.case, outcome.dtype))
        (tmp_path / "noticed").touch()  # what awaits it would else wait for a minute

    with Processes(2) as pool:
        settings = Settings((str(slow),), jobs=2)
        found = done(work, settings, pool, noticed=notice)
    assert [(o.case, o.dtype) for o in found] == [(case, dtype) for case in "ab" for dtype in ("float64", "float32")]
    assert sorted(noticed) == sorted((o.case, o.dtype) for o in found)
    assert noticed[0] == ("a", "float32")  # which was begun second, and awaited none


def test_a_cluster_that_goes_away_fails_what_is_left(product: Path) -> None:
    work = units(load_all([product]), ["float64"]) * 8
    with local_cluster(workers=1) as (place, process), Cluster(place, ()) as cluster:
        outcomes = run(work, Settings(("backprop",), jobs=1), cluster)
        first = next(outcomes)
        process.kill()
        rest = list(outcomes)
    assert {row.verdict for row in first.rows} == {"agree"}
    assert len(rest) == 7
    assert "the connection to the cluster's scheduler is lost" in rest[-1].rows[0].reason


# --- what docs/scale.md shows -----------------------------------------------------------------------------

SCALE = (CASES.parent / "docs" / "scale.md").read_text()


def shown(name: str) -> str:
    """The one block of code under the comment with that name."""
    (code,) = re.findall(rf"^<!-- {name} -->\n```\w+\n(.*?)```$", SCALE, re.MULTILINE | re.DOTALL)
    return code


@pytest.mark.slow  # `test_a_cluster_gives_the_outcomes_of_this_process` is quicker
def test_the_documented_cluster_runs(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = shown("command: cluster").replace("8786", port)
    script = f"trap 'kill -9 $(jobs -p)' EXIT\n{script.rstrip()} --out {tmp_path}\n"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=CASES.parent, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    assert "10 cases" in done.stdout
    assert "no unexplained disagreement" in done.stdout


def test_the_documented_executor_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES.parent)
    names: dict[str, Any] = {}
    exec(compile(shown("example: executor"), "docs/scale.md", "exec"), names)
    assert names["complete"] == names["outcomes"]
    assert len(names["outcomes"]) == len(names["work"]) > 9


# --- the order in which units begin -----------------------------------------------------------------------


def test_the_first_unit_begins_first_and_beside_it_the_longest() -> None:
    schedule = Schedule([1, 2, 9, 3, 8], at_once=2)
    assert [schedule.begin(0) for _ in range(3)] == [0, 2, 1]
    schedule.end(2)
    assert schedule.begin(0) == 4
    assert [schedule.begin(0) for _ in range(2)] == [3, None]


def test_one_at_a_time_is_in_order() -> None:
    schedule = Schedule([1, 2, 9], at_once=1)
    begun: list[int | None] = []
    for k in range(3):
        begun.append(schedule.begin(k))
        schedule.end(k)
    assert begun == [0, 1, 2]


def test_a_slow_first_unit_lets_a_bounded_number_pass() -> None:
    schedule, begun = Schedule([1.0] * (2 * AHEAD), at_once=2), 0
    while (unit := schedule.begin(0)) is not None:
        begun += 1
        if unit:
            schedule.end(unit)
    assert begun == AHEAD
    assert schedule.begin(1) == AHEAD


def test_paths_derivatives_and_large_arrays_cost_more() -> None:
    names = ("rosenbrock", "means", "wide-layer", "reuse", "ricker", "gelu-tail")
    work = units(load_all([path for path in find([CASES]) if path.stem in names]))
    costs = {unit.case.name: cost(unit) for unit in work}
    assert costs["rosenbrock"] > costs["means"]
    assert costs["wide-layer"] > costs["reuse"] - 1
    assert costs["ricker"] > costs["gelu-tail"]


# --- which executor ---------------------------------------------------------------------------------------


def test_jobs_are_the_cores_where_there_is_enough_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradaccord.harness.running.pools.cores", lambda: 4)

    def chosen(jobs: int, count: int) -> int:
        pool, at_once = executor(Settings(ENGINES, jobs=jobs), count)
        assert isinstance(pool, ThisProcess if at_once == 1 else Processes)
        pool.shutdown()
        return at_once

    assert [chosen(0, count) for count in (1, 15, 16, 25, 32, 600)] == [1, 1, 2, 3, 4, 4]
    assert [chosen(1, 600), chosen(8, 600), chosen(8, 3), chosen(2, 1)] == [1, 8, 3, 1]


def test_the_cores_are_those_that_this_process_may_use() -> None:
    one = min(os.sched_getaffinity(0))
    words = f"import os; os.sched_setaffinity(0, [{one}]); from gradaccord.harness.running.pools import cores; "
    shown = subprocess.run([sys.executable, "-c", words + "print(cores())"], capture_output=True, text=True, check=True)
    assert shown.stdout == "1\n"
    assert cores() == len(os.sched_getaffinity(0))


# cluster -> what the message must say
NO_CLUSTER = {
    "nonsense": "no cluster at nonsense: expected the address of a running Dask scheduler",
    "127.0.0.1:1": "no cluster at 127.0.0.1:1: expected the address of a running Dask scheduler",
}


@pytest.mark.parametrize(
    "place, message",  # it takes five seconds to give a port up
    [pytest.param(*one, marks=[pytest.mark.slow] * one[0].startswith("127")) for one in NO_CLUSTER.items()],
)
def test_a_wrong_address_is_told_within_seconds(place: str, message: str, product: Path, gradaccord: Command) -> None:
    start = time.perf_counter()
    done = gradaccord("run", product, "--engine", "backprop", "--cluster", place)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert time.perf_counter() - start < 20
    assert not (product.parent / "gradaccord-report" / "results.csv").exists()


def test_a_worker_with_two_threads_is_refused() -> None:
    with (
        local_cluster(workers=1, threads=2) as (place, _),
        pytest.raises(CommandError, match=r"has 2 threads, expected 1, .*--nthreads 1"),
    ):
        Cluster(place, ENGINES)


def test_a_cluster_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradaccord.harness.running.cluster.SECONDS_FOR_A_WORKER", 1)
    with (
        local_cluster(workers=0) as (place, _),
        pytest.raises(CommandError, match="has no workers: start some by `dask worker"),
    ):
        Cluster(place, ENGINES)


def test_an_engine_that_a_worker_cannot_find_is_told(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("from gradaccord.engines.backprop import prepare\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"worker tcp.* cannot be used: no engine file mine.py"):
        Cluster(address, ["mine.py"])


def test_an_engine_file_that_changed_is_read_again(address: str, product: Path) -> None:
    mine, work = product.parent / "mine.py", units(load_all([product])) * 5  # so many that each worker has some
    found: list[set[str]] = []
    for planted in ("", "raise OSError('changed')\n"):
        mine.write_text("from gradaccord.engines.backprop import prepare\n" + planted)
        with Cluster(address, [str(mine)]) as cluster:
            rows = [row for o in done(work, Settings((str(mine),), jobs=2), cluster) for row in o.rows]
            found.append({row.verdict for row in rows if row.engine == str(mine)})
    assert found == [{"agree"}, {"failed"}]


# --- memory and processes, given back ---------------------------------------------------------------------


def test_memory_is_given_back_between_units_and_no_row_changes(
    product: Path, install: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hoards = install("hoards")
    for k in range(6):  # six graphs to prepare
        (product.parent / f"{k}.yaml").write_text(f"name: n{k}\ninputs: {{a: 2}}\ngraph: {{y: a * {k + 2}}}\n")
    work = units(load_all(find([product.parent])), ["float64"])
    expected, most = done(work, Settings((hoards,))), int(load(hoards).version())
    assert most == 7
    load(hoards).release()
    prepared.cache_clear()
    monkeypatch.setattr(memory, "LIMIT", 100 << 20)
    start = memory.held()
    seen: list[int] = []
    found = done(work, Settings((hoards,)), noticed=lambda _: seen.append(memory.held() - start))
    assert [outcome.rows for outcome in found] == [outcome.rows for outcome in expected]
    assert max(seen) < 200 << 20
    assert 1 <= int(load(hoards).version()) <= 2


def test_jax_drops_its_programs() -> None:
    import jax

    program: Any = jax.jit(lambda x: x + 1)
    program(1.0)
    assert program._cache_size() == 1
    load("jax").release()
    assert program._cache_size() == 0


def test_processes_of_engines_end_with_the_run_and_in_an_idle_worker(
    product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, settings = units(load_all([product]), ["float64"]), Settings(("backprop",), timeout=60.0)

    done(work, settings)
    assert not place._places
    monkeypatch.setattr(place, "IDLE", 0.5)
    place.do(work[0], settings)
    (there,) = place._places
    assert isinstance(there.host, Apart)
    process = there.host._workers["backprop", ""]._process
    assert process.poll() is None
    assert process.wait(20) == -signal.SIGKILL
    assert not place._places
