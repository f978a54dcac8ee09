"""What an engine from a file does to its process, its arrays or the truth costs its own rows, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ..conftest import Command

HEAD = """\
import asyncio, os, sys
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
    "raise KeyboardInterrupt": "KeyboardInterrupt at mine.py:",
    "raise GeneratorExit": "GeneratorExit",
    "os.close(0); os.close(1); os._exit(3)": "its process ended with exit status 3",
    "return Evaluation('undefined', 'no')": "the truth exists: no",
}


@pytest.mark.parametrize("does, said", DOES.items(), ids=map(str, range(len(DOES))))
def test_it_costs_its_own_rows_alone(does: str, said: str, product: Path, gradaccord: Command) -> None:
    (product.parent / "mine.py").write_text(f"{HEAD}        {does}\n    return evaluate\n")
    done = gradaccord("run", product, "--engine", "mine.py", "--engine", "backprop", "--dtype", "float64")
    report = product.parent / "gradaccord-report"
    rows = pd.read_csv(report / "results.csv")
    mine = rows[rows.engine == "mine.py"].iloc[0]
    assert (mine["verdict"], mine["finding"]) == ("failed", True)
    assert said in str(mine["reason"])
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}
    assert done.returncode == 1
    assert json.loads((report / "run.json").read_text())["units_left"] == 0


def test_another_folder_is_its_own(product: Path, gradaccord: Command) -> None:
    does = "os.chdir('/'); return sound(inputs, cotangent)"
    (product.parent / "mine.py").write_text(f"{HEAD}        {does}\n    return evaluate\n")
    done = gradaccord("run", product.name, "--engine", "mine.py", "--engine", "backprop")
    rows = pd.read_csv(product.parent / "gradaccord-report" / "results.csv")
    assert set(rows[rows.engine == "mine.py"].verdict) == {"agree"}
    assert done.returncode == 0


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
