"""`gradaccord show CASE --engine torch`: a script that repeats the numbers where gradaccord is not there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import Case
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.running.answers import answer
from gradaccord.harness.telling.script import script

from ..shipped import covering, operations

# Runs every script in a process where gradaccord cannot be imported, and keeps what each of them made.
RUNNER = """
import io, pathlib, pickle, sys, contextlib
import numpy as np
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "gradaccord":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
def array(g):
    if not hasattr(g, "detach"):
        return np.asarray(g)
    if str(g.dtype) != "torch.bfloat16":
        return g.detach().numpy()
    import ml_dtypes, torch
    return g.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    scope = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(path.read_text(), str(path), "exec"), scope)
    arrays = [array(g) for g in scope["gradients"]]
    found[path.stem] = arrays, printed.getvalue()
pickle.dump(found, open(sys.argv[2], "wb"))
"""


# JAX compiles every operation at every shape: of its cases one in thirty.
@pytest.mark.parametrize(
    "engine, share",
    [("torch", 3), ("jax", 30), *(pytest.param(name, 1, marks=pytest.mark.slow) for name in ("torch", "jax"))],
)
def test_scripts_repeat_every_gradient_bit_for_bit_without_gradaccord(engine: str, share: int, tmp_path: Path) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    import pickle

    written: dict[str, tuple[Case, Evaluation]] = {}
    for case in (cases := covering(operations)[::share]):
        dtype = case.dtypes[0]
        told = answer(engine, case.graph, dtype, case.inputs(0, dtype), case.cotangent(dtype)).evaluation
        if told.status == "ok":
            (tmp_path / f"{case.name}.py").write_text(script(case, engine, 0, dtype))
            written[case.name] = case, told
    assert len(written) >= 0.8 * len(cases)
    result = tmp_path / "found.pickle"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUNNER, str(tmp_path), str(result)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with result.open("rb") as file:
        found = pickle.load(file)
    for name, (case, told) in written.items():
        gradients, printed = found[name]
        for node, gradient in zip(case.graph.wanted, gradients, strict=True):
            assert gradient.dtype == np.dtype(case.dtypes[0]), name
            np.testing.assert_array_equal(gradient, told.gradients[node.name], err_msg=f"{name} {node.name}")
            assert f"gradient of {node.name} = " in printed


def test_a_script_names_no_part_of_gradaccord() -> None:
    for case in covering(operations):
        try:
            text = script(case, "torch", 0, case.dtypes[0])
        except CommandError:
            continue
        assert "import gradaccord" not in text
        assert "from .." not in text


NATIVE = """
name: natives
inputs: {x: [0.2, 0.7], m: [[1, 2], [3, 4.5]]}
define:
  torch(x): log(x / (1 - x))
  reduce(m): log(abs(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]))
  twice(x): torch(x) * 2
native:
  torch: {torch: torch.special.logit, jax: jax.scipy.special.logit}
  reduce:
    torch: torch.linalg.slogdet(m)[1]
    jax: jax.numpy.linalg.slogdet(m)[1]
graph:
  y: sum(twice(x)) * reduce(m)
"""


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_a_script_calls_the_frameworks_own_functions(
    load_text: Callable[[str], Case], engine: str, tmp_path: Path
) -> None:
    """Under names that mean nothing else there, and within other definitions too."""
    pytest.importorskip(engine)
    case = load_text(NATIVE)
    text = script(case, engine, 0, "float64")
    assert f"{engine}.numpy.linalg.slogdet(m)[1]" in text or "torch.linalg.slogdet(m)[1]" in text
    assert "special.logit" in text and "log(" not in text
    told = answer(engine, case.graph, "float64", case.inputs(0, "float64"), case.cotangent("float64")).evaluation
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"gradient of x = {told.gradients['x'].tolist()}" in done.stdout
    assert f"gradient of m = {told.gradients['m'].tolist()}" in done.stdout
