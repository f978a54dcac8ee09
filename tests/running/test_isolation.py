"""What an engine of others does to its process, its arrays or the truth costs its own rows, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ..conftest import Command, packaged

HEAD = """\
import asyncio, os, signal, sys
import numpy as np
from dataclasses import replace
from gradaccord import Evaluation
from gradaccord.engines import backprop

class Odd(BaseException):
    pass

def prepare(graph, dtype):
    sound, kept = backprop.prepare(graph, dtype), {}
    def evaluate(inputs, cotangent):
"""

# what it does -> what its rows must say
DOES = {
    "os._exit(0)": "its process ended with exit status 0",
    "raise asyncio.CancelledError": "CancelledError",
    "raise Odd('no')": "Odd: no",
    "raise KeyboardInterrupt": "KeyboardInterrupt at mine",
    "raise GeneratorExit": "GeneratorExit",
    "os.close(0); os.close(1); os._exit(3)": "its process ended with exit status 3",
    "assert os.getpgid(0) != os.getpgid(os.getppid()); os.kill(0, signal.SIGTERM)": "its process died with signal 15",
    "return Evaluation('undefined', 'no')": "the truth exists: no",
}


def installed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mine.py`, which stands in that folder, becomes an engine of an installed package."""
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    packaged(tmp_path, name, told, f"[gradaccord.engines]\n{name} = mine:prepare\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


FROM_A_PACKAGE = {does: DOES[does] for does in ("os._exit(0)", "raise Odd('no')")}


def assert_alone(engines: dict[str, str], product: Path, gradaccord: Command) -> None:
    """Each engine has failed for its own reason, and nothing else has."""
    words = [word for mine in (*engines, "backprop") for word in ("--engine", mine)]
    done = gradaccord("run", product, *words, "--dtype", "float64")
    report = product.parent / "gradaccord-report"
    rows = pd.read_csv(report / "results.csv")
    for mine, said in engines.items():
        own = rows[rows.engine == mine].iloc[0]
        assert (own["verdict"], own["finding"]) == ("failed", True)
        assert said in str(own["reason"])
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}
    assert done.returncode == 1
    assert json.loads((report / "run.json").read_text())["units_left"] == 0


def test_it_costs_its_own_rows_alone(product: Path, gradaccord: Command) -> None:
    engines = {f"mine{place}.py": (does, said) for place, (does, said) in enumerate(DOES.items())}
    for name, (does, _) in engines.items():
        (product.parent / name).write_text(f"{HEAD}        {does}\n    return evaluate\n")
    assert_alone({name: said for name, (_, said) in engines.items()}, product, gradaccord)


@pytest.mark.parametrize("does, said", FROM_A_PACKAGE.items(), ids=["ends", "raises"])
def test_so_does_one_that_is_installed(
    does: str, said: str, product: Path, gradaccord: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("mine", product.parent, monkeypatch)
    (product.parent / "mine.py").write_text(f"{HEAD}        {does}\n    return evaluate\n")
    assert_alone({"mine": said}, product, gradaccord)


@pytest.mark.parametrize("mine", ["mine.py", pytest.param("mine", marks=pytest.mark.slow)])
def test_what_it_changes_of_its_process_is_its_own(
    mine: str, product: Path, gradaccord: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder, signals, modes of floating-point numbers (here, that an overflow raises), and a fork of it."""
    installed("mine", product.parent, monkeypatch)
    product.write_text("name: product\ninputs: {a: 1000}\ngraph: {y: exp(a) * 0}\n")
    does = "os.chdir('/'); np.seterr(all='raise'); signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork()"
    (product.parent / "mine.py").write_text(
        f"{HEAD}        shown = sound(inputs, cotangent)\n        {does}\n        return shown\n    return evaluate\n"
    )
    alone = gradaccord("run", product.name, "--engine", "backprop", "--dtype", "float64", "--out", "alone")
    done = gradaccord("run", product.name, "--engine", mine, "--engine", "backprop", "--dtype", "float64")
    rows, others = (pd.read_csv(product.parent / out / "results.csv") for out in ("gradaccord-report", "alone"))
    sound = rows[rows.engine == "backprop"].reset_index(drop=True)
    assert sound.drop(columns="seconds").equals(others.drop(columns="seconds"))
    assert done.returncode == alone.returncode
    assert set(rows[rows.engine == mine].verdict) == set(sound.verdict)


def test_one_that_ends_whoever_imports_it_is_listed(
    product: Path, gradaccord: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("mine", product.parent, monkeypatch)
    (product.parent / "mine.py").write_text("import os\nos._exit(4)\n")
    done = gradaccord("engines")
    assert done.returncode == 0
    assert "its process ended with exit status 4" in " ".join(done.stdout.split())
    assert "NumPy" in done.stdout


@pytest.mark.parametrize("factor, verdict", [(7, "unstable"), (1, "agree")])
def test_a_second_answer_overwrites_no_first_one(factor: int, verdict: str, product: Path, gradaccord: Command) -> None:
    does = f"""found, first = sound(inputs, cotangent), not kept
        for name, array in found.gradients.items():
            kept.setdefault(name, np.empty_like(array))[...] = {factor} * array if first else array
        return replace(found, gradients=dict(kept))"""
    (product.parent / "mine.py").write_text(f"{HEAD}        {does}\n    return evaluate\n")
    gradaccord("run", product, "--engine", "mine.py", "--dtype", "float64")
    rows = pd.read_csv(product.parent / "gradaccord-report" / "results.csv")
    assert set(rows[rows.engine == "mine.py"].verdict) == {verdict}


def test_where_no_truth_exists_an_engine_may_say_so(product: Path, gradaccord: Command) -> None:
    product.write_text("name: outside\ninputs: {x: -1}\ngraph: {y: log(x)}\n")
    (product.parent / "mine.py").write_text(
        f"{HEAD}        return Evaluation('undefined', 'no')\n    return evaluate\n"
    )
    gradaccord("run", product, "--engine", "mine.py", "--engine", "backprop", "--dtype", "float64")
    rows = pd.read_csv(product.parent / "gradaccord-report" / "results.csv")
    assert set(rows[rows.engine == "mine.py"].verdict) == {"undefined"}
