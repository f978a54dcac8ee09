"""What XLA compiled is kept, read back, pruned, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jax.interpreters import mlir

from gradaccord.engines.jax import cache, precision
from gradaccord.engines.jax.operations import checked_functions
from gradaccord.engines.jax.precision import mode
from gradaccord.engines.jax.replay import FUSED, NATIVE, OTHER_BITS, Replay, rounds_once
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.reading.case import Case
from gradaccord.harness.records.evaluation import CACHE
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.selection import Selected
from gradaccord.harness.running.session import session

RUN = (sys.executable, "-m", "gradaccord", "run", "fan-out", "-e", "jax:jit", "-d", "float64", "--jobs", "1")


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, CACHE: str(folder / "cache"), **environment}
    return subprocess.run(
        [*RUN, "--out", str(folder / "out"), *words],
        env=variables, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def entries(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*-cache")}


def test_a_second_run_compiles_nothing_and_finds_the_same(tmp_path: Path) -> None:
    first = run(tmp_path)
    kept, rows = entries(tmp_path), (tmp_path / "out" / "pairs.csv").read_text()
    assert first.returncode == 0 and kept
    assert run(tmp_path).returncode == 0
    assert entries(tmp_path) == kept
    assert (tmp_path / "out" / "pairs.csv").read_text() == rows


@pytest.mark.parametrize(
    "words, environment",
    [(["--no-cache"], {}), pytest.param([], {CACHE: ""}, marks=pytest.mark.slow)],
    ids=["option", "variable"],
)
def test_it_can_be_turned_off(words: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    assert run(tmp_path, *words, **environment).returncode == 0
    assert not entries(tmp_path)


def test_a_folder_of_the_users_own_is_left_to_them(tmp_path: Path) -> None:
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs")).returncode == 0
    assert not (tmp_path / "cache").exists()


def test_a_spoiled_entry_and_a_folder_that_cannot_be_made_cost_no_result(tmp_path: Path) -> None:
    run(tmp_path)
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(path.read_bytes()[:20])
    assert run(tmp_path).returncode == 0
    (tmp_path / "file").write_text("")
    assert run(tmp_path, **{CACHE: str(tmp_path / "file" / "below")}).returncode == 0


def test_what_nobody_read_for_a_month_is_pruned_once_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "0.1-x"
    folder.mkdir()
    old, new = folder / "old-cache", folder / "new-cache"
    for path, age in ((old, cache.KEPT + cache.DAY), (new, cache.DAY)):
        path.write_text("")
        then = time.time() - age
        os.utime(path, (then, then))
    cache.prune(tmp_path)
    assert new.exists() and not old.exists()
    old.write_text("")
    then = time.time() - cache.KEPT - cache.DAY
    os.utime(old, (then, then))
    cache.prune(tmp_path)
    assert old.exists()


def test_programs_that_share_a_context_are_those_of_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax

    def text(x: float) -> str:
        return jax.jit(lambda a: jax.numpy.tanh(a) * x).lower(np.zeros(3, np.float32)).as_text()

    monkeypatch.setattr(jax, "clear_caches", lambda: None)  # other tests need what was compiled
    own = [text(0.1), text(0.2)]
    made: list[object] = []
    monkeypatch.setattr(precision, "_new_context", lambda: made.append(new := mlir.make_ir_context()) or new)
    precision.release()
    before = precision.LOWERING.make_ir_context
    with mode(wide=False):
        assert [text(0.1), text(0.2)] == own
    assert len(made) == 1
    assert precision.LOWERING.make_ir_context is before
    precision.release()  # memory is given back with it
    with mode(wide=False):
        text(0.3)
    assert len(made) == 2


# --- paths ------------------------------------------------------------------------------------------------


def test_a_replay_gives_the_bits_of_the_run_and_does_not_run_it() -> None:
    import jax.numpy as jnp

    runs: list[float] = []

    def plain(x: object) -> object:
        runs.append(0)
        return jnp.sin(x) * jnp.exp(x)  # pyright: ignore[reportArgumentType]

    replay = Replay(plain)
    for k in range(40):
        x = jnp.float32(0.1 * k)
        assert np.asarray(replay(x)).tobytes() == np.asarray(jnp.sin(x) * jnp.exp(x)).tobytes()
    # Natively, to record, and where bits are compared: at the 4th, 8th, 16th and 32nd evaluation.
    assert len(runs) == NATIVE + 1 + 4 and not replay.native


def test_a_recording_that_gives_other_bits_is_noticed_and_left() -> None:
    import jax.numpy as jnp

    state = [0.0]

    def drifts(x: object) -> object:
        state[0] += 1
        return jnp.sin(x) + state[0]  # pyright: ignore[reportArgumentType]

    replay = Replay(drifts)
    results = [float(replay(jnp.float32(0.0))) for _ in range(8)]
    assert replay.native == OTHER_BITS
    assert len(set(results)) == 8  # each is a run of its own


@pytest.mark.parametrize(
    "text, once",
    [
        ("x * y[0] + tanh(x)", True),
        ("sum(matrix_transpose(stack(y, y)) @ y[:2])", True),
        ("mean(y) + x", False),
        ("mse_loss(y, x)", False),
    ],
)
def test_a_graph_is_recorded_where_each_operation_rounds_in_one_primitive(text: str, once: bool) -> None:
    builder = Builder()
    builder.input("x", ())
    builder.input("y", (3,))
    Parser(builder).define("f", text)
    graph = builder.graph(["f"])
    with mode():
        assert rounds_once(graph, checked_functions(graph, "float32"), "float32") is once


PATHS = """\
name: path
about: An average of squares, walked down.
inputs: {x: [1, 2, 4]}
graph: {f: "TEXT"}
update: {rule: descent, step_size: 0.125, steps: 4}
"""


@pytest.mark.parametrize("text, note", [("mean(x * x)", FUSED), ("sum(x * x) / 3", "")], ids=["fused", "replayed"])
def test_a_path_that_is_not_replayed_says_so(
    text: str, note: str, load_text: Callable[[str], Case], tmp_path: Path
) -> None:
    case = load_text(PATHS.replace("TEXT", text))
    session([Selected(case, "case.yaml")], Settings(("jax",), jobs=1, dtypes=("float32",), out=str(tmp_path)), "", [])
    report = (tmp_path / "report.md").read_text()
    assert f"`jax`, {note}: [`path`](cases.md#path).\n" in report if note else "not replayed" not in report
